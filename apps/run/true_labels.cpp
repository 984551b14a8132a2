#include "apps/run/true_labels.h"

#include <algorithm>

namespace tailseg {
namespace {

double area_of(const Corners& box) { return std::max(box[2] - box[0], 0.0) * std::max(box[3] - box[1], 0.0); }

double overlap_of(const Corners& a, const Corners& b) {
  return area_of({std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])});
}

}  // namespace

std::vector<int32_t> owners(std::span<const Corners> boxes, std::span<const Corners> truth, double least_iou) {
  std::vector<int32_t> owner(boxes.size(), -1);
  for (size_t i = 0; i < boxes.size(); ++i) {
    double best = 0;
    for (size_t j = 0; j < truth.size(); ++j) {
      const double overlap = overlap_of(boxes[i], truth[j]);
      const double iou = overlap / (area_of(boxes[i]) + area_of(truth[j]) - overlap);
      if (!(overlap > 0) || !(iou >= least_iou) || iou <= best) continue;
      best = iou;
      owner[i] = static_cast<int32_t>(j);
    }
  }
  return owner;
}

TrueLabels::TrueLabels(const AnnotationSet& set, std::vector<int32_t> labels)
    : set_(set),
      labels_(std::move(labels)),
      model_label_(set.categories.size(), -1),
      matched_(set.categories.size(), 0),
      right_(set.categories.size(), 0) {
  for (size_t model = 0; model < labels_.size(); ++model) {
    if (labels_[model] >= 0) model_label_[static_cast<size_t>(labels_[model])] = static_cast<int32_t>(model);
  }
}

Tensor TrueLabels::operator()(Context& ctx, const Batch& batch, const BoxSet& boxes, const Tensor& scores) {
  const auto capacity = static_cast<size_t>(boxes.capacity()), classes = static_cast<size_t>(scores.size(1));
  TS_CHECK(classes == labels_.size() && scores.size(0) == batch.count() * boxes.capacity(), "true labels: scores ",
           scores.shape(), " of ", batch.count(), " images with ", capacity, " boxes each and ", labels_.size(),
           " classes");
  const std::vector<float> given = scores.to_vector<float>(ctx), corners = boxes.boxes.to_vector<float>(ctx);
  const std::vector<int32_t> counts = boxes.count.to_vector<int32_t>(ctx);
  std::vector<float> right(given.size(), 0);
  for (size_t n = 0; n < batch.images.size(); ++n) {
    const Placement& placement = batch.images[n].placement;
    std::vector<Corners> truth, found(static_cast<size_t>(counts[n]));
    std::vector<int32_t> truth_label;
    for (const int32_t a : set_.by_image[batch.images[n].index]) {
      const auto at = static_cast<size_t>(a);
      if (set_.annotations.crowd[at] || set_.annotations.ignore[at]) continue;
      const auto& [x, y, width, height] = set_.annotations.box[at];
      truth.push_back({x * placement.scale_x(), y * placement.scale_y(), (x + width) * placement.scale_x(),
                       (y + height) * placement.scale_y()});
      truth_label.push_back(set_.annotations.label[at]);
    }
    for (size_t i = 0; i < found.size(); ++i) std::copy_n(&corners[(n * capacity + i) * 4], 4, found[i].begin());
    const std::vector<int32_t> owner = owners(found, truth);
    for (size_t i = 0; i < owner.size(); ++i) {
      if (owner[i] < 0) continue;
      const auto label = static_cast<size_t>(truth_label[static_cast<size_t>(owner[i])]);
      ++matched_[label];
      const int32_t model = model_label_[label];
      if (model < 0) continue;  // the model does not know the class
      const float* row = &given[(n * capacity + i) * classes];
      right_[label] += std::max_element(row, row + classes) - row == model;
      right[(n * capacity + i) * classes + static_cast<size_t>(model)] = 1;
    }
  }
  return Tensor::from(ctx, scores.shape(), right);
}

void TrueLabels::add_to(ClassFacts& facts) const {
  facts.matched_proposals = matched_;
  facts.accuracy.assign(matched_.size(), -1);
  for (size_t label = 0; label < matched_.size(); ++label) {
    if (matched_[label] > 0) {
      facts.accuracy[label] = static_cast<double>(right_[label]) / static_cast<double>(matched_[label]);
    }
  }
}

}  // namespace tailseg
