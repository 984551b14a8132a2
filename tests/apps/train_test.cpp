// The programs themselves, as a user runs them: train, kill, resume, fill the disk, evaluate, predict.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::string kPrograms = std::string(TAILSEG_BINARY_DIR) + "/bin/";

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

pid_t start(const std::vector<std::string>& words, const fs::path& output) {
  std::fflush(stdout);  // the child must not print it again
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    if (!freopen(output.c_str(), "w", stdout) || dup2(fileno(stdout), 2) < 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A folder with a data set of 12 photos of 64 x 64 pixels and a configuration that trains on it in milliseconds a step.
struct Workshop {
  fs::path root = fs::temp_directory_path() / ("tailseg_train_test_" + std::to_string(getpid()));
  std::string said;  // by the last program

  Workshop() {
    fs::remove_all(root);
    fs::create_directories(root);
    std::ofstream(root / "tiny.toml") << R"(
[model]
backbone = "resnet18"
backbone_width = 8
norm = "batch"
frozen_stages = -1
fpn_channels = 16
anchors.sizes = [16, 32, 64, 128, 256]
rpn.batch_size_per_image = 16
rpn.pre_nms_topk_train = 50
rpn.post_nms_topk_train = 30
rpn.pre_nms_topk_test = 50
rpn.post_nms_topk_test = 30
roi.batch_size_per_image = 16
box_head.width = 16
mask_head.width = 8
mask_head.convolutions = 1
[data]
scales = [64]
max_size = 64
test_scale = 64
test_max_size = 64
[solver]
ims_per_batch = 2
reference_batch = 2
max_iters = 6
steps = [4]
warmup_iters = 3
[train]
checkpoint_every = 2
log_every = 1
)";
    REQUIRE(run({"tailseg-make-dataset", "--output", path("data"), "--images", "12", "--val-images", "4", "--seed", "1",
                 "--size", "64x64", "--classes", "4", "--range", "3"}) == 0);
  }
  ~Workshop() { fs::remove_all(root); }

  std::string path(const std::string& name) const { return (root / name).string(); }
  int run(std::vector<std::string> words) {
    words[0] = kPrograms + words[0];
    const int code = wait_for(start(words, root / "said"));
    said = contents(root / "said");
    INFO(said);
    CHECK(code < 1000);  // never a core dump
    return code;
  }
  std::vector<std::string> train(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{
        "tailseg-train", "--config",   path("tiny.toml"), "--set", "data.root=" + path("data"),
        "--output",      path(output), "--device",        "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string checkpoint(const std::string& run_folder, int iteration) const {
    std::string digits = std::to_string(iteration);
    digits.insert(0, 7 - digits.size(), '0');
    return path(run_folder + "/checkpoints/iter_" + digits + ".safetensors");
  }
};

}  // namespace

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
