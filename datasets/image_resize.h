// Resizing pictures the three ways that the reference implementations do, to the last bit where they work on bytes.
// The resampler is a setting because it matters: a network trained with one loses a few tenths of AP under another.
//
//   kOpenCvLinear    cv2.resize, INTER_LINEAR on bytes (mmdetection). Two neighbours per axis whatever the scale, in
//                    weights of 1/2048, no low-pass filter when shrinking.
//   kPillowTriangle  Image.resize, BILINEAR (detectron2). A triangle as wide as the scale when shrinking, so every
//                    source pixel counts; weights in 2^-22; each axis rounded to bytes.
//   kTorchLinear     torch.nn.functional.interpolate, bilinear, align_corners=False (torchvision). As OpenCV's, in
//                    float32, not rounded.
//
// All three put pixel centres at +0.5: output x reads around (x + 0.5) * in / out - 0.5. They are separable: each
// source row that is needed is stretched once, then rows are blended; the second loop is contiguous and vectorises.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/image.h"
#include "datasets/resize_axis.h"

namespace tailseg {

enum class Resampler { kOpenCvLinear, kPillowTriangle, kTorchLinear };

// Hands out the rows of a resized picture, from top to bottom. Keeps its scratch memory from one picture to the next.
class RowResizer {
 public:
  // Rows asked for from now on are those of `source` at width x height, read from right to left if `mirrored`, blue
  // first if `bgr`. `source` must live as long as rows are asked for. Throws Error for sizes below 1 pixel.
  void start(const Image& source, int64_t width, int64_t height, Resampler resampler, bool mirrored = false,
             bool bgr = false);

  // Row y in bytes (kTorchLinear: rounded to nearest), out: [width * 3].
  void row(int64_t y, uint8_t* out);

  // Row y in 0..255 (kTorchLinear: not rounded), out: [width * 3].
  void row(int64_t y, float* out);

 private:
  // Source rows already stretched to the output's width; row r is kept in slot r % kept, for as many as one output
  // needs.
  template <class Value>
  struct StretchedRows {
    int64_t kept = 0;
    std::vector<int64_t> holds;  // [kept] the row in each slot, -1 at first
    std::vector<Value> values;   // [kept, width * 3 + 1]
  };

  void start_opencv();
  void start_pillow();
  void start_torch();
  template <class Value>
  const Value* stretched(int64_t source_row, StretchedRows<Value>& rows);
  const uint8_t* padded_source_row(int64_t y);
  void stretch(const uint8_t* source, int16_t* out) const;
  void stretch(const uint8_t* source, uint8_t* out) const;
  void stretch(const uint8_t* source, float* out) const;
  void opencv_row(int64_t y, uint8_t* out);
  void pillow_row(int64_t y, uint8_t* out);
  void torch_row(int64_t y, float* out);

  const Image* source_ = nullptr;
  int64_t width_ = 0, height_ = 0;
  Resampler resampler_ = Resampler::kOpenCvLinear;
  bool mirrored_ = false, bgr_ = false;
  AxisTaps<int32_t> x_, y_;            // the two byte resamplers
  AxisTaps<float> float_x_, float_y_;  // kTorchLinear
  StretchedRows<int16_t> shorts_;      // kOpenCvLinear: value * 128
  StretchedRows<uint8_t> bytes_;       // kPillowTriangle
  StretchedRows<float> floats_;        // kTorchLinear
  std::vector<uint8_t> padded_, byte_row_;
  std::vector<float> float_row_;
  std::vector<int32_t> sums_;
};

// The whole picture at once.
Image resize_image(const Image& source, int64_t width, int64_t height, Resampler resampler);

// Nearest neighbour along one axis, for masks: where each of `out` pixels reads among `in`. kCorner is
// floor(i * in / out) as OpenCV and torch have it, kCentre floor((i + 0.5) * in / out) as Pillow has it.
enum class NearestRule { kCorner, kCentre };
std::vector<int32_t> nearest_positions(int64_t in, int64_t out, NearestRule rule);

}  // namespace tailseg
