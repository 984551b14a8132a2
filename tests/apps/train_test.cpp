// Training as a user runs it: run, kill, resume, what goes wrong, and what becomes of the checkpoint.
#include "tests/apps/workshop.h"

using namespace tailseg::test;

TEST_CASE("two runs give the same bits, and so does a run that was stopped and resumed") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("a")) == 0);
  REQUIRE(shop.run(shop.train("b", {"--max-iters", "3"})) == 0);
  REQUIRE(shop.run(shop.train("b", {"--resume"})) == 0);
  INFO(shop.said);
  const std::string a = contents(shop.checkpoint("a", 6)), b = contents(shop.checkpoint("b", 6));
  REQUIRE(a.size() > 10000);
  REQUIRE((a == b));
  REQUIRE(contents(shop.root / "a/metrics.jsonl").find("segm/AP") != std::string::npos);
}

TEST_CASE("a run that was killed in the middle of training resumes to the same bits") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("whole", {"--max-iters", "60"})) == 0);
  std::vector<std::string> words = shop.train("killed", {"--max-iters", "60"});
  words[0] = kPrograms + words[0];
  const pid_t child = start(words, shop.root / "said");
  for (int i = 0; i < 6000 && !fs::exists(shop.checkpoint("killed", 4)); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGKILL);
  REQUIRE(wait_for(child) == 1000 + SIGKILL);
  REQUIRE(shop.run(shop.train("killed", {"--max-iters", "60", "--resume"})) == 0);
  REQUIRE((contents(shop.checkpoint("whole", 60)) == contents(shop.checkpoint("killed", 60))));
}

TEST_CASE("Ctrl-C writes a checkpoint and ends with 130") {
  Workshop shop;
  std::vector<std::string> words = shop.train("run", {"--max-iters", "100000", "--checkpoint-every", "100000"});
  words[0] = kPrograms + words[0];
  const pid_t child = start(words, shop.root / "said");
  for (int i = 0; i < 6000 && contents(shop.root / "said").find("iter: 2") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGINT);
  REQUIRE(wait_for(child) == 130);
  REQUIRE_FALSE(fs::is_empty(shop.root / "run/checkpoints"));
}

TEST_CASE("a truncated newest checkpoint costs one interval, not the run") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run")) == 0);
  fs::resize_file(shop.checkpoint("run", 6), 1000);
  REQUIRE(shop.run(shop.train("run", {"--resume", "--max-iters", "8"})) == 0);
  REQUIRE(shop.said.find("iter_0000004") != std::string::npos);
  REQUIRE(fs::exists(shop.checkpoint("run", 8)));
}

TEST_CASE("a resumed run tells which settings it was given anew") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  REQUIRE(shop.run(shop.train("run", {"--resume", "--max-iters", "4", "--set", "solver.base_lr=0.001"})) == 0);
  CHECK(shop.said.find("resumed with another setting: solver.base_lr: 0.02 -> 0.001\n") != std::string::npos);
  CHECK(shop.said.find("resumed with another setting: solver.max_iters: 2 -> 4\n") != std::string::npos);
  REQUIRE(shop.run(shop.train("run", {"--resume", "--max-iters", "4", "--set", "solver.base_lr=0.001"})) == 0);
  CHECK(shop.said.find("another setting") == std::string::npos);
}

TEST_CASE("what a user gets wrong is said in one line, and nothing is lost") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  const std::string before = contents(shop.checkpoint("run", 2));

  REQUIRE(shop.run(shop.train("run")) == 1);  // would overwrite a run
  REQUIRE(shop.said.find("already holds a run") != std::string::npos);
  REQUIRE(shop.run(shop.train("new", {"--set", "solver.base_lrr=1"})) == 1);
  REQUIRE(shop.said.find("base_lr") != std::string::npos);
  REQUIRE(shop.run(shop.train("new", {"--resume"})) == 1);
  REQUIRE(shop.said.find("no checkpoint") != std::string::npos);
  REQUIRE(shop.run(shop.train("run", {"--resume", "--set", "model.fpn_channels=32"})) == 1);
  REQUIRE(shop.said.find("backbone.fpn") != std::string::npos);  // names and shapes of what differs
  REQUIRE(shop.run({"tailseg-train", "--output", shop.path("new")}) == 2);
  REQUIRE(shop.run(shop.train("new", {"--set", "data.root=" + shop.path("nowhere")})) == 1);
  REQUIRE(shop.said.find("data.root") != std::string::npos);
  REQUIRE(shop.run(shop.train("new", {"--set", "solver.base_lr=1e30", "--set", "solver.warmup_iters=0"})) == 1);
  REQUIRE(shop.said.find("not finite") != std::string::npos);
  REQUIRE((contents(shop.checkpoint("run", 2)) == before));
}

TEST_CASE("a data set below the working folder is trained on, evaluated and predicted on by its relative name") {
  Workshop shop;
  REQUIRE(shop.run({"tailseg-train", "--config", "tiny.toml", "--set", "data.root=data", "--output", "run", "--device",
                    Workshop::device(), "--max-iters", "2"},
                   shop.root) == 0);
  const std::string checkpoint = "run/checkpoints/iter_0000002.safetensors";
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", checkpoint}, shop.root) == 0);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", checkpoint, "--annotations", "data/annotations/val.json",
                    "--images", "data/images"},
                   shop.root) == 0);
  fs::rename(shop.root / "data", shop.root / "it's \"data\"");
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", checkpoint, "--data-root", "it's \"data\""}, shop.root) == 0);
}

TEST_CASE("a checkpoint's configuration needs no temporary folder") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  setenv("TMPDIR", shop.path("nowhere").c_str(), 1);
  const int code = shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint("run", 2)});
  unsetenv("TMPDIR");
  REQUIRE(code == 0);
}

TEST_CASE("Ctrl-C is heard during an evaluation too, and resuming evaluates") {
  Workshop shop;
  REQUIRE(shop.run({"tailseg-make-dataset", "--output", shop.path("data"), "--images", "12", "--val-images", "600",
                    "--size", "64x64", "--classes", "4", "--range", "3", "--overwrite"}) == 0);
  std::vector<std::string> words = shop.train("run", {"--max-iters", "2"});
  words[0] = kPrograms + words[0];
  const pid_t child = start(words, shop.root / "said");
  for (int i = 0; i < 6000 && contents(shop.root / "said").find("iter_0000002") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGINT);  // 600 photos are a second's work
  REQUIRE(wait_for(child) == 130);
  REQUIRE(contents(shop.root / "run/metrics.jsonl").find("segm/AP") == std::string::npos);
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2", "--resume"})) == 0);
  REQUIRE(contents(shop.root / "run/metrics.jsonl").find("segm/AP") != std::string::npos);
}

TEST_CASE("a run whose log nobody reads any more goes on") {
  Workshop shop;
  std::string line = "cd '" + shop.root.string() + "'; '" + kPrograms +
                     "tailseg-train' --config tiny.toml --set data.root=data --output run --device cpu | true";
  REQUIRE(wait_for(start({"/bin/sh", "-c", line}, shop.root / "said")) == 0);
  REQUIRE(fs::exists(shop.checkpoint("run", 6)));
  REQUIRE(contents(shop.root / "run/log.txt").find("iter: 5") != std::string::npos);
}

TEST_CASE("one run at a time in a folder") {
  Workshop shop;
  std::vector<std::string> words = shop.train("run", {"--max-iters", "100000", "--checkpoint-every", "100000"});
  words[0] = kPrograms + words[0];
  const pid_t child = start(words, shop.root / "first");
  for (int i = 0; i < 6000 && contents(shop.root / "first").find("iter: 2") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const int second = shop.run(shop.train("run"));
  kill(child, SIGKILL);
  REQUIRE(wait_for(child) == 1000 + SIGKILL);
  REQUIRE(second == 1);
  REQUIRE(shop.said.find("another run is at work") != std::string::npos);
  REQUIRE(shop.run(shop.train("run")) == 0);  // the lock went with its holder
}

TEST_CASE("what would fail at the end fails before the first step, and a dry run finds it") {
  Workshop shop;
  fs::remove(shop.root / "data/annotations/val.json");
  REQUIRE(shop.run(shop.train("run", {"--set", "data.val_annotations=nowhere.json"})) == 1);
  REQUIRE(shop.said.find("nowhere.json") != std::string::npos);
  REQUIRE_FALSE(fs::exists(shop.root / "run/checkpoints"));
  REQUIRE(shop.run(shop.train("dry", {"--dry-run", "--set", "data.val_annotations=nowhere.json"})) == 1);
  REQUIRE(shop.run(shop.train("dry", {"--dry-run", "--weights", shop.path("nowhere")})) == 1);
  REQUIRE(shop.run(shop.train("dry", {"--dry-run", "--resume"})) == 1);
  REQUIRE(shop.run(shop.train("dry", {"--resume"})) == 1);
  REQUIRE_FALSE(fs::exists(shop.root / "dry"));
  REQUIRE(shop.run(shop.train("none")) == 0);  // no validation split is configured: said, and trained all the same
  REQUIRE(shop.said.find("nothing will be evaluated") != std::string::npos);
  REQUIRE(fs::exists(shop.checkpoint("none", 6)));
}

TEST_CASE("a missing photo stops the run with its name") {
  Workshop shop;
  fs::path first;
  for (const auto& entry : fs::recursive_directory_iterator(shop.root / "data/images/train")) {
    if (entry.is_regular_file()) first = entry.path();
  }
  fs::remove(first);
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "60"})) == 1);
  REQUIRE(shop.said.find(first.filename().string()) != std::string::npos);
}

TEST_CASE("a checkpoint is evaluated and predicts, and its figures are those of its result file") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run")) == 0);
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint("run", 6), "--output", shop.path("ev"),
                    "--pictures", "2"}) == 0);
  REQUIRE(fs::exists(shop.root / "ev/pictures.png"));
  REQUIRE(shop.run({"tailseg-evaluate", "--annotations", shop.path("data/annotations/val.json"), "--results",
                    shop.path("ev/results.json"), "--mask-area", "--output", shop.path("again")}) == 0);
  REQUIRE(contents(shop.root / "ev/metrics.json") == contents(shop.root / "again/metrics.json"));
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.checkpoint("run", 6), shop.path("data/images/val"),
                    "--output", shop.path("pictures"), "--score-threshold", "0.01"}) == 0);
  REQUIRE(fs::exists(shop.root / "pictures/results.json"));
  std::ofstream(shop.root / "broken.jpg") << "no photo";
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", shop.checkpoint("run", 6), shop.path("broken.jpg"), "--output",
                    shop.path("pictures")}) == 1);
  REQUIRE(shop.said.find("broken.jpg") != std::string::npos);
}

TEST_CASE("a sampler's run resumes in mid-epoch to the same bits, and batches without labels train") {
  Workshop shop;
  const fs::path annotations = shop.root / "data/annotations/train.json";
  std::string text = contents(annotations);  // two photos more, that nobody labelled
  for (const std::string id : {"999998", "999999"}) {
    text.insert(text.find('{', text.find("\"images\"")),
                "{\"id\":" + id + R"(,"width":64,"height":64,"coco_url":"http://a/train/000000000001.jpg",)" +
                    R"("neg_category_ids":[],"not_exhaustive_category_ids":[]},)");
  }
  std::ofstream(annotations, std::ios::binary) << text;
  // 14 photos and copies of the rare ones' one by one: some step has no label at all.
  std::vector<std::string> settings{"--set", "train.sampler.type=repeat_factor", "--set", "train.sampler.threshold=0.3",
                                    "--set", "data.empty_photos=keep",           "--set", "solver.ims_per_batch=1"};
  const auto with = [&settings](std::vector<std::string> more) {
    more.insert(more.begin(), settings.begin(), settings.end());
    return more;
  };
  REQUIRE(shop.run(shop.train("a", with({"--max-iters", "30"}))) == 0);
  REQUIRE(shop.said.find("14 images to train on, sampler repeat_factor") != std::string::npos);
  REQUIRE(shop.run(shop.train("b", with({"--max-iters", "5"}))) == 0);
  REQUIRE(shop.run(shop.train("b", with({"--max-iters", "30", "--resume"}))) == 0);
  REQUIRE((contents(shop.checkpoint("a", 30)) == contents(shop.checkpoint("b", 30))));
  settings = {"--set", "train.sampler.type=bilevel", "--max-iters", "3"};
  REQUIRE(shop.run(shop.train("c", settings)) == 0);
  REQUIRE(shop.said.find("12 images to train on, sampler bilevel, 1000 batches of 2") != std::string::npos);
}
