#include "detection/nms.h"

#include "detection/nms_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

void check_nms_input(const NmsInput& input, double threshold, int64_t most) {
  check_shape("nms: boxes", input.boxes, {-1, -1, 4});
  const int64_t segments = input.boxes.size(0), capacity = input.boxes.size(1);
  if (input.labels) check_shape("nms: labels", *input.labels, {segments, capacity});
  if (input.valid) check_shape("nms: valid", *input.valid, {segments, capacity});
  if (input.count) check_shape("nms: count", *input.count, {segments});
  if (input.limit) check_shape("nms: limit", *input.limit, {segments});
  TS_CHECK(threshold >= 0, "nms: threshold ", threshold, "; expected at least 0");
  TS_CHECK(most >= 0, "nms: ", most, " survivors wanted");
}

template <class Real>
void walk(Context& ctx, const NmsInput& input, double threshold, const NmsResult& out) {
  const int64_t segments = input.boxes.size(0), capacity = input.boxes.size(1), most = out.survivors.size(1);
  const int64_t words = (capacity + kWord - 1) / kWord, padded = words * kWord;
  const Tensor columns = Tensor::empty(ctx, {segments, 5, padded}, input.boxes.dtype());
  const Tensor struck = Tensor::empty(ctx, {segments, words}, DType::int64);
  const BoxColumns<Real> boxes{columns.data<Real>(), input.labels ? input.labels->data<int32_t>() : nullptr, capacity,
                               padded};
  const int32_t* limits = input.limit ? input.limit->data<int32_t>() : nullptr;
  for_each_item(ctx, segments * words,
                NmsPrepare<Real>{boxes, input.boxes.data<Real>(), input.valid ? input.valid->data<uint8_t>() : nullptr,
                                 input.count ? input.count->data<int32_t>() : nullptr, struck.data<int64_t>()});
  const ComputedRows<Real> rows{boxes, bound_of<Real>(threshold)};
  const auto run = [&](auto source) {
    for_each_item(
        ctx, segments,
        NmsWalk<Real, decltype(source)>{source, struck.data<int64_t>(), limits, out.survivors.data<int32_t>(),
                                        out.count.data<int32_t>(), out.keep.data<uint8_t>(), capacity, words, most});
  };
  if (!ctx.device().is_cuda()) return run(rows);
  const Tensor bits = Tensor::empty(ctx, {segments, words, padded}, DType::int64);
  for_each_item(ctx, segments * words * NmsBits<Real>::parts(padded), NmsBits<Real>{rows, bits.data<int64_t>()});
  run(StoredRows<Real>{bits.data<int64_t>(), padded});
}

}  // namespace

NmsResult nms_sorted(Context& ctx, const NmsInput& input, double threshold, int64_t most) {
  check_nms_input(input, threshold, most);
  const int64_t segments = input.boxes.size(0), capacity = input.boxes.size(1);
  const NmsResult out{Tensor::empty(ctx, {segments, most}, DType::int32), Tensor::empty(ctx, {segments}, DType::int32),
                      Tensor::empty(ctx, {segments, capacity}, DType::uint8)};
  dispatch_full(input.boxes.dtype(), "nms", [&]<class Real>(Real) { walk<Real>(ctx, input, threshold, out); });
  return out;
}

}  // namespace tailseg
