// Configuration files: values, inheritance, overrides, presets, and the messages for what is wrong.
#include "apps/config/config.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "apps/config/presets.h"
#include "apps/config/recipes.h"
#include "detection/losses/loss_list.h"
#include "tensor/error.h"

using namespace tailseg;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tailseg_config_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string put(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
};

std::string problem(const std::string& path, const std::vector<std::string>& overrides = {}) {
  try {
    load_config(path, overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE_METHOD(Folder, "a file, its bases in other folders, and overrides, the later winning") {
  put("shared/grand.toml", "[solver]\nbase_lr = 1\nmomentum = 0.5\ngamma = 0.3\n");
  put("shared/base.toml", "base = 'grand.toml'\n[solver]\nbase_lr = 2e-1\n[data]\nscales = [64, 96]\n");
  const std::string file =
      put("run.toml", "base = 'shared/base.toml'\nmodel.backbone = 'resnet18'\n[solver]\nmomentum = 0.6\n");
  const Config config =
      load_config(file, {"solver.ims_per_batch=8", "model.norm=batch", "data.scales=[32]", "output=runs/2024-05-01",
                         "train.seed=7", "data.root=12", "solver.base_lr=0.1"});
  CHECK(config.solver.gamma == 0.3);
  CHECK(config.solver.momentum == 0.6);
  CHECK(config.solver.base_lr == 0.1);
  CHECK(config.learning_rate() == Approx(0.05));
  CHECK(config.model.backbone == "resnet18");
  CHECK(config.model.norm == "batch");
  CHECK(config.data.scales == std::vector<int64_t>{32});
  CHECK(config.output == "runs/2024-05-01");
  CHECK(config.data.root == "12");
  CHECK(config.train.seed == 7);
}

TEST_CASE_METHOD(Folder, "the resolved configuration gives the same configuration again") {
  const std::string file =
      put("run.toml",
          "preset = 'torchvision'\noutput = \"a \\\"b\\\"\\\\c\\n\"\n[solver]\nbase_lr = 3\n"
          "adam_eps = 1e-300\nmomentum = 0.30000000000000004\n[model.anchors]\nsizes=[1,2,3,4.5,5]\n");
  const Config config = load_config(file);
  for (const bool comments : {false, true}) {
    const std::string text = config_toml(config, comments);
    const Config again = load_config(put("resolved.toml", text));
    CHECK(config_toml(again, comments) == text);
    CHECK(again.solver.momentum == 0.30000000000000004);
    CHECK(again.output == "a \"b\"\\c\n");
  }
  CHECK_THAT(config_toml(config, false),
             Catch::Contains("\n[solver]\noptimizer = \"sgd\"\nims_per_batch = 16\nbase_lr = 3.0\n"));
}

TEST_CASE("presets: METHODS 5's columns; the default is mmdet's") {
  Config plain;
  Config preset = load_config("", {"preset=mmdet"});
  CHECK(config_toml(plain) == config_toml(preset));
  const Config torchvision = load_config("", {"preset=torchvision", "solver.max_iters=10"});
  CHECK(torchvision.model.rpn.low_quality == "keep_argmax");
  CHECK(torchvision.model.anchors.rounded);
  CHECK(torchvision.model.rpn.post_nms_topk_train == 2000);
  CHECK(torchvision.model.rpn.smooth_l1_beta == 1.0 / 9.0);
  CHECK(torchvision.model.roi.pooler_sampling == 2);
  CHECK_FALSE(torchvision.model.roi.pooler_aligned);
  CHECK(torchvision.test.mask_paste == "padded");
  CHECK(torchvision.data.scales == std::vector<int64_t>{800});
  const Config detectron2 = load_config("", {"preset=detectron2"});
  CHECK(detectron2.model.stride_in_1x1);
  CHECK(detectron2.model.rpn.loss_normalizer == "detectron2");
  CHECK(detectron2.model.mask_head.targets == "polygon");
  CHECK(detectron2.solver.steps == std::vector<int64_t>{60000, 80000});
  CHECK_THAT(problem("", {"preset=darknet"}), Catch::Contains("mmdet, torchvision, detectron2"));
}

TEST_CASE_METHOD(Folder, "the preset that is named last lies under everything, wherever it stands") {
  put("base.toml", "preset = 'detectron2'\n[model.rpn]\nnms_threshold = 0.6\n[model.roi]\npooler_sampling = 4\n");
  const std::string file = put("run.toml", "base = 'base.toml'\npreset = 'torchvision'\n");
  const Config config = load_config(file);
  CHECK(config.preset == "torchvision");
  CHECK(config.model.roi.low_quality == "off");
  CHECK(config.model.rpn.nms_threshold == 0.6);
  CHECK(config.model.roi.pooler_sampling == 4);
}

TEST_CASE_METHOD(Folder, "what is wrong is named with file, line, expectation and the nearest setting") {
  struct Case {
    std::string text, expected;
  };
  const std::vector<Case> cases = {
      {"[solver]\n\nbas_lr = 1\n", "run.toml:3: unknown setting 'solver.bas_lr'; did you mean 'solver.base_lr'?"},
      {"base_lr = 1\n", "run.toml:1: unknown setting 'base_lr'; did you mean 'solver.base_lr'?"},
      {"[model]\nnms_threshold = 1\n", "threshold'?"},
      {"model = 3\n", "run.toml:1: unknown setting 'model'"},
      {"[solver]\nbase_lr = 'fast'\n", "run.toml:2: 'solver.base_lr' expects a number, but the text \"fast\" came"},
      {"[solver]\nims_per_batch = 1.5\n", "expects an integer, but the number 1.5 came"},
      {"[solver]\nscale_lr = 1\n", "expects true or false, but the integer 1 came"},
      {"[data]\nscales = 640\n", "expects a list of integers, but the integer 640 came"},
      {"[data]\nscales = [640, 'x']\n", "expects a list of integers"},
      {"[data]\nscales = []\n", "data.scales is empty"},
      {"[data]\npixel_mean = [1, 2]\n", "has 2 values, expected 3"},
      {"[data]\npixel_std = [1, 0, 1]\n", "expected more than 0"},
      {"[data]\nflip_prob = 1.5\n", "run.toml:2: 'data.flip_prob' is 1.5, expected a value from 0 to 1"},
      {"[train]\nlog_every = 0\n", "is 0, expected a value from 1"},
      {"[solver]\nbase_lr = nan\n", "not finite"},
      {"[model]\nnorm = 'group'\n", "is \"group\", expected one of frozen, batch"},
      {"[model]\nnorm = 1979-05-27\n", "run.toml:2: 'model.norm' is a date"},
      {"[solver]\nbase_lr = 1\nbase_lr = 2\n", "run.toml:3"},
      {"[solver\n", "run.toml:1"},
      {"base = 3\n", "run.toml:1: 'base' expects"},
      {"base = 'none.toml'\n", "run.toml:1: the configuration file"},
      {"base = 'run.toml'\n", "leads back to itself"},
      {"base = './x/../run.toml'\n", "leads back to itself"},
      {"[solver]\nstep_epochs = [8, 8]\n", "solver.step_epochs must rise"},
      {"[solver]\nepochs = 0\n", "both 0"},
      {"[data]\nmax_size = 700\n", "above data.max_size"},
      {"[data]\nbuckets = [800, 1344, 800]\n", "data.buckets has 3 numbers; each bucket is a height and a width"},
      {"[data]\ntest_buckets = [800, 1333]\n", "data.test_buckets: 1333 is no multiple of data.size_divisor, 32"},
  };
  fs::create_directory(path / "x");
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK_THAT(problem(put("run.toml", c.text)), Catch::Contains(c.expected));
  }
  put("b.toml", "base = 'a.toml'\n");
  CHECK_THAT(problem(put("a.toml", "base = 'b.toml'\n")), Catch::Contains("b.toml:1") && Catch::Contains("itself"));
  CHECK_THAT(problem((path / "absent.toml").string()), Catch::Contains("absent.toml cannot be read"));
  CHECK_THAT(problem(path.string()), Catch::Contains("cannot be read"));
  CHECK_THAT(problem("", {"solver.base_lr"}), Catch::Contains("expected key=value"));
  CHECK_THAT(problem("", {"solver.lr=1"}), Catch::Contains("--set solver.lr=1: unknown setting"));
  CHECK_THAT(problem("", {"solver.base_lr=fast"}),
             Catch::Contains("--set solver.base_lr=fast: 'solver.base_lr' expects"));
  CHECK_THAT(problem("", {"solver.base_lr=1\nx=2"}), Catch::Contains("expects a number"));
}

TEST_CASE("the nearest setting is sought in the group that was written, then in the others") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"test.treshold", "test.nms_threshold"},  // train.sampler.threshold has fewer edits
      {"test.threshold", "test.nms_threshold"},
      {"test.detections", "test.detections_per_image"},
      {"solver.lr", "solver.base_lr"},
      {"model.rpn.nms_treshold", "model.rpn.nms_threshold"},
      {"model.mask_head.widht", "model.mask_head.width"},
      {"model.roi.nms_threshold", "model.roi.iou_threshold"},
      {"data.base_lr", "solver.base_lr"},  // nothing like it in data
      {"solver.norm", "solver.clip_norm"},
      {"width", "model.box_head.width"},
      {"presett", "preset"},
      {"solvr.gama", "solver.gamma"},
  };
  for (const auto& [written, meant] : cases) {
    CAPTURE(written);
    CHECK_THAT(problem("", {written + "=1"}), Catch::Contains("did you mean '" + meant + "'?"));
  }
}

TEST_CASE("the settings of a group stand together: TOML has each table once") {
  Config config;
  const ConfigSchema schema = config_schema(config);
  std::set<std::string> ended;
  std::string group;
  for (const ConfigField& field : schema.fields()) {
    const std::string here = field.key().substr(0, field.key().rfind('.') + 1);
    if (here == group) continue;
    INFO(field.key());
    REQUIRE(ended.insert(here).second);
    group = here;
  }
  // And what is written for a normalised head beside a finished detector is read back.
  const Config calibrated = load_config("", {"calibration.recipe=de", "calibration.classifier=normalized"});
  CHECK(config_toml(parse_config(config_toml(calibrated), "itself")) == config_toml(calibrated));
}

TEST_CASE("every setting stands in the tables of apps/configs/README.md, and nothing else does") {
  const std::string losses = "model.box_head.loss.";
  // The options of a loss have a table of their own, with their meaning and default.
  const auto is_option = [&](const std::string& key) {
    return key.starts_with(losses) && key.find('.', losses.size()) != std::string::npos;
  };
  std::ifstream file(TAILSEG_SOURCE_DIR "/apps/configs/README.md");
  std::vector<std::string> documented, documented_options;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    if (is_option(key)) documented_options.push_back(line);
    if (!is_option(key)) documented.push_back(key);
  }
  Config config;
  std::vector<std::string> keys, options;
  const ConfigSchema schema = config_schema(config);
  // What calibration has like training is told once.
  const auto told_elsewhere = [&](const std::string& key) {
    if (key.starts_with("calibration.loss.") && key != "calibration.loss.type") return true;
    for (const auto& [group, twin] : {std::pair<std::string, std::string>{"calibration.sampler.", "train.sampler."},
                                      {"calibration.solver.", "solver."},
                                      {"calibration.normalized.", "model.box_head.normalized."}}) {
      if (key.starts_with(group)) return schema.find(twin + key.substr(group.size())) != nullptr;
    }
    return false;
  };
  for (const ConfigField& field : schema.fields()) {
    if (!is_option(field.key())) {
      if (!told_elsewhere(field.key())) keys.push_back(field.key());
      continue;
    }
    std::string words;
    for (const std::string& word : field.words()) words += (words.empty() ? " (" : ", ") + word;
    options.push_back("| `" + field.key() + "` | " + field.comment() + (words.empty() ? "" : words + ")") + " | " +
                      toml_text(field.get()) + " |");
  }
  CHECK(documented == keys);
  CHECK(documented_options == options);
}

TEST_CASE("the classification loss: by name, its own options, and only those of the chosen one are written") {
  CHECK_THAT(problem("", {"model.box_head.loss.type=sofmax"}),
             Catch::Contains("\"sofmax\", expected one of softmax") && Catch::Contains("did you mean \"softmax\"?"));
  CHECK_THAT(problem("", {"model.box_head.loss.softmax.objectnes=true"}),
             Catch::Contains("did you mean 'model.box_head.loss.softmax.objectness'?"));
  CHECK_THAT(problem("", {"model.box_head.loss.softmax.init=zero"}), Catch::Contains("head, normal, constant"));
  for (const auto& loss : loss_list()) {
    const std::string group = "model.box_head.loss." + loss->name() + ".";
    const Config config = load_config(
        "", {"model.box_head.loss.type=" + loss->name(), group + "init=constant", group + "init_bias=-2.5"});
    CHECK(config.model.box_head.loss.chosen().name() == loss->name());
    CHECK(config.model.box_head.loss.chosen().init == "constant");
    CHECK(config.model.box_head.loss.chosen().init_bias == -2.5);
    const std::string text = config_toml(config, false);
    CHECK_THAT(text, Catch::Contains("[model.box_head.loss." + loss->name() + "]\n"));
    for (const auto& other : loss_list()) {
      if (other->name() != loss->name()) CHECK_THAT(text, !Catch::Contains("loss." + other->name() + "]"));
    }
  }
}

TEST_CASE("recipes of calibration: each gives its settings, which what is said of them overrides") {
  CHECK_THAT(problem("", {"calibration.recipe=simcall"}), Catch::Contains("did you mean \"simcal\"?"));
  CHECK_THAT(
      problem("", {"calibration.recipe=crt", "calibration.proposals=drawn_class", "calibration.sampler.type=random"}),
      Catch::Contains("draws photos without one"));
  CHECK_THAT(problem("", {"calibration.recipe=crt", "calibration.threshold=-1"}),
             Catch::Contains("'calibration.threshold' is -1"));
  CHECK_THAT(problem("", {"calibration.recipe=tau", "calibration.tau=11"}), Catch::Contains("from 0 to 10"));
  CHECK_THAT(problem("", {"calibration.recipe=ncm", "calibration.solver.epochs=0"}),
             Catch::Contains("max_iters and calibration.solver.epochs are both 0"));
  std::set<std::string> names;
  for (const Recipe& recipe : recipes()) {
    INFO(recipe.name);
    CHECK(names.insert(recipe.name).second);
    const std::string chosen = std::string("calibration.recipe=") + recipe.name;
    const Config config = load_config("", {chosen});
    CHECK(config.calibration.used());
    const std::string text = config_toml(config, false);
    CHECK(config_toml(parse_config(text, "again"), false) == text);
    CHECK(config_toml(load_config("", {"calibration.threshold=7", chosen}), false) !=
          text);  // an override counts, wherever it stands
    CHECK(load_config("", {"calibration.inference=average", chosen}).calibration.inference == "average");
  }
  const Config simcal = load_config("", {"calibration.recipe=simcal"});  // METHODS 4.2, step 6
  CHECK(simcal.calibration.solver.base_lr == 0.01);
  CHECK(simcal.calibration.solver.momentum == 0);
  CHECK(simcal.calibration.solver.weight_decay == 0);
  CHECK(simcal.calibration.solver.steps == std::vector<int64_t>{7000, 10000});
  CHECK(simcal.calibration.threshold == 100);
  CHECK(simcal.solver.momentum == 0.9);  // the detector's own
  CHECK_THAT(config_toml(Config(), false), !Catch::Contains("calibration"));
}

TEST_CASE("edit distance") {
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("flaw", "lawn") == 2);
  CHECK(edit_distance("same", "same") == 0);
}
