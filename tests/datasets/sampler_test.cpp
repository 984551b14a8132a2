#include "datasets/sampler.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <numeric>
#include <set>

#include "tensor/error.h"

using namespace tailseg;

namespace {

Images sizes_of(const std::vector<std::pair<int, int>>& sizes) {
  Images images;
  for (const auto& [width, height] : sizes) {
    images.width.push_back(width);
    images.height.push_back(height);
  }
  return images;
}

std::vector<int32_t> first_numbers(int32_t count) {
  std::vector<int32_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEST_CASE("a random order shows every photo, differs between epochs and seeds, and can be asked again") {
  const EpochOrder order = random_order(first_numbers(100), 8, 5);
  const auto epoch_0 = order(0).images, epoch_7 = order(7).images;
  CHECK(epoch_0.size() == 104);
  CHECK(std::set<int32_t>(epoch_0.begin(), epoch_0.end()).size() == 100);
  CHECK(std::set<int32_t>(epoch_0.begin(), epoch_0.begin() + 100).size() == 100);
  CHECK(epoch_0 != epoch_7);
  CHECK(order(7).images == epoch_7);
  CHECK(random_order(first_numbers(100), 8, 6)(0).images != epoch_0);
  CHECK(random_order(first_numbers(3), 8, 5)(0).images.size() == 8);  // fewer photos than a batch
  CHECK(sequential_order({4, 2})(3).images == std::vector<int32_t>{4, 2});
  CHECK_THROWS_AS(random_order({}, 8, 5), Error);
  CHECK_THROWS_AS(random_order({1}, 0, 5), Error);
}

TEST_CASE("aspect groups give batches of one kind, each kind padded by itself") {
  std::vector<std::pair<int, int>> sizes;
  for (int i = 0; i < 30; ++i)
    sizes.push_back(i < 10 ? std::pair{40, 60} : i < 13 ? std::pair{50, 50} : std::pair{60, 40});
  const Images images = sizes_of(sizes);
  const EpochOrder order = aspect_grouped_order(images, first_numbers(30), 4, 1);
  std::set<size_t> first_landscape;
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    const auto shown = order(epoch).images;
    REQUIRE(shown.size() == 16 + 20);  // 13 upright or square, 17 landscape
    std::map<int32_t, int> times;
    for (size_t b = 0; b < shown.size(); b += 4) {
      const bool landscape = shown[b] >= 13;
      for (size_t i = b; i < b + 4; ++i) {
        REQUIRE((shown[i] >= 13) == landscape);
        ++times[shown[i]];
      }
    }
    REQUIRE(times.size() == 30);
    for (size_t b = 0; b < shown.size(); b += 4) {
      if (shown[b] >= 13) {
        first_landscape.insert(b / 4);
        break;
      }
    }
  }
  CHECK(first_landscape.size() > 1);  // the kinds are mixed, not one after the other
  CHECK(aspect_grouped_order(images, {0, 1}, 2, 1)(0).images.size() == 2);  // one kind may be missing
}

TEST_CASE("photos without targets are left out, as each convention has it") {
  const AnnotationSet set = parse_annotations(R"({
    "images": [{"id": 1, "width": 100, "height": 50, "file_name": "a"}, {"id": 2, "width": 100, "height": 31, "file_name": "b"},
               {"id": 3, "width": 100, "height": 50, "file_name": "c"}, {"id": 4, "width": 100, "height": 50, "file_name": "d"},
               {"id": 5, "width": 100, "height": 50, "file_name": "e"}],
    "categories": [{"id": 1, "name": "x"}],
    "annotations": [
      {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 40, "iscrowd": 0, "segmentation": [[1,1,10,1,10,10]]},
      {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 40, "iscrowd": 0, "segmentation": [[1,1,10,1,10,10]]},
      {"id": 3, "image_id": 3, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 1, "segmentation": {"size": [50, 100], "counts": [0, 5000]}},
      {"id": 4, "image_id": 4, "category_id": 1, "bbox": [1, 1, 0.5, 9], "area": 4, "iscrowd": 0, "segmentation": [[1,1,1.5,1,1.5,10]]}
    ]})",
                                              "sampler");
  CHECK(trainable_images(set, Convention::kMmdetection) == std::vector<int32_t>{0});
  CHECK(trainable_images(set, Convention::kDetectron2) == std::vector<int32_t>{0, 1, 3});
  CHECK(trainable_images(set, Convention::kTorchvision) == std::vector<int32_t>{0, 1, 2});
}
