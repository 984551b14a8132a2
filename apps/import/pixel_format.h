// What a network expects of its input pixels, and the stem that turns it into our convention.
#pragma once

#include <array>
#include <string>

#include "apps/import/name_map.h"
#include "apps/import/weights_file.h"
#include "nn/host_tensor.h"

namespace tailseg {

struct PixelFormat {
  bool bgr = false;
  std::array<double, 3> mean{123.675, 116.28, 103.53};  // in the network's own channel order, for values 0..255
  std::array<double, 3> std{58.395, 57.12, 57.375};
  bool stride_in_1x1 = false;
};

inline constexpr PixelFormat kOurPixels{};
inline constexpr PixelFormat kCaffePixels{true, {103.53, 116.28, 123.675}, {1.0, 1.0, 1.0}, true};

// By layout, detectron2's __author__ and mmdetection's config text (METHODS 5.1, ECOSYSTEM 2.6).
PixelFormat pixel_format(const WeightsFile& file, WeightLayout layout);

// The format with its channels reordered to RGB.
PixelFormat as_rgb(const PixelFormat& format);

// stem [O, 3, k, k], float32, for `format` -> the stem that gives the same activations for RGB / our std: channels
// swapped where needed, each scaled by our std over theirs.
HostTensor convert_stem(const HostTensor& stem, const PixelFormat& format);

}  // namespace tailseg
