// From M x M mask probabilities to a bitmap in the photo (METHODS 5.5 "mask paste"). Only the part of the photo that a
// box covers is computed; it is stored column by column, as run-length encoding wants it.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

enum class MaskPasteRule : unsigned char {
  bilinear,     // mmdet, detectron2: sampled at pixel centres, probability >= threshold
  torchvision,  // mask padded to M + 2, box enlarged likewise and cut to integers, bilinear resize, > threshold
};

struct PastedMask {
  int64_t x = 0, y = 0, width = 0, height = 0;  // the part of the photo; nothing is set outside
  int64_t begin = 0;                            // of its values in `pixels`
};

struct PastedMasks {
  std::vector<PastedMask> masks;
  std::vector<uint8_t> pixels;  // 0 or 1: pixel (row, column) of mask m is pixels[begin + column * height + row]
};

struct PastedProbabilities {
  std::vector<PastedMask> masks;
  std::vector<float> pixels;  // as above, before the threshold: what torchvision returns
};

// probabilities [D, M, M] float32, boxes [D, 4] float32 in the photo's frame, photo_height x photo_width pixels.
// Waits for the device. A box with a NaN, or outside the photo, gives an empty mask.
PastedMasks paste_masks(Context& ctx, const Tensor& probabilities, const Tensor& boxes, int64_t photo_height,
                        int64_t photo_width, MaskPasteRule rule, double threshold = 0.5);
PastedProbabilities paste_probabilities(Context& ctx, const Tensor& probabilities, const Tensor& boxes,
                                        int64_t photo_height, int64_t photo_width, MaskPasteRule rule);

}  // namespace tailseg
