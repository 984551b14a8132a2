// A loader's batch as tensors on the device.
#pragma once

#include "datasets/loader_batch.h"
#include "detection/mask_rcnn.h"

namespace tailseg {

// A batch of decoded photos is scaled and normalised on the device. `input`: what the loader was given.
ImageBatch device_images(Context& ctx, const Batch& batch, const InputConfig& input);
// Ground truth with capacity for the batch's largest image (at least one row, so that no tensor is empty; at fixed
// sizes a power of two, so that shapes repeat).
TruthBatch device_truth(Context& ctx, const Batch& batch);
// [N] int32: the class that each photo was drawn for, -1 for none.
Tensor device_drawn_for(Context& ctx, const Batch& batch);

}  // namespace tailseg
