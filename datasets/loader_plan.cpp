#include "datasets/loader_plan.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace tailseg {

BatchPlanner::BatchPlanner(const AnnotationSet& set, const InputConfig& input, EpochOrder order, int64_t batch_size,
                           uint64_t seed, bool augment)
    : set_(set), input_(input), order_(std::move(order)), batch_size_(batch_size), seed_(seed), augment_(augment) {
  check_input_config(input_);
  TS_CHECK(order_, "loader: no order of photos was given");
  TS_CHECK(batch_size_ >= 1, "loader: batch size ", batch_size_, ", expected at least 1");
}

const Epoch& BatchPlanner::order_of(int64_t epoch) {
  for (const auto& [number, order] : orders_) {
    if (number == epoch) return order;
  }
  Epoch order = order_(epoch);
  TS_CHECK(!order.images.empty(), "loader: epoch ", epoch, " has no photo");
  TS_CHECK(order.labels.empty() || order.labels.size() == order.images.size(), "loader: epoch ", epoch, " has ",
           order.images.size(), " photos and ", order.labels.size(), " labels");
  for (const int32_t index : order.images) {
    TS_CHECK(index >= 0 && index < set_.images.size(), "loader: epoch ", epoch, " asks for photo number ", index,
             " of ", set_.images.size());
  }
  constexpr size_t kEpochsInWork = 3;  // the one being used, the one being prepared, one asked about
  if (orders_.size() == kEpochsInWork) orders_.pop_front();
  orders_.emplace_back(epoch, std::move(order));
  return orders_.back().second;
}

int64_t BatchPlanner::batches_in_epoch(int64_t epoch) {
  const auto photos = static_cast<int64_t>(order_of(epoch).images.size());
  return (photos + batch_size_ - 1) / batch_size_;
}

LoaderPosition BatchPlanner::after(LoaderPosition position) {
  ++position.batch;
  return position.batch < batches_in_epoch(position.epoch) ? position : LoaderPosition{position.epoch + 1, 0};
}

BatchImage BatchPlanner::plan_image(int32_t index, int64_t epoch, int64_t place) const {
  BatchImage image;
  image.index = index;
  image.image_id = set_.images.id[index];
  image.placement.original = {set_.images.width[index], set_.images.height[index]};
  int64_t short_edge = input_.short_edges.back();
  if (augment_) {
    RandomStream draws({seed_, random_purpose("image augmentation")}, static_cast<uint32_t>(epoch),
                       static_cast<uint32_t>(place));
    image.placement.flipped = draws.uniform_double() < input_.flip_probability;
    short_edge = input_.short_edges[draws.below(static_cast<uint32_t>(input_.short_edges.size()))];
  }
  image.placement.resized = resized_size(image.placement.original, short_edge, input_.long_edge, input_.size_rule);
  return image;
}

void BatchPlanner::plan(LoaderPosition position, Batch& batch) {
  const Epoch& order = order_of(position.epoch);
  const int64_t begin = position.batch * batch_size_;
  const int64_t end = std::min(begin + batch_size_, static_cast<int64_t>(order.images.size()));
  batch.position = position;
  batch.skipped.clear();
  batch.images.clear();
  std::vector<ImageSize> sizes;
  for (int64_t place = begin; place < end; ++place) {
    batch.images.push_back(plan_image(order.images[place], position.epoch, place));
    if (!order.labels.empty()) batch.images.back().drawn_for = order.labels[place];
    sizes.push_back(batch.images.back().placement.resized);
  }
  batch.size = padded_size(sizes, input_);
}

}  // namespace tailseg
