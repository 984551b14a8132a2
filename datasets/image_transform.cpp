#include "datasets/image_transform.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/error.h"

namespace tailseg {
namespace {

int64_t round_half_up(double value) { return static_cast<int64_t>(value + 0.5); }

// (value - mean) / std over a row, channels in turn. Sixteen pixels are 48 values: three whole vectors whose means and
// factors stay in registers.
class RowNormaliser {
 public:
  explicit RowNormaliser(const InputConfig& config) {
    for (size_t i = 0; i < kBlock; ++i) {
      mean_[i] = config.mean[i % 3];
      factor_[i] = 1.0f / config.std[i % 3];
    }
  }

  template <class Value>
  void apply(const Value* row, int64_t count, float* out) const {
    int64_t at = 0;
    for (; at + kBlock <= count; at += kBlock) block(row + at, kBlock, out + at);
    block(row + at, count - at, out + at);
  }

 private:
  static constexpr int64_t kBlock = 48;
  template <class Value>
  void block(const Value* row, int64_t count, float* out) const {
    for (int64_t i = 0; i < count; ++i) out[i] = (static_cast<float>(row[i]) - mean_[i]) * factor_[i];
  }
  alignas(64) float mean_[kBlock], factor_[kBlock];
};

void zero_the_rest(ImageSize filled, ImageSize padded, float* out) {
  const int64_t pitch = padded.width * 3;
  for (int64_t y = 0; y < filled.height; ++y) {
    std::fill(out + y * pitch + filled.width * 3, out + (y + 1) * pitch, 0.0f);
  }
  std::fill(out + filled.height * pitch, out + padded.height * pitch, 0.0f);
}

}  // namespace

InputConfig input_preset(Convention convention) {
  InputConfig config;
  config.size_rule = config.box_rule = config.target_rule = convention;
  if (convention == Convention::kTorchvision) config.resampler = Resampler::kTorchLinear;
  if (convention == Convention::kDetectron2) {
    config.resampler = Resampler::kPillowTriangle;
    config.bgr = true;
    config.mean = {103.53f, 116.28f, 123.675f};
    config.std = {1.0f, 1.0f, 1.0f};
  }
  return config;
}

void check_input_config(const InputConfig& config) {
  TS_CHECK(!config.short_edges.empty(), "input: at least one short edge is needed");
  for (const int64_t edge : config.short_edges) {
    TS_CHECK(edge > 0 && config.long_edge >= edge, "input: short edge ", edge, " with a long edge of at most ",
             config.long_edge, "; expected 1 <= short <= long");
  }
  TS_CHECK(config.flip_probability >= 0 && config.flip_probability <= 1, "input: flip probability ",
           config.flip_probability, ", expected 0 to 1");
  for (size_t c = 0; c < 3; ++c) {
    TS_CHECK(std::isfinite(config.mean[c]) && config.std[c] > 0, "input: mean ", config.mean[c], " and std ",
             config.std[c], " of channel ", c, "; expected a finite mean and a positive std");
  }
  TS_CHECK(config.pad_multiple >= 1, "input: sides padded to a multiple of ", config.pad_multiple, ", expected >= 1");
  for (const ImageSize& bucket : config.buckets) {
    TS_CHECK(bucket.width > 0 && bucket.height > 0 && bucket.width % config.pad_multiple == 0 &&
                 bucket.height % config.pad_multiple == 0,
             "input: bucket ", bucket.width, " x ", bucket.height, " must have sides that are multiples of ",
             config.pad_multiple);
  }
}

ImageSize resized_size(ImageSize original, int64_t short_edge, int64_t long_edge, Convention rule) {
  TS_CHECK(original.width > 0 && original.height > 0 && short_edge > 0 && long_edge > 0, "scaling an image of ",
           original.width, " x ", original.height, " to short edge ", short_edge, ", long edge ", long_edge);
  const double width = static_cast<double>(original.width), height = static_cast<double>(original.height);
  const double shorter = std::min(width, height), longer = std::max(width, height);
  ImageSize size;
  if (rule == Convention::kMmdetection) {
    const double scale = std::min(static_cast<double>(long_edge) / longer, static_cast<double>(short_edge) / shorter);
    size = {round_half_up(width * scale), round_half_up(height * scale)};
  } else if (rule == Convention::kDetectron2) {
    const double scale = static_cast<double>(short_edge) / shorter;
    double new_height = height < width ? static_cast<double>(short_edge) : scale * height;
    double new_width = height < width ? scale * width : static_cast<double>(short_edge);
    if (std::max(new_height, new_width) > static_cast<double>(long_edge)) {
      const double shrink = static_cast<double>(long_edge) / std::max(new_height, new_width);
      new_height *= shrink;
      new_width *= shrink;
    }
    size = {round_half_up(new_width), round_half_up(new_height)};
  } else {
    // A number over a tensor is the number times the tensor's reciprocal there.
    const float scale = std::min((1.0f / static_cast<float>(shorter)) * static_cast<float>(short_edge),
                                 (1.0f / static_cast<float>(longer)) * static_cast<float>(long_edge));
    size = {static_cast<int64_t>(width * scale), static_cast<int64_t>(height * scale)};
  }
  return {std::max<int64_t>(size.width, 1), std::max<int64_t>(size.height, 1)};
}

ImageSize padded_size(std::span<const ImageSize> sizes, const InputConfig& config) {
  ImageSize largest;
  for (const ImageSize& size : sizes) {
    largest.width = std::max(largest.width, size.width);
    largest.height = std::max(largest.height, size.height);
  }
  const auto round_up = [&](int64_t side) {
    return (side + config.pad_multiple - 1) / config.pad_multiple * config.pad_multiple;
  };
  largest = {round_up(largest.width), round_up(largest.height)};
  if (config.buckets.empty()) return largest;
  const ImageSize* best = nullptr;
  for (const ImageSize& bucket : config.buckets) {
    const bool holds = bucket.width >= largest.width && bucket.height >= largest.height;
    if (holds && (!best || bucket.width * bucket.height < best->width * best->height)) best = &bucket;
  }
  return best ? *best : largest;
}

void check_placement(const Image& photo, const Placement& placement, ImageSize padded) {
  const ImageSize &original = placement.original, &resized = placement.resized;
  TS_CHECK(photo.width == original.width && photo.height == original.height && photo.width > 0 && photo.height > 0,
           "placing a photo of ", photo.width, " x ", photo.height, ", expected ", original.width, " x ",
           original.height);
  TS_CHECK(resized.width > 0 && resized.height > 0 && resized.width <= padded.width && resized.height <= padded.height,
           "placing a photo of ", resized.width, " x ", resized.height, " into ", padded.width, " x ", padded.height);
}

void write_pixels(const Image& photo, const Placement& placement, const InputConfig& config, ImageSize padded,
                  RowResizer& scratch, float* out) {
  check_placement(photo, placement, padded);
  const ImageSize size = placement.resized;
  const RowNormaliser normaliser(config);
  scratch.start(photo, size.width, size.height, config.resampler, placement.flipped, config.bgr);
  thread_local std::vector<uint8_t> bytes;
  thread_local std::vector<float> floats;
  bytes.resize(static_cast<size_t>(size.width * 3));
  floats.resize(static_cast<size_t>(size.width * 3));
  for (int64_t y = 0; y < size.height; ++y) {
    float* row = out + y * padded.width * 3;
    if (config.resampler == Resampler::kTorchLinear) {
      scratch.row(y, floats.data());
      normaliser.apply(floats.data(), size.width * 3, row);
    } else {
      scratch.row(y, bytes.data());
      normaliser.apply(bytes.data(), size.width * 3, row);
    }
  }
  zero_the_rest(size, padded, out);
}

}  // namespace tailseg
