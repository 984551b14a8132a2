#include "detection/training_step.h"

namespace tailseg {
namespace {

struct StepLosses {
  Variable total;
  std::vector<std::pair<std::string, Variable>> parts;
  template <class Losses>
  explicit StepLosses(const Losses& losses) : total(losses.total), parts(losses.parts()) {}
};

}  // namespace

TrainingStep::TrainingStep(const TrainedModel& trained, const TrainingStepOptions& options)
    : trained_(trained), calibrates_(options.calibrates) {
  if (!options.captured) return;
  captured_.emplace(trained.ctx, [this](const StepInput& input, const StepKey& key) { return launch(input, key); });
}

StepValues TrainingStep::launch(const StepInput& input, const StepKey& key) {
  const auto& [ctx, store, model, optimizer] = trained_;
  store.clear_gradients();
  const StepLosses losses =
      calibrates_ ? StepLosses(model.calibration_losses(ctx, input.images, input.truth, input.drawn_for, key))
                  : StepLosses(model.losses(ctx, input.images, input.truth, key));
  StepValues values{{"total_loss", losses.total.value()}};
  for (const auto& [name, loss] : losses.parts) values.emplace_back(name, loss.value());
  if (losses.total.requires_grad()) {  // class means are learned without
    backward(ctx, losses.total);
    optimizer.update();
  }
  return values;
}

StepValues TrainingStep::run(const StepInput& input, const StepKey& key, double learning_rate) {
  if (trained_.store.trained_elements() > 0) trained_.optimizer.begin_step(learning_rate);
  return captured_ ? captured_->run(input, key) : launch(input, key);
}

}  // namespace tailseg
