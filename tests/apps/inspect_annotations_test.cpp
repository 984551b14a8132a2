#include "apps/inspect_annotations.h"

#include <catch2/catch.hpp>

#include <sstream>

#include "datasets/json/json_value.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

AnnotationSet sample() {
  return parse_annotations(R"({
      "images": [{"id": 1, "width": 300, "height": 300, "file_name": "a"}, {"id": 2, "width": 9, "height": 9, "file_name": "b"},
                 {"id": 3, "width": 300, "height": 300, "file_name": "c"}],
      "annotations": [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [0, 0, 40, 40], "area": 1600, "segmentation": [[0, 0, 40, 0, 40, 40, 0, 40]]},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 4, 4], "area": 16, "segmentation": [[0, 0, 4, 4]]},
        {"id": 3, "image_id": 3, "category_id": 2, "bbox": [0, 0, 200, 200], "area": 40000, "segmentation": [[0, 0, 200, 0, 200, 200, 0, 200]]},
        {"id": 4, "image_id": 3, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 1,
         "segmentation": {"size": [300, 300], "counts": [0, 90000]}}],
      "categories": [{"id": 1, "name": "crowded", "frequency": "r", "instance_count": 1},
                     {"id": 2, "name": "cup", "frequency": "f", "instance_count": 2000}]})",
                           "file.json");
}

}  // namespace

TEST_CASE("counts of an annotation file") {
  const AnnotationSummary summary = summarise_annotations(sample());
  REQUIRE(summary.images_with_annotations == 2);
  REQUIRE(summary.targets == 2);
  REQUIRE(summary.crowds == 1);
  REQUIRE(summary.with_polygons == 2);
  REQUIRE(summary.with_rle == 1);
  REQUIRE(summary.without_mask == 1);
  REQUIRE(summary.sizes == std::array<int64_t, 3>{1, 1, 1});
  REQUIRE(summary.classes[0].label == 1);
  REQUIRE(summary.classes[0].instances == 3);
  REQUIRE(summary.classes[0].images == 2);
  REQUIRE(summary.classes[1].instances == 0);  // a crowd is no instance
}

TEST_CASE("the report names groups, bins, classes and every problem with file and id") {
  std::ostringstream out;
  print_annotations(sample(), 10, out);
  REQUIRE_THAT(out.str(), Contains("images         3 (1 without an annotation)"));
  REQUIRE_THAT(out.str(), Contains("frequency f    1 categories, 1 present, 3 instances"));
  REQUIRE_THAT(out.str(), Contains("1 categories below 10, 0 below 100, 0 below 1000, 1 above (instance_count)"));
  REQUIRE_THAT(out.str(), Contains("short_polygon: file.json: annotation 2, image 1: polygon 0 has 2 points"));
  REQUIRE_THAT(out.str(), Contains("no_mask: file.json: annotation 2, image 1"));
  REQUIRE_THAT(out.str(), Contains("cup"));
  std::ostringstream few;
  AnnotationSet many = sample();
  for (int i = 0; i < 5; ++i) many.problems.push_back(many.problems[0]);
  print_annotations(many, 2, few);
  REQUIRE_THAT(few.str(), Contains("... 4 more of short_polygon"));
}

TEST_CASE("the same as JSON") {
  JsonString kind, problem_kind;
  JsonInteger images, annotation_id;
  JsonObject problem, root;
  JsonList problems("problems", problem);
  problem.add("kind", problem_kind, true);
  problem.add("annotation_id", annotation_id, true);
  root.add("kind", kind, true);
  root.add("images", images, true);
  root.add("problems", problems, true);
  walk_json(annotations_json(sample()), "json", root);
  REQUIRE(kind.value == "coco");
  REQUIRE(images.value == 3);
  REQUIRE(problem_kind.value == "no_mask");  // the last
  REQUIRE(annotation_id.value == 2);
}
