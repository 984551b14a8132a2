#include "detection/roi_align.h"

#include "detection/roi_align_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

struct Taps {  // the table's memory, kept for the backward pass
  Tensor slot, ranges, extents, weights;
  int64_t pooled = 0, capacity = 0;

  template <class Real>
  RoiTapTable<Real> table() const {
    return {slot.data<int32_t>(),
            reinterpret_cast<const TapRange*>(ranges.data<int32_t>()),
            extents.data<int32_t>(),
            weights.data<Real>(),
            pooled,
            capacity};
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
  int64_t longest = 0;
  for (size_t l = 0; l < sizes.size(); ++l) {
    body.sizes[l][0] = sizes[l].height;
    body.sizes[l][1] = sizes[l].width;
    body.scales[l] = Real(sizes[l].scale);
    longest = std::max({longest, sizes[l].height, sizes[l].width});
  }
  Taps taps;
  taps.pooled = options.output_size;
  taps.capacity = roi_tap_capacity(longest, taps.pooled);
  taps.slot = Tensor::empty(ctx, {count}, DType::int32);
  taps.ranges = Tensor::empty(ctx, {count, 2, taps.pooled, int64_t{sizeof(TapRange) / 4}}, DType::int32);
  taps.extents = Tensor::empty(ctx, {count, 2, 2}, DType::int32);
  taps.weights = Tensor::empty(ctx, {count, 2, taps.capacity}, dtype_of<Real>());
  body.rois = rois.boxes.data<float>();
  body.image = rois.image_index.data<int32_t>();
  body.level = rois.level.data<int32_t>();
  body.slot = taps.slot.data<int32_t>();
  body.ranges = reinterpret_cast<TapRange*>(taps.ranges.data<int32_t>());
  body.extents = taps.extents.data<int32_t>();
  body.weights = taps.weights.data<Real>();
  body.levels = static_cast<int64_t>(sizes.size());
  body.images = images;
  body.pooled = taps.pooled;
  body.capacity = taps.capacity;
  body.sampling = options.sampling_ratio;
  body.aligned = options.aligned;
  for_each_item(ctx, count * 2, body);
  return taps;
}

void check_rois(const RoiSet& rois, const RoiAlignOptions& options) {
  check_shape("roi_align: boxes", rois.boxes, {-1, 4});
  check_shape("roi_align: image_index", rois.image_index, {rois.boxes.size(0)});
  check_shape("roi_align: level", rois.level, {rois.boxes.size(0)});
  TS_CHECK(options.output_size > 0, "roi_align: output_size is ", options.output_size, ", expected at least 1");
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
    for_each_item(ctx, rois * taps.pooled, body);
  });
  return out;
}

template <class Scalar>
void gather_gradients(Context& ctx, const std::vector<Variable>& levels, const Taps& taps, const Tensor& dy) {
  RoiRowMask<Scalar> rows{};
  RoiAlignBackward<Scalar> body{};
  std::vector<Tensor> gradients(levels.size());
  const int64_t images = levels[0].size(0);
  int64_t row_count = 0, items = 0;
  for (size_t l = 0; l < levels.size(); ++l) {
    RoiFeature<Scalar>& g = body.gradients[l];
    g = {nullptr, levels[l].size(1), levels[l].size(2), row_count, items};
    if (levels[l].requires_grad()) {
      gradients[l] = levels[l].grad_destination(ctx);
      g.data = gradients[l].data<Scalar>();
      row_count += images * g.height;
      items += images * g.height * ((g.width + body.kTile - 1) / body.kTile);
    }
    rows.features[l] = g;
  }
  rows.slot = taps.slot.data<int32_t>();
  rows.extents = taps.extents.data<int32_t>();
  rows.levels = body.levels = static_cast<int64_t>(levels.size());
  rows.images = body.images = images;
  rows.rois = dy.size(0);
  rows.words = body.words = (dy.size(0) + 31) / 32;
  const Tensor mask = Tensor::empty(ctx, Shape{row_count, rows.words}, DType::int32);
  rows.mask = reinterpret_cast<uint32_t*>(mask.data<int32_t>());
  body.taps = taps.table<ComputeType<Scalar>>();
  body.mask = rows.mask;
  body.dy = dy.data<Scalar>();
  body.channels = levels[0].size(3);
  for_each_item(ctx, row_count, rows);
  for_each_item(ctx, items, body);
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
