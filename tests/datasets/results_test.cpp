#include "datasets/evaluation/detections.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

const AnnotationSet& set() {
  static const AnnotationSet value = parse_annotations(
      R"({"images": [{"id": 4, "width": 20, "height": 10, "file_name": "a.jpg", "neg_category_ids": [7]}],
          "annotations": [{"id": 1, "image_id": 4, "category_id": 3, "bbox": [1, 1, 2, 2], "area": 4}],
          "categories": [{"id": 3, "name": "a"}, {"id": 5, "name": "b"}, {"id": 7, "name": "c"}]})",
      "set.json");
  return value;
}

Detections parse(const std::string& json) { return parse_results(json, "r.json", set(), nullptr); }

std::string refusal(const std::string& json) {
  try {
    parse(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string result(const std::string& rest) { return R"([{"image_id": 4, "category_id": 3, )" + rest + "}]"; }

}  // namespace

TEST_CASE("boxes, runs in both forms and polygons are read") {
  const Detections all = parse(R"([
      {"image_id": 4, "category_id": 3, "bbox": [1, 2, 3, 4.5], "score": 0.25},
      {"image_id": 4, "category_id": 5, "segmentation": {"size": [10, 20], "counts": "b1n0h3"}, "score": 1, "area": 3},
      {"image_id": 4, "category_id": 99, "segmentation": {"size": [10, 20], "counts": [50, 30, 120]}, "score": -2},
      {"image_id": 4, "score": 0, "bbox": [], "segmentation": [[5, 0, 8, 0, 8, 10, 5, 10]]}])");
  REQUIRE(all.size() == 4);
  REQUIRE(all.label == std::vector<int32_t>{0, 1, -1, -1});
  REQUIRE(all.unknown_category == 1);
  REQUIRE(all.score == std::vector<double>{.25, 1, -2, 0});
  REQUIRE(all.box[0] == Box{1, 2, 3, 4.5});
  REQUIRE(all.has_box == std::vector<uint8_t>{1, 0, 0, 0});
  for (const int64_t row : {1, 2, 3}) {
    REQUIRE(all.decode_mask(row, set()).counts == std::vector<uint32_t>{50, 30, 120});
  }
}

TEST_CASE("the LVIS filter keeps the geometry of what can count and the score of everything") {
  const FederatedLabels federated(set());
  REQUIRE(federated.counts(0, 0));
  REQUIRE_FALSE(federated.counts(0, 1));
  REQUIRE(federated.counts(0, 2));
  const Detections all = parse_results(R"([
      {"image_id": 4, "category_id": 5, "bbox": [1, 2, 3, 4], "score": 0.9},
      {"image_id": 4, "category_id": 7, "bbox": [5, 6, 7, 8], "score": 0.8}])",
                                       "r.json", set(), &federated);
  REQUIRE(all.size() == 2);
  REQUIRE(all.slot == std::vector<int32_t>{-1, 0});
  REQUIRE(all.box.size() == 1);
  REQUIRE(all.box[0] == Box{5, 6, 7, 8});
}

TEST_CASE("results that are wrong are refused with their number") {
  REQUIRE_THAT(refusal(R"({"results": []})"),
               Contains("expected a list of results (an object is an annotation file), got an object"));
  REQUIRE_THAT(refusal(R"([{"image_id": 5, "score": 1, "bbox": [1, 2, 3, 4]}])"),
               Contains("result 0 (image 5): image_id is no image of set.json"));
  REQUIRE_THAT(refusal(result(R"("bbox": [1, 2, 3, 4], "score": NaN)")), Contains("result 0 (image 4): score is nan"));
  REQUIRE_THAT(refusal(result(R"("bbox": [1, 2, 3], "score": 1)")), Contains("bbox has 3 numbers"));
  REQUIRE_THAT(refusal(result(R"("bbox": [1, 2, 3, Infinity], "score": 1)")), Contains("bbox[3] is inf"));
  REQUIRE_THAT(refusal(result(R"("score": 1)")), Contains("has neither bbox nor segmentation"));
  REQUIRE_THAT(refusal(result(R"("bbox": [1, 2, 3, 4])")), Contains("[0]: key 'score' is missing"));
  REQUIRE_THAT(refusal(result(R"("score": 1, "segmentation": {"size": [20, 10], "counts": "b1n0h3"})")),
               Contains("RLE: size is [20, 10], its image has height 10 and width 20"));
  REQUIRE_THAT(refusal(result(R"("score": 1, "segmentation": [])")), Contains("segmentation is an empty list"));
  REQUIRE_THAT(refusal(result(R"("score": 1, "segmentation": [[1, 2, 3, 4]])")), Contains("at least 6 coordinates"));
  REQUIRE_THAT(refusal("[{"), Contains("byte 2: not valid JSON"));
  const Detections broken = parse(result(R"("score": 1, "segmentation": {"size": [10, 20], "counts": "b1n0"})"));
  REQUIRE_THROWS_WITH(broken.decode_mask(0, set()), Contains("result 0 (image 4): RLE: the runs cover 80 pixels"));
}

TEST_CASE("what is written is read again") {
  Detections all;
  const Box box = {1.125, 2, 3.1, 4};
  const std::string_view text = "b1n0h3";
  all.add(0, 1, 1. / 3, &box, &text);
  all.add(0, 2, .5, nullptr, &text);
  all.add(0, 0, .25, &box, nullptr);
  const std::string path = (std::filesystem::temp_directory_path() / "tailseg_results_test.json").string();
  write_results(path, set(), all);
  const Detections again = read_results(path, set(), nullptr);
  std::filesystem::remove(path);
  REQUIRE(again.label == all.label);
  REQUIRE(again.score == all.score);
  REQUIRE(again.box == all.box);
  REQUIRE(again.mask == all.mask);
  REQUIRE(again.has_mask == all.has_mask);
  REQUIRE_THROWS_WITH(write_results("/no/such/folder/results.json", set(), all),
                      Contains("/no/such/folder/results.json"));
}
