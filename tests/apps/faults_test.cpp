// What happens to a run when the machine fails it: a disk that fills during a checkpoint, kill -9 during a checkpoint,
// a folder that cannot be written. tests/README.md lists every fault with its test.
#include <sched.h>
#include <sys/mount.h>

#include "tests/apps/workshop.h"

#include <cstdint>

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

TEST_CASE(
    "a photo that is truncated, corrupt, absurdly large or missing stops a run with its id, or is skipped and told") {
  Workshop shop;
  const fs::path photo = shop.root / "data/images/train/000000000005.jpg";
  const std::string whole = contents(photo);
  std::string corrupt = whole, huge = contents(std::string(TAILSEG_GOLDEN_DIR) + "/images/rgb.png");
  corrupt.replace(2, 20, std::string(20, 'x'));
  huge.replace(16, 8, std::string("\0\0\x9c\x40\0\0\x9c\x40", 8));  // 40,000 x 40,000 in the header
  for (const std::string& bytes : {whole.substr(0, whole.size() / 2), corrupt, huge, std::string()}) {
    std::ofstream(photo, std::ios::binary) << bytes;
    fs::remove_all(shop.root / "run");
    CHECK(shop.run(shop.train("run")) == 1);
    CHECK_THAT(shop.said, Contains("error: image id 5: ") && Contains("000000000005.jpg"));
  }
  fs::remove(photo);
  fs::remove_all(shop.root / "run");
  CHECK(shop.run(shop.train("run")) == 1);
  CHECK_THAT(shop.said, Contains("error: image id 5: ") && Contains("no such file"));
  fs::remove_all(shop.root / "run");
  for (const char* val : {"000000000013.jpg", "000000000016.jpg"})
    fs::resize_file(shop.root / "data/images/val" / val, 9);
  CHECK(shop.run(shop.train("run", {"--set", "data.on_bad_photo=skip", "--max-iters", "14"})) == 0);
  const std::string log = contents(shop.root / "run/log.txt");
  const size_t first = log.find("skipped: image id 5: ");
  CHECK(first != std::string::npos);
  CHECK(log.find("skipped: image id 5: ", first + 1) == std::string::npos);  // once, not in every epoch
  CHECK_THAT(log, Contains("skipped: image id 13: ") && Contains("skipped: image id 16: "));
}

TEST_CASE("annotations: what is malformed ends the run with its byte or id, what is dubious is left out and counted") {
  Workshop shop;
  const fs::path file = shop.root / "data/annotations/train.json";
  const std::string good = contents(file);
  const auto train_on = [&](const std::string& json) {
    std::ofstream(file) << json;
    fs::remove_all(shop.root / "run");
    return shop.run(shop.train("run"));
  };
  const size_t begin = good.find("\"annotations\":[") + 14, end = good.find(",\"categories\"");
  REQUIRE((begin < end && end < good.size()));
  const auto one_object = [&](const std::string& object) {  // in place of all annotations
    return train_on(good.substr(0, begin) + "[" + object + "]" + good.substr(end));
  };
  CHECK(train_on(good.substr(0, good.size() / 2)) == 1);
  CHECK_THAT(shop.said, Contains("train.json: byte "));
  CHECK(one_object("7") == 1);
  CHECK_THAT(shop.said, Contains("annotations[0]: expected an object, got a number"));
  const std::string head = R"({"id": 77, "image_id": 1, "category_id": 1, "area": 50, "iscrowd": 0, )";
  const std::string whole = R"("bbox": [5, 5, 20, 20], "segmentation": [[5, 5, 25, 5, 25, 25]]})";
  CHECK(one_object("") == 1);
  CHECK_THAT(shop.said, Contains("no image has an annotation to train on"));
  CHECK(one_object(head + whole + ", " + head + whole) == 1);
  CHECK_THAT(shop.said, Contains("annotation id 77 occurs twice"));
  CHECK(one_object(R"({"id": 77, "image_id": 1, "category_id": 999, "area": 50, )" + whole) == 1);
  CHECK_THAT(shop.said, Contains("annotation 77: category_id 999 is no category"));
  const std::string two = R"("bbox": [5, 5, 20, 20], "segmentation": [[5, 5, 25, 5]]})";
  const std::string outside = R"("bbox": [500, 5, 20, 20], "segmentation": [[500, 5, 520, 5, 520, 25]]})";
  CHECK(one_object(head + two) == 1);
  CHECK_THAT(shop.said, Contains("no image has an annotation to train on") && Contains("problems"));
  CHECK(one_object(head + outside) == 1);  // and image 1 lists the category as negative
  CHECK_THAT(shop.said, Contains("no image has an annotation to train on") && Contains("2 problems"));
  CHECK(shop.run({"tailseg-inspect", file.string()}) == 0);
  CHECK_THAT(shop.said, Contains("box_outside: ") && Contains("annotation 77, image 1"));
}

TEST_CASE("an output never takes the place of what was read, or of a run's log") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  const std::string weights = shop.checkpoint("run", 2), log = shop.path("run/metrics.jsonl");
  const std::string weights_before = contents(weights), log_before = contents(log);
  CHECK(shop.run({"tailseg-import", weights, "--output", weights}) == 1);
  CHECK(shop.said.find("is the file that is read") != std::string::npos);
  CHECK(shop.run({"tailseg-report", shop.path("run"), "--output", log}) == 1);
  CHECK(shop.said.find("no HTML page") != std::string::npos);
  CHECK(shop.run({"tailseg-profile", "--config", shop.path("tiny.toml"), "--trace", shop.path("tiny.toml")}) == 1);
  CHECK(shop.said.find("--trace") != std::string::npos);
  CHECK((contents(weights) == weights_before && contents(log) == log_before));
  CHECK(shop.run({"tailseg-report", shop.path("run"), "--output", shop.path("page.html")}) == 0);
  CHECK(shop.run({"tailseg-report", shop.path("run"), "--output", shop.path("page.html")}) == 0);  // a page may
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
    CHECK(shop.run({"tailseg-report", shop.path("run"), "--output", output + "/report.html"}) == 1);
  }
  REQUIRE(contents(shop.root / "file") == "a file where a folder should be");
}
