// Photos a second that the loader delivers: read, decoded, resized to a short edge, normalised, padded and batched.
//   loader_benchmark                         on 64 synthetic JPEGs of 640 x 480, made for the purpose
//   loader_benchmark --photos DIR [--width 640 --height 480]   on a folder of one's own
// One epoch to warm up, then the median, the lowest and the highest of the rest; also the time of one photo's decoding
// and of its resizing and normalising on one thread, and the processor time of a photo, which a busy machine distorts
// less.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "apps/command_line.h"
#include "datasets/image_encode.h"
#include "datasets/image_folder.h"
#include "datasets/loader.h"
#include "datasets/synthetic/classes.h"

namespace {

using namespace tailseg;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string photos, preset = "mmdet";
  int workers = 2, epochs = 7;
  int64_t batch = 4, short_edge = 800, width = 0, height = 0;
  bool decode_only = false;
};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double processor_milliseconds() {  // of all threads of this process, so far
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void write_photos(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const synthetic::ClassList list = synthetic::shape_classes(24, false);
  synthetic::SceneConfig config;
  config.width = 640;
  config.height = 480;
  for (uint32_t i = 0; i < 64; ++i) {
    const std::vector<int32_t> classes = {int32_t(i % 24), int32_t(i % 7), int32_t(i % 11), int32_t(i % 13)};
    const synthetic::Scene scene = synthetic::paint_scene(list.looks, classes, config, {{1, 1}, 0, i});
    write_image((folder / (std::to_string(i) + ".jpg")).string(), scene.image, 90);
  }
}

InputConfig input_of(const Options& options) {
  InputConfig input = input_preset(options.preset == "mmdet"        ? Convention::kMmdetection
                                   : options.preset == "detectron2" ? Convention::kDetectron2
                                                                    : Convention::kTorchvision);
  input.short_edges = {options.short_edge};
  input.long_edge = std::max<int64_t>(options.short_edge, options.short_edge * 1333 / 800);
  return input;
}

void time_parts(const AnnotationSet& set, const std::vector<int32_t>& photos, const InputConfig& input) {
  std::vector<double> decode, place;
  RowResizer resizer;
  std::vector<float> out;
  for (const int32_t i : photos) {
    Clock::time_point start = Clock::now();
    const Image photo = read_image(set.images.file[i]);
    decode.push_back(milliseconds_since(start));
    const ImageSize original{photo.width, photo.height};
    const Placement placement{original, resized_size(original, input.short_edges[0], input.long_edge, input.size_rule),
                              false};
    const ImageSize padded = padded_size({&placement.resized, 1}, input);
    out.resize(static_cast<size_t>(padded.width * padded.height * 3));
    start = Clock::now();
    write_pixels(photo, placement, input, padded, resizer, out.data());
    place.push_back(milliseconds_since(start));
  }
  std::printf("one thread, median of a photo: read and decode %.2f ms, resize and normalise %.2f ms\n", median(decode),
              median(place));
}

void run(const Options& options) {
  std::string folder = options.photos;
  if (folder.empty()) {
    folder = (std::filesystem::temp_directory_path() / "tailseg-loader-benchmark").string();
    write_photos(folder);
  }
  const AnnotationSet set = photo_set({folder});
  std::vector<int32_t> photos;
  for (int32_t i = 0; i < set.images.size(); ++i) {
    const bool fits = (options.width == 0 || set.images.width[i] == options.width) &&
                      (options.height == 0 || set.images.height[i] == options.height);
    if (fits) photos.push_back(i);
  }
  if (photos.empty()) throw UsageError("no photo of that size in " + folder);
  while (photos.size() < 256) photos.insert(photos.end(), photos.begin(), photos.end());
  const InputConfig input = input_of(options);
  time_parts(set, photos, input);

  LoaderConfig config;
  config.batch_size = options.batch;
  config.workers = options.workers;
  config.decode_only = options.decode_only;
  config.epochs = options.epochs + 1;
  Loader loader(set, input, config, sequential_order(photos));
  std::vector<double> rates, costs;
  Batch batch;
  const auto count = static_cast<double>(photos.size());
  Clock::time_point start = Clock::now();
  double used = processor_milliseconds();
  while (loader.next(batch)) {
    if (batch.position.batch + 1 < loader.batches_in_epoch(0)) continue;
    if (batch.position.epoch > 0) {
      rates.push_back(1000 * count / milliseconds_since(start));
      costs.push_back((processor_milliseconds() - used) / count);
    }
    start = Clock::now();
    used = processor_milliseconds();
  }
  std::sort(rates.begin(), rates.end());
  std::printf(
      "loader, %d workers, batches of %lld, short edge %lld, %s: %.0f photos a second (%.0f to %.0f, %zu epochs of "
      "%zu)\n",
      options.workers, static_cast<long long>(options.batch), static_cast<long long>(options.short_edge),
      options.decode_only ? "photos" : "float32", median(rates), rates.front(), rates.back(), rates.size(),
      photos.size());
  std::printf("processor time %.2f ms a photo: %d cores with nothing else to do give up to %.0f a second\n",
              median(costs), std::max(1, options.workers), 1000 * std::max(1, options.workers) / median(costs));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Photos a second that the loader delivers.", "loader_benchmark");
  Options options;
  app.add_option("--photos", options.photos, "folder of photos (default: synthetic ones of 640 x 480)");
  app.add_option("--width", options.width, "only photos of this width");
  app.add_option("--height", options.height, "only photos of this height");
  app.add_option("--preset", options.preset, "mmdet, detectron2 or torchvision")
      ->check(CLI::IsMember({"mmdet", "detectron2", "torchvision"}));
  app.add_option("--workers", options.workers, "threads")->capture_default_str();
  app.add_option("--batch", options.batch, "photos a batch")->capture_default_str();
  app.add_option("--short-edge", options.short_edge, "pixels")->capture_default_str();
  app.add_option("--epochs", options.epochs, "epochs to measure")->capture_default_str();
  app.add_flag("--decode-only", options.decode_only, "hand out decoded photos, as for a GPU, which scales them itself");
  return tailseg::run_program(app, argc, argv, [&] { run(options); });
}
