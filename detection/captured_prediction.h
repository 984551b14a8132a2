// Prediction that is captured once for each shape of its input and replayed (DESIGN 5, tensor/capture.h): with one
// photo a GPU computes for less time than launching its kernels one by one takes. The first photo of a shape is
// predicted as it is, so that plans and caches exist; the second is captured; from then on a prediction is a few copies
// and one replay. The bits are those of MaskRcnn::predict at fixed sizes (Context::fixed_sizes).
//
// Candidates for detections are looked at in chunks, and a capture holds the first one alone. Where that was not
// enough, which is rare (postprocess.h), the photo is predicted again as it is.
#pragma once

#include <memory>
#include <vector>

#include "detection/mask_rcnn.h"
#include "tensor/capture.h"

namespace tailseg {

class CapturedPrediction {
 public:
  // `ctx` must keep sizes fixed; the model's parameters must stay where they are, with whatever values. Of more shapes
  // than `most_shapes` the later ones are never captured.
  CapturedPrediction(Context& ctx, MaskRcnn& model, size_t most_shapes = 32);

  // The tensors are those of this prediction until the next one, or until another capture of the context is replayed.
  // Waits for the device at most once. Throws Error where there is no room for the capture's own memory.
  Prediction run(const ImageBatch& images);
  int64_t replays() const { return replays_; }
  int64_t repeated() const { return repeated_; }  // replays that one chunk was not enough for

 private:
  struct OneShape {
    Shape pixels;
    ImageBatch images;  // the capture's own
    Prediction prediction;
    std::unique_ptr<Capture> capture;  // null: to be made
  };

  Context& ctx_;
  MaskRcnn& model_;
  size_t most_shapes_;
  std::vector<OneShape> shapes_;
  int64_t replays_ = 0, repeated_ = 0;
};

}  // namespace tailseg
