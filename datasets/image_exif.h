// EXIF orientation: cameras store the sensor's rows and a number 1..8 that says how to turn them upright.
//
// Which frame annotations live in: COCO and LVIS photos carry no orientation. detectron2 and mmdetection (through
// OpenCV) turn pictures upright on reading, and so do the common labelling tools, therefore width, height, boxes and
// masks of an annotation file are taken to be those of the upright picture, and reading applies the orientation by
// default (torchvision's reference scripts do not; see DecodeOptions). Semantics are those of Pillow's
// ImageOps.exif_transpose.
#pragma once

#include <cstdint>
#include <span>

#include "datasets/image.h"

namespace tailseg {

// The orientation 1..8 in an EXIF block (a TIFF structure, either byte order: tag 0x0112 in its first directory). 1,
// "upright", when there is none, or when the block is damaged or its value outside 1..8: a broken thumbnail index is no
// reason to lose a photo, and the ecosystem ignores it too. Reads nothing outside `tiff`.
int exif_orientation(std::span<const uint8_t> tiff);

// The picture turned upright. Orientations 5..8 swap width and height. Throws Error unless 1 <= orientation <= 8.
Image apply_orientation(Image image, int orientation);

}  // namespace tailseg
