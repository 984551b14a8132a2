#include "apps/run/trainer.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>

#include "apps/config/calibration_options.h"
#include "apps/config/model_options.h"
#include "apps/config/solver_options.h"
#include "apps/output_folder.h"
#include "apps/run/calibration_check.h"
#include "apps/run/calibration_start.h"
#include "apps/run/checkpoint.h"
#include "apps/run/device_batch.h"
#include "apps/run/device_choice.h"
#include "apps/run/run_plans.h"
#include "apps/run/step_record.h"
#include "apps/run/stop_signal.h"
#include "apps/run/training_data.h"
#include "apps/run/validation.h"
#include "apps/run_files/environment.h"
#include "apps/run_files/gradient_file.h"
#include "apps/run_files/run_lock.h"
#include "apps/run_files/run_log.h"
#include "detection/training_step.h"
#include "nn/atomic_file.h"
#include "nn/checkpoint_folder.h"
#include "tensor/conv_plan.h"
#include "tensor/onednn.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Everything a run owns, so that the loop reads like a loop.
class Trainer {
 public:
  Trainer(const Config& config, const TrainOptions& options)
      : config_(config),
        run_(options.detector.empty() ? config : calibration_run(config)),
        options_(options),
        lock_(options.dry_run ? "" : config.output),
        log_(options.dry_run ? "" : (fs::path(config.output) / "log.txt").string()),
        ctx_(device_of(config.train.device), {.math = math_mode(config), .fixed_sizes = config.train.capture}),
        data_(open_training(run_, options)),
        classes_(ClassList::of(data_.split.set)),
        store_(ctx_, static_cast<uint64_t>(config.train.seed)),
        model_(store_, model_options(config, classes_.size(), class_statistics(data_.split.set))),
        optimizer_((store_.consolidate(), store_), optimizer_options(run_)),
        schedule_(learning_rate_schedule(run_, data_.batches_in_epoch)),
        steps_(total_iterations(run_, data_.batches_in_epoch)),
        step_({ctx_, store_, model_, optimizer_}, {.calibrates = calibrates(), .captured = config.train.capture}),
        plans_((fs::path(config.output) / "conv_plans.json").string()) {}

  TrainEnd run();

 private:
  void describe();
  void start_or_resume();
  void open_files();
  std::string last_checkpoint() const;
  TrainEnd loop();
  bool step(Loader& loader, Batch& batch);
  bool calibrates() const { return !options_.detector.empty(); }
  StepInput input_of(const Batch& batch);
  void report_steps(bool all) { record_->report(all, last_checkpoint()); }
  void record_gradients();
  void save();
  void evaluate(bool last);
  std::string checkpoint_folder() const { return (fs::path(config_.output) / "checkpoints").string(); }

  const Config& config_;
  const Config run_;  // the same, in calibration with its own sampler and solver
  const TrainOptions& options_;
  RunLock lock_;
  RunLog log_;
  Context ctx_;
  TrainingData data_;
  ClassList classes_;
  ParameterStore store_;
  MaskRcnn model_;
  Optimizer optimizer_;
  Schedule schedule_;
  int64_t steps_;
  TrainingStep step_;
  TrainingState state_;
  int64_t saved_iteration_ = -1;
  std::set<std::string> told_;  // of photos that are skipped: once each, not in every epoch
  RunPlans plans_;
  std::unique_ptr<StepRecord> record_;       // null: a dry run, which writes nothing
  std::unique_ptr<GradientFile> gradients_;  // null: not asked for
};

void Trainer::describe() {
  if (!options_.remark.empty()) log_.line("train", options_.remark);
  log_.line("data", data_.split.set.path + ": " + split_summary(data_.split.set));
  log_.line("data", text(data_.images, " images to train on, sampler ", run_.train.sampler.type, ", ",
                         data_.batches_in_epoch, " batches of ", run_.solver.ims_per_batch, " in an epoch"));
  log_.line("data", data_.val
                        ? text("to evaluate on: ", data_.val->set.path, ", ", data_.val->set.images.size(), " images")
                        : "no validation split is configured (data.val_annotations): nothing will be evaluated");
  log_.line("train", text("device ", ctx_.device().name(), ", ", ctx_.threads(), " threads; ",
                          store_.trained_elements(), " trained numbers; ", config_.model.precision, "; learning rate ",
                          schedule_.base_lr, "; ", steps_, " steps", config_.train.capture ? ", captured" : ""));
  if (const std::string line = padding_summary(config_, data_); !line.empty()) log_.line("data", line);
  if (store_.working_dtype() == DType::bfloat16 && !ctx_.device().is_cuda() && !has_bfloat16_products()) {
    log_.line("train",
              "this processor has no bfloat16 products (avx512_bf16): they are computed in float32, and "
              "model.precision=float32 would be faster");
  }
}

void Trainer::start_or_resume() {
  std::optional<CheckpointFolder::Found> newest;
  std::error_code error;
  if (fs::is_directory(checkpoint_folder(), error)) {
    newest = CheckpointFolder(checkpoint_folder(), static_cast<int>(config_.train.keep_checkpoints)).newest();
  }
  if (options_.resume) {
    TS_CHECK(newest, "--resume: ", checkpoint_folder(), " holds no checkpoint");
    if (!newest->message.empty()) log_.line("train", newest->message);
    if (calibrates()) check_same_detector(options_.detector, newest->path);
    state_ = load_training(newest->path, config_, classes_, store_, optimizer_);
    saved_iteration_ = state_.iteration;
    log_.line("train", text("resumed from ", newest->path, " at step ", state_.iteration));
    for (const std::string& setting : state_.changed) log_.line("train", "resumed with another setting: " + setting);
    return;
  }
  TS_CHECK(!newest, config_.output, " already holds a run (", newest->path,
           "); go on with --resume, or take another --output");
  if (calibrates()) {
    load_detector(options_.detector, config_, classes_, store_);
    model_.begin_calibration(ctx_);
    store_.make_working();
    return log_.line("train", text(options_.detector, ": the detector, ", calibration_summary(config_.calibration)));
  }
  const std::string weights = options_.weights.empty() ? config_.model.weights : options_.weights;
  if (!weights.empty()) {
    for (const std::string& line : load_weights(weights, config_, classes_, store_)) log_.line("train", line);
  }
  if (const std::string& state = config_.model.box_head.loss_state; !state.empty()) {
    for (const std::string& line : load_loss_state(state, classes_, store_)) log_.line("train", line);
  }
}

void Trainer::open_files() {
  const fs::path output = config_.output;
  write_file_atomically((output / "config.toml").string(), config_toml(config_));
  write_file_atomically((output / "env.json").string(),
                        environment_json(environment_report({{"device", ctx_.device().name()}})));
  record_ = std::make_unique<StepRecord>(ctx_, config_, log_, steps_, state_.iteration);
  if (takes_any_engine()) log_.line("train", "TAILSEG_ANY_ENGINE is set: this run may not repeat");
  if (options_.resume) plans_.load(ctx_, log_);
  if (model_.class_gradients()) {  // sums that begin anew do not continue an older curve
    const bool goes_on = options_.resume && !state_.gradients_begin;
    if (options_.resume && !goes_on) {
      log_.line("train", text("the sums of class gradients begin at step ", state_.iteration));
    }
    gradients_ = std::make_unique<GradientFile>((output / "class_gradients.safetensors").string(), classes_.size(),
                                                goes_on ? state_.iteration - 1 : -1);
  }
}

std::string Trainer::last_checkpoint() const {
  return saved_iteration_ < 0 ? "no checkpoint has been written yet"
                              : text("the last checkpoint is at step ", saved_iteration_);
}

StepInput Trainer::input_of(const Batch& batch) {
  return {device_images(ctx_, batch, data_.input), device_truth(ctx_, batch),
          calibrates() ? device_drawn_for(ctx_, batch) : Tensor()};
}

bool Trainer::step(Loader& loader, Batch& batch) {
  const Clock::time_point begin = Clock::now();
  if (!loader.next(batch)) return false;
  for (const std::string& message : batch.skipped) {
    if (told_.insert(message).second) log_.line("data", "skipped: " + message);
  }
  StepFigures figures{.iteration = state_.iteration,
                      .data_seconds = seconds_since(begin),
                      .learning_rate = schedule_.at(state_.iteration)};
  const StepKey key{static_cast<uint64_t>(config_.train.seed), static_cast<uint32_t>(state_.iteration)};
  const StepValues losses = step_.run(input_of(batch), key, figures.learning_rate);
  figures.memory_mib = static_cast<double>(ctx_.allocator()->figures().peak_bytes) / (1 << 20);
  figures.seconds = seconds_since(begin);
  record_->add(figures, losses, optimizer_.gradient_norm());
  ++state_.iteration;
  state_.position = loader.position();
  record_gradients();
  report_steps(false);
  return true;
}

void Trainer::record_gradients() {
  if (!gradients_ || (state_.iteration % config_.train.gradients_every != 0 && state_.iteration != steps_)) return;
  const ClassGradients::Sums sums = model_.class_gradients()->read(ctx_);
  gradients_->add(state_.iteration - 1, sums.positive, sums.negative);
}

void Trainer::save() {
  if (saved_iteration_ == state_.iteration) return;
  report_steps(true);
  if (gradients_) gradients_->save();  // first: what a resumed run has of it goes up to its checkpoint
  plans_.save(ctx_, log_);
  CheckpointFolder folder(checkpoint_folder(), static_cast<int>(config_.train.keep_checkpoints));
  save_checkpoint(folder.path(state_.iteration), config_, classes_, store_, optimizer_, state_);
  folder.finished(state_.iteration);
  saved_iteration_ = state_.iteration;
  log_.line("train", text("checkpoint ", folder.path(state_.iteration)));
}

void Trainer::evaluate(bool last) {
  report_steps(true);
  if (!data_.val) return;
  validate_run({ctx_, model_, store_, config_, data_, classes_, log_, record_->metrics(), record_->events()},
               state_.iteration, last);
}

TrainEnd Trainer::loop() {
  data_.loading.decode_only = ctx_.device().is_cuda();
  Loader loader(data_.split.set, data_.input, data_.loading, data_.order, state_.position);
  Batch batch;
  while (state_.iteration < steps_ && step(loader, batch)) {
    throw_if_stopped();
    if (state_.iteration % config_.train.checkpoint_every == 0) save();
    if (config_.train.eval_every > 0 && state_.iteration % config_.train.eval_every == 0 && state_.iteration < steps_) {
      evaluate(false);
    }
  }
  log_.end_progress();
  if (const CapturedStep* captured = step_.captured()) {
    log_.line("train", text("steps were captured ", captured->captures(), " times and replayed ", captured->replays(),
                            " times"));
  }
  save();
  evaluate(true);
  return TrainEnd::finished;
}

TrainEnd Trainer::run() {
  describe();
  start_or_resume();
  if (calibrates()) {
    model_.check_ready_to_calibrate(ctx_);
  } else {
    model_.check_ready(ctx_);
  }
  if (options_.dry_run) return TrainEnd::finished;
  open_files();
  catch_stop_signals();
  try {
    return loop();
  } catch (const Stopped&) {
    log_.end_progress();
    log_.line("train", text("stopped by signal ", stop_signal(), " after step ", state_.iteration));
    save();
    return TrainEnd::interrupted;
  }
}

}  // namespace

TrainEnd train(const Config& config, const TrainOptions& options) {
  TS_CHECK(!options.detector.empty() || !config.calibration.used(), "the configuration is of a calibration (recipe ",
           config.calibration.recipe,
           "): train its detector with --set calibration.recipe=none, then give the file to "
           "tailseg-calibrate --config");
  TS_CHECK(options.dry_run || !config.output.empty(), "no folder for the run: give --output DIR");
  if (!options.dry_run) {
    TS_CHECK(!options.resume || fs::is_directory(config.output), "--resume: ", config.output, " holds no checkpoint");
    make_output_folder(config.output);
  }
  return Trainer(config, options).run();
}

}  // namespace tailseg
