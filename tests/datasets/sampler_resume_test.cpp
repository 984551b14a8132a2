// Every sampler through the loader: batches on disk photos, from any position, with any number of workers.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "datasets/image_encode.h"
#include "datasets/loader.h"
#include "datasets/samplers/photo_sampler.h"
#include "tests/datasets/sampling_cases.h"

using namespace tailseg;

namespace {

struct PhotoFolder {
  std::filesystem::path path;
  AnnotationSet set;
  explicit PhotoFolder(const std::vector<std::vector<int>>& photos, int classes)
      : path(std::filesystem::temp_directory_path() / ("tailseg-photo-sampler-" + std::to_string(getpid()))),
        set(sampling_case(photos, classes)) {
    std::filesystem::create_directories(path);
    for (int32_t i = 0; i < set.images.size(); ++i) {
      const auto at = static_cast<size_t>(i);
      write_image((path / set.images.file[at]).string(), Image(set.images.width[at], set.images.height[at]));
    }
  }
  ~PhotoFolder() { std::filesystem::remove_all(path); }
};

struct Shown {
  int64_t epoch, batch;
  std::vector<int32_t> images, drawn_for;
  bool operator==(const Shown&) const = default;
};

Shown shown_by(const Batch& batch) {
  Shown out{batch.position.epoch, batch.position.batch, {}, {}};
  for (const BatchImage& image : batch.images) {
    out.images.push_back(image.index);
    out.drawn_for.push_back(image.drawn_for);
  }
  return out;
}

}  // namespace

TEST_CASE("every sampler through the loader: a resume in mid-epoch, any number of workers, the same batches") {
  const PhotoFolder folder(random_photos(14, 4, 31), 5);
  InputConfig input;
  input.short_edges = {32};
  input.long_edge = 64;
  for (const PhotoSamplerRow& row : photo_samplers()) {
    CAPTURE(row.name);
    PhotoSamplerOptions options;
    options.seed = 21;
    options.repeat.threshold = 0.3;
    options.batch_size = 3;
    options.epoch_batches = 5;
    options.aspect_grouping = true;
    const auto open = [&](int workers, LoaderPosition start) {
      LoaderConfig config;
      config.root = folder.path.string();
      config.batch_size = 3;
      config.workers = workers;
      config.targets = false;
      config.epochs = 3;
      return std::make_unique<Loader>(folder.set, input, config,
                                      make_photo_sampler(row.name, folder.set, options).order, start);
    };
    const EpochOrder order = make_photo_sampler(row.name, folder.set, options).order;
    std::vector<Shown> whole;
    std::vector<LoaderPosition> positions;
    Batch batch;
    for (const auto loader = open(0, {}); positions.push_back(loader->position()), loader->next(batch);) {
      whole.push_back(shown_by(batch));
      const Epoch epoch = order(batch.position.epoch);
      for (size_t i = 0; i < batch.images.size(); ++i) {
        const size_t place = static_cast<size_t>(batch.position.batch) * 3 + i;
        REQUIRE(batch.images[i].index == epoch.images[place]);
        REQUIRE(batch.images[i].drawn_for == (row.draws_classes ? epoch.labels[place] : -1));
      }
    }
    REQUIRE(whole.size() >= 9);
    for (size_t done = 0; done < positions.size(); ++done) {
      const auto resumed = open(static_cast<int>(done % 4), positions[done]);
      for (size_t i = done; i < whole.size(); ++i) {
        REQUIRE(resumed->next(batch));
        REQUIRE(shown_by(batch) == whole[i]);
      }
      REQUIRE_FALSE(resumed->next(batch));
    }
  }
}
