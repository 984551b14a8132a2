#include "datasets/device_photos.h"

#include "datasets/device_photos_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

// The batch's photos and tables, one behind the other, as the kernel finds them.
template <class Weight>
struct Plans {
  std::vector<PhotoPlan> photos;
  std::vector<int32_t> first;
  std::vector<Weight> weight;
  int64_t bytes = 0;

  void add(const ImageSize& source, const ImageSize& size, const AxisTaps<Weight>& x, const AxisTaps<Weight>& y) {
    PhotoPlan plan{};
    plan.pixels = bytes;
    plan.source_width = static_cast<int32_t>(source.width), plan.source_height = static_cast<int32_t>(source.height);
    plan.width = static_cast<int32_t>(size.width), plan.height = static_cast<int32_t>(size.height);
    plan.x_taps = x.taps, plan.y_taps = y.taps;
    plan.x_first = add_table(x, plan.x_weight);
    plan.y_first = add_table(y, plan.y_weight);
    photos.push_back(plan);
    bytes += source.width * source.height * 3;
  }

 private:
  int64_t add_table(const AxisTaps<Weight>& axis, int64_t& weights) {
    const auto at = static_cast<int64_t>(first.size());
    weights = static_cast<int64_t>(weight.size());
    first.insert(first.end(), axis.first.begin(), axis.first.end());
    weight.insert(weight.end(), axis.weight.begin(), axis.weight.end());
    return at;
  }
};

Tensor upload(Context& ctx, std::span<const Image> photos, int64_t bytes) {
  std::vector<uint8_t> all;
  all.reserve(static_cast<size_t>(bytes));
  for (const Image& photo : photos) all.insert(all.end(), photo.pixels.begin(), photo.pixels.end());
  return Tensor::from(ctx, {bytes}, all);
}

template <Resampler kResampler, class Axes>
Tensor place(Context& ctx, std::span<const Image> photos, std::span<const Placement> placements,
             const InputConfig& config, ImageSize padded, Axes&& axes) {
  using Weight = typename PlacePhotos<kResampler>::Weight;
  Plans<Weight> plans;
  for (const Placement& placement : placements) {
    const AxisTaps<Weight> x = axes(placement.original.width, placement.resized.width, true, placement.flipped);
    const AxisTaps<Weight> y = axes(placement.original.height, placement.resized.height, false, false);
    plans.add(placement.original, placement.resized, x, y);
  }
  const auto count = static_cast<int64_t>(photos.size());
  const auto plan_bytes = static_cast<int64_t>(plans.photos.size() * sizeof(PhotoPlan));
  const Tensor bytes = upload(ctx, photos, plans.bytes);
  const Tensor list = Tensor::from_host(ctx, {plan_bytes}, DType::uint8, plans.photos.data());
  const Tensor first = Tensor::from(ctx, {static_cast<int64_t>(plans.first.size())}, plans.first);
  const Tensor weight = Tensor::from(ctx, {static_cast<int64_t>(plans.weight.size())}, plans.weight);
  const Tensor out = Tensor::empty(ctx, {count, padded.height, padded.width, 3});
  PlacePhotos<kResampler> body{bytes.data<uint8_t>(),
                               reinterpret_cast<const PhotoPlan*>(list.data<uint8_t>()),
                               first.data<int32_t>(),
                               weight.data<Weight>(),
                               out.data<float>(),
                               padded.height,
                               padded.width,
                               {},
                               {},
                               config.bgr,
                               static_cast<double>(plans.bytes)};
  for (int c = 0; c < 3; ++c) {
    body.mean[c] = config.mean[static_cast<size_t>(c)];
    body.factor[c] = 1.0f / config.std[static_cast<size_t>(c)];
  }
  for_each_item(ctx, count * padded.height * padded.width, body);
  return out;
}

}  // namespace

Tensor place_photos(Context& ctx, std::span<const Image> photos, std::span<const Placement> placements,
                    const InputConfig& config, ImageSize padded) {
  TS_CHECK(photos.size() == placements.size(), "placing ", photos.size(), " photos by ", placements.size(),
           " placements");
  for (size_t n = 0; n < photos.size(); ++n) check_placement(photos[n], placements[n], padded);
  switch (config.resampler) {
    case Resampler::kOpenCvLinear:
      return place<Resampler::kOpenCvLinear>(
          ctx, photos, placements, config, padded,
          [](int64_t in, int64_t out, bool is_x, bool mirrored) { return opencv_axis(in, out, is_x, mirrored); });
    case Resampler::kPillowTriangle:
      return place<Resampler::kPillowTriangle>(
          ctx, photos, placements, config, padded,
          [](int64_t in, int64_t out, bool, bool mirrored) { return pillow_axis(in, out, mirrored); });
    case Resampler::kTorchLinear:
      break;
  }
  return place<Resampler::kTorchLinear>(
      ctx, photos, placements, config, padded,
      [](int64_t in, int64_t out, bool, bool mirrored) { return torch_axis(in, out, mirrored); });
}

}  // namespace tailseg
