#include "apps/run/analysis.h"

#include <cmath>

#include "apps/run/true_labels.h"

namespace tailseg {

std::vector<double> classifier_norms(Context& ctx, const ParameterStore& store, int64_t classes,
                                     const std::vector<int32_t>& columns) {
  const ParameterEntry* layer = nullptr;
  for (const ParameterEntry& entry : store.entries()) {
    if (entry.name.rfind("roi_heads.box_predictor", 0) != 0 || is_calibrated(entry.name)) continue;
    if (entry.name.ends_with("cls_score.weight")) layer = &entry;
  }
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
  const Tensor columns = model.class_loss(model.stages() - 1).class_columns(ctx);
  const std::vector<double> norms =
      classifier_norms(ctx, store, static_cast<int64_t>(labels.size()),
                       columns.defined() ? columns.to_vector<int32_t>(ctx) : std::vector<int32_t>());
  if (norms.empty()) return out;
  out.facts.weight_norm.assign(split.set.categories.size(), -1);
  for (size_t model_label = 0; model_label < labels.size(); ++model_label) {
    if (labels[model_label] >= 0) out.facts.weight_norm[static_cast<size_t>(labels[model_label])] = norms[model_label];
  }
  return out;
}

}  // namespace tailseg
