// What is measured of a model besides its AP: which ground truth a proposal belongs to (against counted pixels and by
// hand), the classes' accuracy and the right scores, the classifier's norms; and all of it through the programs.
#include <cmath>
#include <random>

#include "apps/report/run_folder.h"
#include "apps/run/analysis.h"
#include "apps/run/true_labels.h"
#include "nn/safetensors.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

bool inside(const Corners& box, int x, int y) { return x >= box[0] && x < box[2] && y >= box[1] && y < box[3]; }

// IoU of boxes with whole corners by counting pixels.
double counted_iou(const Corners& a, const Corners& b) {
  int both = 0, either = 0;
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 24; ++x) {
      both += inside(a, x, y) && inside(b, x, y);
      either += inside(a, x, y) || inside(b, x, y);
    }
  }
  return either ? double(both) / either : 0;
}

const char* const kSet = R"({"images":[{"id":5,"width":100,"height":50,"file_name":"a"}],
 "categories":[{"id":1,"name":"a"},{"id":2,"name":"b"},{"id":3,"name":"c"}],
 "annotations":[
  {"id":1,"image_id":5,"category_id":3,"bbox":[0,0,10,10],"area":100,"iscrowd":0,"segmentation":[[0,0,10,0,10,10]]},
  {"id":2,"image_id":5,"category_id":1,"bbox":[50,0,20,10],"area":200,"iscrowd":0,"segmentation":[[50,0,70,0,70,10]]},
  {"id":3,"image_id":5,"category_id":2,"bbox":[80,0,10,10],"area":99,"iscrowd":1,"segmentation":[[80,0,90,0,90,10]]}]})";

Batch one_image() {
  Batch batch;
  batch.images.resize(1);
  batch.images[0].index = 0;
  batch.images[0].placement = {{100, 50}, {200, 150}};  // twice as wide, three times as high
  return batch;
}

ReportRun read_back(const std::string& json, const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream(folder / "metrics.json") << json;
  return read_run(folder.string());
}

}  // namespace

TEST_CASE("a box belongs to the ground truth that it overlaps most") {
  std::mt19937 random(7);
  const auto box = [&] {
    const int x = int(random() % 16), y = int(random() % 16);
    return Corners{double(x), double(y), double(x + 1 + int(random() % 8)), double(y + 1 + int(random() % 8))};
  };
  int matched = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<Corners> boxes, truth;
    for (int i = 0; i < 12; ++i) boxes.push_back(box());
    for (int i = 0; i < 6; ++i) truth.push_back(box());
    const std::vector<int32_t> owner = owners(boxes, truth);
    for (size_t i = 0; i < boxes.size(); ++i) {
      int32_t expected = -1;
      double best = 0;
      for (size_t j = 0; j < truth.size(); ++j) {
        const double iou = counted_iou(boxes[i], truth[j]);
        if (iou >= 0.5 && iou > best) {
          best = iou;
          expected = int32_t(j);
        }
      }
      REQUIRE(owner[i] == expected);
      matched += expected >= 0;
    }
  }
  REQUIRE(matched > 20);  // or the comparison says little
}

TEST_CASE("owners by hand: the border, equals, and boxes that are none") {
  const double nan = std::nan("");
  const std::vector<Corners> truth{{0, 0, 10, 10}, {0, 0, 10, 10}, {20, 0, 20, 10}};
  const std::vector<Corners> boxes{{0, 0, 10, 10},   {0, 0, 10, 20}, {0, 0, 10, 20.1}, {5, 5, 5, 5},
                                   {nan, 0, 10, 10}, {10, 10, 0, 0}, {20, 0, 20, 10}};
  REQUIRE(owners(boxes, truth) == std::vector<int32_t>{0, 0, -1, -1, -1, -1, -1});
  REQUIRE(owners(boxes, {}) == std::vector<int32_t>(7, -1));
  REQUIRE(owners({}, truth).empty());
}

TEST_CASE("accuracy counts each class's proposals, and the right scores have its label alone") {
  Context ctx;
  const AnnotationSet set = parse_annotations(kSet, "set.json");
  TrueLabels judge(set, {2, 0, 1});  // the model's classes: c, a, b
  // In the network's frame c lies at (0, 0, 20, 30), a at (100, 0, 140, 30), the crowd at (160, 0, 180, 30).
  const std::vector<float> corners{0,   0, 20,  30,   // c, said to be c
                                   0,   0, 20,  28,   // c, said to be b
                                   100, 0, 138, 30,   // a, said to be a although the background scored higher
                                   160, 0, 180, 30,   // the crowd
                                   40,  0, 80,  30,   // nothing
                                   0,   0, 20,  30};  // unused
  const std::vector<float> scores{.9f, 0, .1f, .2f, .3f, .4f, 0, .01f, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0};
  const BoxSet boxes{Tensor::from(ctx, {1, 6, 4}, corners), {}, {}, Tensor::from(ctx, {1}, std::vector<int32_t>{5})};
  const Tensor right = judge(ctx, one_image(), boxes, Tensor::from(ctx, {6, 3}, scores));
  REQUIRE(right.to_vector<float>(ctx) == std::vector<float>{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  ClassFacts facts;
  judge.add_to(facts);
  REQUIRE(facts.matched_proposals == std::vector<int64_t>{1, 0, 2});
  REQUIRE(facts.accuracy == std::vector<double>{1, -1, 0.5});
  REQUIRE_THROWS_AS(judge(ctx, one_image(), boxes, Tensor::from(ctx, {9, 2}, scores)), Error);
}

TEST_CASE("a class that the model does not know is never right") {
  Context ctx;
  const AnnotationSet set = parse_annotations(kSet, "set.json");
  TrueLabels judge(set, {0, -1});  // the model knows a, and something that is not in the set
  const BoxSet boxes{Tensor::from(ctx, {1, 1, 4}, std::vector<float>{0, 0, 20, 30}),
                     {},
                     {},
                     Tensor::from(ctx, {1}, std::vector<int32_t>{1})};
  const Tensor right = judge(ctx, one_image(), boxes, Tensor::from(ctx, {1, 2}, std::vector<float>{1, 0}));
  REQUIRE(right.to_vector<float>(ctx) == std::vector<float>{0, 0});
  ClassFacts facts;
  judge.add_to(facts);
  REQUIRE(facts.accuracy == std::vector<double>{-1, -1, 0});
}

TEST_CASE("the classifier's norms, also where a loss puts its classes elsewhere") {
  Context ctx;
  ParameterStore store(ctx, 1);
  REQUIRE(classifier_norms(ctx, store, 2).empty());
  store.add_parameter("roi_heads.box_predictor.cls_score.weight", {3, 2}, Initializer::constant(0));
  store.load_state_dict({{"roi_heads.box_predictor.cls_score.weight", host_from_float32({3, 2}, {3, 4, 0, -2, 5, 12})}},
                        "test");
  REQUIRE(classifier_norms(ctx, store, 2) == std::vector<double>{5, 2});
  REQUIRE(classifier_norms(ctx, store, 2, {2, 0}) == std::vector<double>{13, 5});
  REQUIRE_THROWS_AS(classifier_norms(ctx, store, 4), Error);
}

TEST_CASE("metrics.json tells of each class what is known of it") {
  const AnnotationSet set = parse_annotations(kSet, "set.json");
  ClassFacts facts;
  facts.train_instances = {7, -1, 0};
  facts.accuracy = {0.25, -1, 1};
  const fs::path folder = fs::temp_directory_path() / ("tailseg_analysis_test_" + std::to_string(getpid()));
  const std::string json = metrics_json(set, "coco", {}, facts);
  const ReportRun run = read_back(json, folder);
  fs::remove_all(folder);
  REQUIRE(run.classes.size() == 3);
  REQUIRE(run.classes[0].name == "a");
  REQUIRE(run.classes[0].train_instances.value() == 7);
  REQUIRE(run.classes[0].accuracy.value() == 0.25);
  REQUIRE(!run.classes[1].train_instances);
  REQUIRE(!run.classes[1].accuracy);
  REQUIRE(run.classes[2].train_instances.value() == 0);
  REQUIRE(json.find("weight_norm") == std::string::npos);
  REQUIRE(json.find("frequency") == std::string::npos);
}

TEST_CASE("training with train.analysis writes what tailseg-evaluate --analysis writes, and the report shows it") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--set", "train.analysis=true"})) == 0);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("run"), "--analysis", "--train-annotations",
                    shop.path("data/annotations/train.json"), "--output", shop.path("ev")}) == 0);
  const std::string trained = contents(shop.root / "run/evaluation/metrics.json");
  REQUIRE(trained == contents(shop.root / "ev/metrics.json"));
  const ReportRun run = read_run(shop.path("run"));
  for (const char* type : {"proposals", "true_labels/bbox", "true_labels/segm"}) REQUIRE(run.figures.count(type) == 1);
  REQUIRE(run.figure("proposals", "AR@1000").value() > 0);
  int64_t matched = 0;
  for (const ReportClass& entry : run.classes) {
    REQUIRE(entry.train_instances.value() > 0);
    REQUIRE(entry.weight_norm.value() > 0);
    matched += entry.matched_proposals;
  }
  REQUIRE(matched > 0);
  REQUIRE(shop.run({"tailseg-report", shop.path("run"), "--output", shop.path("report.html")}) == 0);
  const std::string html = contents(shop.root / "report.html");
  REQUIRE(html.find("id=\"recall-table\"") != std::string::npos);
  REQUIRE(html.find("id=\"true-labels-table\"") != std::string::npos);
  REQUIRE(html.find("aria-label=\"weight norm of every class\"") != std::string::npos);
  REQUIRE(shop.run({"tailseg-report", shop.path("data")}) == 1);
  REQUIRE(shop.said.find("error: ") == 0);
  REQUIRE(shop.said.find("is not the folder of a run") != std::string::npos);
  REQUIRE(shop.run({"tailseg-report"}) == 2);
}

TEST_CASE("a plain evaluation knows the instances; analysis of proposals alone is refused") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "1"})) == 0);
  const ReportRun run = read_run(shop.path("run"));
  REQUIRE(run.classes.size() == 4);
  for (const ReportClass& entry : run.classes) REQUIRE(entry.train_instances.value() > 0);
  REQUIRE(run.settings.at("solver.ims_per_batch") == "2");
  REQUIRE(run.series.at("total_loss").size() == 1);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("run"), "--analysis", "--type", "proposals"}) == 2);
}

TEST_CASE("a run that watches its classes' gradients trains the same model, and resumes to the same record") {
  Workshop shop;
  const std::vector<std::string> watch{"--set", "train.gradients_every=4"};
  REQUIRE(shop.run(shop.train("plain")) == 0);
  REQUIRE(shop.run(shop.train("whole", watch)) == 0);
  REQUIRE(shop.run(shop.train("cut", {"--set", "train.gradients_every=4", "--max-iters", "2"})) == 0);
  REQUIRE(shop.run(shop.train("cut", {"--set", "train.gradients_every=4", "--resume"})) == 0);
  REQUIRE((contents(shop.checkpoint("whole", 6)) == contents(shop.checkpoint("cut", 6))));

  const TensorFile plain = read_safetensors(shop.checkpoint("plain", 6));
  const TensorFile whole = read_safetensors(shop.checkpoint("whole", 6));
  REQUIRE(whole.tensors.size() == plain.tensors.size() + 1);
  for (const auto& [name, tensor] : plain.tensors) {
    INFO(name);
    const bool same = whole.tensors.at(name).bytes == tensor.bytes;
    REQUIRE(same);
  }
  const ReportGradients record = read_run(shop.path("whole")).gradients.value();
  REQUIRE(record.iterations == std::vector<int64_t>{3, 5});
  const std::vector<float> state =
      host_to_float32(whole.tensors.at("roi_heads.box_predictor.class_gradients"), "state");
  double total = 0;
  for (size_t c = 0; c < 4; ++c) {
    REQUIRE(record.positives[1][c] == state[c]);
    REQUIRE(record.negatives[1][c] == state[4 + c]);
    REQUIRE(record.negatives[0][c] < record.negatives[1][c]);
    total += record.positives[1][c];
  }
  REQUIRE(total > 0);
  const ReportGradients cut = read_run(shop.path("cut")).gradients.value();
  REQUIRE(cut.iterations == std::vector<int64_t>{1, 3, 5});  // a record at the end of its first part too
  REQUIRE(cut.positives[2] == record.positives[1]);
  REQUIRE(cut.negatives[1] == record.negatives[0]);
  std::ofstream(shop.root / "cut/class_gradients.safetensors") << "no";
  REQUIRE(shop.run(shop.train("cut", {"--set", "train.gradients_every=4", "--max-iters", "8", "--resume"})) == 1);
  REQUIRE(shop.said.find("class_gradients.safetensors") != std::string::npos);
}

TEST_CASE("analysis and gradients of a cascade, and of a loss that puts its classes elsewhere") {
  Workshop shop;
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds{
      {"cascade", {"--set", "model.meta=cascade_mask_rcnn"}},
      {"bags", {"--set", "model.box_head.loss.type=bags", "--set", "model.box_head.loss.bags.boundaries=[]"}}};
  for (const auto& [name, settings] : kinds) {
    std::vector<std::string> words{"--set", "train.analysis=true", "--set", "train.gradients_every=3"};
    words.insert(words.end(), settings.begin(), settings.end());
    REQUIRE(shop.run(shop.train(name, words)) == 0);
    const ReportRun run = read_run(shop.path(name));
    REQUIRE(run.gradients->iterations == std::vector<int64_t>{2, 5});
    for (const ReportClass& entry : run.classes) {
      REQUIRE(entry.weight_norm.value() > 0);
      REQUIRE(entry.gradient_ratio.value() >= 0);
    }
    REQUIRE(run.figures.count("true_labels/segm") == 1);
  }
}
