// Training in bfloat16 as a user runs it: the same bits twice and after a resume, checkpoints that either precision
// reads, and scenes learnt as well as in float32.
#include "tests/apps/workshop.h"

using namespace tailseg::test;

namespace {

std::vector<std::string> in(const std::string& precision, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--set", "model.precision=" + precision});
  return more;
}

double figure(const std::string& metrics, const std::string& name) {  // the last of that name
  const size_t begin = metrics.rfind("\"" + name + "\"");
  REQUIRE(begin != std::string::npos);
  return std::stod(metrics.substr(metrics.find(':', begin) + 1));
}

}  // namespace

TEST_CASE("two bfloat16 runs give the same bits, and so does one that was stopped and resumed") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("a", in("bfloat16"))) == 0);
  REQUIRE(shop.run(shop.train("b", in("bfloat16", {"--max-iters", "3"}))) == 0);
  REQUIRE(shop.run(shop.train("b", in("bfloat16", {"--resume"}))) == 0);
  REQUIRE(shop.run(shop.train("c")) == 0);
  const std::string a = contents(shop.checkpoint("a", 6));
  REQUIRE((a == contents(shop.checkpoint("b", 6))));
  const std::string c = contents(shop.checkpoint("c", 6));
  REQUIRE_FALSE(a == c);  // float32's
  REQUIRE(c.find("BF16") == std::string::npos);
  REQUIRE(a.find("BF16") == std::string::npos);  // masters only
  REQUIRE(shop.run({"tailseg-train", "--config", shop.path("tiny.toml"), "--set", "model.precision=half"}) == 1);
  REQUIRE(shop.said.find("bfloat16") != std::string::npos);
}

TEST_CASE("a few scenes are learnt in bfloat16 as in float32, and either precision reads either checkpoint") {
  Workshop shop;
  const std::vector<std::string> overfit{"--overfit",
                                         "4",
                                         "--max-iters",
                                         "400",
                                         "--checkpoint-every",
                                         "400",
                                         "--set",
                                         "solver.steps=[320]",
                                         "--set",
                                         "solver.base_lr=0.004",
                                         "--set",
                                         "solver.clip_norm=5",
                                         "--set",
                                         "model.backbone_width=16",
                                         "--set",
                                         "model.fpn_channels=32",
                                         "--set",
                                         "model.box_head.width=64"};
  double learnt[2] = {};
  for (const bool mixed : {false, true}) {
    const std::string precision = mixed ? "bfloat16" : "float32";
    const int code = shop.run(shop.train(precision, in(precision, overfit)));
    INFO(shop.said);
    REQUIRE(code == 0);
    learnt[mixed] = figure(contents(shop.root / precision / "metrics.jsonl"), "bbox/AP50");
    std::vector<double> read;
    for (const std::string as : {"float32", "tf32", "bfloat16"}) {
      REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint(precision, 400), "--annotations",
                        shop.path("data/annotations/train.json"), "--images", shop.path("data/images"), "--output",
                        shop.path("ev"), "--type", "bbox", "--set", "model.precision=" + as}) == 0);
      read.push_back(figure(contents(shop.root / "ev/metrics.json"), "AP50"));
    }
    CHECK(read[0] == read[1]);  // on a CPU
    CHECK(read[2] == Approx(read[0]).margin(0.05));
  }
  CHECK(learnt[0] > 0.9);
  CHECK(learnt[1] > 0.9);
}
