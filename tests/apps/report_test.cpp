// tailseg-report: tiny runs written by hand, the page's numbers read back out of the HTML and compared with what was
// written; names that want to be markup; runs with parts missing; files that are broken.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>

#include "apps/report/html.h"
#include "apps/report/plot.h"
#include "apps/report/report.h"
#include "apps/report/report_data.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

using namespace tailseg;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tailseg_report_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  // Writes a file below the folder and returns the folder of the run it belongs to.
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
  }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

std::string metrics(double first_ap, double second_ap, const std::string& more = "") {
  const std::string a = std::to_string(first_ap), b = std::to_string(second_ap);
  return R"({"protocol":"lvis","segm":{"AP":)" + std::to_string((first_ap + second_ap) / 2) + R"(,"APr":)" + a +
         R"(,"APc":-1.0,"APf":)" + b + R"(,"AP50":0.5,"per_category":{"7":{"name":"yak","AP":)" + a +
         R"(,"AP50":0.25,"instances":3},"3":{"name":"cat","AP":)" + b + R"(,"AP50":0.75,"instances":9}}},)" +
         R"("bbox":{"AP":0.333,"per_category":{"3":{"name":"cat","AP":0.4}}},)" +
         R"("categories":{"3":{"name":"cat","frequency":"f","train_instances":1000)" + more +
         R"(},"7":{"name":"yak","frequency":"r","train_instances":10},"9":{"name":"elk","frequency":"c","train_instances":0}}})";
}

std::string series(int steps) {
  std::string out;
  for (int i = 0; i < steps; ++i) {
    out += "{\"iteration\":" + std::to_string(i) + ",\"total_loss\":" + std::to_string(2.0 / (1 + i)) +
           ",\"loss_cls\":0.5,\"lr\":0.01,\"grad_norm\":null}\n";
  }
  return out;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// The cells of a table as text without tags, row by row, the heading first.
std::vector<std::vector<std::string>> table(const std::string& html, const std::string& id) {
  const size_t begin = html.find("id=\"" + id + "\"");
  if (begin == std::string::npos) return {};
  const std::string part = html.substr(begin, html.find("</table>", begin) - begin);
  std::vector<std::vector<std::string>> rows;
  const std::regex row("<tr>([\\s\\S]*?)</tr>"), cell("<t[hd][^>]*>([\\s\\S]*?)</t[hd]>"), tag("<[^>]*>");
  for (std::sregex_iterator r(part.begin(), part.end(), row), end; r != end; ++r) {
    const std::string text = (*r)[1];
    rows.emplace_back();
    for (std::sregex_iterator c(text.begin(), text.end(), cell); c != end; ++c) {
      rows.back().push_back(std::regex_replace((*c)[1].str(), tag, ""));
    }
  }
  return rows;
}

// The chart with this title, whole.
std::string chart(const std::string& html, const std::string& title) {
  const size_t begin = html.find("aria-label=\"" + title);
  return begin == std::string::npos ? "" : html.substr(begin, html.find("</svg>", begin) - begin);
}

// The scale of an axis back from pixels: "from to low high [log]" as the page's script reads it.
double from_pixels(const std::string& plot, const std::string& axis, double pixel) {
  std::smatch m;
  const std::regex scale("data-" + axis + "=\"([-\\d.e+]+) ([-\\d.e+]+) ([-\\d.e+]+) ([-\\d.e+]+)( log)?\"");
  REQUIRE(std::regex_search(plot, m, scale));
  const double share = (pixel - std::stod(m[1])) / (std::stod(m[2]) - std::stod(m[1]));
  const double low = std::stod(m[3]), high = std::stod(m[4]);
  return m[5].matched ? low * std::pow(high / low, share) : low + share * (high - low);
}

struct Point {
  double x, y, shown;
  int row;
  std::string group;
};

std::vector<Point> points(const std::string& plot) {
  std::vector<Point> out;
  const std::regex use(
      "<use href=\"#m\\d\" x=\"([\\d.]+)\" y=\"([\\d.]+)\" class=\"(\\w+)\" data-c=\"(\\d+)\" data-v=\"([-\\d.]+)\"/>");
  for (std::sregex_iterator m(plot.begin(), plot.end(), use), end; m != end; ++m) {
    out.push_back({from_pixels(plot, "x", std::stod((*m)[1])), from_pixels(plot, "y", std::stod((*m)[2])),
                   std::stod((*m)[5]), std::stoi((*m)[4]), (*m)[3]});
  }
  return out;
}

std::string report_of(const std::vector<std::string>& folders) {
  std::vector<ReportRun> runs;
  for (const std::string& folder : folders) runs.push_back(read_run(folder));
  return report_html(std::move(runs));
}

// The message of the Error that reading this run throws.
std::string refusal(const std::string& folder) {
  try {
    read_run(folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the first chart puts every class at its instances and its AP") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.125, 0.4375));
  const std::string html = report_of({folder / "a"});
  const std::vector<Point> found = points(chart(html, "Mask AP of every class"));
  REQUIRE(found.size() == 2);  // the elk was not evaluated
  REQUIRE(found[0].x == Approx(1000).epsilon(0.01));
  REQUIRE(found[0].y == Approx(43.75).margin(0.2));
  REQUIRE(found[0].shown == Approx(43.75).margin(0.051));
  REQUIRE(found[0].group == "ff");
  REQUIRE(found[1].x == Approx(10).epsilon(0.01));
  REQUIRE(found[1].y == Approx(12.5).margin(0.2));
  REQUIRE(found[1].group == "fr");
  REQUIRE(has(html, "[\"cat\",\"f\",1000],[\"yak\",\"r\",10],[\"elk\",\"c\",0]"));
  REQUIRE(html.find("id=\"ap\"") < html.find("id=\"summary\""));
  REQUIRE(html.find("id=\"summary\"") < html.find("id=\"training\""));
  REQUIRE(html.find("id=\"histogram\"") < html.find("id=\"classes\""));
}

TEST_CASE("the tables hold the figures; the best is bold; what no run has is no column") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  folder.write("b/evaluation/metrics.json", metrics(0.3, 0.4));
  const std::string html = report_of({folder / "a", folder / "b"});
  const auto summary = table(html, "summary-table");
  REQUIRE(summary.size() == 3);
  REQUIRE(summary[0] == std::vector<std::string>{"run", "AP", "AP50", "APr", "APf", "box AP"});
  REQUIRE(summary[1] == std::vector<std::string>{"a", "30.0", "50.0", "10.0", "50.0", "33.3"});
  REQUIRE(summary[2] == std::vector<std::string>{"b", "35.0", "50.0", "30.0", "40.0", "33.3"});
  REQUIRE(has(html, "<b>35.0</b>"));
  REQUIRE(has(html, "<b>30.0</b>"));  // b's APr
  REQUIRE(!has(html, "<b>10.0</b>"));
  REQUIRE(count_of(html, "<b>30.0</b>") == 1);  // a's AP of 30.0 is not the best
  const auto classes = table(html, "class-table");
  REQUIRE(classes[0] == std::vector<std::string>{"class", "id", "group", "training instances", "AP a", "AP b"});
  REQUIRE(classes[1] == std::vector<std::string>{"cat", "3", "f", "1000", "50.0", "40.0"});
  REQUIRE(classes[2] == std::vector<std::string>{"yak", "7", "r", "10", "10.0", "30.0"});
  REQUIRE(classes[3] == std::vector<std::string>{"elk", "9", "c", "0", "", ""});
}

TEST_CASE("a single run shows more of each class, and nothing bold") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5, R"(,"accuracy":0.8125,"weight_norm":1.5)"));
  const std::string html = report_of({folder / "a"});
  const auto classes = table(html, "class-table");
  REQUIRE(classes[0] == std::vector<std::string>{"class", "id", "group", "training instances", "AP", "AP50", "box AP",
                                                 "accuracy", "weight norm"});
  REQUIRE(classes[1] == std::vector<std::string>{"cat", "3", "f", "1000", "50.0", "75.0", "40.0", "81.2", "1.500"});
  REQUIRE(!has(html, "<b>"));
  REQUIRE(!has(html, "id=\"change\""));
}

TEST_CASE("the change of AP is sorted and its group means are right") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  folder.write("b/evaluation/metrics.json", metrics(0.35, 0.4));
  const std::string plot = chart(report_of({folder / "a", folder / "b"}), "b minus a");
  REQUIRE(has(plot, "mean: rare +25.0 (1), frequent -10.0 (1)"));
  std::vector<double> values;
  const std::regex bar("data-c=\"(\\d)\" data-v=\"([-\\d.]+)\"");
  for (std::sregex_iterator m(plot.begin(), plot.end(), bar), end; m != end; ++m) values.push_back(std::stod((*m)[2]));
  REQUIRE(values == std::vector<double>{25.0, -10.0});
}

TEST_CASE("curves give back their values; null leaves a gap; a torn last line is not there yet") {
  const Folder folder;
  folder.write("a/metrics.jsonl", series(5) + "{\"iteration\":5,\"total_l");
  const std::string html = report_of({folder / "a"}), plot = chart(html, "total_loss");
  std::smatch m;
  REQUIRE(std::regex_search(plot, m, std::regex("d=\"M([\\d.]+) ([\\d.]+)L[^\"]*L([\\d.]+) ([\\d.]+)\"")));
  REQUIRE(from_pixels(plot, "x", std::stod(m[1])) == Approx(0).margin(0.02));
  REQUIRE(from_pixels(plot, "y", std::stod(m[2])) == Approx(2).margin(0.01));
  REQUIRE(from_pixels(plot, "x", std::stod(m[3])) == Approx(4).margin(0.02));
  REQUIRE(from_pixels(plot, "y", std::stod(m[4])) == Approx(0.4).margin(0.01));
  REQUIRE(chart(html, "grad_norm").empty());
  REQUIRE(has(html, "evaluation/metrics.json not found; <code>tailseg-evaluate --checkpoint"));
  REQUIRE(has(html, "config.toml not found; <code>tailseg-train</code>"));
}

TEST_CASE("long curves keep their highs and lows in 2000 points") {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < 100000; ++i) points.emplace_back(i, std::sin(i * 0.01));
  points[77777].second = 9;
  points[33333].second = -9;
  const auto thin = thinned(points, 2000);
  REQUIRE(thin.size() <= 2000);
  REQUIRE(std::is_sorted(thin.begin(), thin.end(), [](const auto& a, const auto& b) { return a.first < b.first; }));
  REQUIRE(std::count(thin.begin(), thin.end(), std::pair<double, double>(77777, 9)) == 1);
  REQUIRE(std::count(thin.begin(), thin.end(), std::pair<double, double>(33333, -9)) == 1);
  REQUIRE(thinned({{1, 2}, {3, 4}}, 2000).size() == 2);
  using Points = std::vector<std::pair<double, double>>;
  REQUIRE(smoothed({{0, 1}, {1, 3}, {2, 5}, {3, 9}}, 2) == Points{{0.5, 2}, {2.5, 7}});
  REQUIRE(smoothed({{0, 1}}, 5) == Points{{0, 1}});
}

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

TEST_CASE("settings: all of one run, the differing ones of several") {
  const Folder folder;
  folder.write("a/config.toml", "[solver]\nbase_lr = 0.02\nsteps = [1, 2]\n");
  folder.write("b/config.toml", "[solver]\nbase_lr = 0.01\nsteps = [1, 2]\n[data]\nroot = \"x<y\"\n");
  const auto both = table(report_of({folder / "a", folder / "b"}), "settings-table");
  REQUIRE(both.size() == 3);
  REQUIRE(both[1] == std::vector<std::string>{"data.root", "", "&quot;x&lt;y&quot;"});
  REQUIRE(both[2] == std::vector<std::string>{"solver.base_lr", "0.02", "0.01"});
  REQUIRE(table(report_of({folder / "a"}), "settings-table").size() == 3);
  REQUIRE(has(report_of({folder / "a", folder / "a"}), "The runs have the same settings."));
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

TEST_CASE("gradients become a ratio per class and a curve per group") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  const auto floats = [](const std::vector<float>& values) { return host_from_float32({2, 3}, values); };
  HostTensors tensors{{"positive", floats({1, 2, 0, 8, 4, 0})}, {"negative", floats({2, 200, 5, 4, 400, 6})}};
  const std::vector<int64_t> steps{500, 1000};
  HostTensor iterations{"I64", {2}, std::vector<std::byte>(16)};
  std::memcpy(iterations.bytes.data(), steps.data(), 16);
  tensors["iterations"] = iterations;
  write_safetensors(folder / "a/class_gradients.safetensors", tensors, {});
  const ReportRun run = read_run(folder / "a");
  REQUIRE(run.gradients->iterations == steps);
  REQUIRE(run.classes[0].gradient_ratio.value() == 2.0);   // the cat: 8 / 4
  REQUIRE(run.classes[1].gradient_ratio.value() == 0.01);  // the yak: 4 / 400
  const std::string html = report_html({run});
  const std::string plot = chart(html, "geometric means over rare");
  std::smatch m;
  REQUIRE(
      std::regex_search(plot, m, std::regex("data-n=\"a, frequent\" d=\"M([\\d.]+) ([\\d.]+)L([\\d.]+) ([\\d.]+)\"")));
  REQUIRE(from_pixels(plot, "y", std::stod(m[2])) == Approx(0.5).epsilon(0.01));
  REQUIRE(from_pixels(plot, "y", std::stod(m[4])) == Approx(2).epsilon(0.01));
  REQUIRE(from_pixels(plot, "x", std::stod(m[4 - 1])) == Approx(1000).margin(5));
  const std::vector<Point> found = points(chart(html, "positive / negative gradient of every class"));
  REQUIRE(found.size() == 2);  // the elk has no AP but a ratio of 0, which a logarithm cannot show
  REQUIRE(found[0].y == Approx(2).epsilon(0.02));
  REQUIRE(found[1].y == Approx(0.01).epsilon(0.02));
  // The map: at step 500 ratios 1/2 and 1/100 (cat, yak), at step 1000 2 and 1/100; shades of half a decade, 4 is 1.
  std::vector<std::string> shades;
  const std::regex cell("class=\"g(\\d)\"/>");
  const std::string map = chart(html, "a\"");
  for (std::sregex_iterator c(map.begin(), map.end(), cell), end; c != end; ++c) shades.push_back((*c)[1]);
  REQUIRE(shades == std::vector<std::string>{"3", "0", "5", "0"});
  ReportRun other = run;
  other.classes.pop_back();
  REQUIRE(has(report_html({other}), "class_gradients.safetensors has 3 classes, the evaluation 2; it is left out"));
}

TEST_CASE("axes: ticks are round and cover the data") {
  REQUIRE(nice_ticks(0, 43.75, 6).back() == Approx(50));
  REQUIRE(nice_ticks(-3, 7, 5).front() == Approx(-4));
  REQUIRE(nice_ticks(-20, 20, 6).front() == Approx(-20));
  REQUIRE(nice_ticks(-20, 20, 6).size() == 5);
  PlotAxis places{0, 1203, false, "", true};
  places.settle();
  REQUIRE(places.high == 1203);
  REQUIRE(places.ticks().back() == Approx(1000));
  PlotAxis log{3, 4200, true, ""};
  log.settle();
  REQUIRE(log.low == Approx(1));
  REQUIRE(log.high == Approx(10000));
  REQUIRE(log.share(100) == Approx(0.5));
  PlotAxis flat{5, 5, false, ""};
  flat.settle();
  REQUIRE(flat.low < 5);
  REQUIRE(flat.high > 5);
}

TEST_CASE("the file is written whole, and a place where it cannot be is an error") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.1, 0.5));
  write_report({folder / "a"}, folder / "report.html");
  REQUIRE(fs::file_size(folder.path / "report.html") > 1000);
  REQUIRE_THROWS_AS(write_report({folder / "a"}, folder / "none/report.html"), Error);
}
