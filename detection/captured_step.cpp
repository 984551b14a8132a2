#include "detection/captured_step.h"

#include <algorithm>
#include <bit>

namespace tailseg {
namespace {

// The tensors of an input, those first whose shapes decide what is launched. The others are read through offsets that
// are data.
struct Parts {
  std::vector<Tensor*> fixed, growing;
  explicit Parts(StepInput& input)
      : fixed{&input.images.pixels,
              &input.images.sizes,
              &input.images.padded_sizes,
              &input.images.photo_sizes,
              &input.truth.boxes.boxes,
              &input.truth.boxes.labels,
              &input.truth.boxes.count,
              &input.truth.masks.crops,
              &input.truth.masks.offsets,
              &input.truth.masks.instance_begin,
              &input.drawn_for},
        growing{&input.truth.masks.pixels, &input.truth.masks.points, &input.truth.masks.polygon_begin} {}
};

std::vector<int64_t> sizes_of(const Parts& parts) {
  std::vector<int64_t> sizes;
  for (const Tensor* tensor : parts.fixed) {
    if (tensor->defined()) {
      const std::vector<int64_t> shape = tensor->shape().vector();
      sizes.insert(sizes.end(), shape.begin(), shape.end());
    }
    sizes.push_back(-1);
  }
  for (const Tensor* tensor : parts.growing) sizes.push_back(tensor->defined());
  return sizes;
}

}  // namespace

CapturedStep::CapturedStep(Context& ctx, Work work, size_t most_shapes)
    : ctx_(ctx), work_(std::move(work)), most_shapes_(most_shapes), steps_(Tensor::zeros(ctx, {1}, DType::int32)) {
  TS_CHECK(ctx.fixed_sizes(), "a step is captured on a context of fixed sizes only (ContextOptions)");
}

// What outgrows its room moves, and the capture, which reads the old place, ends.
void CapturedStep::place(OneShape& shape, const StepInput& input) {
  StepInput from = input;
  const Parts theirs(from), mine(shape.input);
  for (size_t i = 0; i < mine.fixed.size(); ++i) {
    const Tensor& source = *theirs.fixed[i];
    if (!source.defined()) continue;
    Tensor& home = *mine.fixed[i];
    if (!home.defined()) home = Tensor::empty(ctx_, source.shape(), source.dtype());
    home.copy_from(ctx_, source);
  }
  for (size_t i = 0; i < mine.growing.size(); ++i) {
    const Tensor& source = *theirs.growing[i];
    if (!source.defined()) continue;
    Tensor& home = *mine.growing[i];
    const int64_t rows = source.size(0);
    if (!home.defined() || home.size(0) < rows) {
      shape.capture.reset();
      const auto room = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(rows, 1024))));
      home = Tensor::zeros(ctx_, source.shape().with(0, room), source.dtype());
    }
    home.slice(0, rows).copy_from(ctx_, source);
  }
}

StepValues CapturedStep::run(const StepInput& input, const StepKey& key) {
  TS_CHECK(!key.steps.defined(), "a captured step counts by itself");
  StepInput named = input;
  const std::vector<int64_t> sizes = sizes_of(Parts(named));
  const auto known = std::find_if(shapes_.begin(), shapes_.end(), [&](const OneShape& s) { return s.sizes == sizes; });
  if (known == shapes_.end()) {
    if (shapes_.empty()) seed_ = key.seed;
    if (shapes_.size() < most_shapes_) shapes_.push_back({sizes, {}, {}, nullptr});
    return work_(input, key);
  }
  TS_CHECK(key.seed == seed_, "a captured step was begun with seed ", seed_, ", not ", key.seed);
  OneShape& shape = *known;
  place(shape, input);
  steps_.copy_from(ctx_, Tensor::from(ctx_, {1}, std::vector<int32_t>{static_cast<int32_t>(key.step)}));
  if (!shape.capture) {
    ctx_.allocator()->drop_cache();  // room for the captured step's own memory, which is as much again
    auto capture = std::make_unique<Capture>(ctx_);
    capture->record([&] { shape.values = work_(shape.input, {key.seed, 0, steps_}); });
    shape.capture = std::move(capture);
    ++captures_;
  }
  shape.capture->replay();
  ++replays_;
  return shape.values;
}

}  // namespace tailseg
