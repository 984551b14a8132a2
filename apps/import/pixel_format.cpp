#include "apps/import/pixel_format.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "tensor/error.h"

namespace tailseg {
namespace {

// "mean=[123.675, 116.28, 103.53]" in a Python config.
std::optional<std::array<double, 3>> list_after(const std::string& config, const std::string& key) {
  size_t at = config.find(key);
  if (at == std::string::npos) return {};
  at += key.size();
  std::array<double, 3> values{};
  const char* cursor = config.c_str() + at;
  for (double& value : values) {
    char* end = nullptr;
    value = std::strtod(cursor, &end);
    if (end == cursor || !std::isfinite(value)) return {};
    cursor = end;
    while (*cursor == ',' || *cursor == ' ' || *cursor == '\n') ++cursor;
  }
  return values;
}

}  // namespace

PixelFormat pixel_format(const WeightsFile& file, WeightLayout layout) {
  if (layout == WeightLayout::kCaffe2) return kCaffePixels;
  if (layout == WeightLayout::kDetectron2) return file.author == "torchvision" ? kOurPixels : kCaffePixels;
  PixelFormat format;
  if (layout == WeightLayout::kTorchvision || file.config.empty()) return format;
  format.bgr = file.config.find("to_rgb=False") != std::string::npos;  // 3.x says bgr_to_rgb=False
  if (const auto mean = list_after(file.config, "mean=[")) format.mean = *mean;
  if (const auto std = list_after(file.config, "std=[")) format.std = *std;
  format.stride_in_1x1 = file.config.find("style='caffe'") != std::string::npos;
  for (const double value : format.std) TS_CHECK(value > 0, file.path, ": its config gives a pixel std of ", value);
  return format;
}

PixelFormat as_rgb(const PixelFormat& format) {
  PixelFormat rgb = format;
  if (format.bgr) {
    std::reverse(rgb.mean.begin(), rgb.mean.end());
    std::reverse(rgb.std.begin(), rgb.std.end());
    rgb.bgr = false;
  }
  return rgb;
}

HostTensor convert_stem(const HostTensor& stem, const PixelFormat& format) {
  TS_CHECK(stem.shape.size() == 4 && stem.shape[1] == 3, "the stem has shape ", shape_text(stem.shape),
           ", expected [O, 3, k, k]");
  const PixelFormat rgb = as_rgb(format);
  const std::vector<float> old = host_to_float32(stem, "the stem");
  std::vector<float> fresh(old.size());
  const auto plane = size_t(stem.shape[2] * stem.shape[3]);
  for (size_t filter = 0; filter < size_t(stem.shape[0]); ++filter) {
    for (size_t channel = 0; channel < 3; ++channel) {
      const double scale = kOurPixels.std[channel] / rgb.std[channel];
      const float* from = old.data() + (filter * 3 + (format.bgr ? 2 - channel : channel)) * plane;
      float* to = fresh.data() + (filter * 3 + channel) * plane;
      for (size_t i = 0; i < plane; ++i) to[i] = float(double(from[i]) * scale);
    }
  }
  return host_from_float32(stem.shape, fresh);
}

}  // namespace tailseg
