// Times RoIAlign, the losses and the class-selective predictors at the sizes of a Mask R-CNN training step (one image
// of 800 x 1344, 512 box RoIs, 128 mask RoIs, LVIS's 1203 classes), forward and backward.
//   bench_detection_ops [--threads 2] [--budget 0.5] [--json FILE] [--boxes FILE]
// bench_detection_ops_torch.py times PyTorch and torchvision on the same boxes in turn.
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <vector>

#include "autograd/arithmetic.h"
#include "detection/losses/binary_cross_entropy.h"
#include "detection/losses/rpn_loss.h"
#include "detection/losses/smooth_l1.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "detection/roi_align.h"
#include "detection/selective_predictor.h"

using namespace tailseg;

namespace {

constexpr int64_t kClasses = 1203;

float number(uint32_t& state) {  // in [-1, 1)
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(state >> 8) / static_cast<float>(1 << 23) - 1.f;
}

Tensor numbers(Context& ctx, const Shape& shape, float largest = 1) {
  uint32_t state = 1;
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& v : values) v = largest * number(state);
  return Tensor::from(ctx, shape, values);
}

// Every fourth RoI is foreground.
Tensor labels(Context& ctx, int64_t count, int32_t background) {
  std::vector<int32_t> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(i % 4 == 0 ? static_cast<int32_t>(i * 37 % kClasses) : background);
  return Tensor::from(ctx, {count}, values);
}

struct Boxes {
  std::vector<float> boxes;
  std::vector<int32_t> level;
};

// Sizes from 24 to 700 pixels, even on a logarithmic scale; levels by METHODS 2.7's first rule.
Boxes some_boxes(int64_t count) {
  Boxes out;
  uint32_t state = 7;
  for (int64_t i = 0; i < count; ++i) {
    const float size = 24.f * std::pow(700.f / 24.f, (number(state) + 1) / 2), ratio = std::exp(0.35f * number(state));
    const float w = std::min(size * ratio, 1340.f), h = std::min(size / ratio, 796.f);
    const float x = (number(state) + 1) / 2 * (1344 - w), y = (number(state) + 1) / 2 * (800 - h);
    out.boxes.insert(out.boxes.end(), {x, y, x + w, y + h});
    out.level.push_back(static_cast<int32_t>(std::clamp(std::floor(std::log2(std::sqrt(w * h) / 56)), 0.f, 3.f)));
  }
  return out;
}

struct Row {
  std::string name;
  std::vector<Variable> leaves;
  std::function<Variable(Context&)> forward;
};

std::vector<Row> rows(Context& ctx, std::ofstream& boxes_file) {
  std::vector<Row> out;
  std::vector<Variable> pyramid;
  for (int l = 0; l < 4; ++l) pyramid.emplace_back(numbers(ctx, {1, 200 >> l, 336 >> l, 256}), true);
  for (int64_t count : {512, 128}) {
    const Boxes boxes = some_boxes(count);
    if (boxes_file.is_open()) {
      for (size_t i = 0; i < boxes.level.size(); ++i) {
        boxes_file << count << ' ' << boxes.level[i];
        for (size_t j = 0; j < 4; ++j) boxes_file << ' ' << boxes.boxes[i * 4 + j];
        boxes_file << '\n';
      }
    }
    const RoiSet rois{Tensor::from(ctx, {count, 4}, boxes.boxes), Tensor::zeros(ctx, {count}, DType::int32),
                      Tensor::from(ctx, {count}, boxes.level)};
    for (bool aligned : {true, false}) {
      const RoiAlignOptions options{count == 512 ? 7 : 14, aligned ? 0 : 2, aligned};
      out.push_back({text("roi_align ", count, " ", options.output_size, " ", aligned ? "adaptive" : "sampling2"),
                     pyramid, [=](Context& c) {
                       return roi_align(c, pyramid, {0.25, 0.125, 0.0625, 0.03125}, rois, options);
                     }});
    }
  }
  const Tensor box_labels = labels(ctx, 512, kClasses), mask_labels = labels(ctx, 128, 5);
  const Variable logits(numbers(ctx, {512, kClasses + 1}, 8), true), masks(numbers(ctx, {128, 28, 28}, 4), true);
  const Tensor targets = scale(ctx, Variable(numbers(ctx, {128, 28, 28})), 0.5).value();
  out.push_back({"softmax_cross_entropy 512 1204", {logits}, [=](Context& c) {
                   return softmax_cross_entropy(c, logits, box_labels).loss;
                 }});
  out.push_back({"binary_cross_entropy 128 28 28", {masks}, [=](Context& c) {
                   return binary_cross_entropy(c, masks, targets, mask_labels).loss;
                 }});
  std::vector<Variable> packed;
  std::vector<int32_t> index, objects;
  for (int l = 0; l < 5; ++l)
    packed.emplace_back(numbers(ctx, {1, (200 + (1 << l) - 1) >> l, (336 + (1 << l) - 1) >> l, 16}), true);
  for (int i = 0; i < 256; ++i) {
    index.push_back(i * 1009);
    objects.push_back(i % 2);
  }
  const RpnTargets anchors{Tensor::from(ctx, {1, 256}, index), Tensor::from(ctx, {1, 256}, objects),
                           numbers(ctx, {1, 256, 4})};
  out.push_back({"rpn_loss 256", packed, [=](Context& c) {
                   const RpnLoss loss = rpn_loss(c, packed, anchors, {});
                   return concat_rows(c, {loss.objectness, loss.box});
                 }});
  const Variable x(numbers(ctx, {128, 28, 28, 256}), true), w(numbers(ctx, {kClasses, 1, 1, 256}), true),
      b(numbers(ctx, {kClasses}), true);
  out.push_back(
      {"selective_mask 128 28 28 256", {x, w, b}, [=](Context& c) { return selective_mask(c, x, w, b, mask_labels); }});
  const Variable f(numbers(ctx, {512, 1024}), true), wd(numbers(ctx, {4 * kClasses, 1024}), true),
      bd(numbers(ctx, {4 * kClasses}), true);
  out.push_back({"selective_deltas 512 1024", {f, wd, bd}, [=](Context& c) {
                   return selective_deltas(c, f, wd, bd, box_labels);
                 }});
  return out;
}

struct Times {
  double forward = 1e30, backward = 1e30;
};

// The least of at least 5 runs. With one thread the processor's time, which other programs cannot stretch.
Times least_ms(Context& ctx, const Row& row, double budget) {
  auto now = [&] {
    timespec t;
    clock_gettime(ctx.threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return 1e3 * double(t.tv_sec) + 1e-6 * double(t.tv_nsec);
  };
  Times best;
  double total = 0;
  const Tensor seed = numbers(ctx, row.forward(ctx).shape());
  for (int run = 0; run < 6 || (total < 1e3 * budget && run < 1000); ++run) {
    for (const Variable& leaf : row.leaves) leaf.clear_grad();
    const double begin = now();
    const Variable y = row.forward(ctx);
    const double middle = now();
    backward(ctx, y, seed);
    const double end = now();
    total += end - begin;
    if (run == 0) continue;  // warm-up
    best.forward = std::min(best.forward, middle - begin);
    best.backward = std::min(best.backward, end - middle);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 2;
  double budget = 0.5;
  std::string json, boxes;
  CLI::App app("Times RoIAlign, the losses and the class-selective predictors");
  app.add_option("--threads", threads);
  app.add_option("--budget", budget, "seconds for each row");
  app.add_option("--json", json, "also write the rows to this file");
  app.add_option("--boxes", boxes, "write the RoIs to this file: count, level, x1, y1, x2, y2");
  CLI11_PARSE(app, argc, argv);
  Context ctx({}, {threads, MathMode::float32});
  std::ofstream out, boxes_file;
  if (!json.empty()) out.open(json);
  if (!boxes.empty()) boxes_file.open(boxes);
  std::printf("%-34s %12s %12s\n", "", "forward ms", "backward ms");
  for (const Row& row : rows(ctx, boxes_file)) {
    const Times t = least_ms(ctx, row, budget);
    std::printf("%-34s %12.3f %12.3f\n", row.name.c_str(), t.forward, t.backward);
    std::fflush(stdout);
    if (out.is_open()) {
      out << text("{\"op\": \"", row.name, "\", \"forward_ms\": ", t.forward, ", \"backward_ms\": ", t.backward, "}\n");
    }
  }
  return 0;
}
