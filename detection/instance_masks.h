// Ground-truth masks of a batch in the network's input frame, instance by instance, in one block of memory each kind.
// Instance number n * G + g is ground truth g of image n. Either kind may be absent.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct InstanceMasks {
  // Bitmaps, each cut to the rectangle outside which it is empty: row-major 0/1 bytes.
  Tensor pixels;   // [bytes] uint8
  Tensor crops;    // [N * G, 4] int32: x, y, width, height; width 0 where there is no mask
  Tensor offsets;  // [N * G] int64: where the crop begins in `pixels`

  // Polygons. Points of polygon p: [polygon_begin[p], polygon_begin[p + 1]); polygons of instance i likewise.
  Tensor points;          // [points, 2] float32: x, y
  Tensor polygon_begin;   // [polygons + 1] int32
  Tensor instance_begin;  // [N * G + 1] int32
};

}  // namespace tailseg
