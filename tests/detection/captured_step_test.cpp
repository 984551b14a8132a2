// Training by captured steps ends in the bits of training by plain ones: every loss, a cascade, a calibration, two
// optimisers, bfloat16; inputs that change from step to step, two shapes in turn, a mask that outgrows its room. On the
// CPU the calls are replayed from a list, so that all of it is checked without a card.
#include "detection/training_step.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "detection/losses/loss_list.h"
#include "tests/detection/loss_check.h"
#include "tests/detection/small_model.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int64_t kClasses = 6, kSide = 64, kImages = 2;
constexpr uint32_t kSteps = 8;

MaskRcnnOptions small_model(const std::string& loss) {
  return test::small_detector(kClasses, loss, loss_check::statistics_of(kClasses));
}

// Two shapes in turn, a third one late.
int64_t capacity_of(uint32_t step) {
  if (step == 6) return 8;
  return step % 3 == 1 ? 4 : 2;
}

// Other pixels and other objects in each step; in one, masks begin far inside a longer block of bytes.
StepInput input_of(Context& ctx, uint32_t step) {
  const int64_t capacity = capacity_of(step);
  std::vector<float> pixels(static_cast<size_t>(kImages * kSide * kSide * 3));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(std::sin(0.37 * double(i % (1009 + step))));
  const Tensor sizes = Tensor::full(ctx, {kImages, 2}, kSide, DType::int32);
  StepInput input{{Tensor::from(ctx, {kImages, kSide, kSide, 3}, pixels), sizes, sizes, sizes}, {}, {}};

  std::vector<float> boxes;
  std::vector<int32_t> labels, counts, crops;
  std::vector<int64_t> offsets;
  const int64_t skipped = step == 5 ? 40000 : 0;
  for (int64_t n = 0; n < kImages; ++n) {
    const int64_t objects = (step + n) % (capacity + 1);
    counts.push_back(static_cast<int32_t>(objects));
    for (int64_t g = 0; g < capacity; ++g) {
      const bool used = g < objects;
      const auto x = static_cast<float>(4 + (7 * step + 11 * g) % 24),
                 y = static_cast<float>(2 + (5 * step + 13 * g) % 20);
      if (used)
        boxes.insert(boxes.end(), {x, y, x + 26, y + 34});
      else
        boxes.insert(boxes.end(), 4, 0.f);
      labels.push_back(used ? static_cast<int32_t>((step + 2 * g + n) % kClasses) : -1);
      crops.insert(crops.end(), {0, 0, kSide, kSide});
      offsets.push_back(skipped + (n * capacity + g) * kSide * kSide);
    }
  }
  TruthBatch& truth = input.truth;
  truth.boxes.boxes = Tensor::from(ctx, {kImages, capacity, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {kImages, capacity}, labels);
  truth.boxes.count = Tensor::from(ctx, {kImages}, counts);
  std::vector<uint8_t> bitmaps(static_cast<size_t>(skipped + kImages * capacity * kSide * kSide));
  for (size_t i = 0; i < bitmaps.size(); ++i) bitmaps[i] = (i / 5 + step) % 3 != 0;
  truth.masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(bitmaps.size())}, bitmaps);
  truth.masks.crops = Tensor::from(ctx, {kImages * capacity, 4}, crops);
  truth.masks.offsets = Tensor::from(ctx, {kImages * capacity}, offsets);
  return input;
}

struct Run {
  std::vector<std::vector<float>> values;  // of each step
  HostTensors state;
  int64_t captures = 0, replays = 0;
};

struct Case {
  MaskRcnnOptions options;
  OptimizerOptions optimizer;
};

Run train(Context& ctx, const Case& what, bool captured) {
  ParameterStore store(ctx, 3);
  MaskRcnn model(store, what.options);
  store.consolidate();
  Optimizer optimizer(store, what.optimizer);
  const bool calibrates = what.options.calibration.has_value();
  if (calibrates) {
    model.begin_calibration(ctx);
    store.make_working();
  }
  TrainingStep step({ctx, store, model, optimizer}, {.calibrates = calibrates, .captured = captured});
  Run run;
  for (uint32_t i = 0; i < kSteps; ++i) {
    StepInput input = input_of(ctx, i);
    if (calibrates) input.drawn_for = Tensor::from(ctx, {kImages}, std::vector<int32_t>{int32_t(i % kClasses), -1});
    std::vector<float>& values = run.values.emplace_back();
    for (const auto& [name, value] : step.run(input, {1, i}, 0.01 / (1 + i))) {
      values.push_back(value.to_vector<float>(ctx).at(0));
    }
    values.push_back(optimizer.gradient_norm().to_vector<float>(ctx).at(0));
    if (i == 3 || i == 6) {  // in between, as an evaluation does
      const BoxSet found = model.predict(ctx, input.images).detections.photo;
      const std::vector<float> scores = found.scores.to_vector<float>(ctx);
      values.insert(values.end(), scores.begin(), scores.end());
    }
  }
  run.state = store.state_dict();
  if (captured) {
    run.captures = step.captured()->captures();
    run.replays = step.captured()->replays();
  }
  return run;
}

std::vector<std::unique_ptr<Context>> fixed_contexts() {
  std::vector<std::unique_ptr<Context>> all;
  for (const Context* device : devices()) {
    all.push_back(std::make_unique<Context>(device->device(), ContextOptions{.fixed_sizes = true}));
  }
  return all;
}

void check_same(const Case& what) {
  for (const std::unique_ptr<Context>& ctx : fixed_contexts()) {
    INFO(ctx->device().name());
    const Run plain = train(*ctx, what, false), captured = train(*ctx, what, true);
    for (size_t i = 0; i < kSteps; ++i) {
      INFO("step " << i);
      REQUIRE(std::isfinite(plain.values[i][0]));
      REQUIRE(captured.values[i] == plain.values[i]);
    }
    for (const auto& [name, tensor] : plain.state) {
      INFO(name);
      REQUIRE(captured.state.at(name).bytes == tensor.bytes);
    }
    CHECK(captured.replays == kSteps - 3);  // three shapes, each seen once as it is
    CHECK(captured.captures == 3);          // of one shape twice: its masks outgrew their room
  }
}

}  // namespace

TEST_CASE("a captured step trains every loss to the bits of a plain one") {
  for (const auto& loss : loss_list()) {
    INFO(loss->name());
    check_same({small_model(loss->name()), {.clip_norm = 1}});
  }
}

TEST_CASE("a captured step trains a cascade, with AdamW and in bfloat16 to the bits of a plain one") {
  MaskRcnnOptions cascade = small_model("seesaw");
  cascade.cascade = CascadeOptions::mmdet();
  cascade.box_head.class_agnostic = true;
  check_same({cascade, {}});
  MaskRcnnOptions norms = small_model("softmax");
  norms.backbone.norm.kind = NormKind::batch;
  norms.watch_class_gradients = true;
  check_same({norms, {.kind = OptimizerKind::adamw}});
  MaskRcnnOptions rounded = small_model("gol");
  rounded.bfloat16 = true;
  check_same({rounded, {}});
}

TEST_CASE("a captured calibration step trains to the bits of a plain one") {
  for (const bool drawn_class_only : {true, false}) {
    MaskRcnnOptions options = small_model("softmax");
    options.calibration.emplace();
    options.calibration->drawn_class_only = drawn_class_only;
    check_same({options, {}});
  }
}

TEST_CASE("a capture outlives the anchors that the model forgets") {
  for (const std::unique_ptr<Context>& ctx : fixed_contexts()) {
    std::vector<float> losses[2];
    for (const bool captured : {false, true}) {
      ParameterStore store(*ctx, 3);
      MaskRcnn model(store, small_model("softmax"));
      store.consolidate();
      Optimizer optimizer(store, {});
      TrainingStep step({*ctx, store, model, optimizer}, {.captured = captured});
      for (uint32_t i = 0; i < 5; ++i) {
        for (int64_t k = 0; (i == 1 || i == 3) && k < 66; ++k) {  // before a capture, and after one
          const int64_t height = 32 * (1 + k / 9), width = 32 * (3 + k % 9);
          const Tensor sizes = Tensor::from(*ctx, {1, 2}, std::vector<int32_t>{int32_t(height), int32_t(width)});
          (void)model.propose(*ctx, {Tensor::zeros(*ctx, {1, height, width, 3}), sizes, sizes, sizes});
        }
        losses[captured].push_back(step.run(input_of(*ctx, 2), {1, i}, 0.01)[0].second.to_vector<float>(*ctx)[0]);
      }
    }
    CHECK(losses[0] == losses[1]);
  }
}

TEST_CASE("at fixed sizes the losses and gradients are those of trimmed sets") {
  Context& trimmed = cpu_context();
  Context fixed({}, {.fixed_sizes = true});
  for (const auto& loss : loss_list()) {
    INFO(loss->name());
    std::vector<double> gradients[2], values[2];
    int at = 0;
    for (Context* ctx : {&trimmed, &fixed}) {
      ParameterStore store(*ctx, 3);
      MaskRcnn model(store, small_model(loss->name()));
      store.consolidate();
      const StepInput input = input_of(*ctx, 2);
      const MaskRcnnLosses losses = model.losses(*ctx, input.images, input.truth, {1, 2});
      for (const auto& [name, part] : losses.parts()) values[at].push_back(to_doubles(*ctx, part.value())[0]);
      backward(*ctx, losses.total);
      store.complete_gradients();
      gradients[at++] = to_doubles(*ctx, store.gradients());
    }
    REQUIRE(values[0].size() == values[1].size());
    for (size_t i = 0; i < values[0].size(); ++i)
      CHECK(values[1][i] == Approx(values[0][i]).epsilon(1e-5).margin(1e-7));
    double largest = 0, difference = 0;
    for (size_t i = 0; i < gradients[0].size(); ++i) {
      largest = std::max(largest, std::abs(gradients[0][i]));
      difference = std::max(difference, std::abs(gradients[0][i] - gradients[1][i]));
    }
    CHECK(difference < 1e-4 * largest);
  }
}

TEST_CASE("a captured step refuses what would change under it") {
  Context trimmed, fixed({}, {.fixed_sizes = true});
  const auto nothing = [](const StepInput&, const StepKey&) { return StepValues{}; };
  CHECK_THROWS_WITH(CapturedStep(trimmed, nothing), Catch::Contains("fixed sizes"));
  CapturedStep step(fixed, nothing);
  (void)step.run(input_of(fixed, 0), {1, 0});
  CHECK_THROWS_WITH(step.run(input_of(fixed, 0), {2, 1}), Catch::Contains("seed 1, not 2"));
}
