// The losses of the last few steps on their way from the device. On a GPU they arrive while later steps are being
// launched, and no step waits for its own; on the CPU they are there at once.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/run_files/step_meter.h"
#include "tensor/staging.h"

namespace tailseg {

class LossReader {
 public:
  explicit LossReader(Context& ctx) : ctx_(ctx) {}

  // `losses` with their names and the gradient's norm, float32 scalars; they may be released at once.
  void add(const StepFigures& figures, const std::vector<std::pair<std::string, Tensor>>& losses,
           const Tensor& gradient_norm);

  // The oldest step not yet taken, its losses and norm filled in, if they have arrived or `wait` is set. Steps come in
  // their order. Also waits where more than kMostPending are on their way, so that the host does not run ahead without
  // bound.
  std::optional<StepFigures> take(bool wait = false);

 private:
  static constexpr size_t kMostPending = 16;
  struct Pending {
    StepFigures figures;
    std::vector<std::string> names;
    Readback values;  // the losses, then the norm
  };

  Context& ctx_;
  std::deque<Pending> pending_;
  std::vector<Readback> spare_;  // pinned memory is kept: to ask for it makes a GPU wait
};

}  // namespace tailseg
