#include "apps/run/device_batch.h"

#include <algorithm>
#include <bit>

#include "datasets/device_photos.h"

namespace tailseg {
namespace {

constexpr int64_t kLeastCapacity = 8;  // of ground truth, at fixed sizes

int32_t padded(int64_t side, int64_t multiple) {
  return static_cast<int32_t>((side + multiple - 1) / multiple * multiple);
}

Tensor sizes_tensor(Context& ctx, const std::vector<int32_t>& values) {
  return Tensor::from(ctx, {static_cast<int64_t>(values.size()) / 2, 2}, values);
}

// The instances' masks, image by image with `capacity` slots each.
class MaskCollector {
 public:
  void add(const Targets& targets, int64_t capacity) {
    for (int64_t t = 0; t < capacity; ++t) {
      if (t < targets.size())
        add_instance(targets, t);
      else
        add_bitmap({});
      instance_begin_.push_back(static_cast<int32_t>(polygon_begin_.size()) - 1);
    }
  }
  InstanceMasks upload(Context& ctx) const {
    InstanceMasks masks;
    const auto instances = static_cast<int64_t>(offsets_.size());
    if (!pixels_.empty())
      masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(pixels_.size())}, pixels_);
    else
      masks.pixels = Tensor::zeros(ctx, {1}, DType::uint8);
    masks.crops = Tensor::from(ctx, {instances, 4}, crops_);
    masks.offsets = Tensor::from(ctx, {instances}, offsets_);
    masks.points = Tensor::from(ctx, {static_cast<int64_t>(points_.size()) / 2, 2}, points_);
    masks.polygon_begin = Tensor::from(ctx, {static_cast<int64_t>(polygon_begin_.size())}, polygon_begin_);
    masks.instance_begin = Tensor::from(ctx, {instances + 1}, instance_begin_);
    return masks;
  }

 private:
  void add_instance(const Targets& targets, int64_t t) {
    const auto at = static_cast<size_t>(t);
    for (int64_t p = targets.polygon_begin[at]; p < targets.polygon_begin[at + 1]; ++p) {
      const auto polygon = targets.polygons[p];
      points_.insert(points_.end(), polygon.begin(), polygon.end());
      polygon_begin_.push_back(static_cast<int32_t>(points_.size() / 2));
    }
    add_bitmap(at < targets.bitmaps.size() ? targets.bitmaps[at] : MaskBitmap{});
  }
  void add_bitmap(const MaskBitmap& bitmap) {
    crops_.insert(crops_.end(), {bitmap.x, bitmap.y, bitmap.width, bitmap.height});
    offsets_.push_back(static_cast<int64_t>(pixels_.size()));
    pixels_.insert(pixels_.end(), bitmap.pixels.begin(), bitmap.pixels.end());
  }

  std::vector<uint8_t> pixels_;
  std::vector<int32_t> crops_;
  std::vector<int64_t> offsets_;
  std::vector<float> points_;
  std::vector<int32_t> polygon_begin_{0}, instance_begin_{0};
};

}  // namespace

ImageBatch device_images(Context& ctx, const Batch& batch, const InputConfig& input) {
  std::vector<int32_t> sizes, own, photos;
  std::vector<Placement> placements;
  for (const BatchImage& image : batch.images) {
    const ImageSize& resized = image.placement.resized;
    sizes.insert(sizes.end(), {static_cast<int32_t>(resized.height), static_cast<int32_t>(resized.width)});
    own.insert(own.end(), {padded(resized.height, input.pad_multiple), padded(resized.width, input.pad_multiple)});
    placements.push_back(image.placement);
    const ImageSize& photo = image.placement.original;
    photos.insert(photos.end(), {static_cast<int32_t>(photo.height), static_cast<int32_t>(photo.width)});
  }
  const Tensor pixels = batch.photos.empty()
                            ? Tensor::from(ctx, {batch.count(), batch.size.height, batch.size.width, 3}, batch.pixels)
                            : place_photos(ctx, batch.photos, placements, input, batch.size);
  return {pixels, sizes_tensor(ctx, sizes), sizes_tensor(ctx, own), sizes_tensor(ctx, photos)};
}

TruthBatch device_truth(Context& ctx, const Batch& batch) {
  int64_t capacity = 1;
  for (const BatchImage& image : batch.images) capacity = std::max(capacity, image.targets.size());
  if (ctx.fixed_sizes()) {
    capacity = std::max(kLeastCapacity, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(capacity))));
  }
  std::vector<float> boxes;
  std::vector<int32_t> labels, count;
  MaskCollector masks;
  for (const BatchImage& image : batch.images) {
    const Targets& targets = image.targets;
    for (int64_t t = 0; t < capacity; ++t) {
      const auto at = static_cast<size_t>(t);
      const bool used = t < targets.size();
      const std::array<float, 4> box = used ? targets.boxes[at] : std::array<float, 4>{};
      boxes.insert(boxes.end(), box.begin(), box.end());
      labels.push_back(used ? targets.labels[at] : -1);
    }
    count.push_back(static_cast<int32_t>(targets.size()));
    masks.add(targets, capacity);
  }
  TruthBatch truth;
  truth.boxes.boxes = Tensor::from(ctx, {batch.count(), capacity, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {batch.count(), capacity}, labels);
  truth.boxes.count = Tensor::from(ctx, {batch.count()}, count);
  truth.masks = masks.upload(ctx);
  return truth;
}

Tensor device_drawn_for(Context& ctx, const Batch& batch) {
  std::vector<int32_t> drawn_for;
  for (const BatchImage& image : batch.images) drawn_for.push_back(image.drawn_for);
  return Tensor::from(ctx, {batch.count()}, drawn_for);
}

}  // namespace tailseg
