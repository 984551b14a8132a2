#include "apps/run/analysis.h"

#include <algorithm>
#include <cmath>

#include "apps/run/true_labels.h"

namespace tailseg {
namespace {

// Of the box head's last layer, of a cascade's last stage. Null: there is none.
const ParameterEntry* classifier_of(const ParameterStore& store, bool calibrated) {
  const ParameterEntry* layer = nullptr;
  for (const ParameterEntry& entry : store.entries()) {
    if (entry.name.rfind("roi_heads.box_predictor", 0) != 0 || is_calibrated(entry.name) != calibrated) continue;
    if (entry.name.ends_with("cls_score.weight")) layer = &entry;
  }
  return layer;
}

std::vector<int32_t> columns_of(Context& ctx, const ClassLoss& loss) {
  const Tensor columns = loss.class_columns(ctx);
  return columns.defined() ? columns.to_vector<int32_t>(ctx) : std::vector<int32_t>();
}

// From the model's labels to the split's categories; -1 for those that the model does not know.
std::vector<double> by_category(const std::vector<double>& values, const std::vector<int32_t>& labels,
                                size_t categories) {
  if (values.empty()) return {};
  std::vector<double> out(categories, -1);
  for (size_t label = 0; label < labels.size(); ++label) {
    if (labels[label] >= 0) out[static_cast<size_t>(labels[label])] = values[label];
  }
  return out;
}

std::vector<double> gradient_ratios(Context& ctx, const ClassGradients& gradients) {
  const ClassGradients::Sums sums = gradients.read(ctx);
  std::vector<double> ratios;
  for (size_t c = 0; c < sums.positive.size(); ++c) {
    ratios.push_back(sums.negative[c] > 0 ? double{sums.positive[c]} / double{sums.negative[c]} : -1);
  }
  return ratios;
}

}  // namespace

std::vector<double> classifier_norms(Context& ctx, const ParameterStore& store, int64_t classes,
                                     const std::vector<int32_t>& columns, bool calibrated) {
  const ParameterEntry* layer = classifier_of(store, calibrated);
  if (!layer) return {};
  const Tensor& weight = layer->variable.value();
  const std::vector<float> values = weight.to_vector<float>(ctx);
  const int64_t inputs = weight.size(1);
  std::vector<double> norms;
  for (int64_t c = 0; c < classes; ++c) {
    const int64_t row = columns.empty() ? c : columns.at(static_cast<size_t>(c));
    TS_CHECK(row >= 0 && row < weight.size(0), layer->name, ": ", weight.shape(), ", but class ", c, " is row ", row);
    double sum = 0;
    for (int64_t i = 0; i < inputs; ++i) {
      const double w = values[static_cast<size_t>(row * inputs + i)];
      sum += w * w;
    }
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

ModelAnalysis analyse_split(Context& ctx, MaskRcnn& model, const ParameterStore& store, const Config& config,
                            const Split& split, const EvaluationListener& listener,
                            const std::vector<int32_t>& labels) {
  const EvaluationListener quiet{listener.progress, {}};  // photos that are skipped were told by the evaluation
  ModelAnalysis out;
  out.proposals = propose_split(ctx, model, config, split, quiet);
  TrueLabels judge(split.set, labels);
  out.true_labels = detect_split(
      ctx, model, config, split, quiet, labels,
      [&](const Batch& batch, const BoxSet& boxes, const Tensor& scores) { return judge(ctx, batch, boxes, scores); });
  judge.add_to(out.facts);
  const auto classes = static_cast<int64_t>(labels.size());
  const size_t categories = split.set.categories.size();
  const size_t last = model.stages() - 1;
  std::vector<double> norms = classifier_norms(ctx, store, classes, columns_of(ctx, model.class_loss(last)));
  if (const Tensor shares = model.calibrated_shares(); shares.defined()) {
    const std::vector<float> share = shares.to_vector<float>(ctx);
    const std::vector<int32_t> columns = columns_of(ctx, model.calibrated_loss(last));
    const std::vector<double> own = classifier_norms(ctx, store, classes, columns, true);
    for (size_t c = 0; c < std::min(own.size(), norms.size()); ++c) {
      if (share[c] > 0) norms[c] = own[c];
    }
  }
  out.facts.weight_norm = by_category(norms, labels, categories);
  if (const ClassGradients* gradients = model.class_gradients()) {
    out.facts.gradient_ratio = by_category(gradient_ratios(ctx, *gradients), labels, categories);
  }
  return out;
}

}  // namespace tailseg
