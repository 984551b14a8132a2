// Expected values are worked out by hand: a photo of 100 x 50 scaled to 200 x 150, factors 2 and 3.
#include "datasets/loader_targets.h"

#include <catch2/catch.hpp>

#include "datasets/mask/rle.h"

using namespace tailseg;

namespace {

const char* kFile = R"({
  "images": [{"id": 9, "width": 100, "height": 50, "file_name": "a.png"}],
  "categories": [{"id": 3, "name": "x"}, {"id": 8, "name": "y"}],
  "annotations": [
    {"id": 1, "image_id": 9, "category_id": 8, "bbox": [10, 20, 30, 10], "area": 300, "iscrowd": 0,
     "segmentation": [[10, 20, 40, 20, 40, 30], [12, 22, 14, 22, 14, 24]]},
    {"id": 2, "image_id": 9, "category_id": 3, "bbox": [90, 40, 20, 20], "area": 100, "iscrowd": 0,
     "segmentation": [[90, 40, 110, 40, 110, 60]]},
    {"id": 3, "image_id": 9, "category_id": 3, "bbox": [0, 0, 50, 50], "area": 900, "iscrowd": 1,
     "segmentation": {"size": [50, 100], "counts": [0, 2500, 2500]}},
    {"id": 4, "image_id": 9, "category_id": 3, "bbox": [5, 5, 0.5, 30], "area": 15, "iscrowd": 0,
     "segmentation": [[5, 5, 5.5, 5, 5.5, 35]]},
    {"id": 5, "image_id": 9, "category_id": 3, "bbox": [120, 5, 10, 10], "area": 100, "iscrowd": 0,
     "segmentation": [[120, 5, 130, 5, 130, 15]]},
    {"id": 6, "image_id": 9, "category_id": 3, "bbox": [2, 1, 2, 2], "area": 4, "iscrowd": 0,
     "segmentation": {"size": [50, 100], "counts": [101, 2, 48, 1, 4848]}},
    {"id": 7, "image_id": 9, "category_id": 3, "bbox": [2, 1, 2, 2], "area": 4, "iscrowd": 0, "segmentation": []}
  ]})";

using Corners = std::array<float, 4>;

Targets targets_of(Convention rule, bool flipped, MaskForm form = MaskForm::kPolygons) {
  static const AnnotationSet set = parse_annotations(kFile, "targets");
  return make_targets(set, 0, {{100, 50}, {200, 150}, flipped}, input_preset(rule), form);
}

std::vector<int64_t> ids(const Targets& targets) { return targets.annotation_ids; }

}  // namespace

TEST_CASE("each convention keeps the annotations that its reference keeps") {
  // 3 is a crowd, 4 thinner than a pixel, 5 outside the photo, 7 without a mask.
  CHECK(ids(targets_of(Convention::kMmdetection, false)) == std::vector<int64_t>{1, 2, 6});
  CHECK(ids(targets_of(Convention::kDetectron2, false)) == std::vector<int64_t>{1, 2, 4, 6});
  CHECK(ids(targets_of(Convention::kTorchvision, false)) == std::vector<int64_t>{1, 2, 4, 6});
}

TEST_CASE("boxes are scaled by one factor an axis, clipped and flipped") {
  for (const Convention rule : {Convention::kMmdetection, Convention::kDetectron2, Convention::kTorchvision}) {
    const Targets plain = targets_of(rule, false), flipped = targets_of(rule, true);
    CHECK(plain.boxes[0] == Corners{20, 60, 80, 90});
    CHECK(plain.boxes[1] == Corners{180, 120, 200, 150});
    CHECK(flipped.boxes[0] == Corners{120, 60, 180, 90});
    CHECK(flipped.boxes[1] == Corners{0, 120, 20, 150});
    CHECK(plain.labels[0] == 1);
    CHECK(plain.labels[1] == 0);
  }
}

TEST_CASE("polygons follow, unclipped, and know their target") {
  const Targets plain = targets_of(Convention::kMmdetection, false),
                flipped = targets_of(Convention::kMmdetection, true);
  const auto list = [](const Targets& t, int64_t i) {
    return std::vector<float>(t.polygons[i].begin(), t.polygons[i].end());
  };
  CHECK(plain.polygon_begin == std::vector<int64_t>{0, 2, 3, 3});
  CHECK(list(plain, 0) == std::vector<float>{20, 60, 80, 60, 80, 90});
  CHECK(list(plain, 1) == std::vector<float>{24, 66, 28, 66, 28, 72});
  CHECK(list(plain, 2) == std::vector<float>{180, 120, 220, 120, 220, 180});
  CHECK(list(flipped, 0) == std::vector<float>{180, 60, 120, 60, 120, 90});
  CHECK((plain.has_polygons(0) && !plain.has_polygons(2)));
}

TEST_CASE("an RLE becomes the bitmap of its box") {
  // Column-major, height 50: 101 zeros, then column 2 rows 1 and 2, then column 3 row 1.
  const MaskBitmap plain = targets_of(Convention::kMmdetection, false).bitmaps[2];
  CHECK((plain.x == 4 && plain.y == 3 && plain.width == 4 && plain.height == 6));
  const std::vector<uint8_t> rows = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0};
  CHECK(plain.pixels == rows);
  const MaskBitmap flipped = targets_of(Convention::kMmdetection, true).bitmaps[2];
  CHECK((flipped.x == 192 && flipped.y == 3 && flipped.width == 4 && flipped.height == 6));
  for (size_t y = 0; y < 6; ++y) {
    for (size_t x = 0; x < 4; ++x) CHECK(flipped.pixels[y * 4 + x] == rows[y * 4 + 3 - x]);
  }
}

TEST_CASE("polygons become bitmaps on request: the photo's mask, each pixel repeated") {
  const AnnotationSet set = parse_annotations(kFile, "targets");
  for (const bool flipped : {false, true}) {
    const Targets targets = targets_of(Convention::kMmdetection, flipped, MaskForm::kBitmaps);
    REQUIRE(targets.size() == 3);
    CHECK(targets.polygons.size() == 0);
    for (int64_t t = 0; t < 3; ++t) {
      std::vector<uint8_t> mask(100 * 50);
      rle_decode(annotation_mask(set, static_cast<int32_t>(targets.annotation_ids[t] - 1)), mask);
      const MaskBitmap& bitmap = targets.bitmaps[t];
      REQUIRE(bitmap.pixels.size() == static_cast<size_t>(bitmap.width * bitmap.height));
      int64_t area = 0;
      for (int32_t y = 0; y < 150; ++y) {
        for (int32_t x = 0; x < 200; ++x) {
          const int32_t column = x - bitmap.x, row = y - bitmap.y;
          const bool inside = column >= 0 && row >= 0 && column < bitmap.width && row < bitmap.height;
          const int value = inside ? bitmap.pixels[row * bitmap.width + column] : 0;
          REQUIRE(value == mask[y / 3 * 100 + (flipped ? 199 - x : x) / 2]);
          area += value;
        }
      }
      CHECK(area > 0);
    }
  }
}
