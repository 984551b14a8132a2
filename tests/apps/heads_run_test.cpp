// Cascade, normalised heads and filters that the tail shares in whole runs: train, stop, resume, evaluate, predict.
#include "apps/run/class_list.h"
#include "nn/safetensors.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

std::vector<std::string> with(const Workshop& shop, const std::string& output, const std::vector<std::string>& settings,
                              std::vector<std::string> more = {}) {
  for (const std::string& setting : settings) more.insert(more.end(), {"--set", setting});
  return shop.train(output, more);
}

const std::vector<std::string> kSeesawCascade{
    "model.meta=cascade_mask_rcnn", "model.box_head.loss.type=seesaw", "model.box_head.classifier=normalized",
    "model.mask_head.predictor=normalized", "model.rpn.post_nms_topk_train=30"};

}  // namespace

TEST_CASE(
    "a cascade with Seesaw loss: a run that was stopped and resumed gives the same bits, states of all stages too") {
  Workshop shop;
  REQUIRE(shop.run(with(shop, "a", kSeesawCascade)) == 0);
  REQUIRE(shop.run(with(shop, "b", kSeesawCascade, {"--max-iters", "3"})) == 0);
  REQUIRE(shop.run(with(shop, "b", kSeesawCascade, {"--resume"})) == 0);
  INFO(shop.said);
  REQUIRE((contents(shop.checkpoint("a", 6)) == contents(shop.checkpoint("b", 6))));
  const TensorFile half = read_safetensors(shop.checkpoint("a", 4)), whole = read_safetensors(shop.checkpoint("a", 6));
  for (const char* stage : {"0", "1", "2"}) {
    const std::string name = std::string("roi_heads.box_predictor.") + stage + ".loss.counts";
    INFO(name);
    REQUIRE(whole.tensors.count(name) == 1);
    REQUIRE((whole.tensors.at(name).bytes != half.tensors.at(name).bytes));
  }
  const std::string metrics = contents(shop.root / "a/metrics.jsonl");
  for (const char* name : {"loss_cls_stage2", "loss_box_reg_stage1", "loss_mask_stage0", "segm/AP"}) {
    INFO(name);
    REQUIRE(metrics.find(name) != std::string::npos);
  }

  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint("a", 6), "--output", shop.path("ev")}) == 0);
  REQUIRE(fs::exists(shop.root / "ev/metrics.json"));
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.checkpoint("a", 6), shop.path("data/images/val"),
                    "--output", shop.path("pictures"), "--score-threshold", "0.01"}) == 0);
  REQUIRE(fs::exists(shop.root / "pictures/results.json"));
}

TEST_CASE("detectron2's cascade trains, and its checkpoint is none of mmdetection's") {
  Workshop shop;
  const std::vector<std::string> settings{"preset=detectron2", "model.meta=cascade_mask_rcnn",
                                          "model.rpn.post_nms_topk_train=30", "solver.step_epochs=[]"};
  REQUIRE(shop.run(with(shop, "a", settings)) == 0);
  REQUIRE(contents(shop.root / "a/metrics.jsonl").find("\"loss_mask\"") != std::string::npos);
  REQUIRE(shop.run(with(shop, "a", {"model.meta=cascade_mask_rcnn", "model.rpn.post_nms_topk_train=30"},
                        {"--resume", "--max-iters", "8"})) == 1);
  REQUIRE(shop.said.find("mask_head") != std::string::npos);
}

TEST_CASE("filters that the tail shares: the checkpoint knows which classes do") {
  Workshop shop;
  const std::vector<std::string> settings{"model.box_head.agnostic_below=4", "model.mask_head.agnostic_below=6",
                                          "model.mask_head.agnostic_by=instances"};
  REQUIRE(shop.run(with(shop, "a", settings)) == 0);
  const TensorFile file = read_safetensors(shop.checkpoint("a", 6));
  const ClassList classes = ClassList::parse(file.metadata.at("classes"), "a");
  REQUIRE(classes.size() == 4);
  REQUIRE(classes.statistics.annotated_images == 12);
  int64_t many = 0, often = 0;
  for (size_t c = 0; c < 4; ++c) {
    many += classes.statistics.images[c] >= 4;
    often += classes.statistics.instances[c] >= 6;
  }
  REQUIRE((many >= 1 && many < 4));
  REQUIRE((often >= 1 && often < 4));
  REQUIRE(file.tensors.at("roi_heads.box_predictor.bbox_pred.weight").shape[0] == 4 * (many + 1));
  REQUIRE(file.tensors.at("roi_heads.mask_predictor.mask_fcn_logits.weight").shape[0] == often + 1);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint("a", 6), "--output", shop.path("ev")}) == 0);

  // Another data set with the same classes: other counts.
  REQUIRE(shop.run({"tailseg-make-dataset", "--output", shop.path("other"), "--images", "20", "--val-images", "4",
                    "--seed", "2", "--size", "64x64", "--classes", "4", "--range", "3"}) == 0);
  REQUIRE(shop.run(with(shop, "a", {"data.root=" + shop.path("other")}, {"--resume", "--max-iters", "8"})) == 1);
  INFO(shop.said);
  REQUIRE((shop.said.find("other numbers of images") != std::string::npos ||
           shop.said.find("other classes") != std::string::npos));
}

TEST_CASE("a list of classes with counts, and one without, are read as they were written") {
  ClassList list{{3, 7}, {"a \"b\"", "c"}};
  REQUIRE(list.json() == R"([[3,"a \"b\""],[7,"c"]])");
  REQUIRE(ClassList::parse(list.json(), "x") == list);
  REQUIRE(ClassList::parse(list.json(), "x").statistics.images.empty());
  list.statistics = {{5, 6}, {8, 9}, 10};
  const ClassList again = ClassList::parse(list.json(), "x");
  REQUIRE(again == list);
  REQUIRE(again.statistics.images == list.statistics.images);
  REQUIRE(again.statistics.instances == list.statistics.instances);
  REQUIRE(again.statistics.annotated_images == 10);
  for (const char* bad : {"{}", "[[1]]", R"({"annotated_images": 1, "classes": [[1, "a"]]})", R"([[1, "a", 2, 3]])",
                          R"({"annotated_images": 1, "classes": 3})"}) {
    INFO(bad);
    REQUIRE_THROWS_WITH(ClassList::parse(bad, "x"), Catch::Contains("x: the list of classes is not readable"));
  }
}
