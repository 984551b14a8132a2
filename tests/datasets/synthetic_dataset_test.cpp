#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "datasets/annotations.h"
#include "datasets/loader.h"
#include "datasets/synthetic/make_dataset.h"
#include "tensor/error.h"

using namespace tailseg;
using namespace tailseg::synthetic;
using Catch::Matchers::Contains;

namespace {

struct Folder {
  std::filesystem::path path;
  explicit Folder(const std::string& name)
      : path(std::filesystem::temp_directory_path() / ("tailseg-synthetic-" + name + std::to_string(getpid()))) {
    std::filesystem::remove_all(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

DatasetConfig small_config(const Folder& folder) {
  DatasetConfig config;
  config.output = folder.path.string();
  config.train_images = 40;
  config.val_images = 12;
  config.seed = 3;
  config.classes = 12;
  config.scene.width = 64;
  config.scene.height = 48;
  return config;
}

std::map<std::string, std::string> all_files(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[std::filesystem::relative(entry.path(), folder).string()] = bytes.str();
  }
  return files;
}

}  // namespace

TEST_CASE("a set depends on the seed and the settings, not on the threads") {
  std::map<std::string, std::string> expected;
  for (const int threads : {1, 2, 4}) {
    const Folder folder("threads");
    DatasetConfig config = small_config(folder);
    config.threads = threads;
    make_dataset(config);
    if (threads == 1) expected = all_files(folder.path);
    CHECK(all_files(folder.path) == expected);
  }
  CHECK(expected.size() == 40 + 12 + 2);
  const Folder other("threads");
  DatasetConfig config = small_config(other);
  config.seed = 4;
  make_dataset(config);
  CHECK(all_files(other.path) != expected);
}

TEST_CASE("a set is a flawless LVIS v1 set whose photos load") {
  const Folder folder("lvis");
  DatasetConfig config = small_config(folder);
  config.png = true;
  const DatasetSummary summary = make_dataset(config);
  const AnnotationSet train = read_annotations(folder.file("annotations/train.json"));
  const AnnotationSet val = read_annotations(folder.file("annotations/val.json"));
  CHECK((train.lvis && val.lvis));
  CHECK(train.problems.empty());
  CHECK(val.problems.empty());
  CHECK((train.images.size() == 40 && val.images.size() == 12));
  CHECK(train.class_count() == 12);

  std::vector<int64_t> instances(12, 0), pictures(12, 0);
  for (int32_t i = 0; i < train.images.size(); ++i) {
    std::set<int32_t> present;
    for (const int32_t a : train.by_image[i]) {
      ++instances[train.annotations.label[a]];
      present.insert(train.annotations.label[a]);
    }
    for (const int32_t label : present) ++pictures[label];
    CHECK(train.images.negative[i].size() + present.size() == 12);  // few classes: all absent ones are listed
    for (const int32_t label : train.images.negative[i]) CHECK_FALSE(present.count(label));
    CHECK(train.images.not_exhaustive[i].empty());
  }
  for (int32_t c = 0; c < 12; ++c) {
    for (const AnnotationSet* set : {&train, &val}) {  // LVIS: both files carry the train counts
      CHECK(set->categories[c].id == c + 1);
      CHECK(set->categories[c].instance_count == instances[c]);
      CHECK(set->categories[c].image_count == pictures[c]);
      CHECK(set->categories[c].frequency == summary.classes[c].frequency);
      CHECK(set->categories[c].name == summary.classes[c].name);
    }
    if (c > 0) CHECK(train.categories[c - 1].name < train.categories[c].name);
  }
  std::set<int64_t> ids(train.images.id.begin(), train.images.id.end());
  for (const int64_t id : val.images.id) CHECK(ids.insert(id).second);

  for (const AnnotationSet* set : {&train, &val}) {
    LoaderConfig loading;
    loading.root = folder.file("images");
    loading.batch_size = 4;
    loading.epochs = 1;
    InputConfig input;
    input.short_edges = {48};
    std::vector<int32_t> all(static_cast<size_t>(set->images.size()));
    std::iota(all.begin(), all.end(), 0);
    Loader loader(*set, input, loading, sequential_order(all));
    Batch batch;
    int64_t count = 0;
    while (loader.next(batch)) count += batch.count();
    CHECK(count == set->images.size());
  }
}

TEST_CASE("the default law spans 50 to 1 in images, has three groups, and val shows every class equally often") {
  const Folder folder("range");
  DatasetConfig config = small_config(folder);
  config.train_images = 700;
  config.val_images = 80;
  config.classes = 24;
  const DatasetSummary summary = make_dataset(config);
  int64_t most = 0, least = 1 << 30, least_val = 1 << 30, most_val = 0;
  std::map<char, int> groups;
  for (const auto& c : summary.classes) {
    most = std::max(most, c.train_images);
    least = std::min(least, c.train_images);
    most_val = std::max(most_val, c.val_instances);
    least_val = std::min(least_val, c.val_instances);
    ++groups[c.frequency];
  }
  CHECK(least >= 1);
  CHECK(most >= 50 * least);
  CHECK(most_val - least_val <= 2);
  CHECK((groups['r'] >= 5 && groups['c'] >= 5 && groups['f'] >= 5));
}

TEST_CASE("thresholds, negatives and a natural val split can be set") {
  const Folder folder("settings");
  DatasetConfig config = small_config(folder);
  config.train_images = 300;
  config.val_images = 60;
  config.rare_images = 10;
  config.common_images = 100;
  config.negatives = 3;
  config.balanced_val = false;
  const DatasetSummary summary = make_dataset(config);
  for (const auto& c : summary.classes) {
    CHECK(c.frequency == (c.train_images <= 10 ? 'r' : c.train_images <= 100 ? 'c' : 'f'));
  }
  const auto commonest =
      std::max_element(summary.classes.begin(), summary.classes.end(),
                       [](const auto& a, const auto& b) { return a.train_instances < b.train_instances; });
  CHECK(commonest->val_instances > 2 * 180 / 12);
  const AnnotationSet train = read_annotations(folder.file("annotations/train.json"));
  for (int32_t i = 0; i < train.images.size(); ++i) CHECK(train.images.negative[i].size() <= 3);
}

TEST_CASE("a category file gives names, letters and scaled counts") {
  const Folder folder("categories");
  std::filesystem::create_directories(folder.path);
  std::ofstream(folder.file("c.json")) << R"([
    {"id": 1, "name": "zebra", "frequency": "f", "instance_count": 600, "image_count": 5, "synset": "zebra.n.01", "def": "striped", "synonyms": ["zebra"]},
    {"id": 2, "name": "apple", "frequency": "c", "instance_count": 290},
    {"id": 3, "name": "mango", "frequency": "r", "instance_count": 10}])";
  DatasetConfig config = small_config(folder);
  config.categories = folder.file("c.json");
  config.output = folder.file("set");
  config.train_images = 300;
  const DatasetSummary summary = make_dataset(config);
  REQUIRE(summary.classes.size() == 3);
  CHECK(
      (summary.classes[0].name == "apple" && summary.classes[1].name == "mango" && summary.classes[2].name == "zebra"));
  CHECK((summary.classes[0].frequency == 'c' && summary.classes[1].frequency == 'r' &&
         summary.classes[2].frequency == 'f'));
  const auto total = static_cast<double>(summary.classes[0].train_instances + summary.classes[1].train_instances +
                                         summary.classes[2].train_instances);
  CHECK(static_cast<double>(summary.classes[2].train_instances) / total == Approx(600.0 / 900).margin(0.02));
  CHECK(static_cast<double>(summary.classes[1].train_instances) / total == Approx(10.0 / 900).margin(0.005));

  const auto refused = [&](const char* content, const char* message) {
    std::ofstream(folder.file("bad.json")) << content;
    CHECK_THROWS_WITH(read_categories(folder.file("bad.json")), Contains("bad.json") && Contains(message));
  };
  refused("[", "byte");
  refused("{}", "expected a list");
  refused("[]", "expected a list");
  refused("[{\"name\": \"a\"}, 5]", "entry 1");
  refused("[{\"name\": 7}]", "\"name\"");
  refused("[{\"name\": \"a\", \"image_count\": \"many\"}]", "\"image_count\"");
  CHECK_THROWS_WITH(read_categories("/nowhere.json"), Contains("/nowhere.json"));
  CHECK_THROWS_WITH(parse_categories(std::string(3000000, '['), "deep.json"),
                    Contains("deep.json: byte"));  // no overflow
}

TEST_CASE("senseless settings and folders are refused before anything is written") {
  const Folder folder("refused");
  const auto refused = [&](auto change, const char* message) {
    DatasetConfig config = small_config(folder);
    change(config);
    CHECK_THROWS_WITH(make_dataset(config), Contains(message));
    CHECK_FALSE(std::filesystem::exists(folder.path));
  };
  refused([](DatasetConfig& c) { c.output.clear(); }, "output");
  refused([](DatasetConfig& c) { c.train_images = 0; }, "at least 1");
  refused([](DatasetConfig& c) { c.scene.width = 8; }, "8 x 48");
  refused([](DatasetConfig& c) { c.kind = Kind::kGlyphs; }, "font");
  refused([](DatasetConfig& c) { c.train_images = 3; }, "12 classes");
  refused([](DatasetConfig& c) { c.range = 0.5; }, "range");
  refused([](DatasetConfig& c) { c.rare_images = 10, c.common_images = 10; }, "rare < common");
  refused([](DatasetConfig& c) { c.most_objects = 0; }, "objects");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refused([&](DatasetConfig& c) { c.power = nan; }, "power");
  refused([&](DatasetConfig& c) { c.scene.smallest = nan; }, "smallest");
  refused([&](DatasetConfig& c) { c.scene.largest = nan; }, "largest");
  refused([&](DatasetConfig& c) { c.scene.most_turn = nan; }, "degrees");
  refused([&](DatasetConfig& c) { c.scene.least_visible = nan; }, "visible");

  DatasetConfig config = small_config(folder);
  config.train_images = 20;
  make_dataset(config);
  CHECK_THROWS_WITH(make_dataset(config), Contains("holds a data set already"));
  config.overwrite = true;
  config.val_images = 0;
  CHECK_NOTHROW(make_dataset(config));
  CHECK_FALSE(std::filesystem::exists(folder.file("annotations/val.json")));  // the old set's
  config.scene.width = config.scene.height = 16;
  config.scene.least_pixels = 1000;
  CHECK_THROWS_WITH(make_dataset(config), Contains("found a place"));
  CHECK_FALSE(std::filesystem::exists(folder.file("annotations/train.json")));
  config = small_config(folder);
  make_dataset(config);
  config.output = folder.file("annotations/train.json");  // a file where a folder should be
  CHECK_THROWS_WITH(make_dataset(config), Contains("creating folder"));
}

TEST_CASE("a set that replaces a larger one leaves none of its pictures and all of the user's files") {
  const Folder folder("replaced"), alone("alone");
  DatasetConfig config = small_config(folder);
  make_dataset(config);
  config.png = config.overwrite = true;
  config.train_images = 20;
  config.val_images = 0;
  const std::vector<std::string> own = {"notes.txt", "images/train/000000000099.jpg", "images/train/mine.jpg",
                                        "annotations/other.json"};
  for (const std::string& name : own) std::ofstream(folder.file(name)) << "mine";
  make_dataset(config);
  auto replaced = all_files(folder.path);
  for (const std::string& name : own) {
    CAPTURE(name);
    CHECK(replaced[name] == "mine");
    replaced.erase(name);
  }
  config.output = alone.path.string();
  make_dataset(config);
  CHECK(replaced == all_files(alone.path));
}

TEST_CASE("another program's annotations are never replaced, nor files elsewhere that a file of ours names") {
  const Folder folder("others");
  DatasetConfig config = small_config(folder);
  make_dataset(config);
  config.overwrite = true;
  const std::string path = folder.file("annotations/val.json"), name = "synthetic.invalid/val/";
  const std::string val = all_files(folder.path)["annotations/val.json"];
  const std::string outside = folder.file(val.substr(val.find(name) + name.size(), 16));  // 12 digits and .jpg
  std::ofstream(outside) << "mine";
  std::ofstream(path) << std::string(val).replace(val.find(name), name.size(), "synthetic.invalid/val/../../");
  make_dataset(config);
  CHECK(std::filesystem::exists(outside));
  for (const char* text : {R"({"info": {"description": "LVIS v1"}, "images": []})", R"({"images": []})", "{"}) {
    std::ofstream(path) << text;
    const auto before = all_files(folder.path);
    CHECK_THROWS_WITH(make_dataset(config), Contains("val.json"));
    CHECK(all_files(folder.path) == before);
  }
}
