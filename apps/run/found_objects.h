// What a model found in a photo, in the photo's own frame.
#pragma once

#include <array>
#include <vector>

#include "apps/config/config.h"
#include "datasets/evaluation/detections.h"
#include "datasets/image.h"
#include "datasets/loader_batch.h"
#include "datasets/mask/rle.h"
#include "detection/mask_rcnn.h"

namespace tailseg {

struct FoundObject {
  int32_t label = 0;
  float score = 0;
  std::array<float, 4> box{};  // x1, y1, x2, y2
  Rle mask;                    // of the photo's size
};

// Every image of the batch, best object first. `change` as in MaskRcnn::predict.
std::vector<std::vector<FoundObject>> find_objects(Context& ctx, MaskRcnn& model, const Batch& batch,
                                                   const Config& config, const ScoreChange& change = {});

// A photo that is in no data set: resized and normalised as in evaluation, then as above.
std::vector<FoundObject> find_objects(Context& ctx, MaskRcnn& model, const Image& photo, const Config& config);

// Appends an image's objects to a result list; `image` is its index in the annotation set.
void add_results(const std::vector<FoundObject>& objects, int32_t image, Detections& results);

}  // namespace tailseg
