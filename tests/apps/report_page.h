// Tiny runs written by hand, and what a report's page says, read back out of its HTML.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "apps/report/report.h"
#include "tensor/error.h"

namespace tailseg::test {

namespace fs = std::filesystem;

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

inline std::string metrics(double first_ap, double second_ap, const std::string& more = "") {
  const std::string a = std::to_string(first_ap), b = std::to_string(second_ap);
  return R"({"protocol":"lvis","segm":{"AP":)" + std::to_string((first_ap + second_ap) / 2) + R"(,"APr":)" + a +
         R"(,"APc":-1.0,"APf":)" + b + R"(,"AP50":0.5,"per_category":{"7":{"name":"yak","AP":)" + a +
         R"(,"AP50":0.25,"instances":3},"3":{"name":"cat","AP":)" + b + R"(,"AP50":0.75,"instances":9}}},)" +
         R"("bbox":{"AP":0.333,"per_category":{"3":{"name":"cat","AP":0.4}}},)" +
         R"("categories":{"3":{"name":"cat","frequency":"f","train_instances":1000)" + more +
         R"(},"7":{"name":"yak","frequency":"r","train_instances":10},"9":{"name":"elk","frequency":"c","train_instances":0}}})";
}

inline std::string series(int steps) {
  std::string out;
  for (int i = 0; i < steps; ++i) {
    out += "{\"iteration\":" + std::to_string(i) + ",\"total_loss\":" + std::to_string(2.0 / (1 + i)) +
           ",\"loss_cls\":0.5,\"lr\":0.01,\"grad_norm\":null}\n";
  }
  return out;
}

inline size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// The cells of a table as text without tags, row by row, the heading first.
inline std::vector<std::vector<std::string>> table(const std::string& html, const std::string& id) {
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
inline std::string chart(const std::string& html, const std::string& title) {
  const size_t begin = html.find("aria-label=\"" + title);
  return begin == std::string::npos ? "" : html.substr(begin, html.find("</svg>", begin) - begin);
}

// The scale of an axis back from pixels: "from to low high [log]" as the page's script reads it.
inline double from_pixels(const std::string& plot, const std::string& axis, double pixel) {
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

inline std::vector<Point> points(const std::string& plot) {
  std::vector<Point> out;
  const std::regex use(
      "<use href=\"#m\\d\" x=\"([\\d.]+)\" y=\"([\\d.]+)\" class=\"(\\w+)\" data-c=\"(\\d+)\" data-v=\"([-\\d.]+)\"/>");
  for (std::sregex_iterator m(plot.begin(), plot.end(), use), end; m != end; ++m) {
    out.push_back({from_pixels(plot, "x", std::stod((*m)[1])), from_pixels(plot, "y", std::stod((*m)[2])),
                   std::stod((*m)[5]), std::stoi((*m)[4]), (*m)[3]});
  }
  return out;
}

inline std::string report_of(const std::vector<std::string>& folders) {
  std::vector<ReportRun> runs;
  for (const std::string& folder : folders) runs.push_back(read_run(folder));
  return report_html(std::move(runs));
}

// The message of the Error that reading this run throws.
inline std::string refusal(const std::string& folder) {
  try {
    read_run(folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace tailseg::test
