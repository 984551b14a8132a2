// Whole runs with classification losses other than softmax: state in the checkpoint, evaluation, and what is refused
// before the first step.
#include <set>

#include "detection/losses/loss_list.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

std::vector<std::string> with(const std::string& loss, std::vector<std::string> more) {
  std::vector<std::string> words{"--set", "model.box_head.loss.type=" + loss};
  // 12 photos of 4 classes do not fill LVIS's four groups.
  if (loss == "bags") words.insert(words.end(), {"--set", "model.box_head.loss.bags.boundaries=[]"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("with every loss that has state or draws a stopped run resumes to the same bits; checkpoints are evaluated") {
  Workshop shop;
  const std::set<std::string> plain{"softmax", "sigmoid", "focal", "reweighted", "gumbel"};
  for (const auto& loss : loss_list()) {
    const std::string name = loss->name();
    INFO(name);
    if (plain.count(name)) continue;
    REQUIRE(shop.run(shop.train(name + "_a", with(name, {"--max-iters", "4"}))) == 0);
    REQUIRE(shop.run(shop.train(name + "_b", with(name, {"--max-iters", "2"}))) == 0);
    REQUIRE(shop.run(shop.train(name + "_b", with(name, {"--max-iters", "4", "--resume"}))) == 0);
    REQUIRE((contents(shop.checkpoint(name + "_a", 4)) == contents(shop.checkpoint(name + "_b", 4))));
    if (name != "bags" && name != "seesaw") continue;
    REQUIRE(shop.run({"tailseg-evaluate", "--checkpoint", shop.checkpoint(name + "_a", 4), "--output",
                      shop.path(name + "_ev")}) == 0);
    REQUIRE((contents(shop.root / (name + "_ev/results.json")) ==
             contents(shop.root / (name + "_a/evaluation/results.json"))));
  }
}

TEST_CASE("a run that cannot train with its loss ends before the first step, with the reason in one line") {
  Workshop shop;
  const auto refused = [&](const std::string& output, const std::vector<std::string>& more) {
    REQUIRE(shop.run(shop.train(output, more)) == 1);
    REQUIRE_FALSE(fs::exists(shop.root / output / "metrics.jsonl"));
    return shop.said;
  };
  const auto says = [](const std::string& said, const char* words) { return said.find(words) != std::string::npos; };
  REQUIRE(says(refused("a", with("bags", {"--set", "model.box_head.loss.bags.boundaries=[1e6]"})),
               "no class is in group 1"));
  REQUIRE(
      says(refused("b", with("seesaw", {"--set", "model.box_head.loss.seesaw.counts=checkpoint"})), "hold no counts"));
  REQUIRE(says(refused("c", with("sesaw", {})), "did you mean \"seesaw\"?"));
  REQUIRE(
      says(refused("d", with("eql", {"--set", "model.box_head.loss.eql.lamda=1"})), "model.box_head.loss.eql.lambda"));
  REQUIRE(shop.run(shop.train("run", with("softmax", {"--max-iters", "2"}))) == 0);
  REQUIRE(shop.run(shop.train("run", with("focal", {"--max-iters", "4", "--resume"}))) == 1);
  REQUIRE(says(shop.said, "was trained with the classification loss 'softmax'"));
  // Counts of a run as the fixed counts of the next.
  REQUIRE(shop.run(shop.train("first", with("seesaw", {"--max-iters", "2"}))) == 0);
  REQUIRE(shop.run(shop.train("next", with("seesaw", {"--max-iters", "2", "--weights", shop.checkpoint("first", 2),
                                                      "--set", "model.box_head.loss.seesaw.counts=checkpoint"}))) == 0);
}
