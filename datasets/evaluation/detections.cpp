#include "datasets/evaluation/detections.h"

#include <algorithm>

#include "tensor/error.h"

namespace tailseg {

std::string_view TextStore::keep(std::string_view text) {
  constexpr size_t kBlock = size_t{4} << 20;
  if (text.empty()) return {};
  if (text.size() > size_ - used_) {
    size_ = std::max(kBlock, text.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size_));
    used_ = 0;
  }
  char* place = blocks_.back().get() + used_;
  std::copy(text.begin(), text.end(), place);
  used_ += text.size();
  return {place, text.size()};
}

bool Detections::any_box() const { return std::find(has_box.begin(), has_box.end(), 1) != has_box.end(); }

bool Detections::any_mask() const { return std::find(has_mask.begin(), has_mask.end(), 1) != has_mask.end(); }

void Detections::add(int32_t new_image, int32_t new_label, double new_score, const Box* new_box,
                     const std::string_view* new_mask, bool keep) {
  TS_CHECK(size() < INT32_MAX, "more than 2^31 - 1 detections");
  image.push_back(new_image);
  label.push_back(new_label);
  score.push_back(new_score);
  has_box.push_back(new_box != nullptr);
  has_mask.push_back(new_mask != nullptr);
  slot.push_back(keep ? static_cast<int32_t>(box.size()) : -1);
  if (!keep) return;
  box.push_back(new_box ? *new_box : Box{});
  mask.push_back(new_mask ? texts.keep(*new_mask) : std::string_view());
}

Rle Detections::decode_mask(int64_t row, const AnnotationSet& set) const {
  const int32_t of = image[row];
  Rle rle{set.images.height[of], set.images.width[of], {}};
  try {
    rle_from_string(mask[slot[row]], rle.counts);
    check_rle(rle);
  } catch (const Error& error) {
    fail("result ", row, " (image ", set.images.id[of], "): ", error.what());
  }
  return rle;
}

FederatedLabels::FederatedLabels(const AnnotationSet& set) {
  std::vector<int32_t> labels;
  for (int32_t i = 0; i < set.images.size(); ++i) {
    const auto negative = set.images.negative[i];
    labels.assign(negative.begin(), negative.end());
    for (const int32_t a : set.by_image[i]) {
      if (set.annotations.area[a] > 0) labels.push_back(set.annotations.label[a]);
    }
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    labels_.values.insert(labels_.values.end(), labels.begin(), labels.end());
    labels_.end_list();
  }
}

bool FederatedLabels::counts(int32_t image, int32_t label) const {
  const auto labels = labels_[image];
  return std::binary_search(labels.begin(), labels.end(), label);
}

}  // namespace tailseg
