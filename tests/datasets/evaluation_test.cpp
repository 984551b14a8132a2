#include "datasets/evaluation/evaluate.h"

#include <filesystem>

#include "datasets/mask/polygon.h"
#include "tensor/error.h"
#include "tests/datasets/golden.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

const std::string kGolden = std::string(TAILSEG_GOLDEN_DIR) + "/evaluation/";

Evaluation run(const AnnotationSet& set, const Detections& detections, Protocol protocol, const std::string& type,
               int threads = 2) {
  EvaluationOptions options;
  options.protocol = protocol;
  options.iou = type == "bbox" ? IouType::kBox : IouType::kMask;
  options.threads = threads;
  return evaluate(set, detections, options);
}

void compare_sample(const std::string& folder, Protocol protocol) {
  const AnnotationSet set = read_annotations(kGolden + folder + "/annotations.json");
  const auto expected = read_expected(kGolden + folder + "/expected.txt");
  REQUIRE(expected.size() == 2);
  for (const auto& [type, figures] : expected) {
    INFO(folder << " " << type);
    const Detections detections = read_results(kGolden + folder + "/" + type + ".json", set, nullptr);
    require_equal(set, run(set, detections, protocol, type), figures);
  }
}

const std::string kCategories =
    R"("categories": [{"id": 1, "name": "a", "frequency": "r", "instance_count": 5},
                      {"id": 2, "name": "b", "frequency": "f", "instance_count": 5000}])";

std::string image(const std::string& lists = R"(, "neg_category_ids": [], "not_exhaustive_category_ids": [])") {
  return R"({"id": 1, "width": 100, "height": 100, "file_name": "a.jpg")" + lists + "}";
}

std::string truth(int id, int category, const std::string& box, double area, const std::string& rest = "") {
  return R"({"id": )" + std::to_string(id) + R"(, "image_id": 1, "category_id": )" + std::to_string(category) +
         R"(, "bbox": )" + box + R"(, "area": )" + std::to_string(area) + rest + "}";
}

AnnotationSet set_of(const std::string& truths, const std::string& images = image()) {
  return parse_annotations(R"({"images": [)" + images + R"(], "annotations": [)" + truths + "], " + kCategories + "}",
                           "set");
}

}  // namespace

TEST_CASE("COCO's published sample: every figure and category, box and mask") {
  compare_sample("coco_val2014_100", Protocol::kCoco);
}

TEST_CASE("LVIS sample: every figure and category, box and mask") {
  compare_sample("lvis_v05_val100", Protocol::kLvis);
}

TEST_CASE("random cases equal pycocotools and lvis-api") {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden + "random")) {
    const std::string folder = entry.path().string(), name = entry.path().filename().string();
    const AnnotationSet set = read_annotations(folder + "/annotations.json");
    const bool lvis = name.starts_with("lvis");
    const FederatedLabels federated(set);
    for (const auto& [type, expected] : read_expected(folder + "/expected.txt")) {
      INFO(name << " " << type);
      // the reader's filter must not change a figure
      const Detections filtered = read_results(folder + "/results.json", set, lvis ? &federated : nullptr);
      const Detections whole = read_results(folder + "/results.json", set, nullptr);
      const Protocol protocol = lvis ? Protocol::kLvis : Protocol::kCoco;
      require_equal(set, run(set, filtered, protocol, type), expected);
      require_equal(set, run(set, whole, protocol, type), expected);
      ++cases;
    }
  }
  REQUIRE(cases >= 26);
}

TEST_CASE("figures do not depend on the number of threads, bit for bit") {
  const AnnotationSet set = read_annotations(kGolden + "lvis_v05_val100/annotations.json");
  const Detections detections = read_results(kGolden + "lvis_v05_val100/segm.json", set, nullptr);
  const Evaluation one = run(set, detections, Protocol::kLvis, "segm", 1);
  for (const int threads : {2, 7}) {
    const Evaluation many = run(set, detections, Protocol::kLvis, "segm", threads);
    for (size_t i = 0; i < one.figures.size(); ++i) REQUIRE(many.figures[i].value == one.figures[i].value);
    for (size_t label = 0; label < one.categories.size(); ++label) {
      REQUIRE(many.categories[label].ap == one.categories[label].ap);
      REQUIRE(many.categories[label].recall == one.categories[label].recall);
    }
  }
}

TEST_CASE("an empty result list is AP 0 where there is ground truth, -1 where there is none") {
  const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400));
  const Detections none = parse_results("[]", "results", set, nullptr);
  for (const Protocol protocol : {Protocol::kCoco, Protocol::kLvis}) {
    const Evaluation evaluation = run(set, none, protocol, "bbox");
    REQUIRE(evaluation.figure("AP") == 0);
    REQUIRE(evaluation.figure("APs") == 0);
    REQUIRE(evaluation.figure("APl") == -1);
    REQUIRE(evaluation.figure("APr") == 0);
    REQUIRE(evaluation.figure("APf") == -1);
    REQUIRE(evaluation.figure("AP1") == 0);
    REQUIRE(evaluation.figure("AP4") == -1);
    REQUIRE(evaluation.figure("bAP") == 0);
    REQUIRE(evaluation.figure(protocol == Protocol::kCoco ? "AR@100" : "AR@300") == 0);
    REQUIRE(evaluation.categories[1].mean_ap() == -1);
  }
  const AnnotationSet empty = set_of("");
  REQUIRE(run(empty, parse_results("[]", "results", empty, nullptr), Protocol::kCoco, "bbox").figure("AP") == -1);
  REQUIRE_THROWS_WITH(run(set, none, Protocol::kCoco, "bbox").figure("AP1000"), Contains("no figure named AP1000"));
}

TEST_CASE("by hand: one hit at IoU 0.81, one miss of higher score") {
  // boxes 20 x 20; the hit is shifted by 2: 360 / 440 = 0.818 reaches 0.50 .. 0.80, seven thresholds, precision 1/2
  const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400));
  const Detections detections = parse_results(R"([
      {"image_id": 1, "category_id": 1, "bbox": [12, 10, 20, 20], "score": 0.5},
      {"image_id": 1, "category_id": 1, "bbox": [60, 60, 20, 20], "score": 0.9}])",
                                              "results", set, nullptr);
  const Evaluation evaluation = run(set, detections, Protocol::kCoco, "bbox");
  REQUIRE(evaluation.figure("AP") == Approx(.7 * .5).epsilon(1e-12));
  REQUIRE(evaluation.figure("AP50") == Approx(.5).epsilon(1e-12));
  REQUIRE(evaluation.figure("AP75") == Approx(.5).epsilon(1e-12));
  REQUIRE(evaluation.figure("AR@1") == 0);
  REQUIRE(evaluation.figure("AR@10") == Approx(.7).epsilon(1e-12));
  REQUIRE(evaluation.figure("APr") == evaluation.figure("AP"));
  REQUIRE(evaluation.figure("AP50r") == evaluation.figure("AP50"));
}

TEST_CASE("LVIS: only categories that are positive or negative in the image count") {
  const std::string hit = R"([{"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.5},)";
  const std::string other = R"({"image_id": 1, "category_id": 2, "bbox": [10, 10, 20, 20], "score": 0.9}])";
  const std::string second = R"(, {"id": 2, "width": 100, "height": 100, "neg_category_ids": []})";
  const std::string elsewhere =
      R"(, {"id": 9, "image_id": 2, "category_id": 2, "bbox": [10, 10, 20, 20], "area": 400})";
  const auto ap_of_b = [&](const std::string& lists) {
    const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400) + elsewhere, image(lists) + second);
    const std::string found = R"({"image_id": 2, "category_id": 2, "bbox": [10, 10, 20, 20], "score": 0.5},)";
    const Detections detections = parse_results("[" + found + hit.substr(1) + other, "results", set, nullptr);
    return run(set, detections, Protocol::kLvis, "bbox").categories[1].mean_ap();
  };
  REQUIRE(ap_of_b(R"(, "neg_category_ids": [])") == Approx(1).epsilon(1e-12));    // unknown there: dropped
  REQUIRE(ap_of_b(R"(, "neg_category_ids": [2])") == Approx(.5).epsilon(1e-12));  // known absent: a false positive
  REQUIRE(ap_of_b(R"(, "neg_category_ids": [2], "not_exhaustive_category_ids": [2])") == Approx(1).epsilon(1e-12));
}

TEST_CASE("AP by train instances uses the counts and bins that are given") {
  const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400) + "," + truth(2, 2, "[50, 50, 20, 20]", 400));
  const Detections detections = parse_results(
      R"([{"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.5}])", "results", set, nullptr);
  EvaluationOptions options;
  options.train_instances = {25, 500};
  Evaluation evaluation = evaluate(set, detections, options);
  REQUIRE(evaluation.figure("AP1") == -1);
  REQUIRE(evaluation.figure("AP2") == Approx(1).epsilon(1e-12));
  REQUIRE(evaluation.figure("AP3") == 0);
  REQUIRE(evaluation.figure("bAP") == Approx(.5).epsilon(1e-12));
  options.bins = {20, 400, 500};
  evaluation = evaluate(set, detections, options);
  REQUIRE(evaluation.figure("AP2") == Approx(1).epsilon(1e-12));
  REQUIRE(evaluation.figure("AP3") == -1);
  REQUIRE(evaluation.figure("AP4") == 0);
  options.train_instances = {1};
  REQUIRE_THROWS_AS(evaluate(set, detections, options), Error);
}

TEST_CASE("mask evaluation sizes a detection by its box when the results have boxes, unless told otherwise") {
  // mask 10 x 10 pixels in a box said to be 40 x 40: medium by box, small by mask
  const std::string square = R"(, "segmentation": [[10, 10, 20, 10, 20, 20, 10, 20]])";
  const AnnotationSet set = set_of(truth(1, 1, "[60, 60, 10, 10]", 100, square));
  Detections detections;
  const Box box = {10, 10, 40, 40}, elsewhere = {60, 60, 10, 10};
  const std::string wrong = rle_to_string(box_to_rle({70, 70, 10, 10}, 100, 100).counts);
  const std::string right = rle_to_string(box_to_rle({10, 10, 10, 10}, 100, 100).counts);
  const std::string_view wrong_text = wrong, right_text = right;
  detections.add(0, 0, .9, &box, &wrong_text);  // a false positive, unless its area hides it
  detections.add(0, 0, .5, &elsewhere, &right_text);
  EvaluationOptions options;
  options.iou = IouType::kMask;
  REQUIRE(evaluate(set, detections, options).figure("APs") == Approx(1).epsilon(1e-12));
  options.always_mask_area = true;
  REQUIRE(evaluate(set, detections, options).figure("APs") == Approx(.5).epsilon(1e-12));
}

TEST_CASE("COCO keeps 100 detections of an image and category, LVIS 300 of an image, and the hit is the next one") {
  const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400));
  const Box hit = {10, 10, 20, 20}, miss = {60, 60, 20, 20};
  const auto ap = [&](Protocol protocol, int better, int32_t label, int max_per_image = 300) {
    Detections detections;
    detections.add(0, 0, .5, &hit, nullptr);
    for (int i = 0; i < better; ++i) detections.add(0, label, .9, &miss, nullptr);
    EvaluationOptions options;
    options.protocol = protocol;
    options.max_per_image = max_per_image;
    return evaluate(set, detections, options).categories[0].mean_ap();
  };
  REQUIRE(ap(Protocol::kCoco, 99, 0) == Approx(.01).epsilon(1e-12));
  REQUIRE(ap(Protocol::kCoco, 100, 0) == 0);
  REQUIRE(ap(Protocol::kCoco, 100, 1) == Approx(1).epsilon(1e-12));
  // category 2 is unknown in the image and so dropped, but its detections have taken the places
  REQUIRE(ap(Protocol::kLvis, 299, 1) == Approx(1).epsilon(1e-12));
  REQUIRE(ap(Protocol::kLvis, 300, 1) == 0);
  REQUIRE(ap(Protocol::kLvis, 300, -1) == 0);
  REQUIRE(ap(Protocol::kLvis, 300, 1, -1) == Approx(1).epsilon(1e-12));
}

TEST_CASE("of equal scores at the 300th place the earlier in the file is kept") {
  const AnnotationSet set = set_of(truth(1, 1, "[10, 10, 20, 20]", 400));
  const Box hit = {10, 10, 20, 20}, miss = {60, 60, 20, 20};
  for (const bool early : {true, false}) {
    Detections detections;
    if (early) detections.add(0, 0, .5, &hit, nullptr);
    for (int i = 0; i < 300; ++i) detections.add(0, 1, .5, &miss, nullptr);
    if (!early) detections.add(0, 0, .5, &hit, nullptr);
    const double expected = early ? 1 : 0;
    REQUIRE(run(set, detections, Protocol::kLvis, "bbox").categories[0].mean_ap() == Approx(expected).margin(1e-12));
  }
}

TEST_CASE("LVIS looks for boxes in the first result it keeps: the best of an image that has too many") {
  const std::string square = R"(, "segmentation": [[10, 10, 20, 10, 20, 20, 10, 20]])";
  const AnnotationSet set = set_of(truth(1, 1, "[60, 60, 10, 10]", 100, square));
  const std::string wrong = rle_to_string(box_to_rle({70, 70, 10, 10}, 100, 100).counts);
  const std::string right = rle_to_string(box_to_rle({10, 10, 10, 10}, 100, 100).counts);
  const std::string_view wrong_text = wrong, right_text = right;
  const Box large = {10, 10, 40, 40}, small = {60, 60, 10, 10};
  for (const int fillers : {100, 300}) {
    Detections detections;
    for (int i = 0; i < fillers; ++i) detections.add(0, 1, .1, nullptr, &wrong_text);
    detections.add(0, 0, .9, &large, &wrong_text);  // a false positive of small mask and medium box
    detections.add(0, 0, .5, &small, &right_text);
    const double expected = fillers == 300 ? 1 : .5;
    REQUIRE(run(set, detections, Protocol::kLvis, "segm").figure("APs") == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("what cannot be evaluated is refused") {
  const AnnotationSet boxes = set_of(truth(1, 1, "[10, 10, 20, 20]", 400));
  const AnnotationSet coco = set_of("", R"({"id": 1, "width": 9, "height": 9, "file_name": "a.jpg"})");
  const Detections none;
  REQUIRE_THROWS_WITH(run(coco, none, Protocol::kLvis, "bbox"), Contains("no neg_category_ids"));
  REQUIRE_THROWS_WITH(run(boxes, none, Protocol::kCoco, "segm"), Contains("no annotation has a segmentation"));
  const Detections box_only = parse_results(R"([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 1}])",
                                            "results", boxes, nullptr);
  REQUIRE_THROWS_WITH(run(boxes, box_only, Protocol::kCoco, "segm"), Contains("no result has a segmentation"));
  const AnnotationSet masks = set_of(truth(1, 1, "[1, 1, 2, 2]", 4, R"(, "segmentation": [[1, 1, 3, 1, 3, 3]])"));
  Detections broken;
  const std::string_view text = "7a";
  broken.add(0, 0, .5, nullptr, &text);
  REQUIRE_THROWS_WITH(run(masks, broken, Protocol::kCoco, "segm"), Contains("result 0 (image 1): RLE"));
}
