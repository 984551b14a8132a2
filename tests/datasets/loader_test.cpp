#include "datasets/loader.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "datasets/image_encode.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

// A folder of small photos of different sizes with one box each; gone at the end of the test.
struct PhotoFolder {
  std::filesystem::path path;
  AnnotationSet set;

  explicit PhotoFolder(int count)
      : path(std::filesystem::temp_directory_path() / ("tailseg-loader-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path);
    std::ostringstream images, annotations;
    for (int i = 0; i < count; ++i) {
      Image photo(40 + i * 3 % 17, 40 + i * 5 % 19);
      for (size_t k = 0; k < photo.pixels.size(); ++k) photo.pixels[k] = static_cast<uint8_t>(k * (i + 3) + k / 97);
      write_image((path / name(i)).string(), photo);
      images << (i ? "," : "") << "{\"id\":" << 100 + i << ",\"width\":" << photo.width
             << ",\"height\":" << photo.height << ",\"file_name\":\"" << name(i) << "\"}";
      annotations
          << (i ? "," : "") << "{\"id\":" << i + 1 << ",\"image_id\":" << 100 + i
          << ",\"category_id\":1,\"bbox\":[2,3,20,10],\"area\":100,\"iscrowd\":0,\"segmentation\":[[2,3,22,3,22,13]]}";
    }
    set = parse_annotations("{\"images\":[" + images.str() + "],\"annotations\":[" + annotations.str() +
                                "],\"categories\":[{\"id\":1,\"name\":\"x\"}]}",
                            "photos");
  }
  ~PhotoFolder() { std::filesystem::remove_all(path); }
  static std::string name(int i) { return std::to_string(i) + (i % 2 ? ".png" : ".jpg"); }

  LoaderConfig config(int workers) const {
    LoaderConfig config;
    config.root = path.string();
    config.batch_size = 3;
    config.workers = workers;
    config.seed = 11;
    config.augment = true;
    config.epochs = 3;
    return config;
  }
  std::vector<int32_t> all() const {
    std::vector<int32_t> numbers;
    for (int32_t i = 0; i < set.images.size(); ++i) numbers.push_back(i);
    return numbers;
  }
};

InputConfig small_input() {
  InputConfig input;
  input.short_edges = {32, 48, 64};
  input.long_edge = 90;
  return input;
}

// Everything that a batch says, so that batches can be compared bit for bit.
std::string fingerprint(const Batch& batch) {
  std::ostringstream out;
  out << batch.position.epoch << ':' << batch.position.batch << ' ' << batch.size.width << 'x' << batch.size.height
      << ' ';
  for (const BatchImage& image : batch.images) {
    out << image.index << ' ' << image.image_id << ' ' << image.placement.resized.width << 'x'
        << image.placement.resized.height << (image.placement.flipped ? "f " : " ");
    for (const auto& box : image.targets.boxes) out << box[0] << ',' << box[1] << ',' << box[2] << ',' << box[3] << ' ';
    for (const float v : image.targets.polygons.values) out << v << ' ';
  }
  out.write(reinterpret_cast<const char*>(batch.pixels.data()), static_cast<std::streamsize>(batch.pixels.size() * 4));
  for (const Image& photo : batch.photos) {
    out.write(reinterpret_cast<const char*>(photo.pixels.data()), static_cast<std::streamsize>(photo.pixels.size()));
  }
  return out.str();
}

std::vector<std::string> all_batches(Loader& loader) {
  std::vector<std::string> prints;
  Batch batch;
  while (loader.next(batch)) prints.push_back(fingerprint(batch));
  return prints;
}

}  // namespace

TEST_CASE("the batches are the same for any number of workers and any look-ahead") {
  const PhotoFolder photos(10);
  for (const bool decode_only : {false, true}) {
    std::vector<std::string> expected;
    for (const int workers : {0, 1, 2, 4}) {
      LoaderConfig config = photos.config(workers);
      config.decode_only = decode_only;
      config.ahead = workers + 1;
      Loader loader(photos.set, small_input(), config, random_order(photos.all(), 3, 1));
      const auto prints = all_batches(loader);
      REQUIRE(prints.size() == 12);  // 10 photos in threes, padded to 12, three epochs
      if (workers == 0) expected = prints;
      REQUIRE(prints == expected);
    }
    CHECK(std::set<std::string>(expected.begin(), expected.end()).size() == 12);
  }
}

TEST_CASE("a loader started at any position continues as one that ran up to it") {
  const PhotoFolder photos(10);
  const EpochOrder order = random_order(photos.all(), 3, 1);
  Loader whole(photos.set, small_input(), photos.config(2), order);
  std::vector<LoaderPosition> positions;
  std::vector<std::string> prints;
  Batch batch;
  while (true) {
    positions.push_back(whole.position());
    if (!whole.next(batch)) break;
    prints.push_back(fingerprint(batch));
  }
  CHECK(positions[5] == LoaderPosition{1, 1});
  for (size_t done = 0; done < positions.size(); ++done) {
    Loader resumed(photos.set, small_input(), photos.config(done % 3), order, positions[done]);
    CHECK(all_batches(resumed) ==
          std::vector<std::string>(prints.begin() + static_cast<std::ptrdiff_t>(done), prints.end()));
  }
  CHECK_THROWS_WITH(Loader(photos.set, small_input(), photos.config(0), order, {0, 5}), Contains("0:5"));
  CHECK(Loader(photos.set, small_input(), photos.config(0), order, {0, 4}).position() == LoaderPosition{1, 0});
}

TEST_CASE("augmentation draws flips and every scale; without it there is neither") {
  const PhotoFolder photos(10);
  for (const bool augment : {true, false}) {
    LoaderConfig config = photos.config(1);
    config.augment = augment;
    config.epochs = 10;
    Loader loader(photos.set, small_input(), config, random_order(photos.all(), 3, 1));
    int flipped = 0, count = 0;
    std::set<int64_t> short_edges;
    Batch batch;
    while (loader.next(batch)) {
      for (const BatchImage& image : batch.images) {
        ++count;
        flipped += image.placement.flipped;
        short_edges.insert(std::min(image.placement.resized.width, image.placement.resized.height));
      }
    }
    CHECK(count == 120);
    CHECK(std::abs(flipped - (augment ? 60 : 0)) < 28);  // five standard deviations (5.5)
    CHECK(short_edges == (augment ? std::set<int64_t>{32, 48, 64} : std::set<int64_t>{64}));
    if (!augment) CHECK(flipped == 0);
  }
}

TEST_CASE("the last batch of a sequential order may be smaller, and nothing is shown twice") {
  const PhotoFolder photos(7);
  LoaderConfig config = photos.config(2);
  config.epochs = 1;
  config.targets = false;
  Loader loader(photos.set, small_input(), config, sequential_order(photos.all()));
  CHECK(loader.batches_in_epoch(0) == 3);
  Batch batch;
  std::vector<int64_t> ids, counts;
  while (loader.next(batch)) {
    counts.push_back(batch.count());
    REQUIRE(batch.pixels.size() == static_cast<size_t>(batch.count() * batch.size.width * batch.size.height * 3));
    for (const BatchImage& image : batch.images) {
      ids.push_back(image.image_id);
      CHECK(image.targets.size() == 0);
    }
  }
  CHECK(counts == std::vector<int64_t>{3, 3, 1});
  CHECK(ids == std::vector<int64_t>{100, 101, 102, 103, 104, 105, 106});
  CHECK_FALSE(loader.next(batch));
}

TEST_CASE("a bad photo stops the consumer with its file and id, or is left out and counted") {
  PhotoFolder photos(7);
  std::filesystem::remove(photos.path / PhotoFolder::name(1));
  std::ofstream(photos.path / PhotoFolder::name(4), std::ios::binary) << "\xFF\xD8\xFF no picture";
  for (const int workers : {0, 3}) {
    LoaderConfig config = photos.config(workers);
    config.epochs = 1;
    {
      Loader loader(photos.set, small_input(), config, sequential_order(photos.all()));
      Batch batch;
      CHECK_THROWS_WITH(loader.next(batch), Contains("image id 101") && Contains("1.png") && Contains("no such file"));
      CHECK_THROWS_WITH(loader.next(batch), Contains("image id 104") && Contains("4.jpg") && Contains("truncated"));
      CHECK(loader.next(batch));
      CHECK_FALSE(loader.next(batch));
    }
    config.on_bad_photo = BadPhoto::kSkip;
    Loader skipping(photos.set, small_input(), config, sequential_order(photos.all()));
    Batch batch;
    REQUIRE(skipping.next(batch));
    REQUIRE(batch.count() == 2);
    CHECK((batch.images[0].image_id == 100 && batch.images[1].image_id == 102));
    REQUIRE(batch.skipped.size() == 1);
    CHECK_THAT(batch.skipped[0], Contains("image id 101"));
    CHECK(batch.pixels.size() == static_cast<size_t>(2 * batch.size.width * batch.size.height * 3));
    while (skipping.next(batch)) REQUIRE(batch.count() > 0);
    CHECK(skipping.skipped() == 2);
  }
}

TEST_CASE("a batch of which every photo is bad is passed over, and what moved kept its pixels") {
  PhotoFolder photos(6);
  for (const int i : {0, 1, 2, 4}) std::filesystem::remove(photos.path / PhotoFolder::name(i));
  LoaderConfig config = photos.config(2);
  config.augment = false;
  config.epochs = 1;
  config.on_bad_photo = BadPhoto::kSkip;
  InputConfig input = small_input();
  input.buckets = {{96, 96}};
  Loader loader(photos.set, input, config, sequential_order(photos.all()));
  Loader reference(photos.set, input, config, sequential_order({3, 5}));
  Batch batch, expected;
  REQUIRE(loader.next(batch));
  REQUIRE(reference.next(expected));
  CHECK(batch.pixels == expected.pixels);
  CHECK((batch.images[0].image_id == 103 && batch.images[1].image_id == 105));
  CHECK(batch.skipped.size() == 4);
  CHECK_FALSE(loader.next(batch));
}

TEST_CASE("a photo of another size than the file says is an error that mentions EXIF when the sides are swapped") {
  PhotoFolder photos(2);
  std::swap(photos.set.images.width[0], photos.set.images.height[0]);
  photos.set.images.height[0] = 41;
  photos.set.images.width[0] = 40;
  write_image((photos.path / "0.jpg").string(), Image(41, 40));
  LoaderConfig config = photos.config(1);
  Loader loader(photos.set, small_input(), config, sequential_order({0}));
  Batch batch;
  CHECK_THROWS_WITH(loader.next(batch), Contains("41 x 40") && Contains("40 x 41") && Contains("EXIF"));
}

TEST_CASE("a loader can be dropped while its workers are busy, and refuses senseless settings") {
  const PhotoFolder photos(10);
  for (int i = 0; i < 20; ++i) {
    Loader loader(photos.set, small_input(), photos.config(4), random_order(photos.all(), 3, 1));
    Batch batch;
    if (i % 2) loader.next(batch);
    CHECK(loader.in_flight().size() <= 4);
  }
  LoaderConfig config = photos.config(0);
  config.batch_size = 0;
  CHECK_THROWS_AS(Loader(photos.set, small_input(), config, sequential_order({0})), Error);
  CHECK_THROWS_AS(Loader(photos.set, small_input(), photos.config(2), sequential_order({99})), Error);
  CHECK_THROWS_AS(Loader(photos.set, small_input(), photos.config(2), EpochOrder()), Error);
}
