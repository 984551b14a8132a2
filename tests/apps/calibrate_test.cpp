// Calibration as a user runs it: every recipe, stop and resume, evaluation, and what other programs make of it.
#include <map>

#include "apps/config/recipes.h"
#include "apps/report/run_folder.h"
#include "nn/safetensors.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

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
    const int last = name == "tau" ? 0 : 2;
    REQUIRE(shop.run(shop.calibrate(name + "_a", name, steps(name, "2"))) == 0);
    const TensorFile file = read_safetensors(shop.checkpoint(name + "_a", last));
    for (const auto& [tensor, values] : detector.tensors) {
      if (!is_detector(tensor)) continue;
      INFO(tensor);
      REQUIRE(file.tensors.count(tensor) == 1);
      REQUIRE((file.tensors.at(tensor).bytes == values.bytes));
    }
    if (name != "tau") {
      REQUIRE(shop.run(shop.calibrate(name + "_b", name, steps(name, "1"))) == 0);
      REQUIRE(shop.run(shop.calibrate(name + "_b", name, {"--max-iters", "2", "--resume"})) == 0);
      REQUIRE((contents(shop.checkpoint(name + "_a", 2)) == contents(shop.checkpoint(name + "_b", 2))));
      REQUIRE(contents(shop.root / (name + "_a/metrics.jsonl")).find("loss_cls") != std::string::npos);
    }
    REQUIRE(contents(shop.root / (name + "_a/metrics.jsonl")).find("segm/AP") != std::string::npos);
  }
}

TEST_CASE("a calibrated checkpoint is evaluated, predicted with, inspected, reported and calibrated like any other") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  REQUIRE(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "3", "--set", "calibration.head=2fc_rand"})) == 0);
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
  REQUIRE(shop.run(shop.calibrate("again", "crt", {"--max-iters", "2"}, "run")) == 0);
  const TensorFile again = read_safetensors(shop.checkpoint("again", 2));
  CHECK(again.tensors.count("roi_heads.box_predictor.calibrated.fc6.weight") == 0);
  CHECK(again.tensors.count("roi_heads.box_predictor.calibrated.cls_score.weight") == 1);
}

TEST_CASE("weight norms are those of the rows that score: all 1 after tau-normalisation with tau 1") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  REQUIRE(shop.run(shop.calibrate("run", "tau", {"--set", "calibration.tau=1"})) == 0);
  const auto norms = [&](const std::string& inference) {
    REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("run"), "--analysis", "--output",
                      shop.path("run/evaluation"), "--set", "calibration.inference=" + inference}) == 0);
    std::vector<double> found;
    for (const ReportClass& entry : read_run(shop.path("run")).classes) found.push_back(entry.weight_norm.value());
    return found;
  };
  const std::vector<double> original = norms("original");
  for (const std::string how : {"calibrated", "average"}) {
    for (const double norm : norms(how)) CHECK(norm == Approx(1));
  }
  for (const double norm : original) CHECK(norm < 0.9);  // N(0, 0.01) in each of few inputs
}

TEST_CASE("a detector that is another than the file describes is calibrated as it is, and the log says so") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  std::ofstream(shop.root / "simcal.toml") << "base = \"tiny.toml\"\n[train.sampler]\ntype = \"repeat_factor\"\n"
                                              "[calibration]\nrecipe = \"simcal\"\n";
  const std::vector<std::string> words{"tailseg-calibrate", "--checkpoint",           shop.path("train"),
                                       "--config",          shop.path("simcal.toml"), "--dry-run",
                                       "--device",          Workshop::device()};
  REQUIRE(shop.run(words) == 0);
  CHECK(shop.said.find("simcal.toml describes, and is calibrated as it is: ") != std::string::npos);
  CHECK(shop.said.find("train.sampler.type is \"random\", the file says \"repeat_factor\"") != std::string::npos);
  REQUIRE(shop.run({words[0], words[1], words[2], "--recipe", "simcal", "--dry-run"}) == 0);
  CHECK(shop.said.find("describes") == std::string::npos);
}

TEST_CASE("a cascade with Seesaw loss has a calibrated head in every stage") {
  Workshop shop;
  REQUIRE(
      shop.run(shop.train("train", {"--max-iters", "2", "--set", "model.meta=cascade_mask_rcnn", "--set",
                                    "model.box_head.loss.type=seesaw", "--set", "model.box_head.classifier=normalized",
                                    "--set", "model.rpn.post_nms_topk_train=30"})) == 0);
  REQUIRE(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "3"})) == 0);
  REQUIRE(shop.run(shop.calibrate("resumed", "simcal", {"--max-iters", "1"})) == 0);
  REQUIRE(shop.run(shop.calibrate("resumed", "simcal", {"--max-iters", "3", "--resume"})) == 0);
  REQUIRE((contents(shop.checkpoint("run", 3)) == contents(shop.checkpoint("resumed", 3))));
  const TensorFile file = read_safetensors(shop.checkpoint("run", 3));
  for (const char* stage : {"0", "1", "2"}) {
    const std::string name = std::string("roi_heads.box_predictor.") + stage + ".calibrated.fc6.weight";
    INFO(name);
    REQUIRE(file.tensors.count(name) == 1);
  }
  CHECK(contents(shop.root / "run/metrics.jsonl").find("loss_cls_stage2") != std::string::npos);
}
