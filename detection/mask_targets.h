// What the mask head should say: the ground-truth mask seen through each RoI, M x M (METHODS 5.3 "mask targets").
#pragma once

#include "detection/instance_masks.h"

namespace tailseg {

enum class MaskTargetRule : unsigned char {
  bitmap_aligned,   // mmdet: RoIAlign (aligned, adaptive) of the bitmap through the RoI clipped to the frame, then >=
                    // 0.5
  bitmap_soft,      // torchvision: RoIAlign (not aligned, adaptive), no threshold
  polygon,          // detectron2 and mmdet's poly2mask=False: polygons moved into the RoI, filled by the COCO rule
  polygon_centres,  // the same, but a target pixel is inside when its centre is (even-odd)
};

struct MaskTargetOptions {
  MaskTargetRule rule = MaskTargetRule::bitmap_aligned;
  int64_t size = 28;          // M
  double smallest_roi = 0.1;  // polygon: RoI width and height are at least this (detectron2 0.1, mmdet 1)
};

struct MaskTargetInput {
  Tensor rois;           // [R, 4] float32, network input frame
  Tensor image;          // [R] int32: which image
  Tensor truth;          // [R] int32: matched ground truth of that image; negative: no target, all zeros
  Tensor frame;          // [N, 2] int32: height and width beyond which a bitmap has no pixel (METHODS 2.7's H and W)
  int64_t capacity = 0;  // G
};

// -> [R, M, M] float32 in [0, 1].
Tensor mask_targets(Context& ctx, const InstanceMasks& masks, const MaskTargetInput& input,
                    const MaskTargetOptions& options);

}  // namespace tailseg
