// What tailseg-calibrate refuses before its first step: settings, losses, detectors and sets that do not fit.
#include "tests/apps/workshop.h"

using namespace tailseg::test;

TEST_CASE("what cannot be calibrated is told in one line, before the first step") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2"})) == 0);
  const auto refused = [&](const std::string& recipe, std::vector<std::string> settings) {
    std::vector<std::string> more{"--max-iters", "2"};
    for (const std::string& setting : settings) more.insert(more.end(), {"--set", setting});
    fs::remove_all(shop.root / "bad");
    CHECK(shop.run(shop.calibrate("bad", recipe, more)) == 1);
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
  REQUIRE(shop.run(shop.train("cosine", {"--max-iters", "2", "--set", "model.box_head.classifier=normalized"})) == 0);
  CHECK(shop.run(shop.calibrate("bad", "tau", {}, "cosine")) == 1);
  CHECK(says(shop.said, "normalised classifier"));
  CHECK(shop.run(shop.calibrate("bad", "simcall")) == 2);
  CHECK(shop.run(shop.calibrate("bad", "simcal", {}, "nowhere")) == 1);
  CHECK(shop.run(shop.calibrate("bad", "simcal", {"--resume"})) == 1);

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
    CHECK(shop.run(shop.calibrate(recipe, recipe, {"--max-iters", "2"}, "gap_train")) == 1);
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
  REQUIRE(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "2"})) == 0);
  CHECK(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "4"})) == 1);
  CHECK(says(shop.said, "already holds a run"));
  CHECK(shop.run(shop.calibrate("run", "simcal_fl", {"--max-iters", "4", "--resume"})) == 1);
  CHECK(says(shop.said, "is of a run with recipe simcal"));

  // Another head, or another detector, than the run has.
  CHECK(shop.run(shop.calibrate("run", "simcal",
                                {"--max-iters", "4", "--resume", "--set", "calibration.classifier=normalized"})) == 1);
  CHECK_THAT(shop.said, Catch::Contains("calibrated head whose calibration.classifier is \"detector\""));
  REQUIRE(shop.run(shop.train("second", {"--max-iters", "2", "--seed", "5"})) == 0);
  CHECK(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "4", "--resume"}, "second")) == 1);
  CHECK(says(shop.said, "calibrates another detector than"));
  CHECK(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "4", "--resume"})) == 0);
  CHECK(says(refused("simcal", {"calibration.head=tau"}), "trains nothing"));
  CHECK(shop.run(shop.calibrate("bad", "simcal", {"--set", "preset=torchvision"})) == 2);
  CHECK(says(shop.said, "a preset is chosen before training"));
}

TEST_CASE("a calibrated checkpoint is used with its own head, a detector without calibration's settings") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train", {"--max-iters", "2", "--set", "train.gradients_every=1"})) == 0);
  REQUIRE(shop.run(shop.calibrate("run", "simcal", {"--max-iters", "2"})) == 0);
  CHECK_FALSE(fs::exists(shop.root / "run/class_gradients.safetensors"));  // its sums would be the detector's
  const auto evaluated = [&](const std::string& run, const std::string& setting) {
    return shop.run({"tailseg-evaluate", "--checkpoint", shop.path(run), "--set", setting});
  };
  CHECK(evaluated("run", "calibration.inference=average") == 0);
  CHECK(evaluated("run", "calibration.threshold=3") == 0);
  CHECK(evaluated("run", "calibration.loss.type=gumbel") == 1);
  CHECK(shop.said.find("is of a run with recipe simcal, head 3fc_ft, loss softmax") != std::string::npos);
  CHECK(evaluated("run", "calibration.classifier=normalized") == 1);
  CHECK(evaluated("train", "calibration.inference=average") == 1);
  CHECK(shop.said.find("has not been calibrated") != std::string::npos);
}
