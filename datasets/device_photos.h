// Decoded photos to the network's input, on the device: the bytes go there through pinned memory, a quarter of what the
// scaled floats would be, and one kernel scales, flips, normalises and pads them. The same bits as write_pixels()
// (image_transform.h), which does it row by row and is the CPU's way: 640 x 480 to 1067 x 800 in 1.2 ms on one core, by
// this kernel in 21 ms there.
#pragma once

#include <span>

#include "datasets/image_transform.h"
#include "tensor/tensor.h"

namespace tailseg {

// [N, padded.height, padded.width, 3] float32; photo n is placed as placements[n] says, zeros where it does not reach.
// Throws Error for a photo that is not placements[n].original, and for one that does not fit into `padded`.
Tensor place_photos(Context& ctx, std::span<const Image> photos, std::span<const Placement> placements,
                    const InputConfig& config, ImageSize padded);

}  // namespace tailseg
