// Times every convolution and matrix product of Mask R-CNN R50-FPN (torchvision's shapes, one image), forward and both
// gradients: milliseconds, GFLOP/s by the definition (2 operations a product: a fast algorithm may exceed the peak) and
// the share of the peak measured here. The totals count each layer as often as a step runs it.
//   bench_conv --height 512 --width 512 [--threads 2] [--dtype bfloat16] [--rois 512] [--masks 16] [--only 3x3] [--json
//   FILE]
// bench_conv_torch.py times PyTorch on the same rows in turn.
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <vector>

#include "tensor/conv.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"

using namespace tailseg;

namespace {

enum Direction { kForward, kData, kFilter };
const char* const kDirections[] = {"forward", "data", "filter"};

struct Row {
  std::string name;
  int64_t n, h, w, c, k, window, stride, padding;
  bool is_matmul;     // x [n, c] times w [k, c] transposed
  int calls[3];       // in a training step: forward, data, filter
  int predict_calls;  // in a prediction

  int64_t out(int64_t size) const { return (size + 2 * padding - window) / stride + 1; }
  double operations() const { return 2.0 * double(n * out(h) * out(w)) * double(k * c * window * window); }
};

class Network {
 public:
  Network(int64_t height, int64_t width, int64_t train_rois, int64_t train_masks) : height_(height), width_(width) {
    backbone();
    pyramid();
    heads(train_rois, train_masks);
  }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  enum Use { kFrozen, kFirst, kTrained };  // kFirst: trained, but its input needs no gradient

  void add(const std::string& name, Row row, Use use, int times, bool train = true, bool predict = true) {
    row.calls[kForward] = train ? times : 0;
    row.calls[kData] = train && use == kTrained ? times : 0;
    row.calls[kFilter] = train && use != kFrozen ? times : 0;
    row.predict_calls = predict ? times : 0;
    for (Row& known : rows_) {
      if (std::tie(known.n, known.h, known.w, known.c, known.k, known.window, known.stride) ==
          std::tie(row.n, row.h, row.w, row.c, row.k, row.window, row.stride)) {
        for (int i = 0; i < 3; ++i) known.calls[i] += row.calls[i];
        known.predict_calls += row.predict_calls;
        return;
      }
    }
    row.name = name;
    rows_.push_back(row);
  }
  void layer(const std::string& name, int level, int64_t c, int64_t k, int64_t window, int64_t stride, Use use,
             int times = 1) {
    const int64_t cut = int64_t{1} << level;
    add(name + "@" + std::to_string(cut),
        {"", 1, (height_ + cut - 1) / cut, (width_ + cut - 1) / cut, c, k, window, stride, window / 2, false, {}, 0},
        use, times);
  }
  void backbone() {
    layer("stem", 0, 3, 64, 7, 2, kFrozen);
    const int blocks[] = {3, 4, 6, 3};
    int64_t in = 64;
    for (int stage = 0; stage < 4; ++stage) {
      const std::string name = "res" + std::to_string(stage + 2) + " ";
      const int64_t narrow = int64_t{64} << stage, wide = 4 * narrow, stride = stage == 0 ? 1 : 2;
      const int level = stage + 2, from = stage == 0 ? 2 : level - 1;
      const Use use = stage == 0 ? kFrozen : kTrained, first = stage == 0 ? kFrozen : stage == 1 ? kFirst : kTrained;
      layer(name + "1x1 in", from, in, narrow, 1, 1, first);
      layer(name + "3x3", from, narrow, narrow, 3, stride, use);
      layer(name + "1x1 out", level, narrow, wide, 1, 1, use);
      layer(name + "1x1 shortcut", from, in, wide, 1, stride, first);
      layer(name + "1x1 in", level, wide, narrow, 1, 1, use, blocks[stage] - 1);
      layer(name + "3x3", level, narrow, narrow, 3, 1, use, blocks[stage] - 1);
      layer(name + "1x1 out", level, narrow, wide, 1, 1, use, blocks[stage] - 1);
      in = wide;
    }
  }
  void pyramid() {
    for (int level = 2; level <= 5; ++level) {
      layer("fpn 1x1", level, int64_t{256} << (level - 2), 256, 1, 1, level == 2 ? kFirst : kTrained);
      layer("fpn 3x3", level, 256, 256, 3, 1, kTrained);
    }
    for (int level = 2; level <= 6; ++level) {
      layer("rpn 3x3", level, 256, 256, 3, 1, kTrained);
      layer("rpn logits", level, 256, 3, 1, 1, kTrained);
      layer("rpn deltas", level, 256, 12, 1, 1, kTrained);
    }
  }
  void heads(int64_t train_rois, int64_t train_masks) {
    for (const bool train : {true, false}) {
      const int64_t rois = train ? train_rois : 1000, masks = train ? train_masks : 100;
      const auto product = [&](const char* name, int64_t c, int64_t k) {
        add(name, {"", rois, 1, 1, c, k, 1, 1, 0, true, {}, 0}, kTrained, 1, train, !train);
      };
      product("box fc6", 12544, 1024);
      product("box fc7", 1024, 1024);
      product("box logits", 1024, 91);
      product("box deltas", 1024, 364);
      const auto mask = [&](const char* name, int64_t size, int64_t c, int64_t k, int64_t window, int64_t stride,
                            int times) {
        add(name, {"", masks, size, size, c, k, window, stride, window == 3 ? 1 : 0, false, {}, 0}, kTrained, times,
            train, !train);
      };
      mask("mask 3x3", 14, 256, 256, 3, 1, 4);
      mask("mask deconv", 28, 256, 256, 2, 2, 1);  // a transposed convolution: its forward pass is "data"
      mask("mask logits", 28, 256, 91, 1, 1, 1);
    }
  }

  int64_t height_, width_;
  std::vector<Row> rows_;
};

double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

// The least time of at least `repeats` runs and `budget` seconds. With one thread the processor's time is taken, which
// other programs on the machine cannot stretch.
template <class F>
double least_seconds(int threads, double budget, int repeats, F&& f) {
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  f();
  double best = 1e30, total = 0;
  for (int i = 0; (i < repeats || total < budget) && i < 1000; ++i) {
    const double begin = seconds(clock);
    f();
    const double took = seconds(clock) - begin;
    best = std::min(best, took);
    total += took;
  }
  return best;
}

Tensor numbers(Context& ctx, const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * 7919) % 1000) * 0.001f - 0.5f;
  return Tensor::from(ctx, shape, values);
}

double time_row(Context& ctx, const Row& row, Direction direction, DType dtype, double budget) {
  const auto data = [&](const Shape& shape) { return cast(ctx, numbers(ctx, shape), dtype); };
  const auto least = [&](auto&& f) { return least_seconds(ctx.threads(), budget, 5, f); };
  if (row.is_matmul) {
    const Tensor x = data({row.n, row.c}), w = data({row.k, row.c}), y = data({row.n, row.k});
    const Tensor dw = numbers(ctx, {row.k, row.c});
    if (direction == kForward) return least([&] { matmul_into(ctx, x, w, {false, true, nullptr, false}, y); });
    if (direction == kData) return least([&] { matmul_into(ctx, y, w, {}, x); });
    return least([&] { matmul_into(ctx, y, x, {true, false, nullptr, false}, dw); });
  }
  const ConvGeometry geometry{row.stride, row.padding, 1};
  const Tensor x = data({row.n, row.h, row.w, row.c}), w = data({row.k, row.window, row.window, row.c});
  const Tensor y = data({row.n, row.out(row.h), row.out(row.w), row.k}), bias = numbers(ctx, {row.k});
  const Tensor dw = numbers(ctx, w.shape());
  if (direction == kForward) return least([&] { conv2d(ctx, x, w, geometry, {&bias, nullptr, false}); });
  if (direction == kData) return least([&] { conv2d_backward_data(ctx, y, w, x.shape(), geometry); });
  return least([&] { conv2d_backward_filter(ctx, x, y, geometry, dw); });
}

// What the product of two large matrices reaches here, the best that any layer's direct algorithm can hope for.
double measured_peak(Context& ctx) {
  const Tensor a = numbers(ctx, {1024, 1024}), out = numbers(ctx, {1024, 1024});
  return 2.0 * 1024 * 1024 * 1024 / least_seconds(ctx.threads(), 1.0, 30, [&] { matmul_into(ctx, a, a, {}, out); });
}

}  // namespace

int main(int argc, char** argv) {
  int64_t height = 512, width = 512, rois = 512, masks = 16;
  int threads = 2;
  double budget = 0.3;
  std::string only, json, dtype = "float32";
  CLI::App app("Times the convolutions and matrix products of Mask R-CNN R50-FPN");
  app.add_option("--height", height);
  app.add_option("--width", width);
  app.add_option("--rois", rois, "box RoIs of a training step");
  app.add_option("--masks", masks, "mask RoIs of a training step");
  app.add_option("--threads", threads);
  app.add_option("--dtype", dtype)->check(CLI::IsMember({"float32", "bfloat16"}));
  app.add_option("--budget", budget, "seconds for each figure");
  app.add_option("--only", only, "rows whose name contains this");
  app.add_option("--json", json, "also write the rows to this file");
  CLI11_PARSE(app, argc, argv);

  Context ctx({}, {threads, MathMode::float32});
  const double peak = measured_peak(ctx);
  std::printf("%lld x %lld, %d threads, large matrix product: %.0f GFLOP/s\n", static_cast<long long>(height),
              static_cast<long long>(width), threads, peak * 1e-9);
  std::printf("%-22s %-26s %-8s %9s %9s %7s %6s %8s\n", "layer", "shape", "", "ms", "GFLOP/s", "share", "train",
              "predict");
  std::ofstream out;
  if (!json.empty()) out.open(json);
  double train = 0, predict = 0;
  const Network network(height, width, rois, masks);
  for (const Row& row : network.rows()) {
    if (row.name.find(only) == std::string::npos) continue;
    for (const Direction direction : {kForward, kData, kFilter}) {
      const bool deconvolution = row.name == "mask deconv";
      const bool predicts = direction == (deconvolution ? kData : kForward) && row.predict_calls > 0;
      if (row.calls[direction] == 0 && !predicts) continue;
      const double took = time_row(ctx, row, direction, dtype == "bfloat16" ? DType::bfloat16 : DType::float32, budget);
      const int predict_calls = predicts ? row.predict_calls : 0;
      train += took * row.calls[direction];
      predict += took * predict_calls;
      const std::string shape = text(row.n, "x", row.h, "x", row.w, "x", row.c, " > ", row.k);
      std::printf("%-22s %-26s %-8s %9.3f %9.0f %6.0f%% %6d %8d\n", row.name.c_str(), shape.c_str(),
                  kDirections[direction], took * 1e3, row.operations() / took * 1e-9,
                  100 * row.operations() / took / peak, row.calls[direction], predict_calls);
      std::fflush(stdout);
      if (out.is_open()) {
        out << text("{\"layer\": \"", row.name, "\", \"n\": ", row.n, ", \"h\": ", row.h, ", \"w\": ", row.w,
                    ", \"c\": ", row.c, ", \"k\": ", row.k, ", \"window\": ", row.window, ", \"stride\": ", row.stride,
                    ", \"padding\": ", row.padding, ", \"matmul\": ", row.is_matmul ? "true" : "false",
                    ", \"direction\": \"", kDirections[direction], "\", \"train\": ", row.calls[direction],
                    ", \"predict\": ", predict_calls, ", \"ms\": ", took * 1e3, "}\n");
      }
    }
  }
  std::printf("all of a training step: %.1f ms, of a prediction: %.1f ms\n", train * 1e3, predict * 1e3);
  return 0;
}
