// What a calibration step costs beside a training step of the same detector on the same batch: ResNet-50, 1203 classes,
// forward, backward and update. Loading is in neither.
//   bench_calibration --images 2 --side 512
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "apps/command_line.h"
#include "apps/run/device_choice.h"
#include "detection/mask_rcnn.h"
#include "nn/optimizer.h"

namespace {

using namespace tailseg;
using Clock = std::chrono::steady_clock;

constexpr int64_t kClasses = 1203, kObjects = 8;

struct Input {
  ImageBatch images;
  TruthBatch truth;
  Tensor drawn_for;
};

// Photos of waves, with squares of the classes 0, 1, ..; each photo was drawn for its first.
Input make_input(Context& ctx, int64_t images, int64_t side) {
  Input in;
  std::vector<float> pixels(static_cast<size_t>(images * side * side * 3)), boxes, points;
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>((i * i / 7) % 255) / 128 - 1;
  std::vector<int32_t> labels, begin{0}, instances{0}, drawn;
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t k = 0; k < kObjects; ++k) {
      const auto size = static_cast<float>(side / 12 + 10 * k), x = static_cast<float>(side * (k % 4)) / 4.5f + 3,
                 y = static_cast<float>(side * (k / 4)) / 2.5f + 3;
      boxes.insert(boxes.end(), {x, y, x + size, y + size});
      points.insert(points.end(), {x, y, x + size, y, x + size, y + size, x, y + size});
      labels.push_back(static_cast<int32_t>(n * kObjects + k));
      begin.push_back(static_cast<int32_t>(points.size() / 2));
      instances.push_back(static_cast<int32_t>(begin.size()) - 1);
    }
    drawn.push_back(static_cast<int32_t>(n * kObjects));
  }
  const Tensor sizes = Tensor::full(ctx, {images, 2}, static_cast<double>(side), DType::int32);
  in.images = {Tensor::from(ctx, {images, side, side, 3}, pixels), sizes, sizes, sizes};
  in.truth.boxes.boxes = Tensor::from(ctx, {images, kObjects, 4}, boxes);
  in.truth.boxes.labels = Tensor::from(ctx, {images, kObjects}, labels);
  in.truth.boxes.count = Tensor::full(ctx, {images}, kObjects, DType::int32);
  in.truth.masks.points = Tensor::from(ctx, {static_cast<int64_t>(points.size() / 2), 2}, points);
  in.truth.masks.polygon_begin = Tensor::from(ctx, {static_cast<int64_t>(begin.size())}, begin);
  in.truth.masks.instance_begin = Tensor::from(ctx, {images * kObjects + 1}, instances);
  in.drawn_for = Tensor::from(ctx, {images}, drawn);
  return in;
}

MaskRcnnOptions options_with(std::optional<CalibrationOptions> calibration) {
  MaskRcnnOptions options = MaskRcnnOptions::mmdet(kClasses);
  options.mask_targets.rule = MaskTargetRule::polygon;
  options.box_head.statistics.instances.assign(kClasses, 50);
  options.box_head.statistics.images.assign(kClasses, 50);
  options.box_head.statistics.annotated_images = 50 * kClasses;
  options.calibration = std::move(calibration);
  return options;
}

// Milliseconds: median after one step that warms up.
double time_steps(Context& ctx, int repeats, const std::function<void(uint32_t)>& step) {
  std::vector<double> times;
  for (int i = 0; i <= repeats; ++i) {
    const Clock::time_point start = Clock::now();
    step(static_cast<uint32_t>(i));
    ctx.synchronize();
    if (i > 0) times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%9.0f ms (%.0f to %.0f)", times[times.size() / 2], times.front(), times.back());
  return times[times.size() / 2];
}

void run(const std::string& device, int64_t images, int64_t side, int repeats) {
  Context ctx(device_of(device));
  const Input in = make_input(ctx, images, side);
  std::printf("%s, %d threads, %ld photos of %ld x %ld\n%-28s", ctx.device().name().c_str(), ctx.threads(),
              static_cast<long>(images), static_cast<long>(side), static_cast<long>(side), "training");
  double training = 0;
  {
    ParameterStore store(ctx, 1);
    MaskRcnn model(store, options_with(std::nullopt));
    store.consolidate();
    Optimizer optimizer(store, {});
    training = time_steps(ctx, repeats, [&](uint32_t step) {
      store.clear_gradients();
      backward(ctx, model.losses(ctx, in.images, in.truth, {1, step}).total);
      optimizer.step(1e-4);
    });
  }
  std::printf("\n");
  const struct {
    const char* name;
    CalibratedKind head;
    bool drawn_class_only;
  } rows[] = {{"simcal (3fc_ft)", CalibratedKind::fc3_ft, true},
              {"simcal, head 2fc_rand", CalibratedKind::fc2_rand, true},
              {"crt, bags, de (classifier)", CalibratedKind::classifier, false},
              {"simcal_* (3fc_ft, all rows)", CalibratedKind::fc3_ft, false},
              {"lws", CalibratedKind::class_scale, false},
              {"ncm", CalibratedKind::fc2_ncm, false}};
  for (const auto& row : rows) {
    CalibrationOptions calibration;
    calibration.head = row.head;
    calibration.drawn_class_only = row.drawn_class_only;
    ParameterStore store(ctx, 1);
    MaskRcnn model(store, options_with(calibration));
    store.consolidate();
    model.begin_calibration(ctx);
    Optimizer optimizer(store, {.momentum = 0, .weight_decay = 0});
    std::printf("%-28s", row.name);
    const double mine = time_steps(ctx, repeats, [&](uint32_t step) {
      store.clear_gradients();
      const Variable loss = model.calibration_losses(ctx, in.images, in.truth, in.drawn_for, {1, step}).total;
      if (!loss.requires_grad()) return;
      backward(ctx, loss);
      optimizer.step(1e-4);
    });
    std::printf("  %4.2f of a training step\n", mine / training);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What a calibration step costs beside a training step.", "bench_calibration");
  std::string device = "auto";
  int64_t images = 2, side = 512;
  int repeats = 5;
  app.add_option("--device", device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option("--images", images, "in a batch")->capture_default_str()->check(tailseg::number_from(1, 64));
  app.add_option("--side", side, "of a photo, pixels")->capture_default_str()->check(tailseg::number_from(256, 2048));
  app.add_option("--repeats", repeats, "after one that warms up")->capture_default_str()->check(CLI::PositiveNumber);
  return run_program(app, argc, argv, [&] { run(device, images, side, repeats); });
}
