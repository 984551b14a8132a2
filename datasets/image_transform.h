// From a decoded photo to a network's input: size, flip, normalisation, padding.
//
//     scale  = min(long_edge / max(h, w), short_edge / min(h, w))      aspect ratio kept
//     pixels = (resized - mean) / std, zeros where the photo does not reach
//
// The reference implementations agree on this and differ in rounding, in the resampler, in the channel order and in
// what they do to boxes (METHODS 5.1, 5.6); each of those is a field, and input_preset() fills them all.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image_decode.h"
#include "datasets/image_resize.h"

namespace tailseg {

enum class Convention { kMmdetection, kDetectron2, kTorchvision };

struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

struct InputConfig {
  Convention size_rule = Convention::kMmdetection;    // how the resized size is rounded, see resized_size()
  Convention box_rule = Convention::kMmdetection;     // scaling and clipping of boxes, nearest rule of bitmaps
  Convention target_rule = Convention::kMmdetection;  // which annotations become targets, see loader_targets.h
  Resampler resampler = Resampler::kOpenCvLinear;
  std::vector<int64_t> short_edges = {800};  // one is drawn per photo, each with the same probability
  int64_t long_edge = 1333;
  double flip_probability = 0.5;                             // left to right
  std::array<float, 3> mean = {123.675f, 116.28f, 103.53f};  // in 0..255, in the order the network sees
  std::array<float, 3> std = {58.395f, 57.12f, 57.375f};
  bool bgr = false;                // blue first
  int64_t pad_multiple = 32;       // a batch's sides are rounded up to a multiple of this ...
  std::vector<ImageSize> buckets;  // ... and then to the smallest of these that holds it, if one does
  DecodeOptions decode;
};

// kMmdetection: as above. kTorchvision: the same statistics (it writes them for 0..1), torch's resampler and rounding.
// kDetectron2: blue first, mean 103.53, 116.28, 123.675, std 1, Pillow's resampler.
InputConfig input_preset(Convention convention);

// Throws Error for settings that make no sense (no short edge, negative sizes, std not positive ...).
void check_input_config(const InputConfig& config);

// The size after scaling. Rounding: kMmdetection int(side * scale + 0.5); kDetectron2 the same, but the short edge is
// exact and the long-edge limit is applied to the unrounded sides; kTorchvision floor(side * scale) with a scale
// rounded to float32 (which makes 375 x 500 into 799 x 1066).
ImageSize resized_size(ImageSize original, int64_t short_edge, int64_t long_edge, Convention rule);

// The size of a batch that holds all of `sizes`: the smallest bucket that does, or else multiples of pad_multiple.
ImageSize padded_size(std::span<const ImageSize> sizes, const InputConfig& config);

// What is done to one photo.
struct Placement {
  ImageSize original;  // upright
  ImageSize resized;
  bool flipped = false;
  double scale_x() const { return static_cast<double>(resized.width) / static_cast<double>(original.width); }
  double scale_y() const { return static_cast<double>(resized.height) / static_cast<double>(original.height); }
};

// Throws Error unless the photo is placement.original and placement.resized fits into padded.
void check_placement(const Image& photo, const Placement& placement, ImageSize padded);

// Writes the placed photo, normalised, to the top left of out [padded.height, padded.width, 3] and zeros elsewhere.
// Errors: check_placement. On a device: device_photos.h.
void write_pixels(const Image& photo, const Placement& placement, const InputConfig& config, ImageSize padded,
                  RowResizer& scratch, float* out);

}  // namespace tailseg
