#include "detection/roi_align.h"

#include "detection/roi_align_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

struct Taps {  // the table's memory, kept for the backward pass
  Tensor slot, ranges, weights;
  int64_t rois = 0, pooled = 0, longest = 0, capacity = 0;

  template <class Real>
  RoiTapTable<Real> table() const {
    return {slot.data<int32_t>(), reinterpret_cast<const TapRange*>(ranges.data<int32_t>()), weights.data<Real>(),
            pooled, capacity};
  }
};

struct RoiLevelSize {
  int64_t height, width;
  double scale;
};

template <class Real>
Taps make_taps(Context& ctx, const RoiSet& rois, const std::vector<RoiLevelSize>& sizes, int64_t images,
               const RoiAlignOptions& options) {
  const int64_t count = rois.boxes.size(0);
  RoiTaps<Real> body{};
  Taps taps;
  for (size_t l = 0; l < sizes.size(); ++l) {
    body.sizes[l][0] = sizes[l].height;
    body.sizes[l][1] = sizes[l].width;
    body.scales[l] = Real(sizes[l].scale);
    taps.longest = std::max({taps.longest, sizes[l].height, sizes[l].width});
  }
  taps.rois = count;
  taps.pooled = options.output_size;
  taps.capacity = roi_tap_capacity(taps.longest, taps.pooled);
  taps.slot = Tensor::empty(ctx, {count}, DType::int32);
  taps.ranges = Tensor::empty(ctx, {count, 2, taps.pooled, int64_t{sizeof(TapRange) / 4}}, DType::int32);
  taps.weights = Tensor::empty(ctx, {count, 2, taps.capacity}, dtype_of<Real>());
  body.rois = rois.boxes.data<float>();
  body.image = rois.image_index.data<int32_t>();
  body.level = rois.level.data<int32_t>();
  body.slot = taps.slot.data<int32_t>();
  body.ranges = reinterpret_cast<TapRange*>(taps.ranges.data<int32_t>());
  body.weights = taps.weights.data<Real>();
  body.levels = static_cast<int64_t>(sizes.size());
  body.images = images;
  body.pooled = taps.pooled;
  body.capacity = taps.capacity;
  body.sampling = options.sampling_ratio;
  body.aligned = options.aligned;
  for_each_item(ctx, count * 2 * taps.pooled, body);
  return taps;
}

void check_rois(const RoiSet& rois, const RoiAlignOptions& options) {
  check_shape("roi_align: boxes", rois.boxes, {-1, 4});
  check_shape("roi_align: image_index", rois.image_index, {rois.boxes.size(0)});
  check_shape("roi_align: level", rois.level, {rois.boxes.size(0)});
  TS_CHECK(options.output_size > 0 && options.output_size <= kMaxPooled, "roi_align: output_size is ",
           options.output_size, ", expected 1 to ", kMaxPooled);
  TS_CHECK(options.sampling_ratio >= 0, "roi_align: sampling_ratio is ", options.sampling_ratio,
           ", expected 0 (adaptive) or more");
}

std::vector<RoiLevelSize> check_levels(const std::vector<Variable>& levels, const std::vector<double>& scales) {
  TS_CHECK(!levels.empty() && levels.size() <= kMaxRoiLevels && levels.size() == scales.size(),
           "roi_align: ", levels.size(), " levels and ", scales.size(), " scales; expected as many of both, 1 to ",
           kMaxRoiLevels);
  std::vector<RoiLevelSize> sizes;
  for (size_t l = 0; l < levels.size(); ++l) {
    const Tensor& f = levels[l].value();
    check_shape("roi_align: a level", f, {levels[0].size(0), -1, -1, levels[0].size(3)});
    TS_CHECK(f.dtype() == levels[0].value().dtype(), "roi_align: level ", l, " is ", name_of(f.dtype()), ", level 0 ",
             name_of(levels[0].value().dtype()));
    TS_CHECK(f.size(1) > 0 && f.size(2) > 0 && scales[l] > 0, "roi_align: level ", l, " has shape ", f.shape(),
             " and scale ", scales[l]);
    sizes.push_back({f.size(1), f.size(2), scales[l]});
  }
  return sizes;
}

template <class Scalar>
Tensor forward(Context& ctx, const std::vector<Variable>& levels, const Taps& taps, int64_t rois) {
  const int64_t channels = levels[0].size(3);
  const Tensor out = Tensor::empty(ctx, {rois, taps.pooled, taps.pooled, channels}, dtype_of<Scalar>());
  std::vector<const void*> pointers{out.raw()};
  for (const Variable& level : levels) pointers.push_back(level.value().raw());
  dispatch_pack<Scalar>(ctx.device().is_cuda(), channels, pointers, [&]<int64_t kPack>() {
    RoiAlignForward<Scalar, kPack> body{};
    body.taps = taps.table<ComputeType<Scalar>>();
    for (size_t l = 0; l < levels.size(); ++l) {
      body.features[l] = {levels[l].value().data<Scalar>(), levels[l].size(1), levels[l].size(2), 0, 0};
    }
    body.out = out.data<Scalar>();
    body.images = levels[0].size(0);
    body.channels = channels;
    for_each_item(ctx, rois * taps.pooled * (taps.pooled / body.bins_of_item()), body);
  });
  return out;
}

struct Bins {  // the memory of RoiBinTable
  Tensor extents, bins;
  int64_t longest = 0;
  RoiBinTable table() const {
    return {extents.data<int32_t>(), reinterpret_cast<const BinRange*>(bins.data<int32_t>()), longest};
  }
};

Bins make_bins(Context& ctx, const Taps& taps) {
  static_assert(sizeof(BinRange) == sizeof(int32_t));
  const Bins made{Tensor::empty(ctx, {taps.rois, 2, 2}, DType::int32),
                  Tensor::empty(ctx, {taps.rois, 2, taps.longest}, DType::int32), taps.longest};
  for_each_item(ctx, taps.rois * 2,
                RoiBins{reinterpret_cast<const TapRange*>(taps.ranges.data<int32_t>()), made.extents.data<int32_t>(),
                        reinterpret_cast<BinRange*>(made.bins.data<int32_t>()), taps.pooled, taps.longest});
  return made;
}

// Which RoIs touch which rows: what the gather walks.
struct RowMask {
  Tensor span, bits;  // of RoiImageWords and RoiRowMask
  int64_t words = 0;
};

template <class Scalar>
RowMask make_row_mask(Context& ctx, const RoiFeature<Scalar>* features, size_t levels, int64_t images, int64_t rows,
                      const Taps& taps, const Bins& bins) {
  RowMask made{Tensor::empty(ctx, {images, 2}, DType::int32), {}, (taps.rois + 31) / 32};
  made.bits = Tensor::empty(ctx, Shape{rows, made.words}, DType::int32);
  for_each_item(ctx, images, RoiImageWords{taps.slot.data<int32_t>(), made.span.data<int32_t>(), taps.rois, images});
  RoiRowMask<Scalar> body{};
  body.slot = taps.slot.data<int32_t>();
  body.extents = bins.extents.data<int32_t>();
  body.span = made.span.data<int32_t>();
  body.mask = reinterpret_cast<uint32_t*>(made.bits.data<int32_t>());
  std::copy_n(features, levels, body.features);
  body.levels = static_cast<int64_t>(levels);
  body.images = images;
  body.rois = taps.rois;
  body.words = made.words;
  for_each_item(ctx, rows, body);
  return made;
}

template <class Scalar>
void gather_gradients(Context& ctx, const std::vector<Variable>& levels, const Taps& taps, const Tensor& dy) {
  std::vector<Tensor> gradients(levels.size());
  std::vector<const void*> pointers{dy.raw()};
  for (size_t l = 0; l < levels.size(); ++l) {
    if (!levels[l].requires_grad()) continue;
    gradients[l] = levels[l].grad_destination(ctx);
    pointers.push_back(gradients[l].raw());
  }
  const int64_t images = levels[0].size(0), channels = levels[0].size(3);
  const Bins bins = make_bins(ctx, taps);
  dispatch_pack<Scalar>(ctx.device().is_cuda(), channels, pointers, [&]<int64_t kPack>() {
    RoiAlignBackward<Scalar, kPack> body{};
    int64_t rows = 0, items = 0;
    for (size_t l = 0; l < levels.size(); ++l) {
      RoiFeature<Scalar>& g = body.gradients[l];
      g = {nullptr, levels[l].size(1), levels[l].size(2), rows, items};
      if (!gradients[l].defined()) continue;
      g.data = gradients[l].template data<Scalar>();
      rows += images * g.height;
      items += images * g.height * ((g.width + body.kTile - 1) / body.kTile);
    }
    const RowMask mask = make_row_mask(ctx, body.gradients, levels.size(), images, rows, taps, bins);
    body.taps = taps.table<ComputeType<Scalar>>();
    body.side = bins.table();
    body.mask = reinterpret_cast<const uint32_t*>(mask.bits.data<int32_t>());
    body.span = mask.span.data<int32_t>();
    body.words = mask.words;
    body.dy = dy.data<Scalar>();
    body.levels = static_cast<int64_t>(levels.size());
    body.channels = channels;
    for_each_item(ctx, items, body);
  });
  for (size_t l = 0; l < levels.size(); ++l) {
    if (gradients[l].defined()) levels[l].accumulate(ctx, gradients[l]);
  }
}

}  // namespace

Variable roi_align(Context& ctx, const std::vector<Variable>& levels, const std::vector<double>& scales,
                   const RoiSet& rois, const RoiAlignOptions& options) {
  check_rois(rois, options);
  const std::vector<RoiLevelSize> sizes = check_levels(levels, scales);
  Tensor out;
  Taps taps;
  dispatch_floating(levels[0].value().dtype(), "roi_align", [&]<class Scalar>(Scalar) {
    taps = make_taps<ComputeType<Scalar>>(ctx, rois, sizes, levels[0].size(0), options);
    out = forward<Scalar>(ctx, levels, taps, rois.boxes.size(0));
  });
  return record(ctx, "roi_align", out, levels, [levels, taps](Context& c, const Tensor& dy) {
    dispatch_floating(dy.dtype(), "roi_align",
                      [&]<class Scalar>(Scalar) { gather_gradients<Scalar>(c, levels, taps, dy); });
  });
}

}  // namespace tailseg
