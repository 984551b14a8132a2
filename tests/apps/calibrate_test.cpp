// Calibration as a user runs it: every recipe, stop and resume, evaluation, and what is refused before the first step.
#include <map>

#include "apps/config/recipes.h"
#include "nn/safetensors.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

std::vector<std::string> calibrate(const Workshop& shop, const std::string& output, const std::string& recipe,
                                   std::vector<std::string> more = {}, const std::string& detector = "train") {
  std::vector<std::string> words{"tailseg-calibrate",
                                 "--checkpoint",
                                 shop.path(detector),
                                 "--recipe",
                                 recipe,
                                 "--output",
                                 shop.path(output),
                                 "--device",
                                 "cpu",
                                 "--set",
                                 "calibration.solver.ims_per_batch=4",
                                 "--set",
                                 "calibration.solver.reference_batch=4"};
  // 12 photos of 4 classes do not fill LVIS's four groups.
  if (recipe == "bags") words.insert(words.end(), {"--set", "calibration.loss.bags.boundaries=[]"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> steps(const std::string& recipe, const std::string& count) {
  return recipe == "tau" ? std::vector<std::string>{} : std::vector<std::string>{"--max-iters", count};
}

bool is_detector(const std::string& name) {
  return name.find(".calibrated.") == std::string::npos && !name.starts_with("optimizer.");
}

std::string results(const Workshop& shop, const std::string& folder) {
  return contents(shop.root / folder / "results.json");
}

}  // namespace

TEST_CASE("every recipe: a run, the same bits stopped and resumed, the detector untouched, and a checkpoint like any") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  const TensorFile detector = read_safetensors(shop.checkpoint("train", 2));
  for (const Recipe& recipe : recipes()) {
    const std::string name = recipe.name;
    INFO(name);
    const int last = name == "tau" ? 0 : 4;
    REQUIRE(shop.run(calibrate(shop, name + "_a", name, steps(name, "4"))) == 0);
    const TensorFile file = read_safetensors(shop.checkpoint(name + "_a", last));
    for (const auto& [tensor, values] : detector.tensors) {
      if (!is_detector(tensor)) continue;
      INFO(tensor);
      REQUIRE(file.tensors.count(tensor) == 1);
      REQUIRE((file.tensors.at(tensor).bytes == values.bytes));
    }
    REQUIRE(file.metadata.at("calibration").find("recipe " + name) == 0);
    if (name != "tau") {
      REQUIRE(shop.run(calibrate(shop, name + "_b", name, steps(name, "2"))) == 0);
      REQUIRE(shop.run(calibrate(shop, name + "_b", name, {"--max-iters", "4", "--resume"})) == 0);
      REQUIRE((contents(shop.checkpoint(name + "_a", 4)) == contents(shop.checkpoint(name + "_b", 4))));
      REQUIRE(contents(shop.root / (name + "_a/metrics.jsonl")).find("loss_cls") != std::string::npos);
    }
    REQUIRE(contents(shop.root / (name + "_a/metrics.jsonl")).find("segm/AP") != std::string::npos);
  }
}

TEST_CASE("a calibrated checkpoint is evaluated, predicted with, inspected, reported and calibrated like any other") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  REQUIRE(shop.run(calibrate(shop, "run", "simcal", {"--max-iters", "3", "--set", "calibration.head=2fc_rand"})) == 0);
  const auto evaluate = [&](const std::string& run, const std::string& folder, std::vector<std::string> settings) {
    std::vector<std::string> words{"tailseg-evaluate", "--checkpoint", shop.path(run), "--output", shop.path(folder)};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    REQUIRE(shop.run(words) == 0);
    return results(shop, folder);
  };
  const std::string trained = evaluate("run", "as_trained", {});
  CHECK((trained == contents(shop.root / "run/evaluation/results.json")));
  std::map<std::string, std::string> by;
  for (const std::string how : {"select", "average", "calibrated", "original"}) {
    by[how] = evaluate("run", how, {"calibration.inference=" + how});
  }
  // Every class of the tiny set has fewer than 100 instances.
  CHECK((by["select"] == by["calibrated"]));
  CHECK((by["select"] == trained));
  CHECK((by["average"] != by["calibrated"]));
  CHECK((by["original"] == evaluate("train", "detector", {})));
  CHECK((evaluate("run", "none", {"calibration.threshold=0"}) == by["original"]));

  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.path("run"), shop.path("data/images/val"), "--output",
                    shop.path("pictures"), "--score-threshold", "0.01"}) == 0);
  REQUIRE(shop.run({"tailseg-inspect", shop.checkpoint("run", 3)}) == 0);
  CHECK(shop.said.find("calibrated.fc6.weight") != std::string::npos);
  REQUIRE(shop.run({"tailseg-report", shop.path("train"), shop.path("run"), "--output", shop.path("report.html")}) ==
          0);
  // Again, by another recipe: the new head takes the place of the old one.
  REQUIRE(shop.run(calibrate(shop, "again", "crt", {"--max-iters", "2"}, "run")) == 0);
  const TensorFile again = read_safetensors(shop.checkpoint("again", 2));
  CHECK(again.tensors.count("roi_heads.box_predictor.calibrated.fc6.weight") == 0);
  CHECK(again.tensors.count("roi_heads.box_predictor.calibrated.cls_score.weight") == 1);
}

TEST_CASE("a cascade with Seesaw loss has a calibrated head in every stage") {
  Workshop shop;
  REQUIRE(
      shop.run(shop.train("train", {"--max-iters", "2", "--set", "model.meta=cascade_mask_rcnn", "--set",
                                    "model.box_head.loss.type=seesaw", "--set", "model.box_head.classifier=normalized",
                                    "--set", "model.rpn.post_nms_topk_train=30"})) == 0);
  REQUIRE(shop.run(calibrate(shop, "run", "simcal", {"--max-iters", "3"})) == 0);
  REQUIRE(shop.run(calibrate(shop, "resumed", "simcal", {"--max-iters", "1"})) == 0);
  REQUIRE(shop.run(calibrate(shop, "resumed", "simcal", {"--max-iters", "3", "--resume"})) == 0);
  REQUIRE((contents(shop.checkpoint("run", 3)) == contents(shop.checkpoint("resumed", 3))));
  const TensorFile file = read_safetensors(shop.checkpoint("run", 3));
  for (const char* stage : {"0", "1", "2"}) {
    const std::string name = std::string("roi_heads.box_predictor.") + stage + ".calibrated.fc6.weight";
    INFO(name);
    REQUIRE(file.tensors.count(name) == 1);
  }
  CHECK(contents(shop.root / "run/metrics.jsonl").find("loss_cls_stage2") != std::string::npos);
}

TEST_CASE("what cannot be calibrated is told in one line, before the first step") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  const auto refused = [&](const std::string& recipe, std::vector<std::string> settings) {
    std::vector<std::string> more{"--max-iters", "2"};
    for (const std::string& setting : settings) more.insert(more.end(), {"--set", setting});
    fs::remove_all(shop.root / "bad");
    CHECK(shop.run(calibrate(shop, "bad", recipe, more)) == 1);
    CHECK_FALSE(fs::exists(shop.root / "bad/metrics.jsonl"));
    CHECK(shop.said.find("error: ") != std::string::npos);
    return shop.said;
  };
  const auto says = [](const std::string& said, const char* words) {
    INFO(said);
    return said.find(words) != std::string::npos;
  };
  CHECK(says(refused("simcal", {"calibration.threshold=-5"}), "'calibration.threshold' is -5"));
  CHECK(says(refused("simcal", {"calibration.sampler.type=random"}), "draws photos without one"));
  CHECK(says(refused("simcal_is", {"calibration.sampler.threshold=1.5"}), "'calibration.sampler.threshold' is 1.5"));
  CHECK(says(refused("simcal", {"model.box_head.loss.type=seesaw"}),
             "was trained with the classification loss 'softmax'"));
  CHECK(says(refused("lws", {"calibration.loss.type=seesaw"}), "scales the detector's own logits"));
  CHECK(says(refused("ncm", {"calibration.loss.type=bags", "calibration.loss.bags.boundaries=[]"}), "softmax over"));
  CHECK(says(refused("bags", {"calibration.loss.bags.boundaries=[1e6]"}), "no class is in group 1"));
  CHECK(says(refused("simcal", {"model.fpn_channels=32"}), "backbone.fpn"));
  CHECK(shop.run(calibrate(shop, "bad", "simcall")) == 2);
  CHECK(shop.run(calibrate(shop, "bad", "simcal", {}, "nowhere")) == 1);
  CHECK(shop.run(calibrate(shop, "bad", "simcal", {"--resume"})) == 1);

  // Another set with the same classes, but other counts of them; and a class that no photo shows.
  REQUIRE(shop.run({"tailseg-make-dataset", "--output", shop.path("other"), "--images", "20", "--val-images", "4",
                    "--seed", "1", "--size", "64x64", "--classes", "4", "--range", "3"}) == 0);
  CHECK(says(refused("simcal", {"data.root=" + shop.path("other")}), "other numbers of images or instances"));
  std::string text = contents(shop.root / "data/annotations/train.json");
  const std::string category = "\"categories\":[";
  const size_t at = text.find(category);
  REQUIRE(at != std::string::npos);
  text.insert(at + category.size(), R"({"id":99,"name":"unseen","frequency":"r","image_count":0,"instance_count":0},)");
  fs::copy(shop.root / "data", shop.root / "gap", fs::copy_options::recursive);
  std::ofstream(shop.root / "gap/annotations/train.json") << text;
  fs::remove(shop.root / "gap/annotations/val.json");
  REQUIRE(shop.run(shop.train("gap_train", {"--max-iters", "2", "--set", "data.root=" + shop.path("gap"), "--set",
                                            "data.val_annotations="})) == 0);
  for (const char* recipe : {"ncm", "simcal_lr"}) {
    INFO(recipe);
    CHECK(shop.run(calibrate(shop, recipe, recipe, {"--max-iters", "2"}, "gap_train")) == 1);
    CHECK(says(shop.said, "class 4 has no instances"));
  }

  // A set without labels.
  text = contents(shop.root / "data/annotations/train.json");
  const size_t begin = text.find("\"annotations\":["), end = text.find(",\"categories\":[");
  REQUIRE((begin < end && end != std::string::npos));
  fs::copy(shop.root / "data", shop.root / "bare", fs::copy_options::recursive);
  std::ofstream(shop.root / "bare/annotations/train.json")
      << text.substr(0, begin) + "\"annotations\":[]" + text.substr(end);
  CHECK(says(refused("simcal", {"data.root=" + shop.path("bare")}), "no image has an annotation to train on"));

  // Going on with another calibration than was begun.
  REQUIRE(shop.run(calibrate(shop, "run", "simcal", {"--max-iters", "2"})) == 0);
  CHECK(shop.run(calibrate(shop, "run", "simcal", {"--max-iters", "4"})) == 1);
  CHECK(says(shop.said, "already holds a run"));
  CHECK(shop.run(calibrate(shop, "run", "simcal_fl", {"--max-iters", "4", "--resume"})) == 1);
  CHECK(says(shop.said, "is of a run with recipe simcal"));
}
