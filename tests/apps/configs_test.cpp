// Every config of apps/configs/, in whatever folder: its settings are known, it says what its paper reports, and a
// small model of it trains two steps and is evaluated.
#include <algorithm>
#include <regex>

#include "apps/config/config.h"
#include "apps/run/calibration_start.h"
#include "apps/run/trainer.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

const fs::path kConfigs = fs::path(TAILSEG_SOURCE_DIR) / "apps" / "configs";

std::vector<std::string> all_configs() {  // relative to apps/configs/, sorted
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kConfigs)) {
    if (entry.path().extension() == ".toml") names.push_back(fs::relative(entry.path(), kConfigs).generic_string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_base(const std::string& name) { return fs::path(name).filename().string().starts_with("base"); }

// The comment that a file opens with, in one line.
std::string opening(const std::string& name) {
  std::ifstream file(kConfigs / name);
  std::string comment;
  for (std::string line; std::getline(file, line) && line.starts_with("#");) comment += line.substr(1);
  return comment;
}

// What makes any of them small enough for a test: pictures of 64 pixels, 8 channels, few proposals. Frozen norms need
// trained weights; groups of 1000 instances need as many.
const std::vector<std::string> kSmall{"model.weights=",
                                      "model.backbone_width=8",
                                      "model.norm=batch",
                                      "model.frozen_stages=-1",
                                      "model.fpn_channels=16",
                                      "model.anchors.sizes=[16, 32, 64, 128, 256]",
                                      "model.rpn.batch_size_per_image=16",
                                      "model.rpn.pre_nms_topk_train=50",
                                      "model.rpn.post_nms_topk_train=30",
                                      "model.rpn.pre_nms_topk_test=50",
                                      "model.rpn.post_nms_topk_test=30",
                                      "model.roi.batch_size_per_image=16",
                                      "model.box_head.width=16",
                                      "model.box_head.loss.bags.boundaries=[]",
                                      "calibration.loss.bags.boundaries=[]",
                                      "calibration.solver.ims_per_batch=2",
                                      "calibration.solver.max_iters=2",
                                      "model.mask_head.width=8",
                                      "model.mask_head.convolutions=1",
                                      "data.scales=[64]",
                                      "data.max_size=64",
                                      "data.test_scale=64",
                                      "data.test_max_size=64",
                                      "data.val_image_ids=[]",
                                      "solver.ims_per_batch=2",
                                      "solver.max_iters=2",
                                      "train.device=cpu"};

}  // namespace

TEST_CASE("configs: every setting of every file is known, and a row of a paper says what it reports") {
  const std::regex figure(R"(AP \d+\.\d|[Nn]o result is published|Published results are of|No figure of the paper)");
  const std::vector<std::string> names = all_configs();
  REQUIRE(names.size() > 50);
  for (const std::string& name : names) {
    INFO(name);
    REQUIRE_NOTHROW(load_config((kConfigs / name).string()));
    REQUIRE_FALSE(opening(name).empty());
    if (name.find('/') != std::string::npos && !is_base(name)) {
      const bool says = std::regex_search(opening(name), figure);
      REQUIRE(says);
    }
  }
}

TEST_CASE("configs: the table of apps/configs/README.md has every row, with the figures of its file") {
  const std::regex row(R"(\| \[[^\]]+\]\(([^)]+\.toml)\) \|[^|]*\|[^|]*\| (\S+) .*)");
  std::ifstream readme(kConfigs / "README.md");
  std::vector<std::string> told;
  for (std::string line; std::getline(readme, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    INFO(line);
    told.push_back(match[1]);
    const bool figure = match[2] == "–" || opening(match[1]).find("AP " + match[2].str()) != std::string::npos;
    REQUIRE(figure);
  }
  std::vector<std::string> rows;
  for (const std::string& name : all_configs()) {
    if (name.find('/') != std::string::npos && !is_base(name)) rows.push_back(name);
  }
  std::sort(told.begin(), told.end());
  REQUIRE(told == rows);
}

// In this process, so that all of them share the convolution library's compiled code: 60 programs would each compile
// it.
TEST_CASE("configs: a small model of each trains two steps and is evaluated") {
  Workshop shop;
  std::vector<std::string> names = all_configs();
  // Its counts are what table4_recorded begins with.
  const std::string first = "seesaw/table4_online.toml";
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) { return name == first; });
  for (const std::string& name : names) {
    INFO(name);
    const fs::path run = name == first ? shop.root / "counted" : shop.root / "run";
    std::vector<std::string> settings = kSmall;
    settings.insert(settings.end(), {"data.root=" + shop.path("data"), "output=" + run.string()});
    if (name == "seesaw/table4_recorded.toml") {
      settings.push_back("model.box_head.loss_state=" + shop.path("counted"));
    }
    const std::string file = (kConfigs / name).string();
    const Config config = load_config(file, settings);
    TrainOptions options;
    if (config.calibration.used()) {
      REQUIRE_THROWS_WITH(train(config, options), Catch::Contains("tailseg-calibrate --config"));
      options.detector = shop.path("detector");
      std::vector<std::string> before = settings;
      before.insert(before.end(), {"calibration.recipe=none", "output=" + options.detector});
      REQUIRE(train(load_config(file, before), {}) == TrainEnd::finished);
      const Config calibration = calibration_start(options.detector, settings, file).config;
      REQUIRE(calibration.calibration.recipe == config.calibration.recipe);
      REQUIRE(train(calibration, options) == TrainEnd::finished);
    } else {
      REQUIRE(train(config, options) == TrainEnd::finished);
    }
    REQUIRE(contents(run / "metrics.jsonl").find("segm/AP") != std::string::npos);
    REQUIRE(contents(run / "evaluation/metrics.json").find("\"AP\"") != std::string::npos);
    fs::remove_all(shop.root / "run");
    fs::remove_all(shop.root / "detector");
  }
}
