// A network and a picture that a formula gives, so that another program can have the same: for proofs against
// torchvision (tests/golden/torchvision/README.md says what the formula is).
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "detection/mask_rcnn.h"
#include "tests/devices.h"

namespace tailseg::formula {

constexpr int64_t kHeight = 224, kWidth = 320, kClasses = 90;

// uniform[i] in [0, 1): FNV-1a of the name, mixed with the index by murmur3's finaliser.
inline double uniform(uint32_t name_hash, uint32_t i) {
  uint32_t x = name_hash ^ (i * 2654435761u);
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return static_cast<double>(x ^ (x >> 16)) / 4294967296.0;
}

inline uint32_t fnv(const std::string& name) {
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

inline bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

inline std::pair<double, double> bounds(const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() >= 2) {
    double fan = 1, gain = std::sqrt(2.0);
    for (size_t i = 1; i < shape.size(); ++i) fan *= static_cast<double>(shape[i]);
    if (has(name, "conv5_mask")) fan = static_cast<double>(shape[0]);
    if (has(name, ".fpn.")) gain = 0.4;
    if (has(name, "rpn.head.cls_logits")) gain = 2;
    if (has(name, "rpn.head.bbox_pred")) gain = 0.5;
    if (has(name, "cls_score")) gain = 3.5;
    if (has(name, "box_predictor.") && has(name, "bbox_pred")) gain = has(name, "box_predictor.bbox_pred") ? 1 : 0.1;
    if (has(name, "mask_fcn_logits")) gain = 3;
    const double a = gain * std::sqrt(3.0 / fan);
    return {-a, a};
  }
  if (name.ends_with("running_var")) return {0.8, 1.2};
  if (name.ends_with("running_mean")) return {-0.1, 0.1};
  const bool norm = has(name, ".bn") || has(name, "downsample.1");
  if (norm && name.ends_with("weight")) return has(name, ".bn3.") ? std::pair{0.2, 0.4} : std::pair{0.8, 1.2};
  return {-0.1, 0.1};
}

// The tensor of this name in file order.
inline std::vector<float> values_of(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  const auto [low, high] = bounds(name, shape);
  const uint32_t hash = fnv(name);
  std::vector<float> values(static_cast<size_t>(elements));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(low + (high - low) * uniform(hash, static_cast<uint32_t>(i)));
  }
  return values;
}

inline ImageBatch picture(Context& ctx) {
  const uint32_t hash = fnv("image");
  const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
  std::vector<float> pixels(static_cast<size_t>(kHeight * kWidth * 3));
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const double base = static_cast<double>((x * (3 + c) + y * (5 - c)) / 4 % 256) / 255.0;
        const double u = uniform(hash, static_cast<uint32_t>((c * kHeight + y) * kWidth + x));
        const auto value = static_cast<float>(0.6 * base + 0.4 * u);
        pixels[static_cast<size_t>((y * kWidth + x) * 3 + c)] = (value - mean[c]) / deviation[c];
      }
    }
  }
  const Tensor sizes = Tensor::from(ctx, {1, 2}, std::vector<int32_t>{kHeight, kWidth});
  return {Tensor::from(ctx, {1, kHeight, kWidth, 3}, pixels), sizes, sizes, sizes};
}

inline TruthBatch ellipses(Context& ctx) {
  const std::vector<float> boxes{33.3f,  41.7f, 98.2f,  120.9f, 150.6f, 20.2f,
                                 210.1f, 77.7f, 201.4f, 101.3f, 280.8f, 199.6f};
  TruthBatch truth;
  truth.boxes.boxes = Tensor::from(ctx, {1, 3, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {1, 3}, std::vector<int32_t>{2, 16, 89});  // theirs less one
  truth.boxes.count = Tensor::from(ctx, {1}, std::vector<int32_t>{3});
  std::vector<uint8_t> pixels;
  std::vector<int32_t> crops;
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < 3; ++i) {
    const float* b = boxes.data() + 4 * i;
    offsets.push_back(static_cast<int64_t>(pixels.size()));
    crops.insert(crops.end(), {0, 0, kWidth, kHeight});
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const double dx = (double(x) + 0.5 - (double(b[0]) + b[2]) / 2) / ((double(b[2]) - b[0]) / 2);
        const double dy = (double(y) + 0.5 - (double(b[1]) + b[3]) / 2) / ((double(b[3]) - b[1]) / 2);
        pixels.push_back(dx * dx + dy * dy <= 1);
      }
    }
  }
  truth.masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(pixels.size())}, pixels);
  truth.masks.crops = Tensor::from(ctx, {3, 4}, crops);
  truth.masks.offsets = Tensor::from(ctx, {3}, offsets);
  return truth;
}

// Lines "key number number ..." by key.
inline std::multimap<std::string, std::vector<double>> golden(const std::string& file) {
  std::ifstream in(std::string(TAILSEG_GOLDEN_DIR) + "/torchvision/" + file);
  REQUIRE(in);
  std::multimap<std::string, std::vector<double>> out;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string key, more;
    words >> key;
    if (key == "gradient") {
      words >> more;
      key += " " + more;
    }
    std::vector<double> numbers;
    for (double number; words >> number;) numbers.push_back(number);
    out.emplace(key, numbers);
  }
  return out;
}

}  // namespace tailseg::formula
