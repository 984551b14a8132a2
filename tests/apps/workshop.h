// A workshop for tests of whole programs: a folder that goes away, a tiny data set and configuration, and programs run
// as a user runs them.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace tailseg::test {

namespace fs = std::filesystem;

inline const std::string kPrograms = std::string(TAILSEG_BINARY_DIR) + "/bin/";

inline std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Starts a program with both its streams going to `output`; `folder`: where it runs.
inline pid_t start(const std::vector<std::string>& words, const fs::path& output, const fs::path& folder = ".") {
  std::fflush(stdout);  // the child must not print it again
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    if (chdir(folder.c_str()) != 0) _exit(125);
    if (!freopen(output.c_str(), "w", stdout) || dup2(fileno(stdout), 2) < 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  return child;
}

// The exit status, or 1000 + the signal that ended it.
inline int wait_for(pid_t child) {
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
  // Where models run: the CPU, whatever else there is, or $TAILSEG_TEST_DEVICE. The same for every program, since tests
  // compare their results bit by bit.
  static std::string device() {
    const char* chosen = std::getenv("TAILSEG_TEST_DEVICE");
    return chosen ? chosen : "cpu";
  }
  int run(std::vector<std::string> words, const fs::path& folder = ".") {
    const auto has = [&](const char* option) { return std::find(words.begin(), words.end(), option) != words.end(); };
    const bool runs_model = words[0] == "tailseg-predict" || words[0] == "tailseg-profile" ||
                            (words[0] == "tailseg-evaluate" && has("--checkpoint"));
    if (runs_model && !has("--device")) words.insert(words.end(), {"--device", device()});
    words[0] = kPrograms + words[0];
    const int code = wait_for(start(words, root / "said", folder));
    said = contents(root / "said");
    INFO(said);
    CHECK(code < 1000);  // never a core dump
    return code;
  }
  std::vector<std::string> train(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{
        "tailseg-train", "--config",   path("tiny.toml"), "--set", "data.root=" + path("data"),
        "--output",      path(output), "--device",        device()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // Calibration in batches of 4 of the run in `detector`.
  std::vector<std::string> calibrate(const std::string& output, const std::string& recipe,
                                     std::vector<std::string> more = {}, const std::string& detector = "train") const {
    std::vector<std::string> words{"tailseg-calibrate",
                                   "--checkpoint",
                                   path(detector),
                                   "--recipe",
                                   recipe,
                                   "--output",
                                   path(output),
                                   "--device",
                                   device(),
                                   "--set",
                                   "calibration.solver.ims_per_batch=4",
                                   "--set",
                                   "calibration.solver.reference_batch=4"};
    // 12 photos of 4 classes do not fill LVIS's four groups.
    if (recipe == "bags") words.insert(words.end(), {"--set", "calibration.loss.bags.boundaries=[]"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string checkpoint(const std::string& run_folder, int iteration) const {
    std::string digits = std::to_string(iteration);
    digits.insert(0, 7 - digits.size(), '0');
    return path(run_folder + "/checkpoints/iter_" + digits + ".safetensors");
  }
};

}  // namespace tailseg::test
