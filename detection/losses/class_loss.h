// A classification loss, with everything that swapping it changes: how many logits a RoI has, how the last layer
// begins, what the background is, state that lives on the device and in the checkpoint, the draws it needs, and the
// activation that turns logits into scores. Works without a detector:
//
//   SeesawOptions options;                                     // or LossSettings, by name
//   ParameterStore store(ctx, seed);                           // holds the loss's state
//   auto loss = options.make(Scope(store, "loss"), classes, statistics);
//   RowLoss out = loss->loss(ctx, {logits, labels, loss->draws(ctx, rows, {seed, step})});
//   backward(ctx, out.loss);                                   // gradient in logits.grad(), state updated in place
//   Tensor scores = loss->scores(ctx, logits.value());         // [R, C]
//
// A new loss is one stem (x.h: equation, shapes, normaliser, source; x_body.h: kernels; x.cu: op) and one row in
// loss_list.cpp. Tests, config keys and checks iterate over that list.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "detection/losses/feature_memory.h"
#include "detection/losses/row_loss.h"
#include "nn/parameter.h"

namespace tailseg {

// What a loss may know of the training set. An empty list is not known: such a loss can score but not train.
struct ClassStatistics {
  std::vector<int64_t> images;     // [C] training images that show the class
  std::vector<int64_t> instances;  // [C] training instances
  int64_t annotated_images = 0;    // training images with at least one annotation
};

struct LastLayerInit {
  Initializer weight, bias;
};

// The same in an option's words: "head", as the head's other layers, or weights "normal", Normal(0, scale), or
// "constant", all scale, and the bias.
struct LastLayer {
  std::string kind = "head";
  double scale = 0.01, bias = 0;
};

// The logits that have a gradient in training, limits included.
struct LogitRange {
  double low, high;
};

struct LossInput {
  Variable logits;      // [R, width()] float32, bfloat16 or float64
  Tensor labels;        // [R] int32: class 0..C-1, background C, -1 for a row that is not in use and weighs nothing
  Tensor draws;         // see ClassLoss::draws; undefined for a loss that draws nothing
  Tensor normaliser;    // [1] divides the sum in place of the loss's own normaliser
  Tensor objects = {};  // [R] int32: rows of one object share a number; undefined: every row its own (wants_objects)
};

// Which draws: a pure function of these and of the loss's name in the model.
struct LossStep {
  uint64_t seed = 0;
  uint32_t step = 0;
  Tensor rows = {};   // [R] int32 number of each row within the step, the same on every device; undefined: 0, 1, ..
  Tensor steps = {};  // [1] int32 on the device, added to `step`: lets a captured step be replayed
};

struct LossOptions;

class ClassLoss {
 public:
  ClassLoss(const Scope& scope, const LossOptions& options, int64_t classes, int64_t width);
  virtual ~ClassLoss() = default;
  ClassLoss(const ClassLoss&) = delete;
  ClassLoss& operator=(const ClassLoss&) = delete;

  int64_t classes() const { return classes_; }                        // C, without the background
  int64_t width() const { return width_; }                            // logits a RoI
  const std::optional<LastLayerInit>& init() const { return init_; }  // nothing: as the head's other layers

  // Uniform numbers in [0, 1) that loss() consumes: [R, draws_per_row()], or [draws_once()], or undefined.
  virtual int64_t draws_per_row() const { return 0; }
  virtual int64_t draws_once() const { return 0; }
  Tensor draws(Context& ctx, int64_t rows, const LossStep& step) const;

  // [C] int32: which logit is each class's; undefined where logit c is class c.
  virtual Tensor class_columns(Context&) const { return {}; }

  // Whether loss() reads LossInput::objects.
  virtual bool wants_objects() const { return false; }

  // A loss that wants features of past steps beside those of the batch (feature_memory.h): what the head shall keep,
  // without classes and elements, and the running score of each class [C + 1] by which to draw them.
  virtual std::optional<FeatureMemoryOptions> memory() const { return std::nullopt; }
  virtual Tensor running_scores() const { return {}; }

  // Throws Error when training cannot begin: statistics that are missing or contradict the options, a state that should
  // have come from a checkpoint and did not. Reads the device; called once, before the first step.
  void check_ready(Context& ctx) const;

  // Value and gradient in one pass; the state moves on by one step. Throws Error for input that does not fit.
  RowLoss loss(Context& ctx, const LossInput& input);

  // [R, width()] -> [R, C] scores in [0, 1], float32 (float64 for float64 logits); the background is left out.
  Tensor scores(Context& ctx, const Tensor& logits) const;

 protected:
  // Why this loss cannot train; it can score. loss() throws it. Of several reasons the first counts.
  void cannot_train(const std::string& why);
  virtual void check_state(Context&) const {}
  virtual RowLoss compute(Context& ctx, const LossInput& input) = 0;
  virtual Tensor activate(Context& ctx, const Tensor& logits) const = 0;

 private:
  void check_logits(const Tensor& logits) const;

  std::string name_, problem_;
  int64_t classes_, width_;
  std::optional<LastLayerInit> init_;
  uint32_t purpose_;
};

// One option of a loss: its name in a configuration, the field it is, and what it may be.
struct LossKnob {
  using Field = std::variant<bool*, int64_t*, double*, std::string*, std::vector<double>*>;
  std::string name;
  Field field;
  std::string comment;
  double low = -1e30, high = 1e30;   // of each number, inclusive
  std::vector<std::string> words{};  // of a text
};

// The options of one loss, and the way to make it. Derive with LossOptionsOf.
struct LossOptions {
  // Of the last layer: LastLayer's words, scale and bias, or "auto": as the other options go with. Losses whose options
  // change what the first bias has to be have that word, and begin with it.
  std::string init = "head";
  double init_scale = 0.01, init_bias = 0;

  virtual ~LossOptions() = default;
  virtual std::string name() const = 0;
  virtual std::unique_ptr<LossOptions> clone() const = 0;
  // Registers its state in `scope`. Statistics of another number of classes are an Error.
  virtual std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                          const ClassStatistics& statistics) const = 0;
  std::vector<LossKnob> knobs();  // bound to this object's fields: its own, then init
  void check() const;             // throws Error for a value out of its limits, or for one that would not count
  LastLayer last_layer() const;   // init, init_scale and init_bias, or what "auto" stands for
  // Beyond these no logit has a gradient, so that a bias out there never moves; nothing: all have one.
  virtual std::optional<LogitRange> trained_logits() const { return std::nullopt; }

 protected:
  virtual std::optional<LastLayer> automatic() const { return std::nullopt; }  // "auto"; nothing: not a word of init
  virtual std::vector<LossKnob> own_knobs() = 0;
};

template <class Options>
struct LossOptionsOf : LossOptions {
  std::unique_ptr<LossOptions> clone() const override {
    return std::make_unique<Options>(static_cast<const Options&>(*this));
  }
};

// A loss by name, with the options of every loss in the list: what a configuration holds. Copies are deep.
class LossSettings {
 public:
  LossSettings();  // "softmax", every loss at its defaults
  LossSettings(const LossSettings& other);
  LossSettings& operator=(const LossSettings& other);

  std::string type = "softmax";
  LossOptions& options(const std::string& name) const;  // throws Error, with all names, when there is no such loss
  const LossOptions& chosen() const { return options(type); }
  const std::vector<std::unique_ptr<LossOptions>>& all() const { return all_; }

 private:
  std::vector<std::unique_ptr<LossOptions>> all_;
};

// Why these counts of every class cannot be divided by: not known, or a class that never occurs. Empty when they can.
std::string problem_with(const std::vector<int64_t>& counts, const char* what);
// Throws Error for statistics of another number of classes, or negative ones.
void check_statistics(const std::string& loss, const ClassStatistics& statistics, int64_t classes);

}  // namespace tailseg
