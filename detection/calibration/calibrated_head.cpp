#include "detection/calibration/calibrated_head.h"

#include <numeric>

#include "autograd/arithmetic.h"
#include "detection/calibration/class_scale.h"
#include "detection/calibration/tau_normalisation.h"
#include "detection/roi_rows.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

using Kind = CalibratedKind;

bool has_own_layers(Kind kind) { return kind == Kind::fc2_rand || kind == Kind::fc3_rand || kind == Kind::fc3_ft; }

// Where each class's logit is.
std::vector<int32_t> class_columns(Context& ctx, const ClassLoss& loss) {
  const Tensor columns = loss.class_columns(ctx);
  if (columns.defined()) return columns.to_vector<int32_t>(ctx);
  std::vector<int32_t> all(static_cast<size_t>(loss.classes()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Rows of `from` [V, ..] where `source` names one, else the row of `to` [W, ..] that is there already.
void take_rows_over(Context& ctx, const Variable& to, const Variable& from, const std::vector<int32_t>& source) {
  const Tensor mine = to.value(), theirs = from.value();
  const int64_t rows = mine.size(0), given = theirs.size(0), width = mine.elements() / rows;
  const Tensor both = Tensor::empty(ctx, {given + rows, width}, mine.dtype());
  both.slice(0, given).copy_from(ctx, theirs.reshape({given, width}));
  both.slice(given, given + rows).copy_from(ctx, mine.reshape({rows, width}));
  std::vector<int32_t> index = source;
  for (size_t row = 0; row < index.size(); ++row) {
    if (index[row] < 0) index[row] = static_cast<int32_t>(given + static_cast<int64_t>(row));
  }
  mine.copy_from(ctx, gather_rows(ctx, both, Tensor::from(ctx, {rows}, index)).reshape(mine.shape()));
}

void check_fit(Kind head, const ClassLoss& loss, const BoxHead& detector, const LossSettings& settings) {
  const int64_t classes = loss.classes();
  TS_CHECK(head != Kind::fc2_ncm || settings.type == "softmax",
           "calibration: class means are scored by a softmax over ", classes,
           " classes and the background, not by the loss '", settings.type, "'; set calibration.loss.type");
  TS_CHECK(head != Kind::fc2_ncm || loss.width() == classes + 1,
           "calibration: class means have no objectness branch; switch calibration.loss.softmax.objectness off");
  const bool rescales = head == Kind::class_scale || head == Kind::tau;
  TS_CHECK(!rescales || (settings.type == detector.options().loss.type && loss.width() == detector.loss().width()),
           "calibration: this head scales the detector's own logits, which were trained with the loss '",
           detector.options().loss.type, "' (", detector.loss().width(), " logits); the loss '", settings.type, "' (",
           loss.width(), " logits) cannot read them. Set calibration.loss.type=\"detector\"");
  TS_CHECK(head != Kind::tau || !detector.options().normalized,
           "calibration: tau-normalisation divides the classifier's rows by a power of their lengths, and the "
           "detector's normalised classifier (model.box_head.classifier) divides them by their lengths already");
}

}  // namespace

bool is_calibrated(const std::string& name) { return name.find(".calibrated.") != std::string::npos; }

CalibratedHead::CalibratedHead(const Scope& scope, int64_t channels, const BoxHead& detector,
                               const CalibrationOptions& options)
    : options_(options), box_(detector.options()) {
  const Scope mine = scope.sub("box_predictor" + box_.stage + ".calibrated");
  loss_ = options.loss.chosen().make(mine.sub("loss"), box_.classes, box_.statistics);
  const Kind kind = options.head;
  check_fit(kind, *loss_, detector, options.loss);
  const int64_t flat = box_.pooled * box_.pooled * channels, width = box_.width;
  const auto random_layer = [&](const char* name, int64_t in, int64_t out, int64_t flattened = 0) {
    const Initializer init = Initializer::pytorch_default(in);
    return Linear(mine.sub(name), in, out, init, init, flattened);
  };
  if (kind == Kind::fc2_ncm) {
    means_.emplace(mine.sub("class_means"), box_.classes + 1, width, options.means);
    return;
  }
  if (kind == Kind::class_scale) {
    scale_ = mine.store().add_parameter(mine.full("scale"), {loss_->width()}, Initializer::constant(1));
    return;
  }
  if (has_own_layers(kind)) {
    fc6_ = random_layer("fc6", flat, width, channels);
    if (kind != Kind::fc2_rand) fc7_ = random_layer("fc7", width, width);
  }
  const auto& init = loss_->init();
  if (init) {
    cls_score_ = Linear(mine.sub("cls_score"), width, loss_->width(),
                        classifier_weights(*init, options_.normalized.has_value()), init->bias);
  } else if (has_own_layers(kind) || box_.pytorch_init) {
    cls_score_ = random_layer("cls_score", width, loss_->width());
  } else {
    cls_score_ =
        Linear(mine.sub("cls_score"), width, loss_->width(), Initializer::normal(0.01), Initializer::constant(0));
  }
  if (kind == Kind::tau) mine.store().freeze(mine.full("cls_score"));
}

void CalibratedHead::copy_classifier(Context& ctx, const BoxHead& detector) const {
  const std::vector<int32_t> old = class_columns(ctx, detector.loss()), now = class_columns(ctx, *loss_);
  std::vector<int32_t> source(static_cast<size_t>(loss_->width()), -1);
  if (loss_->width() == detector.loss().width() && old == now) {
    std::iota(source.begin(), source.end(), 0);
  } else {
    for (size_t c = 0; c < now.size(); ++c) source[static_cast<size_t>(now[c])] = old[c];
  }
  take_rows_over(ctx, cls_score_.weight, detector.classifier().weight, source);
  take_rows_over(ctx, cls_score_.bias, detector.classifier().bias, source);
}

void CalibratedHead::begin(Context& ctx, const BoxHead& detector) const {
  const auto copy = [&](const Linear& to, const Linear& from) {
    to.weight.value().copy_from(ctx, from.weight.value());
    to.bias.value().copy_from(ctx, from.bias.value());
  };
  if (options_.head == Kind::fc3_ft) {
    copy(fc6_, detector.fc6());
    copy(fc7_, detector.fc7());
  }
  if (options_.head == Kind::fc3_ft || options_.head == Kind::classifier_ft) copy_classifier(ctx, detector);
  if (options_.head != Kind::tau) return;
  const Tensor& bias = cls_score_.bias.value();
  cls_score_.weight.value().copy_from(ctx, tau_normalised(ctx, detector.classifier().weight.value(), options_.tau));
  bias.copy_from(ctx, Tensor::zeros(ctx, bias.shape(), bias.dtype()));
}

void CalibratedHead::check_ready(Context& ctx) const {
  const std::string problem = means_ ? problem_with(box_.statistics.instances, "instances") : "";
  TS_CHECK(problem.empty(), "class means cannot be learned: ", problem);
  loss_->check_ready(ctx);
}

bool CalibratedHead::wants_features() const { return !has_own_layers(options_.head); }

Variable CalibratedHead::logits(Context& ctx, const BoxHead& detector, const RoiFeatures& rois) const {
  SpanScope span(ctx, "forward/calibrated_head");
  if (means_) return means_->logits(ctx, rois.features);
  if (options_.head == Kind::class_scale) {
    return scale_classes(ctx, detector.class_logits(ctx, rois.features), scale_);
  }
  Variable x = rois.features;
  if (has_own_layers(options_.head)) {
    const Variable& pooled = rois.pooled;
    x = fc6_(ctx, reshape(ctx, pooled, {pooled.size(0), pooled.size(1) * pooled.size(2) * pooled.size(3)}),
             {.relu = true});
    if (options_.head != Kind::fc2_rand) x = fc7_(ctx, x, {.relu = true});
  }
  if (!options_.normalized) return cls_score_(ctx, x, {.full = true});
  return normalized_linear(ctx, x, cls_score_.weight, cls_score_.bias, *options_.normalized);
}

}  // namespace tailseg
