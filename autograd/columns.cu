#include "autograd/columns.h"

#include "autograd/columns_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

// Adds the chunks [chunks, columns] in order into `sums` [columns]. A card gets it in two passes: its few warps of one
// pass would walk thousands of rows one after the other.
template <class Real>
void add_chunks(Context& ctx, const Tensor& partial, const Tensor& sums) {
  constexpr int64_t kGroup = 256;
  const int64_t chunks = partial.size(0), columns = partial.size(1);
  const int64_t tiles = (columns + AddChunks<Real>::kTile - 1) / AddChunks<Real>::kTile;
  if (!ctx.device().is_cuda() || chunks <= kGroup) {
    return for_each_item(ctx, tiles, AddChunks<Real>{partial.data<Real>(), sums.data<Real>(), chunks, columns});
  }
  const int64_t groups = (chunks + kGroup - 1) / kGroup;
  const Tensor group_sums = Tensor::empty(ctx, {groups, columns}, partial.dtype());
  for_each_item(ctx, groups * tiles,
                AddChunks<Real>{partial.data<Real>(), group_sums.data<Real>(), chunks, columns, kGroup});
  for_each_item(ctx, tiles, AddChunks<Real>{group_sums.data<Real>(), sums.data<Real>(), groups, columns});
}

}  // namespace

MaskedGradient mask_and_sum(Context& ctx, const Tensor& dy, const Tensor& y, bool want_sums, const Tensor& sums_to) {
  MaskedGradient out{dy, {}};
  if (!y.defined() && !want_sums) return out;
  const int64_t columns = dy.size(-1);
  TS_CHECK(!y.defined() || y.shape() == dy.shape(), "mask_and_sum: gradient ", dy.shape(), " of a result ", y.shape());
  if (want_sums && sums_to.defined()) check_shape("mask_and_sum: sums", sums_to, {columns});
  const int64_t rows = columns == 0 ? 0 : dy.elements() / columns;
  // Enough warps for a card even where rows are few: short chunks, and columns cut into tiles.
  const bool cuda = ctx.device().is_cuda();
  const int64_t chunk_rows = cuda ? 32 : kChunkRows, tile = cuda ? 256 : columns;
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  dispatch_floating(dy.dtype(), "mask_and_sum", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    Tensor partial;
    if (y.defined()) out.dy = Tensor::empty(ctx, dy.shape(), dy.dtype());
    if (want_sums) {
      partial = Tensor::empty(ctx, {chunks, columns}, dtype_of<Real>());
      out.sums = sums_to.defined() ? sums_to : Tensor::empty(ctx, {columns}, dtype_of<Real>());
    }
    const Scalar* kept = y.defined() ? y.data<Scalar>() : nullptr;
    Scalar* masked = y.defined() ? out.dy.data<Scalar>() : nullptr;
    Real* to = want_sums ? partial.data<Real>() : nullptr;
    dispatch_pack<Scalar>(cuda, columns, {dy.raw(), kept, masked, to}, [&]<int64_t kPack>() {
      for_each_item(
          ctx, chunks == 0 ? 0 : chunks * ((columns + tile - 1) / tile),
          MaskedColumnSums<Scalar, kPack>{dy.data<Scalar>(), kept, masked, to, rows, columns, chunk_rows, tile});
    });
    if (want_sums) add_chunks<Real>(ctx, partial, out.sums);
  });
  return out;
}

}  // namespace tailseg
