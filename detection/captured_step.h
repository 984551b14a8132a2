// A training step that is captured once for each shape of its input and replayed (DESIGN 5, tensor/capture.h). The
// first step of a shape runs as it is, so that plans, caches and states exist; the second is captured; from then on a
// step is a few copies into the captured step's own input and one replay. The bits are those of the plain step at fixed
// sizes (Context::fixed_sizes).
//
// Shapes of a batch that are data are kept few: the ground truth's capacity counts as part of the shape (the caller
// rounds it up), while polygons and bitmaps have room that only grows.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detection/batch.h"
#include "tensor/capture.h"

namespace tailseg {

struct StepInput {
  ImageBatch images;
  TruthBatch truth;
  Tensor drawn_for;  // calibration: as in CalibrationInput; else undefined
};

using StepValues = std::vector<std::pair<std::string, Tensor>>;  // losses and other scalars with their names

class CapturedStep {
 public:
  // All of a step's launches, from the clearing of the gradients to the update (Optimizer::update): called for a plain
  // step and while one is captured.
  using Work = std::function<StepValues(const StepInput& input, const StepKey& key)>;

  // `ctx` must keep sizes fixed. Of more shapes than `most_shapes` the later ones are never captured.
  CapturedStep(Context& ctx, Work work, size_t most_shapes = 16);

  // One step; key.steps is left undefined, and key.seed is that of the first step. The values are those of this step
  // until the next one.
  StepValues run(const StepInput& input, const StepKey& key);
  int64_t captures() const { return captures_; }  // made so far, again where an input outgrew its room
  int64_t replays() const { return replays_; }

 private:
  struct OneShape {
    std::vector<int64_t> sizes;  // of the tensors that decide it
    StepInput input;             // the captured step's own
    StepValues values;
    std::unique_ptr<Capture> capture;  // null: to be made
  };
  void place(OneShape& shape, const StepInput& input);

  Context& ctx_;
  Work work_;
  size_t most_shapes_;
  uint64_t seed_ = 0;
  Tensor steps_;
  std::vector<OneShape> shapes_;
  int64_t captures_ = 0, replays_ = 0;
};

}  // namespace tailseg
