#include "datasets/annotations.h"

#include <catch2/catch.hpp>

#include <fstream>

#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

const std::string kImage = R"({"id": 9, "width": 20, "height": 10, "file_name": "a.jpg"})";
const std::string kCategories = R"([{"id": 5, "name": "b"}, {"id": 1, "name": "a"}])";

std::string file(const std::string& annotations, const std::string& images = kImage,
                 const std::string& categories = kCategories) {
  return R"({"annotations": [)" + annotations + R"(], "images": [)" + images + R"(], "categories": )" + categories +
         "}";
}

std::string annotation(const std::string& segmentation, const std::string& rest = "", const std::string& id = "3",
                       const std::string& box = "[2, 2, 6, 5]") {
  return R"({"id": )" + id + R"(, "image_id": 9, "category_id": 5, "area": 30.5, "bbox": )" + box +
         R"(, "segmentation": )" + segmentation + rest + "}";
}

const std::string kSquare = "[[2, 2, 8, 2, 8, 7, 2, 7]]";

AnnotationSet parse(const std::string& json) { return parse_annotations(json, "f.json"); }

std::string refusal(const std::string& json) {
  try {
    parse(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<ProblemKind> problems(const AnnotationSet& set) {
  std::vector<ProblemKind> out;
  for (const Problem& problem : set.problems) out.push_back(problem.kind);
  return out;
}

}  // namespace

TEST_CASE("a COCO file: labels by ascending category id, polygons flat, any order of the keys") {
  const AnnotationSet set = parse(file(annotation("[[2, 2, 8, 2, 8, 7], [0.5, 1.25, 3, 1.25, 3, 4, 1, 4]]")));
  REQUIRE_FALSE(set.lvis);
  REQUIRE(set.class_count() == 2);
  REQUIRE(set.categories[0].name == "a");
  REQUIRE(set.label_of(5) == 1);
  REQUIRE(set.label_of(2) == -1);
  REQUIRE(set.image_index(9) == 0);
  REQUIRE(set.image_index(0) == -1);
  REQUIRE(set.images.file[0] == "a.jpg");
  REQUIRE(set.categories[0].instance_count == -1);
  const Annotations& all = set.annotations;
  REQUIRE(all.size() == 1);
  REQUIRE(all.label[0] == 1);
  REQUIRE(all.area[0] == 30.5);
  REQUIRE(all.box[0] == std::array<double, 4>{2, 2, 6, 5});
  REQUIRE(all.polygon_count(0) == 2);
  REQUIRE(all.polygon(0, 0).size() == 6);
  REQUIRE(all.polygon(0, 1)[1] == 1.25);
  REQUIRE_FALSE(all.has_rle(0));
  REQUIRE(set.by_image[0].size() == 1);
  REQUIRE(set.problems.empty());
  REQUIRE(is_training_target(set, 0));
}

TEST_CASE("crowds: compressed and uncompressed runs are the same mask") {
  const std::string crowd = R"(, "iscrowd": 1)";
  const AnnotationSet set = parse(file(annotation(R"({"size": [10, 20], "counts": [50, 30, 120]})", crowd, "1") + "," +
                                       annotation(R"({"counts": "b1n0h3", "size": [10, 20]})", crowd, "2")));
  REQUIRE(set.annotations.crowd[0] == 1);
  for (const int32_t a : {0, 1}) {
    const Rle mask = annotation_mask(set, a);
    REQUIRE(mask.height == 10);
    REQUIRE(mask.counts == std::vector<uint32_t>{50, 30, 120});
    REQUIRE_FALSE(is_training_target(set, a));
  }
}

TEST_CASE("LVIS: file names of both versions, lists as labels, frequencies") {
  const std::string lists = R"(, "neg_category_ids": [5], "not_exhaustive_category_ids": [1, 5]})";
  const std::string start = R"({"id": 9, "width": 20, "height": 10, )";
  const std::string categories =
      R"([{"id": 1, "name": "a", "synset": "a.n.01", "frequency": "r", "image_count": 2, "instance_count": 7}, {"id": 5, "name": "b", "frequency": "f"}])";
  const auto name = [&](const std::string& keys) {
    return parse(file("", start + keys + lists, categories)).images.file[0];
  };
  REQUIRE(name(R"("file_name": "COCO_val2014_000000397133.jpg")") == "000000397133.jpg");
  REQUIRE(name(R"("coco_url": "http://images.cocodataset.org/train2017/000000000009.jpg")") ==
          "train2017/000000000009.jpg");
  REQUIRE(name(R"("file_name": "folder/000000000009.jpg", "coco_url": "http://x/y/z.jpg")") ==
          "folder/000000000009.jpg");
  const AnnotationSet set = parse(file("", start + R"("file_name": "a.jpg")" + lists, categories));
  REQUIRE(set.lvis);
  REQUIRE(set.images.negative[0].size() == 1);
  REQUIRE(set.images.negative[0][0] == 1);
  REQUIRE(set.images.not_exhaustive[0].size() == 2);
  REQUIRE(set.categories[0].frequency == 'r');
  REQUIRE(set.categories[0].synset == "a.n.01");
  REQUIRE(set.categories[0].image_count == 2);
  REQUIRE(set.categories[0].instance_count == 7);
  const std::string coco2014 = R"({"id": 9, "width": 20, "height": 10, "file_name": "COCO_val2014_000000397133.jpg"})";
  REQUIRE(parse(file("", coco2014)).images.file[0] == "COCO_val2014_000000397133.jpg");  // COCO's own name is kept
}

TEST_CASE("an empty annotation list is a file like any other") {
  const AnnotationSet set = parse(file(""));
  REQUIRE(set.annotations.size() == 0);
  REQUIRE(set.by_image[0].empty());
  REQUIRE(parse(R"({"images": [], "annotations": [], "categories": []})").images.size() == 0);
}

TEST_CASE("what is structurally wrong is refused with the byte or the id") {
  REQUIRE(refusal(file(annotation(kSquare) + "," + annotation(kSquare))) == "f.json: annotation id 3 occurs twice");
  REQUIRE(refusal(file("", kImage + "," + kImage)) == "f.json: image id 9 occurs twice");
  REQUIRE(refusal(file("", kImage, R"([{"id": 1, "name": "a"}, {"id": 1, "name": "b"}])")) ==
          "f.json: category id 1 occurs twice");
  REQUIRE_THAT(refusal(file(annotation(kSquare), kImage, R"([{"id": 1, "name": "a"}])")),
               Contains("annotation 3: category_id 5 is no category"));
  REQUIRE_THAT(refusal(file(annotation(kSquare), "")), Contains("annotation 3: image_id 9 is no image"));
  REQUIRE_THAT(refusal(file(annotation(kSquare, "", "3", "[NaN, 2, 6, 5]"))),
               Contains("annotation 3: the box [nan, 2, 6, 5] is not finite"));
  REQUIRE_THAT(refusal(file(annotation(kSquare, "", "3", "[2, 6, 5]"))), Contains("annotation 3: bbox has 3 numbers"));
  REQUIRE_THAT(refusal(file(annotation("[[2, 2, 8, 2, 8, 7, 2]]"))),
               Contains("annotation 3: polygon 0 has 7 coordinates, an odd number"));
  REQUIRE_THAT(refusal(file(annotation("[[2, 2, 8, 2, 8, 1e300]]"))),
               Contains("annotation 3: polygon 0 has the coordinate"));
  REQUIRE_THAT(refusal(file(annotation("[2, 2, 8, 2, 8, 7]"))),
               Contains("annotations[0].segmentation[0]: expected a polygon (a list of numbers), got a number"));
  REQUIRE_THAT(refusal(file(annotation(R"({"size": [20, 10], "counts": [200]})"))),
               Contains("annotation 3: the RLE's size is [20, 10], image 9 has height 10 and width 20"));
  REQUIRE_THAT(refusal(file(annotation(R"({"size": [10, 20], "counts": [199]})"))),
               Contains("annotation 3: RLE: the runs cover 199 pixels"));
  REQUIRE_THAT(refusal(file(annotation(R"({"size": [10, 20], "counts": "~"})"))),
               Contains("annotation 3: RLE: character 0"));
  REQUIRE_THAT(refusal(file(annotation(R"({"size": [10, 20]})"))), Contains("key 'counts' is missing"));
  REQUIRE_THAT(refusal(file(R"({"id": 3, "image_id": 9, "category_id": 5, "area": 30.5})")),
               Contains("annotations[0]: key 'bbox' is missing"));
  REQUIRE_THAT(refusal(file("", R"({"id": 9, "width": 0, "height": 10, "file_name": "a.jpg"})")),
               Contains("image 9: width is 0"));
  REQUIRE_THAT(refusal(file("", kImage, R"([{"id": 1, "name": "a", "frequency": "x"}])")),
               Contains("category 1: frequency"));
  REQUIRE_THAT(refusal(file("", kImage, "[{\"id\": 4, \"name\": \"caf\xe9\"}]")),
               Contains("category 4: its name is not UTF-8"));
  REQUIRE_THAT(refusal(R"({"images": [], "annotations": []})"), Contains("key 'categories' is missing"));
  REQUIRE_THAT(refusal(file(annotation(kSquare)).substr(0, 100)), Contains("cut short"));
}

TEST_CASE("what is dubious is listed with its ids and treated as ProblemKind says") {
  SECTION("a polygon of two points is dropped, the rest of the annotation is kept") {
    const AnnotationSet set = parse(file(annotation("[[1, 1, 2, 2], [2, 2, 8, 2, 8, 7]]")));
    REQUIRE(problems(set) == std::vector{ProblemKind::kShortPolygon});
    REQUIRE(set.problems[0].annotation_id == 3);
    REQUIRE(set.problems[0].image_id == 9);
    REQUIRE(set.problems[0].text == "polygon 0 has 2 points");
    REQUIRE(set.annotations.polygon_count(0) == 1);
    REQUIRE(is_training_target(set, 0));
  }
  SECTION("no mask is left") {
    const AnnotationSet set = parse(file(annotation("[[1, 1, 2, 2]]")));
    REQUIRE(problems(set) == std::vector{ProblemKind::kShortPolygon, ProblemKind::kNoMask});
    REQUIRE_FALSE(is_training_target(set, 0));
    REQUIRE(rle_area(annotation_mask(set, 0)) == 0);
  }
  SECTION("boxes") {
    const AnnotationSet set = parse(
        file(annotation(kSquare, "", "1", "[2, 2, 0, 5]") + "," + annotation(kSquare, "", "2", "[2, 2, 0.5, 5]") + "," +
             annotation(kSquare, "", "4", "[20, 2, 5, 5]") + "," + annotation(kSquare, "", "5", "[-4, 2, 4.5, 5]")));
    REQUIRE(problems(set) == std::vector{ProblemKind::kEmptyBox, ProblemKind::kThinBox, ProblemKind::kBoxOutside});
    for (const int32_t a : {0, 1, 2}) REQUIRE_FALSE(is_training_target(set, a));
    REQUIRE(is_training_target(set, 3));
  }
  SECTION("no area") {
    const std::string flat =
        R"({"id": 3, "image_id": 9, "category_id": 5, "area": 0, "bbox": [2, 2, 6, 5], "segmentation": )";
    const AnnotationSet set = parse(file(flat + kSquare + "}"));
    REQUIRE(problems(set) == std::vector{ProblemKind::kNoArea});
    REQUIRE_FALSE(is_training_target(set, 0));
  }
  SECTION("lists and file names") {
    const AnnotationSet set =
        parse(file(annotation(kSquare), R"({"id": 9, "width": 20, "height": 10, "neg_category_ids": [5, 77]})"));
    REQUIRE(problems(set) ==
            std::vector{ProblemKind::kNoFileName, ProblemKind::kUnknownListed, ProblemKind::kContradiction});
    REQUIRE(set.images.negative[0].size() == 1);
  }
  SECTION("ignored annotations are no training targets") {
    REQUIRE_FALSE(is_training_target(parse(file(annotation(kSquare, R"(, "ignore": 1)"))), 0));
  }
}

TEST_CASE("annotations are grouped by image in file order") {
  const std::string second = R"(, {"id": 2, "width": 5, "height": 5, "file_name": "b.jpg"})";
  const auto at = [](int id, int image) {
    return R"({"id": )" + std::to_string(id) + R"(, "image_id": )" + std::to_string(image) +
           R"(, "category_id": 1, "area": 4, "bbox": [0, 0, 2, 2], "segmentation": [[0, 0, 2, 0, 2, 2]]})";
  };
  const AnnotationSet set = parse(file(at(8, 2) + "," + at(7, 9) + "," + at(1, 2), kImage + second));
  REQUIRE(set.by_image[0].size() == 1);
  REQUIRE(set.by_image[0][0] == 1);
  REQUIRE(set.by_image[1].size() == 2);
  REQUIRE(set.by_image[1][0] == 0);
  REQUIRE(set.by_image[1][1] == 2);
}

TEST_CASE("the LVIS sample file reads as METHODS 7.1 describes it") {
  const AnnotationSet set =
      read_annotations(std::string(TAILSEG_GOLDEN_DIR) + "/evaluation/lvis_v05_val100/annotations.json");
  REQUIRE(set.lvis);
  REQUIRE(set.images.size() == 100);
  REQUIRE(set.annotations.size() == 977);
  REQUIRE(set.class_count() == 1230);
  int64_t rare = 0, many = 0, empty = 0, negatives = 0, partial = 0;
  for (const Category& category : set.categories) rare += category.frequency == 'r';
  for (int32_t a = 0; a < set.annotations.size(); ++a) many += set.annotations.polygon_count(a) > 1;
  for (int32_t i = 0; i < set.images.size(); ++i) {
    empty += set.by_image[i].empty();
    negatives += static_cast<int64_t>(set.images.negative[i].size());
    partial += !set.images.not_exhaustive[i].empty();
    REQUIRE(set.images.file[i].size() == 16);
  }
  REQUIRE(rare == 454);
  REQUIRE(many == 98);
  REQUIRE(empty == 7);
  REQUIRE(negatives / 100 == 9);
  REQUIRE(partial == 12);
  REQUIRE(set.problems.empty());
}

TEST_CASE("files that are not there or not files are refused by name") {
  REQUIRE_THROWS_WITH(read_annotations("/no/such/file.json"), Contains("/no/such/file.json: cannot be opened"));
  REQUIRE_THROWS_WITH(read_annotations("/"), Contains("is not a plain file"));
}
