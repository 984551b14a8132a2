// Training by captured steps as a user runs it (train.capture): stopped and resumed to the same bits, the losses of the
// plain run, every kind of job.
#include "tests/apps/workshop.h"

using namespace tailseg::test;

namespace {

const std::vector<std::string> kCapture{"--set", "train.capture=true"};

std::vector<std::string> captured(std::vector<std::string> more = {}) {
  more.insert(more.begin(), kCapture.begin(), kCapture.end());
  return more;
}

// Of each step.
std::vector<double> total_losses(const fs::path& metrics) {
  std::vector<double> losses;
  std::ifstream in(metrics);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find("\"total_loss\"");
    if (at != std::string::npos) losses.push_back(std::stod(line.substr(line.find(':', at) + 1)));
  }
  return losses;
}

int captures(const std::string& said) {
  const std::string before = "steps were captured ";
  return std::stoi(said.substr(said.find(before) + before.size()));
}

}  // namespace

TEST_CASE("two captured runs give the same bits, and so does one that was stopped and resumed") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("a", captured())) == 0);
  REQUIRE(shop.said.find("steps were captured ") != std::string::npos);
  REQUIRE(shop.said.find("and replayed 0 times") == std::string::npos);
  REQUIRE(shop.run(shop.train("b", captured({"--max-iters", "3"}))) == 0);
  REQUIRE(shop.run(shop.train("b", captured({"--resume"}))) == 0);
  REQUIRE((contents(shop.checkpoint("a", 6)) == contents(shop.checkpoint("b", 6))));
  REQUIRE(shop.run(shop.train("plain")) == 0);
  const std::vector<double> mine = total_losses(shop.root / "a/metrics.jsonl"),
                            plain = total_losses(shop.root / "plain/metrics.jsonl");
  REQUIRE(mine.size() == 6);
  REQUIRE(plain.size() == 6);
  for (size_t i = 0; i < mine.size(); ++i) CHECK(mine[i] == Approx(plain[i]).epsilon(1e-4));  // sums in another order
}

TEST_CASE("buckets keep the shapes that are captured few, and the log tells what fits none") {
  Workshop shop;  // its batches of 2 photos have sides of 32 or 64
  const std::vector<std::string> scales{"--set", "data.scales=[32, 64]", "--max-iters", "12"};
  REQUIRE(shop.run(shop.train("free", captured(scales))) == 0);
  CHECK(shop.said.find("data.buckets is empty") != std::string::npos);
  const int free = captures(shop.said);
  std::vector<std::string> one = scales;
  one.insert(one.end(), {"--set", "data.buckets=[64, 64]"});
  REQUIRE(shop.run(shop.train("one", captured(one))) == 0);
  CHECK(shop.said.find("padded to the sizes of data.buckets\n") != std::string::npos);
  CHECK(captures(shop.said) < free);  // again only where masks outgrow their room
  one.back() = "data.buckets=[32, 32]";
  REQUIRE(shop.run(shop.train("none", one)) == 0);
  CHECK(shop.said.find("data.buckets; 12 of 12 images fit none of them") != std::string::npos);
}

TEST_CASE("a calibration is captured too, and a profile times captured steps and predictions") {
  Workshop shop;
  REQUIRE(shop.run(shop.train("train")) == 0);
  for (const std::string recipe : {"simcal", "ncm"}) {
    INFO(recipe);
    REQUIRE(shop.run(shop.calibrate(recipe + "_a", recipe, captured({"--max-iters", "5"}))) == 0);
    REQUIRE(shop.run(shop.calibrate(recipe + "_b", recipe, captured({"--max-iters", "2"}))) == 0);
    REQUIRE(shop.run(shop.calibrate(recipe + "_b", recipe, captured({"--max-iters", "5", "--resume"}))) == 0);
    const auto last = [&](const std::string& run) {
      const fs::path folder = shop.root / run / "checkpoints";
      std::string name = contents(folder / "last");
      while (!name.empty() && name.back() == '\n') name.pop_back();
      return contents(folder / name);
    };
    REQUIRE((last(recipe + "_a") == last(recipe + "_b")));
  }
  std::vector<std::string> profile{
      "tailseg-profile", "--config", shop.path("tiny.toml"), "--height", "64", "--width", "64", "--repeats", "3",
      "--json"};
  profile.insert(profile.end(), kCapture.begin(), kCapture.end());
  REQUIRE(shop.run(profile) == 0);
  REQUIRE(shop.said.find("\"replays\": 4, \"waits\": 0, \"allocations\": 0}") != std::string::npos);
  profile.insert(profile.end(), {"--job", "predict", "--set", "test.capture=true"});
  REQUIRE(shop.run(profile) == 0);
  REQUIRE(shop.said.find("\"job\": \"predict\"") != std::string::npos);
  REQUIRE(shop.said.find("\"replays\": 4") != std::string::npos);
}
