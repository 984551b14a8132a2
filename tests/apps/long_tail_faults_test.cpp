// What the long-tail methods refuse: each one an error in one line, before the first step. tests/README.md lists them.
#include <algorithm>
#include <map>
#include <regex>

#include "apps/run/training_data.h"
#include "datasets/samplers/photo_sampler.h"
#include "nn/safetensors.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;
using Catch::Matchers::Contains;

namespace {

std::vector<std::string> settings(const std::vector<std::string>& list, std::vector<std::string> more = {}) {
  for (const std::string& setting : list) more.insert(more.end(), {"--set", setting});
  return more;
}

const std::string kLoss = "model.box_head.loss.";

struct FaultyWorkshop : Workshop {
  // What a run says that ends with one error line before its first step.
  std::string refused(const std::vector<std::string>& more) {
    fs::remove_all(root / "refused");
    REQUIRE(run(train("refused", more)) == 1);
    one_error_line();
    REQUIRE_FALSE(fs::exists(root / "refused/metrics.jsonl"));
    return said;
  }
  void one_error_line() const {
    INFO(said);
    const std::regex line("(^|\n)error: [^\n]+");
    REQUIRE(std::distance(std::sregex_iterator(said.begin(), said.end(), line), std::sregex_iterator()) == 1);
  }
  // As many training instances as the commonest class has.
  int64_t most_instances() const {
    const AnnotationSet set = read_annotations(path("data/annotations/train.json"));
    const std::vector<int64_t> counts = instances_by_label(set);
    return *std::max_element(counts.begin(), counts.end());
  }
  // A copy of the data set with both annotation files changed.
  std::string changed(const std::string& name, const std::regex& what, const std::string& into) const {
    fs::copy(root / "data", root / name, fs::copy_options::recursive);
    for (const char* file : {"train.json", "val.json"}) {
      const fs::path path = root / name / "annotations" / file;
      const std::string json = std::regex_replace(contents(path), what, into);
      REQUIRE(json != contents(path));
      std::ofstream(path) << json;
    }
    return path(name);
  }
};

}  // namespace

TEST_CASE_METHOD(FaultyWorkshop, "a class list of another length or of other classes is refused") {
  CHECK_THAT(refused(settings({"model.num_classes=7"})),
             Contains("model.num_classes is 7") && Contains("the data have 4 classes"));
  REQUIRE(run(train("seesaw", settings({kLoss + "type=seesaw"}, {"--max-iters", "2"}))) == 0);
  REQUIRE(run({"tailseg-make-dataset", "--output", path("three"), "--images", "12", "--val-images", "4", "--seed", "1",
               "--size", "64x64", "--classes", "3", "--range", "3"}) == 0);
  const std::string other = changed("named", std::regex("\"name\": ?\"([^\"]+)\""), "\"name\":\"other $1\"");
  for (const std::string& root_of : {path("three"), other}) {
    INFO(root_of);
    const std::string root_setting = "data.root=" + root_of;
    REQUIRE(run(train("seesaw", settings({kLoss + "type=seesaw", root_setting}, {"--resume"}))) == 1);
    one_error_line();
    CHECK_THAT(said, Contains("was trained on other classes"));
    // Recorded counts are of these classes or of none.
    CHECK_THAT(refused(settings({kLoss + "type=seesaw", kLoss + "seesaw.counts=checkpoint", root_setting,
                                 "model.box_head.loss_state=" + path("seesaw")})),
               Contains("counted other classes") && Contains("model.box_head.loss_state"));
    // As weights to start from its body is welcome, its counts are not.
    CHECK_THAT(refused(settings({kLoss + "type=seesaw", kLoss + "seesaw.counts=checkpoint", root_setting},
                                {"--weights", checkpoint("seesaw", 2)})),
               Contains("hold no counts"));
  }
  fs::copy_file(root / "three/annotations/val.json", root / "named/annotations/val.json",
                fs::copy_options::overwrite_existing);
  CHECK_THAT(refused(settings({"data.root=" + other})), Contains("has other categories than"));
  REQUIRE(run({"tailseg-evaluate", "--checkpoint", checkpoint("seesaw", 2), "--data-root", path("three")}) == 1);
  one_error_line();
}

TEST_CASE_METHOD(FaultyWorkshop, "counts and groups of another data set of the same classes are refused") {
  const std::string fewer = changed("fewer", std::regex("\"category_id\": ?2([,}])"), "\"category_id\":1$1");
  for (const std::string& loss : {std::string("seesaw"), std::string("bags")}) {
    const std::vector<std::string> with{kLoss + "type=" + loss, kLoss + "bags.boundaries=[]"};
    REQUIRE(run(train(loss, settings(with, {"--max-iters", "2"}))) == 0);
    std::vector<std::string> elsewhere = with;
    elsewhere.push_back("data.root=" + fewer);
    REQUIRE(run(train(loss, settings(elsewhere, {"--resume"}))) == 1);
    one_error_line();
    CHECK_THAT(said, Contains("with other numbers of images or instances of its classes"));
  }
  // Groups of weights to start from: all classes in one, where this set has two.
  const std::string two = kLoss + "bags.boundaries=[" + std::to_string(most_instances()) + "]";
  CHECK_THAT(refused(settings({kLoss + "type=bags", two}, {"--weights", checkpoint("bags", 2)})),
             Contains("the loaded weights put class"));
}

TEST_CASE_METHOD(FaultyWorkshop, "a checkpoint of another loss is refused by every program that reads one") {
  REQUIRE(run(train("softmax", {"--max-iters", "2"})) == 0);
  REQUIRE(run(train("bags", settings({kLoss + "type=bags", kLoss + "bags.boundaries=[]"}, {"--max-iters", "2"}))) == 0);
  const auto names_both = [&] {
    CHECK_THAT(said, Contains("was trained with the classification loss 'softmax'") && Contains("'sigmoid'"));
    one_error_line();
  };
  // Sigmoid has as many logits as softmax: only the name tells them apart.
  REQUIRE(run(train("softmax", settings({kLoss + "type=sigmoid"}, {"--resume"}))) == 1);
  names_both();
  for (const std::string program : {"tailseg-evaluate", "tailseg-predict"}) {
    std::vector<std::string> words{program, "--checkpoint", checkpoint("softmax", 2), "--set", kLoss + "type=sigmoid"};
    if (program == "tailseg-predict") words.insert(words.end(), {"--output", path("out"), path("data/images/val")});
    REQUIRE(run(words) == 1);
    names_both();
  }
  const std::vector<std::string> recorded{kLoss + "type=seesaw", kLoss + "seesaw.counts=checkpoint"};
  const auto from = [&](const std::string& run_folder) {
    std::vector<std::string> list = recorded;
    list.push_back("model.box_head.loss_state=" + path(run_folder));
    return settings(list);
  };
  CHECK_THAT(refused(from("softmax")), Contains("holds no state of a classification loss"));
  CHECK_THAT(refused(from("bags")), Contains("holds the state of another loss") && Contains("loss.group"));
  CHECK_THAT(refused(from("nowhere")), Contains("nowhere"));
  CHECK_THAT(refused(settings(recorded)), Contains("hold no counts"));
  CHECK_THAT(refused(settings(recorded, {"--weights", checkpoint("softmax", 2)})), Contains("hold no counts"));
}

TEST_CASE_METHOD(FaultyWorkshop, "a group without classes, a class without instances") {
  CHECK_THAT(refused(settings({kLoss + "type=bags", kLoss + "bags.boundaries=[1e6]"})),
             Contains("no class is in group 1"));
  CHECK_THAT(refused(settings({kLoss + "type=bags", kLoss + "bags.boundaries=[10, 10]"})),
             Contains("boundaries must rise"));
  const std::string without = changed("without", std::regex("\"category_id\": ?3([,}])"), "\"category_id\":1$1");
  for (const std::vector<std::string>& loss :
       std::vector<std::vector<std::string>>{{kLoss + "type=reweighted"},
                                             {kLoss + "type=margin"},
                                             {kLoss + "type=focal", kLoss + "focal.class_weights=balanced"}}) {
    std::vector<std::string> list = loss;
    list.push_back("data.root=" + without);
    CHECK_THAT(refused(settings(list)), Contains("cannot train: class 2 has no instances in the training set"));
  }
}

TEST_CASE_METHOD(FaultyWorkshop, "settings of samplers and losses out of range are refused by name") {
  for (const std::string value : {"1.5", "-1e-3", "nan"}) {
    CHECK_THAT(refused(settings({"train.sampler.type=repeat_factor", "train.sampler.threshold=" + value})),
               Contains("train.sampler.threshold"));
  }
  REQUIRE(run({"tailseg-inspect", path("data/annotations/train.json"), "--sampler", "repeat_factor", "--threshold",
               "2"}) != 0);
  CHECK_THAT(said, Contains("threshold"));
  CHECK_THAT(refused(settings({kLoss + "type=eql", kLoss + "eql.lambda=2"})), Contains(kLoss + "eql.lambda"));
  CHECK_THAT(refused(settings({kLoss + "type=seesaw", kLoss + "seesaw.epsilon=-1"})), Contains("seesaw.epsilon"));
  CHECK_THAT(refused(settings({"train.sampler.type=bilevel", "train.sampler.photos_per_class=3"})),
             Contains("3 photos each"));
}

TEST_CASE_METHOD(FaultyWorkshop, "no sampler works on a set without labels") {
  const fs::path file = root / "data/annotations/train.json";
  const std::string good = contents(file);
  const size_t begin = good.find("\"annotations\":[") + 15, end = good.find("],\"categories\"");
  REQUIRE((begin < end && end < good.size()));
  std::ofstream(file) << good.substr(0, begin) + good.substr(end);
  for (const PhotoSamplerRow& sampler : photo_samplers()) {
    for (const char* empty : {"drop", "keep", "as_class"}) {
      INFO(sampler.name << ", empty photos: " << empty);
      CHECK_THAT(refused(settings(
                     {std::string("train.sampler.type=") + sampler.name, std::string("data.empty_photos=") + empty})),
                 Contains("no image has an annotation to train on"));
    }
    REQUIRE(run({"tailseg-inspect", file.string(), "--sampler", sampler.name}) == 1);
    one_error_line();
    CHECK_THAT(said, Contains("sampler ") && Contains(sampler.name));
  }
}

TEST_CASE_METHOD(FaultyWorkshop,
                 "recording of class gradients may be switched on or off at a resume: the model stays the same") {
  const std::vector<std::string> on{"train.gradients_every=1"};
  const auto model_of = [&](const std::string& name) {
    const TensorFile file = read_safetensors(checkpoint(name, 6));
    std::map<std::string, std::vector<std::byte>> bytes;
    for (const auto& [tensor, value] : file.tensors) {
      if (!tensor.ends_with(".class_gradients")) bytes[tensor] = value.bytes;
    }
    return bytes;
  };
  const auto records = [&](const std::string& name) {
    return read_safetensors(path(name + "/class_gradients.safetensors"));
  };
  REQUIRE(run(train("never")) == 0);
  REQUIRE(run(train("always", settings(on))) == 0);
  REQUIRE(run(train("later", {"--max-iters", "4"})) == 0);
  REQUIRE(run(train("later", settings(on, {"--resume"}))) == 0);
  CHECK_THAT(said, Contains("the sums of class gradients begin at step 4"));
  REQUIRE(run(train("first", settings(on, {"--max-iters", "2"}))) == 0);
  REQUIRE(run(train("first", {"--resume", "--max-iters", "4"})) == 0);
  const std::string kept = contents(root / "first/class_gradients.safetensors");
  REQUIRE(records("first").tensors.at("iterations").shape == std::vector<int64_t>{2});  // as they were
  REQUIRE(run(train("first", settings(on, {"--resume"}))) == 0);                        // and on again
  for (const std::string name : {"always", "later", "first"}) {
    INFO(name);
    const bool same = model_of(name) == model_of("never");
    REQUIRE(same);
  }
  // Sums that begin anew are a new curve: what the steps 4 and 5 added, and nothing of before.
  REQUIRE(kept != contents(root / "first/class_gradients.safetensors"));
  const TensorFile all = records("always"), part = records("later");
  REQUIRE(part.tensors.at("iterations").shape == std::vector<int64_t>{2});
  REQUIRE(
      (contents(root / "first/class_gradients.safetensors") == contents(root / "later/class_gradients.safetensors")));
  for (const char* sign : {"positive", "negative"}) {
    const std::vector<float> whole = host_to_float32(all.tensors.at(sign), "all");
    const std::vector<float> tail = host_to_float32(part.tensors.at(sign), "part");
    const size_t classes = whole.size() / 6;
    for (size_t c = 0; c < classes; ++c) {
      INFO(sign << " of class " << c);
      REQUIRE(tail[classes + c] == Approx(whole[5 * classes + c] - whole[3 * classes + c]).epsilon(1e-4).margin(1e-6));
    }
  }
  // Evaluation does not ask whether a run recorded.
  REQUIRE(run({"tailseg-evaluate", "--checkpoint", checkpoint("always", 6), "--set", "train.gradients_every=0"}) == 0);
  REQUIRE(run({"tailseg-evaluate", "--checkpoint", checkpoint("never", 6), "--set", "train.gradients_every=5"}) == 0);
}
