// Rotation and fallback of checkpoints, with files damaged on purpose.
#include "nn/checkpoint_folder.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "nn/safetensors.h"
#include "tensor/error.h"

using namespace tailseg;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  fs::path root;
  Fixture() {
    std::string pattern = (fs::temp_directory_path() / "tailseg_checkpoints_XXXXXX").string();
    root = ::mkdtemp(pattern.data());
  }
  ~Fixture() { fs::remove_all(root); }

  std::string folder() const { return (root / "checkpoints").string(); }
  void save(CheckpointFolder& checkpoints, int64_t iteration) const {
    write_safetensors(checkpoints.path(iteration), {{"step", host_from_float32({1}, {float(iteration)})}}, {});
    checkpoints.finished(iteration);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder())) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "the last two checkpoints stay and `last` names the newest") {
  CheckpointFolder checkpoints(folder());
  REQUIRE_FALSE(checkpoints.newest().has_value());
  for (const int64_t iteration : {100, 200, 300, 12345678}) save(checkpoints, iteration);
  REQUIRE(files() == std::vector<std::string>{"iter_0000300.safetensors", "iter_12345678.safetensors", "last"});
  const auto found = checkpoints.newest();
  REQUIRE(found->iteration == 12345678);
  REQUIRE(found->message.empty());
  std::string name;
  std::getline(std::ifstream(fs::path(folder()) / "last"), name);
  REQUIRE(name == "iter_12345678.safetensors");
}

TEST_CASE_METHOD(Fixture, "a truncated newest file falls back to the one before it, and says so") {
  CheckpointFolder checkpoints(folder());
  save(checkpoints, 100);
  save(checkpoints, 200);
  fs::resize_file(checkpoints.path(200), fs::file_size(checkpoints.path(200)) - 1);
  auto found = checkpoints.newest();
  REQUIRE(found->iteration == 100);
  REQUIRE_THAT(found->message, Catch::Contains("iteration 200 is damaged") && Catch::Contains("truncated") &&
                                   Catch::Contains("continuing from iteration 100"));
  fs::remove(checkpoints.path(200));
  found = checkpoints.newest();
  REQUIRE(found->iteration == 100);
  REQUIRE_THAT(found->message, Catch::Contains("iter_0000200.safetensors, which is missing"));
  fs::resize_file(checkpoints.path(100), 3);
  REQUIRE_THROWS_WITH(checkpoints.newest(), Catch::Contains("no usable checkpoint"));
}

TEST_CASE_METHOD(Fixture, "rotation counts only good files, spares protected ones and another run's") {
  CheckpointFolder checkpoints(folder());
  save(checkpoints, 100);
  checkpoints.protect("best", 100);
  save(checkpoints, 200);
  save(checkpoints, 300);
  fs::resize_file(checkpoints.path(300), 20);
  save(checkpoints, 400);  // 300 is damaged, so 200 stays as the second good one
  REQUIRE(files() == std::vector<std::string>{"best", "iter_0000100.safetensors", "iter_0000200.safetensors",
                                              "iter_0000400.safetensors", "last"});
  CheckpointFolder rerun(folder());
  save(rerun, 50);  // a run started afresh in the same folder
  REQUIRE(rerun.newest()->iteration == 50);
  REQUIRE(fs::exists(rerun.path(400)));
}

TEST_CASE_METHOD(Fixture, "a leftover temporary file and a stale pointer do no harm") {
  CheckpointFolder checkpoints(folder());
  save(checkpoints, 100);
  // Killed while writing 200: a half temporary file, `last` still at 100.
  std::ofstream(checkpoints.path(200) + ".tmp") << "half";
  REQUIRE(checkpoints.newest()->iteration == 100);
  save(checkpoints, 200);
  REQUIRE_FALSE(fs::exists(checkpoints.path(200) + ".tmp"));
  // Killed between the rename and the pointer.
  write_safetensors(checkpoints.path(300), {{"step", host_from_float32({1}, {300})}}, {});
  REQUIRE(checkpoints.newest()->iteration == 200);
  std::ofstream(fs::path(folder()) / "last") << "nonsense\n";
  REQUIRE(checkpoints.newest()->iteration == 300);
}

TEST_CASE_METHOD(Fixture, "finished() refuses a checkpoint that is not there") {
  CheckpointFolder checkpoints(folder());
  REQUIRE_THROWS_WITH(checkpoints.finished(7), Catch::Contains("iteration 7"));
  std::ofstream(root / "plain file") << "x";
  REQUIRE_THROWS_WITH(CheckpointFolder((root / "plain file").string()),
                      Catch::Contains("making the checkpoint folder"));
}
