// tailseg-report: the page's numbers, read back out of the HTML, are those that the runs' files hold.
#include <cmath>
#include <cstring>

#include "apps/report/html.h"
#include "apps/report/plot.h"
#include "apps/report/report_data.h"
#include "nn/safetensors.h"
#include "tests/apps/report_page.h"

using namespace tailseg;
using namespace tailseg::test;

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

TEST_CASE("the blue of curves and words is light enough for the dark page (WCAG 2.1: 4.5 to 1)") {
  const Folder folder;
  folder.write("a/evaluation/metrics.json", metrics(0.125, 0.4375));
  const std::string html = report_of({folder / "a"}), dark = html.substr(html.find("prefers-color-scheme:dark"));
  const auto luminance = [&](const std::string& style, const std::string& name) {
    const size_t at = style.find("--" + name + ":#");
    REQUIRE(at != std::string::npos);
    const std::string digits = style.substr(at + name.size() + 4, 6);
    const double weights[3] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (size_t i = 0; i < 3; ++i) {
      const double c = std::stoi(digits.substr(2 * i, 2), nullptr, 16) / 255.0;
      sum += weights[i] * (c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
  };
  REQUIRE((luminance(dark, "blue") + 0.05) / (luminance(dark, "box") + 0.05) > 4.5);
  REQUIRE((luminance(html, "box") + 0.05) / (luminance(html, "blue") + 0.05) > 4.5);
  REQUIRE(html.find("#0072b2") == html.rfind("#0072b2"));  // once, as the light page's blue
}
