// What a model found in a photo, in the photo's own frame.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "apps/config/config.h"
#include "datasets/evaluation/detections.h"
#include "datasets/image.h"
#include "datasets/loader_batch.h"
#include "datasets/mask/rle.h"
#include "detection/captured_prediction.h"

namespace tailseg {

struct FoundObject {
  int32_t label = 0;
  float score = 0;
  std::array<float, 4> box{};  // x1, y1, x2, y2
  Rle mask;                    // of the photo's size
};

// Finds objects photo after photo. With test.capture, and where sizes are fixed (a GPU), predictions are captured.
class ObjectFinder {
 public:
  // What it is given must outlive it; the model's parameters stay where they are.
  ObjectFinder(Context& ctx, MaskRcnn& model, const Config& config);

  // Every image of the batch, best object first. `change` as in MaskRcnn::predict; with one, nothing is captured.
  std::vector<std::vector<FoundObject>> find(const Batch& batch, const ScoreChange& change = {});
  // A photo that is in no data set: resized and normalised as in evaluation, then as above.
  std::vector<FoundObject> find(const Image& photo);

 private:
  Context& ctx_;
  MaskRcnn& model_;
  const Config& config_;
  std::optional<CapturedPrediction> captured_;
};

// Appends an image's objects to a result list; `image` is its index in the annotation set.
void add_results(const std::vector<FoundObject>& objects, int32_t image, Detections& results);

}  // namespace tailseg
