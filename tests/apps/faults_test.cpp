// What happens to a run when the machine fails it: a disk that fills during a checkpoint, kill -9 during a checkpoint,
// a folder that cannot be written. tests/README.md lists every fault with its test.
#include <sched.h>
#include <sys/mount.h>

#include "tests/apps/workshop.h"

using namespace tailseg::test;
using Catch::Matchers::Contains;

namespace {

// A file system of `bytes` bytes at `folder`, seen by this process and its children only.
class SmallDisk {
 public:
  SmallDisk(const fs::path& folder, uint64_t bytes) : folder_(folder) {
    fs::create_directories(folder);
    mounted_ = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("tmpfs", folder.c_str(), "tmpfs", 0, size(bytes).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool resize(uint64_t bytes) {
    return ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, size(bytes).c_str()) == 0;
  }

 private:
  static std::string size(uint64_t bytes) { return "size=" + std::to_string(bytes); }
  fs::path folder_;
  bool mounted_ = false;
};

std::vector<fs::path> unfinished(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".tmp") found.push_back(entry->path());
  }
  return found;
}

}  // namespace

TEST_CASE("a disk that fills during a checkpoint: the one before stays, loads, and is resumed once there is room") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("whole")) == 0);
  const uint64_t checkpoint = fs::file_size(shop.checkpoint("whole", 6));
  SmallDisk disk(shop.root / "small", checkpoint * 3 / 2 + 100000);
  if (!disk.mounted()) {
    WARN("skipped: a small tmpfs can be mounted by root only (nn/safetensors tests the write by a file size limit)");
    return;
  }
  REQUIRE(shop.run(shop.train("small/run")) == 1);
  INFO(shop.said);
  REQUIRE_THAT(shop.said,
               Contains("error: writing ") && Contains("iter_0000004") && Contains("No space left on device"));
  REQUIRE(unfinished(shop.root / "small/run/checkpoints").empty());
  REQUIRE_FALSE(fs::exists(shop.checkpoint("small/run", 4)));
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint("small/run", 2)}) == 0);

  REQUIRE(shop.run(shop.train("small/run", {"--resume"})) == 1);  // still full: the same, and still nothing lost
  REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.path("small/run")}) == 0);

  REQUIRE(disk.resize(checkpoint * 20));
  REQUIRE(shop.run(shop.train("small/run", {"--resume"})) == 0);
  REQUIRE_THAT(shop.said, Contains("resumed from") && Contains("at step 2"));
  REQUIRE((contents(shop.checkpoint("small/run", 6)) == contents(shop.checkpoint("whole", 6))));
}

TEST_CASE("a data set, pictures or figures that do not fit on the disk end with the file's name") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  SmallDisk disk(shop.root / "small", 20000);
  if (!disk.mounted()) {
    WARN("skipped: a small tmpfs can be mounted by root only");
    return;
  }
  const std::string checkpoint = shop.checkpoint("run", 2);
  REQUIRE(shop.run({"tailseg-make-dataset", "--output", shop.path("small/set"), "--images", "50", "--classes", "4"}) ==
          1);
  REQUIRE_THAT(shop.said, Contains("writing image") && Contains("No space left on device"));
  REQUIRE(shop.run({"tailseg-predict", "--checkpoint", checkpoint, "--output", shop.path("small"),
                    shop.path("data/images/train")}) == 1);
  REQUIRE_THAT(shop.said, Contains("No space left on device"));
  REQUIRE(shop.run({"tailseg-import", checkpoint, "--output", shop.path("small/weights.safetensors")}) == 1);
  REQUIRE_THAT(shop.said, Contains("weights.safetensors") && Contains("No space left on device"));
  REQUIRE(unfinished(shop.root / "small").empty());
}

TEST_CASE("kill -9 during a checkpoint: the half-written file is passed over and the run resumes to the same bits") {
  Workshop shop;
  const std::vector<std::string> settings{"--checkpoint-every",      "1", "--max-iters", "6", "--set",
                                          "model.box_head.width=768"};  // large files take longer to write
  REQUIRE(shop.run(shop.train("whole", settings)) == 0);
  bool caught = false;
  for (int attempt = 0; attempt < 40 && !caught; ++attempt) {
    fs::remove_all(shop.root / "killed");
    std::vector<std::string> words = shop.train("killed", settings);
    words[0] = kPrograms + words[0];
    const pid_t child = start(words, shop.root / "said");
    const fs::path folder = shop.root / "killed/checkpoints";
    const auto writing = [&] {  // a checkpoint after the first good one
      const auto files = unfinished(folder);
      return fs::exists(shop.checkpoint("killed", 2)) && !files.empty() &&
             files[0].string().find("iter_") != std::string::npos;
    };
    while (!writing() && !fs::exists(shop.checkpoint("killed", 6))) {
    }
    kill(child, SIGKILL);
    REQUIRE(wait_for(child) == 1000 + SIGKILL);
    caught = !unfinished(folder).empty();
  }
  REQUIRE(caught);
  std::vector<std::string> resume = settings;
  resume.push_back("--resume");
  REQUIRE(shop.run(shop.train("killed", resume)) == 0);
  REQUIRE((contents(shop.checkpoint("killed", 6)) == contents(shop.checkpoint("whole", 6))));
  REQUIRE(unfinished(shop.root / "killed/checkpoints").empty());  // the rest of the file that was cut goes too
}

TEST_CASE("an output that cannot be written is refused before the work, by every program") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  std::ofstream(shop.root / "file") << "a file where a folder should be";
  const std::string checkpoint = shop.checkpoint("run", 2), photos = shop.path("data/images/val");
  for (const std::string& output : {shop.path("file"), std::string("/proc/no"), std::string("/dev/null/no")}) {
    INFO(output);
    CHECK(shop.run(shop.train(output)) == 1);
    CHECK(shop.run({"tailseg-predict", "--checkpoint", checkpoint, "--output", output, photos}) == 1);
    CHECK_THAT(shop.said, !Contains("objects"));
    CHECK(shop.run({"tailseg-evaluate", "--checkpoint", checkpoint, "--output", output}) == 1);
    CHECK_THAT(shop.said, !Contains("copypaste"));
    CHECK(shop.run({"tailseg-make-dataset", "--output", output, "--images", "8", "--classes", "2"}) == 1);
    CHECK(shop.run({"tailseg-import", checkpoint, "--output", output + "/w.safetensors"}) == 1);
  }
  REQUIRE(contents(shop.root / "file") == "a file where a folder should be");
}
