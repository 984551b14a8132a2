// tailseg-predict and tailseg-evaluate on a model: what they take for one, which photos they read, what they may write.
#include "apps/run/open_model.h"
#include "tensor/error.h"
#include "tests/apps/workshop.h"

using namespace tailseg::test;
using Catch::Matchers::Contains;

namespace {

struct Trained : Workshop {
  Trained() { REQUIRE(run(train("run")) == 0); }

  // Of everything in the val folder, into `output`.
  int predict(const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> words{
        "tailseg-predict", "--checkpoint", checkpoint("run", 6), "--output", path(output),
        "--device",        device(),       "--score-threshold",  "0.01",     path("data/images/val")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

}  // namespace

TEST_CASE("pictures are never written among the photos, which they could replace") {
  Trained shop;
  fs::path photo;
  for (const auto& entry : fs::directory_iterator(shop.root / "data/images/val")) photo = entry.path();
  const fs::path own = shop.root / "own";
  fs::create_directories(own);
  fs::copy_file(photo, own / "photo.png");  // the name that its picture would have
  const std::string before = contents(own / "photo.png");
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.checkpoint("run", 6), "--output", "own", "own"},
                   shop.root) == 1);
  REQUIRE_THAT(shop.said, Contains("choose another folder"));
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.checkpoint("run", 6), "--output", ".", "photo.png"}, own) ==
          1);
  REQUIRE(contents(own / "photo.png") == before);
}

TEST_CASE("photos: folders, two of one name, names that are no UTF-8, one that is broken, one that is not there") {
  Trained shop;
  for (const char* folder : {"a", "b"}) fs::create_directories(shop.root / folder);
  fs::path photo;
  for (const auto& entry : fs::directory_iterator(shop.root / "data/images/val")) photo = entry.path();
  for (const char* copy : {"a/same.jpg", "b/same.jpg", "b/caf\xe9.jpg"}) fs::copy_file(photo, shop.root / copy);
  std::ofstream(shop.root / "b/broken.png") << "no picture";
  REQUIRE(shop.predict("out", {shop.path("a"), shop.path("b")}) == 0);
  REQUIRE_THAT(shop.said, Contains("skipped") && Contains("broken.png"));
  for (const char* picture : {"same.png", "same_2.png", "caf\xe9.png"}) CHECK(fs::exists(shop.root / "out" / picture));
  CHECK_THAT(contents(shop.root / "out/images.json"), Contains("caf\xef\xbf\xbd.jpg"));
  REQUIRE(shop.predict("other", {shop.path("nowhere.jpg")}) == 1);
  REQUIRE_THAT(shop.said, Contains("nowhere.jpg: No such file"));
  REQUIRE_FALSE(fs::exists(shop.root / "other"));
}

TEST_CASE("an interrupted prediction leaves the photos that it has done") {
  Trained shop;
  REQUIRE(shop.run({"tailseg-make-dataset", "--output", shop.path("many"), "--images", "2", "--val-images", "600",
                    "--size", "64x64", "--classes", "4", "--range", "3"}) == 0);
  const pid_t child = start({kPrograms + "tailseg-predict", "--checkpoint", shop.checkpoint("run", 6), "--device",
                             Trained::device(), "--output", shop.path("out"), shop.path("many/images/val")},
                            shop.root / "said");
  for (int i = 0; i < 6000 && contents(shop.root / "said").find(".png\n") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGINT);
  REQUIRE(wait_for(child) == 130);
  const std::string done = contents(shop.root / "out/images.json");
  const auto photos = std::count(done.begin(), done.end(), '{');
  CHECK((photos > 0 && photos < 600));
  CHECK(contents(shop.root / "out/results.json").back() == ']');
  CHECK_THAT(contents(shop.root / "said"), Contains("stopped by signal 2 after " + std::to_string(photos) + " photos"));
}

TEST_CASE("a run's folder stands for its newest checkpoint") {
  Trained shop;
  REQUIRE(shop.predict("out") == 0);
  for (const char* folder : {"run", "run/checkpoints"}) {
    REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.path(folder), "--output", shop.path("again"),
                      "--score-threshold", "0.01", shop.path("data/images/val")}) == 0);
    REQUIRE(contents(shop.root / "again/results.json") == contents(shop.root / "out/results.json"));
  }
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("data")}) == 1);
  REQUIRE_THAT(shop.said, Contains("holds no checkpoint"));
}

TEST_CASE("imported weights find what their checkpoint finds, once configuration and names are given") {
  Trained shop;
  REQUIRE(shop.predict("out") == 0);
  const std::string weights = shop.path("weights.safetensors"), names = shop.path("data/annotations/train.json");
  REQUIRE(shop.run({"tailseg-import", shop.checkpoint("run", 6), "--output", weights}) == 0);
  const std::vector<std::string> words{"tailseg-predict",
                                       "--checkpoint",
                                       weights,
                                       "--output",
                                       shop.path("again"),
                                       "--device",
                                       shop.device(),
                                       "--score-threshold",
                                       "0.01",
                                       shop.path("data/images/val")};
  REQUIRE(shop.run(words) == 2);
  REQUIRE_THAT(shop.said, Contains("--config"));
  std::vector<std::string> whole = words;
  whole.insert(whole.end(), {"--config", shop.path("tiny.toml"), "--categories", names});
  REQUIRE(shop.run(whole) == 0);
  REQUIRE(contents(shop.root / "again/results.json") == contents(shop.root / "out/results.json"));
  REQUIRE(shop.predict("out", {"--config", shop.path("tiny.toml")}) == 2);  // a checkpoint has its own

  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("run"), "--output", shop.path("ev")}) == 0);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", weights, "--config", shop.path("tiny.toml"), "--annotations",
                    shop.path("data/annotations/val.json"), "--images", shop.path("data/images"), "--output",
                    shop.path("ev2")}) == 0);
  REQUIRE(contents(shop.root / "ev/metrics.json") == contents(shop.root / "ev2/metrics.json"));
}

TEST_CASE("a preset for a checkpoint, which has a value for every setting already, is refused") {
  Trained shop;
  REQUIRE(shop.predict("out", {"--set", "preset=torchvision"}) == 2);
  REQUIRE_THAT(shop.said, Contains("--set preset=torchvision: a preset is chosen before training"));
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("run"), "--set", "preset=detectron2", "--output",
                    shop.path("ev")}) == 2);
  REQUIRE_THAT(shop.said, Contains("preset=detectron2"));
  REQUIRE(shop.predict("out", {"--set", "test.nms_threshold=0.4"}) == 0);
}

TEST_CASE("numbered classes become categories: one each in order, or by id where the largest id says so") {
  using namespace tailseg;
  const AnnotationSet set = parse_annotations(
      R"({"images": [], "annotations": [], "categories": [{"id": 4, "name": "c"}, {"id": 1, "name": "a"}]})",
      "set.json");
  LoadedModel loaded;
  loaded.named = false;
  loaded.classes = {{1, 2}, {"class 1", "class 2"}};
  name_classes(loaded, set);
  CHECK(loaded.classes == ClassList{{1, 4}, {"a", "c"}});
  CHECK(labels_in(loaded.classes, set) == std::vector<int32_t>{0, 1});
  loaded.classes = {{1, 2, 3, 4}, {"class 1", "class 2", "class 3", "class 4"}};
  name_classes(loaded, set);
  CHECK(loaded.classes == ClassList{{1, 2, 3, 4}, {"a", "class 2", "class 3", "c"}});
  CHECK(labels_in(loaded.classes, set) == std::vector<int32_t>{0, -1, -1, 1});
  loaded.classes = {{1, 2, 3}, {"1", "2", "3"}};
  CHECK_THROWS_WITH(name_classes(loaded, set), Contains("3 classes"));
}
