#include "apps/evaluate_results.h"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "apps/command_line.h"
#include "datasets/json/json_value.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kGolden = std::string(TAILSEG_GOLDEN_DIR) + "/evaluation/";

struct Folder {
  fs::path path = fs::temp_directory_path() / ("tailseg_evaluate_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name, const std::string& contents) const {
    std::ofstream(path / name) << contents;
    return (path / name).string();
  }
};

EvaluateResultsOptions sample(const std::string& type) {
  EvaluateResultsOptions options;
  options.annotations = kGolden + "lvis_v05_val100/annotations.json";
  options.results = kGolden + "lvis_v05_val100/" + type + ".json";
  return options;
}

std::string run(const EvaluateResultsOptions& options, std::string* log = nullptr) {
  std::ostringstream out, remarks;
  evaluate_results(options, out, remarks);
  if (log) *log = remarks.str();
  return out.str();
}

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// {"segm": {"AP": ..., "per_category": {"45": {...}}}} as far as the test looks
struct Metrics {
  JsonString protocol, name;
  JsonNumber ap, ap_rare, ap50_frequent, category_ap, category_ap50;
  JsonInteger instances;
  JsonObject category, categories, type, root;
  Metrics(const std::string& json, const char* type_key, const char* category_id) {
    category.add("name", name, true);
    category.add("AP", category_ap, true);
    category.add("AP50", category_ap50, true);
    category.add("instances", instances, true);
    categories.add(category_id, category, true);
    type.add("AP", ap, true);
    type.add("APr", ap_rare, true);
    type.add("AP50f", ap50_frequent, true);
    type.add("per_category", categories, true);
    root.add("protocol", protocol, true);
    root.add(type_key, type, true);
    walk_json(json, "metrics.json", root);
  }
};

}  // namespace

TEST_CASE("metrics.json: figures under their names, categories by id") {
  const Folder folder;
  EvaluateResultsOptions options = sample("segm");
  options.output = (folder.path / "new" / "folder").string();
  run(options);
  const Metrics metrics(contents(folder.path / "new" / "folder" / "metrics.json"), "segm", "45");
  REQUIRE(metrics.protocol.value == "lvis");                 // told from the annotation file
  REQUIRE(metrics.ap.value == Approx(0.4601).margin(5e-5));  // data/README.md
  REQUIRE(metrics.ap_rare.value == Approx(0.35).margin(5e-5));
  REQUIRE(metrics.name.value == "banana");
  REQUIRE(metrics.instances.value == 87);
  REQUIRE(metrics.category_ap.value <= metrics.category_ap50.value);
  std::set<std::string> written;  // and nothing unfinished
  for (const auto& entry : fs::directory_iterator(folder.path / "new" / "folder")) {
    written.insert(entry.path().filename().string());
  }
  REQUIRE(written == std::set<std::string>{"metrics.json", "table.txt"});
  options.json = true;
  REQUIRE(run(options) == contents(folder.path / "new" / "folder" / "metrics.json"));
}

TEST_CASE("the table has the published evaluators' lines and detectron2's copypaste lines") {
  const std::string table = run(sample("bbox"));
  REQUIRE_THAT(table,
               Contains(" Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=300 catIds=all] = 0.503\n"));
  REQUIRE_THAT(table,
               Contains(" Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=300 catIds=all] = 0.613\n"));
  REQUIRE_THAT(table,
               Contains(" Average Precision  (AP) @[ IoU=0.50:0.95 | area=     s | maxDets=300 catIds=all] = 0.512\n"));
  REQUIRE_THAT(table,
               Contains(" Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=300 catIds=  r] = 0.500\n"));
  REQUIRE_THAT(table, Contains("\ncopypaste: Task: bbox\ncopypaste: AP,AP50,AP75,APs,APm,APl,APr,APc,APf,AR@300"));
  REQUIRE_THAT(table, Contains("\ncopypaste: 50.3389,75.7692,61.3488,"));
  EvaluateResultsOptions coco;
  coco.annotations = kGolden + "coco_val2014_100/annotations.json";
  coco.results = kGolden + "coco_val2014_100/segm.json";
  const std::string lines = run(coco);
  REQUIRE_THAT(lines, Contains(" Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.415\n"));
  REQUIRE_THAT(lines, Contains(" Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.310\n"));
  REQUIRE_THAT(lines, !Contains("Task: bbox"));
}

TEST_CASE("types: what the results have, or what was asked for; an empty list is everything at AP 0") {
  const Folder folder;
  EvaluateResultsOptions options = sample("segm");
  options.results = folder.file("empty.json", "[]");
  const std::string both = run(options);
  REQUIRE_THAT(both, Contains("Task: bbox"));
  REQUIRE_THAT(both, Contains("Task: segm"));
  REQUIRE_THAT(both, Contains("= 0.000\n"));
  options.type = "segm";
  REQUIRE_THAT(run(options), !Contains("Task: bbox"));
  options = sample("bbox");
  options.type = "proposals";
  REQUIRE_THAT(run(options), Contains("copypaste: AR@100,ARs@100,ARm@100,ARl@100,AR@300"));
  options.type = "segm";
  REQUIRE_THROWS_WITH(run(options), Contains("no result has a segmentation"));
}

TEST_CASE("train instances may be counted in another file") {
  EvaluateResultsOptions options = sample("bbox");
  options.train_annotations = options.annotations;
  const std::string counted = run(options);
  options.train_annotations.clear();
  REQUIRE(run(options) == counted);  // this sample's instance_count counts the sample itself
  options.bins = {100, 10, 1000};
  REQUIRE_THROWS_AS(run(options), UsageError);
}

TEST_CASE("results of unknown categories are told, files that cannot be written are refused") {
  const Folder folder;
  EvaluateResultsOptions options = sample("bbox");
  const AnnotationSet set = read_annotations(options.annotations);
  options.results = folder.file("r.json", R"([{"image_id": )" + std::to_string(set.images.id[0]) +
                                              R"(, "category_id": 77777, "bbox": [1, 1, 2, 2], "score": 1}])");
  std::string log;
  run(options, &log);
  REQUIRE_THAT(log, Contains("warning: 1 of 1 results name a category"));
  options.output = folder.file("plain_file", "") + "/below";
  REQUIRE_THROWS_AS(run(options), Error);
}
