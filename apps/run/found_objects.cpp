#include "apps/run/found_objects.h"

#include "apps/config/data_options.h"
#include "apps/config/model_options.h"
#include "apps/run/device_batch.h"
#include "detection/mask_paste.h"

namespace tailseg {
namespace {

// Column-major runs of a mask that is empty outside one rectangle.
Rle rle_of_part(const PastedMask& part, const uint8_t* pixels, int64_t height, int64_t width) {
  Rle rle{static_cast<int32_t>(height), static_cast<int32_t>(width), {}};
  uint64_t run = 0;
  bool inside = false;
  auto append = [&](bool value, uint64_t count) {
    if (count == 0) return;
    if (value != inside) {
      rle.counts.push_back(static_cast<uint32_t>(run));
      run = 0;
      inside = value;
    }
    run += count;
  };
  append(false, static_cast<uint64_t>(part.x * height));
  for (int64_t column = 0; column < part.width; ++column) {
    append(false, static_cast<uint64_t>(part.y));
    const uint8_t* from = pixels + column * part.height;
    for (int64_t row = 0; row < part.height; ++row) append(from[row] != 0, 1);
    append(false, static_cast<uint64_t>(height - part.y - part.height));
  }
  append(false, static_cast<uint64_t>((width - part.x - part.width) * height));
  rle.counts.push_back(static_cast<uint32_t>(run));
  return rle;
}

std::vector<FoundObject> objects_of(Context& ctx, const Prediction& prediction, int64_t n, ImageSize photo,
                                    const Config& config) {
  const BoxSet& set = prediction.detections.photo;
  const int64_t capacity = set.capacity();
  const int64_t count = set.count.to_vector<int32_t>(ctx)[static_cast<size_t>(n)];
  const Tensor boxes = set.boxes.slice(n, n + 1).reshape({capacity, 4}).slice(0, count);
  const Tensor probabilities = prediction.masks.slice(n * capacity, n * capacity + count);
  const PastedMasks pasted = paste_masks(ctx, probabilities, boxes, photo.height, photo.width, mask_paste_rule(config),
                                         config.test.mask_threshold);
  const std::vector<float> corners = boxes.to_vector<float>(ctx);
  const std::vector<float> scores = set.scores.slice(n, n + 1).to_vector<float>(ctx);
  const std::vector<int32_t> labels = set.labels.slice(n, n + 1).to_vector<int32_t>(ctx);
  std::vector<FoundObject> objects;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    FoundObject object{labels[i], scores[i], {}, {}};
    for (size_t j = 0; j < 4; ++j) object.box[j] = corners[i * 4 + j];
    object.mask = rle_of_part(pasted.masks[i], pasted.pixels.data() + pasted.masks[i].begin, photo.height, photo.width);
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace

ObjectFinder::ObjectFinder(Context& ctx, MaskRcnn& model, const Config& config)
    : ctx_(ctx), model_(model), config_(config) {
  if (config.test.capture && ctx.fixed_sizes()) captured_.emplace(ctx, model);
}

std::vector<std::vector<FoundObject>> ObjectFinder::find(const Batch& batch, const ScoreChange& change) {
  const ImageBatch images = device_images(ctx_, batch, test_input(config_));
  const Prediction prediction = captured_ && !change ? captured_->run(images) : model_.predict(ctx_, images, change);
  std::vector<std::vector<FoundObject>> all;
  for (int64_t n = 0; n < batch.count(); ++n) {
    all.push_back(objects_of(ctx_, prediction, n, batch.images[static_cast<size_t>(n)].placement.original, config_));
  }
  return all;
}

std::vector<FoundObject> ObjectFinder::find(const Image& photo) {
  const InputConfig input = test_input(config_);
  Batch batch;
  batch.images.resize(1);
  Placement& placement = batch.images[0].placement;
  placement.original = {photo.width, photo.height};
  placement.resized = resized_size(placement.original, input.short_edges.back(), input.long_edge, input.size_rule);
  batch.size = padded_size({&placement.resized, 1}, input);
  if (ctx_.device().is_cuda()) {
    batch.photos = {photo};
  } else {
    batch.pixels.resize(static_cast<size_t>(batch.size.width * batch.size.height * 3));
    RowResizer scratch;
    write_pixels(photo, placement, input, batch.size, scratch, batch.pixels.data());
  }
  return find(batch)[0];
}

void add_results(const std::vector<FoundObject>& objects, int32_t image, Detections& results) {
  for (const FoundObject& object : objects) {
    const Box box{object.box[0], object.box[1], double(object.box[2]) - object.box[0],
                  double(object.box[3]) - object.box[1]};
    const std::string mask = rle_to_string(object.mask.counts);
    const std::string_view view = mask;
    results.add(image, object.label, object.score, &box, &view);
  }
}

}  // namespace tailseg
