#include "detection/captured_prediction.h"

#include <algorithm>

namespace tailseg {
namespace {

void place(Context& ctx, Tensor& own, const Tensor& from) {
  if (!from.defined()) return;
  if (!own.defined()) own = Tensor::empty(ctx, from.shape(), from.dtype());
  own.copy_from(ctx, from);
}

}  // namespace

CapturedPrediction::CapturedPrediction(Context& ctx, MaskRcnn& model, size_t most_shapes)
    : ctx_(ctx), model_(model), most_shapes_(most_shapes) {
  TS_CHECK(ctx.fixed_sizes(), "a prediction is captured on a context of fixed sizes only (ContextOptions)");
}

Prediction CapturedPrediction::run(const ImageBatch& images) {
  const Shape& pixels = images.pixels.shape();
  const auto known =
      std::find_if(shapes_.begin(), shapes_.end(), [&](const OneShape& s) { return s.pixels == pixels; });
  if (known == shapes_.end()) {
    if (shapes_.size() < most_shapes_) shapes_.push_back({pixels, {}, {}, nullptr});
    return model_.predict(ctx_, images);
  }
  OneShape& shape = *known;
  place(ctx_, shape.images.pixels, images.pixels);
  place(ctx_, shape.images.sizes, images.sizes);
  place(ctx_, shape.images.padded_sizes, images.padded_sizes);
  place(ctx_, shape.images.photo_sizes, images.photo_sizes);
  if (!shape.capture) {
    ctx_.allocator()->drop_cache();  // room for the capture's own memory
    auto capture = std::make_unique<Capture>(ctx_);
    capture->record([&] { shape.prediction = model_.predict(ctx_, shape.images, {}, CandidateChunks::first); });
    shape.capture = std::move(capture);
  }
  shape.capture->replay();
  ++replays_;
  const Tensor& unfinished = shape.prediction.detections.unfinished;
  if (!unfinished.defined() || largest_count(ctx_, unfinished) == 0) return shape.prediction;
  ++repeated_;
  return model_.predict(ctx_, images);
}

}  // namespace tailseg
