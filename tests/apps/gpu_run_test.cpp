// Whole programs on a GPU: two runs and one that was stopped and resumed give the same bits, and what can go wrong with
// a card is one error that leaves the last checkpoint whole. Where there is no GPU, on the emulated one (tests/card);
// only that one can be lost at will.
#include <cstring>
#include <iostream>

#include "tensor/context.h"
#include "tests/apps/workshop.h"

using namespace tailseg::test;

namespace {

// A variable of the environment that goes away.
struct Setting {
  const char* name;
  Setting(const char* n, const std::string& value) : name(n) { setenv(n, value.c_str(), 1); }
  ~Setting() { unsetenv(name); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
};

bool card_is_emulated() {
  const char* before = std::getenv("LD_PRELOAD");
  return before && std::strstr(before, "tailseg_card");
}

bool gpu_or_skip(const char* what) {
  const std::string problem = tailseg::cuda_problem();
  if (!problem.empty()) std::cout << "SKIP " << what << ": " << problem << "\n";
  return problem.empty();
}

int errors_in(const std::string& said) {
  int count = 0;
  for (size_t at = 0; (at = said.find("error: ", at)) != std::string::npos; ++at) {
    count += at == 0 || said[at - 1] == '\n' || (at >= 2 && said.compare(at - 2, 2, ": ") == 0);
  }
  return count;
}

}  // namespace

TEST_CASE("runs on a GPU repeat bit by bit, stopped and resumed too, and keep their convolution plans") {
  if (!gpu_or_skip("training on a GPU")) return;
  const Setting device("TAILSEG_TEST_DEVICE", "cuda");
  Workshop shop;
  REQUIRE(shop.run(shop.train("a")) == 0);
  REQUIRE(shop.run(shop.train("b", {"--max-iters", "4"})) == 0);
  REQUIRE(fs::file_size(shop.root / "b/conv_plans.json") > 0);
  REQUIRE(shop.run(shop.train("b", {"--resume"})) == 0);
  REQUIRE(shop.said.find(" convolution plans from ") != std::string::npos);
  REQUIRE((contents(shop.checkpoint("a", 6)) == contents(shop.checkpoint("b", 6))));
  REQUIRE((contents(shop.root / "a/evaluation/results.json") == contents(shop.root / "b/evaluation/results.json")));
  std::ofstream(shop.root / "b/conv_plans.json") << "[";
  REQUIRE(shop.run(shop.train("b", {"--resume", "--max-iters", "8"})) == 0);
  REQUIRE(shop.said.find("b/conv_plans.json is no plan file") != std::string::npos);
}

TEST_CASE("a card without enough memory, and one that is lost: one error, and the run goes on from its checkpoint") {
  if (!card_is_emulated() || !gpu_or_skip("a card that fails")) return;
  const Setting device("TAILSEG_TEST_DEVICE", "cuda");
  Workshop shop;
  {
    const Setting little("TAILSEG_CARD_MEMORY_MB", "3");
    REQUIRE(shop.run(shop.train("little")) == 1);
    INFO(shop.said);
    REQUIRE(errors_in(shop.said) == 1);
    REQUIRE(shop.said.find("out of memory on cuda:0") != std::string::npos);
    REQUIRE(shop.said.find("solver.ims_per_batch") != std::string::npos);
  }
  REQUIRE(shop.run(shop.train("whole")) == 0);
  bool seen = false;
  for (int operations = 2000; !seen && operations < 40000; operations += 1000) {
    const std::string run = "lost_" + std::to_string(operations);
    {
      const Setting loses("TAILSEG_CARD_LOSE_AFTER", std::to_string(operations));
      const int code = shop.run(shop.train(run));
      INFO(shop.said);
      REQUIRE(code == 1);
      REQUIRE(errors_in(shop.said) == 1);
      REQUIRE(shop.said.find("The card may have been lost") != std::string::npos);
    }
    if (!fs::exists(shop.root / run / "checkpoints/last")) continue;
    seen = true;
    REQUIRE(shop.run(shop.train(run, {"--resume"})) == 0);
    REQUIRE((contents(shop.checkpoint(run, 6)) == contents(shop.checkpoint("whole", 6))));
  }
  REQUIRE(seen);
}
