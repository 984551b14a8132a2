#include "apps/run/profile.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <ostream>

#include "apps/config/model_options.h"
#include "apps/config/solver_options.h"
#include "apps/run/device_choice.h"
#include "apps/run/machine_peaks.h"
#include "detection/captured_prediction.h"
#include "detection/training_step.h"
#include "tensor/device_calls.h"
#include "tensor/philox.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
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
  double median_ms = 0, floor_ms = 0, memory_mib = 0, tensor_mib = 0, cached_mib = 0;
  int64_t replays = 0;                        // of captured steps or predictions
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

// The step that is looked at: of training or a prediction, plain or captured.
class Job {
 public:
  Job(Context& ctx, const Config& config, const ProfileOptions& options)
      : ctx_(ctx),
        store_(ctx, 0),
        model_(store_, model_options(config, options.classes, long_tail(options.classes))),
        input_{random_images(ctx, options), options.train ? random_truth(ctx, options) : TruthBatch{}, {}} {
    if (!options.train) {
      if (config.test.capture) prediction_.emplace(ctx, model_);
      return;
    }
    store_.consolidate();  // gradients and optimiser state exist only where something is trained
    optimizer_.emplace(store_, optimizer_options(config));
    const TrainedModel trained{ctx, store_, model_, *optimizer_};
    plain_.emplace(trained, TrainingStepOptions{});
    if (config.train.capture) captured_.emplace(trained, TrainingStepOptions{.captured = true});
  }

  void run() {
    if (captured_) {
      captured_->run(input_, {1, steps_++}, 1e-6);
    } else if (prediction_) {
      prediction_->run(input_.images);
    } else {
      run_plain();
    }
  }
  void run_plain() {
    if (plain_) {
      plain_->run(input_, {1, steps_++}, 1e-6);
    } else {
      model_.predict(ctx_, input_.images);
    }
  }
  bool captures() const { return captured_ || prediction_; }
  int64_t replays() const {
    return captured_ ? captured_->captured()->replays() : (prediction_ ? prediction_->replays() : 0);
  }
  DType dtype() const { return store_.working_dtype(); }

 private:
  Context& ctx_;
  ParameterStore store_;
  MaskRcnn model_;
  StepInput input_;
  std::optional<Optimizer> optimizer_;
  std::optional<TrainingStep> plain_, captured_;
  std::optional<CapturedPrediction> prediction_;
  uint32_t steps_ = 0;
};

Figures time(Context& ctx, Job& job, int64_t repeats) {
  job.run();                      // plans, caches, first touch of memory
  if (job.captures()) job.run();  // the capture
  std::vector<double> times;
  Figures figures;
  for (int64_t i = 0; i < repeats; ++i) {
    times.push_back(milliseconds_of(ctx, [&] {
      const int64_t waits = device_calls::waits(), asked = ctx.allocator()->figures().system_allocations;
      job.run();
      figures.waits = device_calls::waits() - waits;
      figures.system_allocations = ctx.allocator()->figures().system_allocations - asked;
    }));
  }
  const MemoryFigures memory = ctx.allocator()->figures();
  figures.median_ms = median_of(times);
  figures.memory_mib = peak_resident_mib();
  figures.tensor_mib = mebibytes(memory.peak_bytes + memory.reserved_bytes);
  figures.cached_mib = mebibytes(memory.cached_bytes - memory.reserved_bytes);
  figures.replays = job.replays();
  return figures;
}

void print_summary(const Context& ctx, const ProfileOptions& options, const std::string& precision,
                   const Figures& figures, const Peaks& peaks, std::ostream& out) {
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
      100 * figures.floor_ms / figures.median_ms, figures.memory_mib, figures.tensor_mib, figures.cached_mib,
      static_cast<long long>(figures.waits), static_cast<long long>(figures.system_allocations),
      peaks.bytes_per_second / 1e9, precision.c_str(), peaks.operations_per_second / 1e9);
  out << line;
}

}  // namespace

void profile(const ProfileOptions& options, std::ostream& out) {
  const Config config = load_config(options.config, options.settings);
  const bool captures = options.train ? config.train.capture : config.test.capture;
  Context ctx(device_of(options.device), {.threads = options.threads, .fixed_sizes = captures});
  TS_CHECK(!options.train || !config.calibration.used(), options.config,
           ": is a calibration; its detector's step is profiled with --set calibration.recipe=none, and "
           "tests/benchmarks has bench_calibration for a step of its own");
  ctx.set_math(math_mode(config));
  Job job(ctx, config, options);
  Figures figures = time(ctx, job, options.repeats);

  Peaks peaks = measure_peaks(ctx, job.dtype());
  const std::unique_ptr<Profiler> profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  job.run_plain();
  ctx.set_profiler(nullptr);
  profiler->collect(ctx);
  peaks = better_of(peaks, measure_peaks(ctx, job.dtype()));  // something else may have disturbed the first
  figures.floor_ms = floor_ms(*profiler, peaks);
  if (!options.trace.empty()) profiler->write_trace(options.trace);
  if (options.json) return print_json(options, figures, out);
  print_summary(ctx, options, config.model.precision, figures, peaks, out);
  print_table(*profiler, peaks, options.rows, out);
}

}  // namespace tailseg
