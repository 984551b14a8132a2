#include "detection/losses/class_loss.h"

#include <algorithm>

#include "detection/losses/loss_list.h"
#include "detection/losses/uniform_draws.h"
#include "tensor/philox.h"

namespace tailseg {
namespace {

std::optional<LastLayerInit> init_of(const LossOptions& options) {
  const LastLayer layer = options.last_layer();
  if (layer.kind == "head") return std::nullopt;
  return LastLayerInit{layer.kind == "constant" ? Initializer::constant(layer.scale) : Initializer::normal(layer.scale),
                       Initializer::constant(layer.bias)};
}

std::string problem_with_bias(const LossOptions& options) {
  const LastLayer layer = options.last_layer();
  const std::optional<LogitRange> trained = options.trained_logits();
  if (!trained || layer.kind == "head" || (layer.bias >= trained->low && layer.bias <= trained->high)) return "";
  return text("its last layer begins with the bias ", layer.bias, " (init_bias), but a logit has a gradient only from ",
              trained->low, " to ", trained->high,
              " (clamp_low, clamp_high); take a bias between them, or init = \"auto\"");
}

void check_number(const std::string& loss, const LossKnob& knob, double value) {
  TS_CHECK(value >= knob.low && value <= knob.high, "loss ", loss, ": ", knob.name, " is ", value,
           ", expected a value from ", knob.low, " to ", knob.high);
}

void check_knob(const std::string& loss, const LossKnob& knob) {
  if (const auto* real = std::get_if<double*>(&knob.field)) check_number(loss, knob, **real);
  if (const auto* whole = std::get_if<int64_t*>(&knob.field)) check_number(loss, knob, static_cast<double>(**whole));
  if (const auto* list = std::get_if<std::vector<double>*>(&knob.field)) {
    for (const double value : **list) check_number(loss, knob, value);
  }
  if (const auto* word = std::get_if<std::string*>(&knob.field)) {
    TS_CHECK(std::find(knob.words.begin(), knob.words.end(), **word) != knob.words.end(), "loss ", loss, ": ",
             knob.name, " is '", **word, "', which is none of its words");
  }
}

}  // namespace

ClassLoss::ClassLoss(const Scope& scope, const LossOptions& options, int64_t classes, int64_t width)
    : name_("loss " + options.name()),
      classes_(classes),
      width_(width),
      init_(init_of(options)),
      purpose_(random_purpose(scope.full("draws"))) {
  TS_CHECK(classes >= 1, "loss ", options.name(), " for ", classes, " classes");
  options.check();
  cannot_train(problem_with_bias(options));
}

void ClassLoss::cannot_train(const std::string& why) {
  if (problem_.empty()) problem_ = why;
}

Tensor ClassLoss::draws(Context& ctx, int64_t rows, const LossStep& step) const {
  const int64_t per_row = draws_per_row(), once = draws_once();
  if (per_row == 0 && once == 0) return {};
  const UniformDrawsInput input{{step.seed, purpose_}, step.step, per_row > 0 ? step.rows : Tensor(), step.steps};
  if (per_row > 0) return uniform_draws(ctx, {rows, per_row}, input);
  return uniform_draws(ctx, {1, once}, input).reshape({once});
}

void ClassLoss::check_logits(const Tensor& logits) const {
  TS_CHECK(logits.defined() && logits.axes() == 2 && logits.size(1) == width_, name_, ": logits ",
           logits.defined() ? logits.shape() : Shape{0}, "; expected [R, ", width_, "] for ", classes_, " classes");
}

void ClassLoss::check_ready(Context& ctx) const {
  TS_CHECK(problem_.empty(), name_, " cannot train: ", problem_);
  check_state(ctx);
}

RowLoss ClassLoss::loss(Context& ctx, const LossInput& input) {
  TS_CHECK(problem_.empty(), name_, " cannot train: ", problem_);
  TS_CHECK(input.logits.defined(), name_, ": no logits");
  const int64_t rows = input.logits.size(0);
  check_logits(input.logits.value());
  check_shape(name_.c_str(), input.labels, {rows});
  TS_CHECK(input.labels.dtype() == DType::int32, name_, ": labels of ", name_of(input.labels.dtype()),
           ", expected int32");
  if (draws_per_row() > 0) check_shape(name_.c_str(), input.draws, {rows, draws_per_row()});
  if (draws_once() > 0) check_shape(name_.c_str(), input.draws, {draws_once()});
  if (input.objects.defined()) {
    check_shape(name_.c_str(), input.objects, {rows});
    TS_CHECK(input.objects.dtype() == DType::int32, name_, ": objects of ", name_of(input.objects.dtype()),
             ", expected int32");
  }
  if (input.normaliser.defined()) {
    check_shape(name_.c_str(), input.normaliser, {1});
    const DType expected = loss_dtype(input.logits.value().dtype());
    TS_CHECK(input.normaliser.dtype() == expected, name_, ": a normaliser of ", name_of(input.normaliser.dtype()),
             ", expected ", name_of(expected));
  }
  return compute(ctx, input);
}

Tensor ClassLoss::scores(Context& ctx, const Tensor& logits) const {
  check_logits(logits);
  return activate(ctx, logits);
}

std::vector<LossKnob> LossOptions::knobs() {
  std::vector<LossKnob> all = own_knobs();
  std::vector<std::string> words{"head", "normal", "constant"};
  if (automatic()) words.insert(words.begin(), "auto");
  all.push_back({"init", &init,
                 text("last layer: ", automatic() ? "by the options above, " : "",
                      "as the head's others, Normal(0, init_scale), or all init_scale; a normalised classifier takes "
                      "Normal(0, 0.01) for the last"),
                 0, 0, words});
  all.push_back({"init_scale", &init_scale, "of the last layer's weights, with init normal or constant", -100, 100});
  all.push_back({"init_bias", &init_bias, "of the last layer, with init normal or constant", -100, 100});
  return all;
}

LastLayer LossOptions::last_layer() const {
  if (init == "auto") return automatic().value_or(LastLayer{});
  return {init, init_scale, init_bias};
}

void LossOptions::check() const {
  const std::unique_ptr<LossOptions> mine = clone();
  for (const LossKnob& knob : mine->knobs()) check_knob(name(), knob);
  const LastLayer untouched;
  TS_CHECK(init != "auto" || (init_scale == untouched.scale && init_bias == untouched.bias), "loss ", name(),
           ": init_scale is ", init_scale, " and init_bias ", init_bias,
           ", but init = \"auto\" brings its own; set init to normal or constant");
}

LossSettings::LossSettings() {
  for (const auto& options : loss_list()) all_.push_back(options->clone());
}

LossSettings::LossSettings(const LossSettings& other) : type(other.type) {
  for (const auto& options : other.all_) all_.push_back(options->clone());
}

LossSettings& LossSettings::operator=(const LossSettings& other) {
  if (this == &other) return *this;
  type = other.type;
  all_.clear();
  for (const auto& options : other.all_) all_.push_back(options->clone());
  return *this;
}

LossOptions& LossSettings::options(const std::string& name) const {
  std::string names;
  for (const auto& options : all_) {
    if (options->name() == name) return *options;
    names += (names.empty() ? "" : ", ") + options->name();
  }
  fail("unknown classification loss '", name, "', expected one of ", names);
}

std::string problem_with(const std::vector<int64_t>& counts, const char* what) {
  if (counts.empty()) return text("the training set's ", what, " of each class are not known");
  for (size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) return text("class ", c, " has no ", what, " in the training set");
  }
  return "";
}

void check_statistics(const std::string& loss, const ClassStatistics& statistics, int64_t classes) {
  for (const auto& [what, counts] : {std::pair{"images", &statistics.images}, {"instances", &statistics.instances}}) {
    TS_CHECK(counts->empty() || static_cast<int64_t>(counts->size()) == classes, "loss ", loss, ": counts of ", what,
             " for ", counts->size(), " classes, but the model has ", classes,
             "; they must come from the data set that the model is trained on");
    for (const int64_t count : *counts) TS_CHECK(count >= 0, "loss ", loss, ": a class with ", count, " ", what);
  }
}

}  // namespace tailseg
