// tailseg-report at its borders: names that want to be markup, runs with parts missing, files that are broken, runs of
// LVIS's size.
#include "apps/report/html.h"
#include "tests/apps/report_page.h"

using namespace tailseg;
using namespace tailseg::test;

TEST_CASE("names cannot become markup, in text, attributes or script") {
  const Folder folder;
  const std::string evil = R"(</script><img src=x onerror=\"alert(1)\">&'ünï日本)";
  folder.write("a<b>&\"/evaluation/metrics.json", R"({"segm":{"AP":0.5,"per_category":{"1":{"name":")" + evil +
                                                      R"(","AP":0.5}}},)" + R"("categories":{"1":{"name":")" + evil +
                                                      R"(","train_instances":5}}})");
  folder.write("c/metrics.jsonl", "{\"iteration\":1,\"loss_<b>\\\"&\":1}\n");
  const std::string html = report_of({folder / "a<b>&\"", folder / "c"});
  REQUIRE(!has(html, "<img"));
  REQUIRE(!has(html, "a<b>"));
  REQUIRE(!has(html, "loss_<b>"));
  REQUIRE(count_of(html, "</script>") == 2);  // the page's own
  REQUIRE(has(html, "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;ünï日本</td>"));
  REQUIRE(
      has(html, "\\u003c/script\\u003e\\u003cimg src=x onerror=\\u0022alert(1)\\u0022\\u003e\\u0026\\u0027ünï日本"));
  REQUIRE(has(html, "a&lt;b&gt;&amp;&quot;"));
  REQUIRE(has(html, "aria-label=\"loss_&lt;b&gt;&quot;&amp;\""));
  REQUIRE(html_text("a\x01z\n") == "a\xEF\xBF\xBDz ");
  REQUIRE(script_string("\\\"\n") == "\"\\u005c\\u0022\\u000a\"");
}

TEST_CASE("the page asks nobody for anything") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  folder.write("a/metrics.jsonl", series(3));
  folder.write("a/config.toml", "[solver]\nbase_lr = 0.02\n");
  const std::string html = report_of({folder / "a"});
  for (const char* request : {"http:", "https:", "src=", "url(", "@import", "<link", "fetch(", "XMLHttp"}) {
    INFO(request);
    REQUIRE(!has(html, request));
  }
  REQUIRE(std::count(html.begin(), html.end(), '\0') == 0);
}

TEST_CASE("runs are named by what tells them apart") {
  const auto labels = [](const std::vector<std::string>& folders) {
    std::vector<ReportRun> runs(folders.size());
    for (size_t i = 0; i < folders.size(); ++i) runs[i].folder = folders[i];
    name_runs(runs);
    std::vector<std::string> out;
    for (const ReportRun& run : runs) out.push_back(run.label);
    return out;
  };
  using Labels = std::vector<std::string>;
  REQUIRE(labels({"/r/ce/train", "/r/seesaw/train"}) == Labels{"ce", "seesaw"});
  REQUIRE(labels({"/r/ce/1", "/r/ce/2", "/r/gol/1"}) == Labels{"ce/1", "ce/2", "gol/1"});
  REQUIRE(labels({"/r/ce", "/r/ce/train"}) == Labels{"ce", "ce/train"});
  REQUIRE(labels({"/r/ce"}) == Labels{"ce"});
  REQUIRE(labels({"/r/ce", "/r/ce"}) == Labels{"ce", "ce (2)"});
}

TEST_CASE("classes join by id and name, also between data sets that differ") {
  const Folder folder;
  folder.write("a/metrics.json", R"({"bbox":{"AP":0.5,"per_category":{"1":{"name":"cat","AP":0.5}}}})");
  folder.write("b/metrics.json", R"({"bbox":{"AP":0.5,"per_category":{"1":{"name":"dog","AP":0.25}}}})");
  const std::string html = report_of({folder / "a", folder / "b"});
  REQUIRE(table(html, "class-table").size() == 3);
  REQUIRE(has(html, "The runs have no class in common"));
  REQUIRE(has(html, "Training instances of the classes not found"));
  REQUIRE(has(html, "Boxes, in percent"));
}

TEST_CASE("what is broken is one error that names the file") {
  const Folder folder;
  const auto check = [&](const std::string& file, const std::string& text, const std::string& expected) {
    folder.write("x/" + file, text);
    const std::string message = refusal(folder / "x");
    INFO(text.substr(0, 80) << " -> " << message);
    REQUIRE(has(message, (fs::path(folder / "x") / file).string()));
    REQUIRE(has(message, expected));
    fs::remove_all(folder / "x");
  };
  check("evaluation/metrics.json", "", "malformed JSON at byte 0");
  check("evaluation/metrics.json", "{\"segm\":{\"AP\":0.1", "malformed JSON at byte 17");
  check("evaluation/metrics.json", "[]", "expected a JSON object");
  check("evaluation/metrics.json", "{\"segm\":3}", "segm: expected an object");
  check("evaluation/metrics.json", "{\"segm\":{\"AP\":\"high\"}}", "segm.AP: expected a number");
  check("evaluation/metrics.json", "{\"segm\":{\"per_category\":{\"1\":{\"AP\":1}}}}", "has no name");
  check("evaluation/metrics.json", "{\"segm\":{\"per_category\":{\"one\":{\"name\":\"a\"}}}}", "'one' is not the id");
  check("evaluation/metrics.json", "{\"categories\":{\"1\":{\"name\":\"a\",\"frequency\":\"x\"}}}",
        "frequency: expected");
  check("evaluation/metrics.json", "{\"categories\":{\"1\":{\"name\":\"a\",\"train_instances\":-2}}}", "-2 instances");
  check("evaluation/metrics.json", "{\"segm\":{\"AP\":\"\xff\"}}", "malformed JSON");
  check("evaluation/metrics.json", std::string(2000000, '['), "malformed JSON");
  check("evaluation/metrics.json",
        "{\"categories\":{\"1\":{\"name\":\"a\"}},\"segm\":{\"per_category\":{\"1\":{\"name\":\"b\"}}}}", "two names");
  check("metrics.jsonl", series(2) + "{\"iteration\":\n", ":3: malformed JSON");
  check("metrics.jsonl", "{\"iteration\":1,\"lr\":\"x\"}\n", ":1: lr: expected a number");
  check("config.toml", "[solver\n", "config.toml");
  check("class_gradients.safetensors", "{}", "class_gradients.safetensors");
  REQUIRE(has(refusal(folder / "nowhere"), "no such folder"));
  fs::create_directories(folder.path / "empty");
  REQUIRE(has(refusal(folder / "empty"), "is not the folder of a run"));
  REQUIRE_THROWS_AS(report_html({}), Error);
}

TEST_CASE("runs that have begun, empty evaluations and odd numbers still make a page") {
  const Folder folder;
  folder.write("a/metrics.jsonl", "");
  folder.write("b/evaluation/metrics.json", "{}");
  folder.write(
      "c/evaluation/metrics.json",
      R"({"segm":{"AP":-1,"per_category":{"1":{"name":"","AP":1e300}}},"categories":{"1":{"name":"","train_instances":0}}})");
  folder.write("c/metrics.jsonl", "{\"iteration\":0,\"lr\":1e308}\n{\"iteration\":0,\"lr\":-1e308}\n{\"lr\":1}\n");
  const std::string html = report_of({folder / "a", folder / "b", folder / "c"});
  REQUIRE(!has(html, "nan"));
  REQUIRE(!has(html, "inf\""));
  REQUIRE(has(html, "metrics.jsonl has no step yet"));
}

TEST_CASE("a page of LVIS's size stays below 5 MB") {
  ReportRun run;
  run.has_metrics = true;
  run.figures["segm"]["AP"] = 0.25;
  for (int i = 0; i < 1203; ++i) {
    ReportClass entry;
    entry.id = i + 1;
    entry.name = "a_class_with_a_long_name_(number)_" + std::to_string(i);
    entry.frequency = "rcf"[i % 3];
    entry.train_instances = 1 + i * i;
    entry.ap = {{"segm", 0.123456789}, {"bbox", 0.2}};
    entry.accuracy = 0.5;
    entry.weight_norm = 1.25;
    entry.gradient_ratio = 0.01;
    run.classes.push_back(entry);
  }
  run.has_series = true;
  for (const char* name :
       {"total_loss", "loss_cls", "loss_box_reg", "loss_mask", "loss_rpn_cls", "loss_rpn_loc", "lr"}) {
    for (int i = 0; i < 9000; ++i) run.series[name].emplace_back(20 * i, std::cos(i));
  }
  const auto page = [&](size_t count) {
    std::vector<ReportRun> runs(count, run);
    for (size_t i = 0; i < count; ++i) runs[i].folder = "/r/" + std::to_string(i);
    return report_html(std::move(runs));
  };
  REQUIRE(page(2).size() < 5'000'000);
  const std::string many = page(24);
  REQUIRE(many.size() < 5'000'000);
  REQUIRE(has(many, "Only the first 6 of 24 runs are drawn class by class"));
}

TEST_CASE("the file is written whole, and a place where it cannot be is an error") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  write_report({folder / "a"}, folder / "report.html");
  REQUIRE(fs::file_size(folder.path / "report.html") > 1000);
  REQUIRE_THROWS_AS(write_report({folder / "a"}, folder / "none/report.html"), Error);
}
