#include "apps/run/profile.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <ostream>

#include "apps/config/model_options.h"
#include "apps/run/device_choice.h"
#include "detection/training_step.h"
#include "tensor/device_calls.h"
#include "tensor/matmul.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

using Clock = std::chrono::steady_clock;

template <class Work>
double milliseconds(Context& ctx, Work&& work) {
  ctx.synchronize();
  const Clock::time_point begin = Clock::now();
  work();
  ctx.synchronize();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Peaks {
  double bytes_per_second = 0;       // read and written by a copy
  double operations_per_second = 0;  // of a large matrix product
};

// The best of a few tries: a peak is what the machine can do, not what it does on average.
Peaks measure_peaks(Context& ctx, DType dtype) {
  constexpr int64_t kElements = int64_t{1} << 25, kSide = 2048;
  constexpr int kTries = 5;
  const Tensor from = Tensor::zeros(ctx, {kElements}), to = Tensor::zeros(ctx, {kElements});
  const Tensor a = Tensor::full(ctx, {kSide, kSide}, 0.5, dtype), b = Tensor::full(ctx, {kSide, kSide}, 0.25, dtype);
  double copy_ms = 1e30, product_ms = 1e30;
  for (int i = 0; i < kTries; ++i) {
    copy_ms = std::min(copy_ms, milliseconds(ctx, [&] {
                         if (ctx.device().is_cuda()) return to.copy_from(ctx, from);
                         parallel_ranges(ctx.threads(), kElements, [&](int64_t begin, int64_t end) {
                           std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                                       static_cast<size_t>(end - begin) * sizeof(float));
                         });
                       }));
    product_ms = std::min(product_ms, milliseconds(ctx, [&] { matmul(ctx, a, b); }));
  }
  return {2.0 * sizeof(float) * kElements / (copy_ms * 1e-3), 2.0 * kSide * kSide * kSide / (product_ms * 1e-3)};
}

ImageBatch random_images(Context& ctx, const ProfileOptions& options) {
  const int64_t elements = options.batch * options.height * options.width * 3;
  std::vector<float> pixels(static_cast<size_t>(elements));
  const RandomKey key{1, random_purpose("profile picture")};
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = 2 * random_uniform(key, 0, static_cast<uint32_t>(i)) - 1;
  std::vector<int32_t> sizes;
  for (int64_t n = 0; n < options.batch; ++n) {
    sizes.insert(sizes.end(), {static_cast<int32_t>(options.height), static_cast<int32_t>(options.width)});
  }
  const Tensor size = Tensor::from(ctx, {options.batch, 2}, sizes);
  return {Tensor::from(ctx, {options.batch, options.height, options.width, 3}, pixels), size, size, size};
}

// Boxes of a tenth to a half of the picture, each filled by its mask.
TruthBatch random_truth(Context& ctx, const ProfileOptions& options) {
  std::vector<float> boxes;
  std::vector<int32_t> labels, crops, count;
  std::vector<int64_t> offsets;
  std::vector<uint8_t> pixels;
  const auto height = static_cast<float>(options.height), width = static_cast<float>(options.width);
  for (int64_t n = 0; n < options.batch; ++n) {
    count.push_back(static_cast<int32_t>(options.objects));
    for (int64_t g = 0; g < options.objects; ++g) {
      RandomStream draw({1, random_purpose("profile boxes")}, static_cast<uint32_t>(n), static_cast<uint32_t>(g));
      const float w = width * draw.uniform(0.1f, 0.5f), h = height * draw.uniform(0.1f, 0.5f);
      const float x = (width - w) * draw.uniform(), y = (height - h) * draw.uniform();
      boxes.insert(boxes.end(), {x, y, x + w, y + h});
      labels.push_back(static_cast<int32_t>(draw.below(static_cast<uint32_t>(options.classes))));
      const auto columns = static_cast<int32_t>(w), rows = static_cast<int32_t>(h);
      crops.insert(crops.end(), {static_cast<int32_t>(x), static_cast<int32_t>(y), columns, rows});
      offsets.push_back(static_cast<int64_t>(pixels.size()));
      pixels.insert(pixels.end(), static_cast<size_t>(columns) * static_cast<size_t>(rows), uint8_t{1});
    }
  }
  TruthBatch truth;
  const int64_t slots = options.batch * options.objects;
  truth.boxes.boxes = Tensor::from(ctx, {options.batch, options.objects, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {options.batch, options.objects}, labels);
  truth.boxes.count = Tensor::from(ctx, {options.batch}, count);
  truth.masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(pixels.size())}, pixels);
  truth.masks.crops = Tensor::from(ctx, {slots, 4}, crops);
  truth.masks.offsets = Tensor::from(ctx, {slots}, offsets);
  return truth;
}

// A long tail, for losses that ask for one: from 2 to about 20,000 instances, class by class.
ClassStatistics long_tail(int64_t classes) {
  ClassStatistics out;
  for (int64_t c = 0; c < classes; ++c) {
    const double share = static_cast<double>(c) / static_cast<double>(std::max<int64_t>(classes - 1, 1));
    out.images.push_back(static_cast<int64_t>(std::pow(10.0, 4 * share)));
    out.instances.push_back(2 * out.images.back());
  }
  out.annotated_images = 100000;
  return out;
}

// The least time these kernels can take: each is bound by the copy rate or by the product rate.
double floor_ms(const Profiler& profiler, const Peaks& peaks) {
  double total = 0;
  for (const auto& [name, row] : profiler.rows()) {
    total += std::max(row.cost.bytes / peaks.bytes_per_second, row.cost.operations / peaks.operations_per_second);
  }
  return total * 1e3;
}

void print_table(const Profiler& profiler, const Peaks& peaks, int64_t count, std::ostream& out) {
  std::vector<std::pair<std::string, KernelRow>> rows(profiler.rows().begin(), profiler.rows().end());
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  double total = 0;
  for (const auto& row : rows) total += row.second.seconds;
  char line[160];
  std::snprintf(line, sizeof line, "%-34s %6s %10s %6s %9s %7s %10s %7s\n", "kernel", "calls", "ms", "share", "GB/s",
                "of copy", "GFLOP/s", "of peak");
  out << line;
  for (size_t i = 0; i < rows.size() && i < static_cast<size_t>(count); ++i) {
    const KernelRow& row = rows[i].second;
    const double bytes = row.cost.bytes / row.seconds, operations = row.cost.operations / row.seconds;
    std::snprintf(line, sizeof line, "%-34s %6lld %10.2f %5.1f%% %9.1f %6.0f%% %10.1f %6.0f%%\n", rows[i].first.c_str(),
                  static_cast<long long>(row.calls), row.seconds * 1e3, 100 * row.seconds / total, bytes / 1e9,
                  100 * bytes / peaks.bytes_per_second, operations / 1e9,
                  100 * operations / peaks.operations_per_second);
    out << line;
  }
}

double mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double peak_resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Figures {
  double median_ms = 0, floor_ms = 0, memory_mib = 0, tensor_mib = 0;
  int64_t replays = 0;                        // of captured steps
  int64_t waits = 0, system_allocations = 0;  // in the last timed step: 0 and 0 where nothing makes the host wait
};

void print_json(const ProfileOptions& options, const Figures& figures, std::ostream& out) {
  char line[400];
  std::snprintf(
      line, sizeof line,
      "{\"job\": \"%s\", \"batch\": %lld, \"height\": %lld, \"width\": %lld, \"classes\": %lld, \"ms\": %.2f, "
      "\"floor_ms\": %.2f, \"floor_share\": %.3f, \"mib\": %.0f, \"tensor_mib\": %.0f, \"replays\": %lld, "
      "\"waits\": %lld, "
      "\"allocations\": %lld}\n",
      options.train ? "train" : "predict", static_cast<long long>(options.batch),
      static_cast<long long>(options.height), static_cast<long long>(options.width),
      static_cast<long long>(options.classes), figures.median_ms, figures.floor_ms,
      figures.floor_ms / figures.median_ms, figures.memory_mib, figures.tensor_mib,
      static_cast<long long>(figures.replays), static_cast<long long>(figures.waits),
      static_cast<long long>(figures.system_allocations));
  out << line;
}

}  // namespace

void profile(const ProfileOptions& options, std::ostream& out) {
  const Config config = load_config(options.config, options.settings);
  Context ctx(device_of(options.device), {.threads = options.threads, .fixed_sizes = config.train.capture});
  TS_CHECK(!options.train || !config.calibration.used(), options.config,
           ": is a calibration; its detector's step is profiled with --set calibration.recipe=none, and "
           "tests/benchmarks has bench_calibration for a step of its own");
  ctx.set_math(math_mode(config));
  ParameterStore store(ctx, 0);
  MaskRcnn model(store, model_options(config, options.classes, long_tail(options.classes)));
  std::optional<Optimizer> optimizer;  // gradients and optimiser state exist only where something is trained
  if (options.train) {
    store.consolidate();
    optimizer.emplace(store, optimizer_options(config));
  }
  const StepInput input{random_images(ctx, options), random_truth(ctx, options), {}};
  std::optional<TrainingStep> plain, captured;
  if (options.train) plain.emplace(TrainedModel{ctx, store, model, *optimizer}, TrainingStepOptions{});
  if (options.train && config.train.capture) {
    captured.emplace(TrainedModel{ctx, store, model, *optimizer}, TrainingStepOptions{.captured = true});
  }
  uint32_t steps = 0;
  const auto work = [&](bool as_is) {
    if (!options.train) {
      model.predict(ctx, input.images);
    } else {
      (captured && !as_is ? captured : plain)->run(input, {1, steps++}, 1e-6);
    }
  };
  work(false);                // plans, caches, first touch of memory
  if (captured) work(false);  // the capture
  std::vector<double> times;
  Figures figures;
  for (int64_t i = 0; i < options.repeats; ++i) {
    times.push_back(milliseconds(ctx, [&] {
      const int64_t waits = device_calls::waits(), asked = ctx.allocator()->figures().system_allocations;
      work(false);
      figures.waits = device_calls::waits() - waits;
      figures.system_allocations = ctx.allocator()->figures().system_allocations - asked;
    }));
  }
  const MemoryFigures memory = ctx.allocator()->figures();
  figures.median_ms = median_of(times);
  figures.memory_mib = peak_resident_mib();
  figures.tensor_mib = mebibytes(memory.peak_bytes + memory.reserved_bytes);
  if (captured) figures.replays = captured->captured()->replays();

  const DType dtype = store.working_dtype();
  Peaks peaks = measure_peaks(ctx, dtype);
  const std::unique_ptr<Profiler> profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  work(true);
  ctx.set_profiler(nullptr);
  profiler->collect(ctx);
  // A moment that something else disturbed must not count as the machine's best.
  const Peaks again = measure_peaks(ctx, dtype);
  peaks = {std::max(peaks.bytes_per_second, again.bytes_per_second),
           std::max(peaks.operations_per_second, again.operations_per_second)};
  figures.floor_ms = floor_ms(*profiler, peaks);
  if (!options.trace.empty()) profiler->write_trace(options.trace);
  if (options.json) return print_json(options, figures, out);
  char line[480];
  std::snprintf(
      line, sizeof line,
      "%s, %lld x %lld x %lld on %s, %d threads: %.1f ms (median of %lld); floor %.1f ms, so %.0f%% of it; "
      "peak memory %.0f MiB, of tensors %.0f MiB (%.0f MiB cached now); in the last step the host waited %lld "
      "times for the device and asked %lld times for memory\nthis machine: copy %.1f GB/s, "
      "%s product %.1f GFLOP/s\n\n",
      options.train ? "training step" : "prediction", static_cast<long long>(options.batch),
      static_cast<long long>(options.height), static_cast<long long>(options.width), ctx.device().name().c_str(),
      ctx.threads(), figures.median_ms, static_cast<long long>(options.repeats), figures.floor_ms,
      100 * figures.floor_ms / figures.median_ms, figures.memory_mib, figures.tensor_mib,
      mebibytes(memory.cached_bytes - memory.reserved_bytes), static_cast<long long>(figures.waits),
      static_cast<long long>(figures.system_allocations), peaks.bytes_per_second / 1e9, config.model.precision.c_str(),
      peaks.operations_per_second / 1e9);
  out << line;
  print_table(*profiler, peaks, options.rows, out);
}

}  // namespace tailseg
