#include "tests/card/runtime_report.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

namespace tailseg::card {
namespace {

struct Row {
  uint64_t launches = 0;
  LaunchCounts counts;
};

std::map<std::string, Row>& rows() {
  static auto& all = *new std::map<std::string, Row>;
  return all;
}

// "tailseg::run_warps<tailseg::Axpby<float, 4l> >(..)" becomes "run_warps<Axpby<float, 4l> >".
std::string short_name(const std::string& mangled) {
  int status = 0;
  char* plain = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 && plain ? plain : mangled;
  std::free(plain);
  if (name.rfind("void ", 0) == 0) name.erase(0, 5);
  for (const std::string what : {"tailseg::", "(anonymous namespace)::"}) {
    for (size_t at; (at = name.find(what)) != std::string::npos;) name.erase(at, what.size());
  }
  if (const size_t end = name.find('('); end != std::string::npos) name.resize(end);
  return name.size() > 72 ? name.substr(0, 69) + "..." : name;
}

double share(uint64_t part, uint64_t whole) { return whole == 0 ? 0 : 100.0 * double(part) / double(whole); }

void write() {
  std::FILE* file = std::fopen(std::getenv("TAILSEG_CARD_REPORT"), "w");
  if (!file) return;
  std::vector<std::pair<std::string, Row>> sorted(rows().begin(), rows().end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.counts.instructions > b.second.counts.instructions; });
  std::fprintf(file, "%-72s %8s %10s %12s %7s %10s %11s %7s\n", "kernel", "launches", "warps", "instructions", "lanes",
               "longest", "KiB moved", "useful");
  for (const auto& [name, row] : sorted) {
    const LaunchCounts& c = row.counts;
    std::fprintf(file, "%-72s %8llu %10llu %12llu %6.0f%% %10llu %11.0f %6.0f%%\n", short_name(name).c_str(),
                 static_cast<unsigned long long>(row.launches), static_cast<unsigned long long>(c.warps),
                 static_cast<unsigned long long>(c.instructions), share(c.lanes, 32 * c.instructions),
                 static_cast<unsigned long long>(c.longest), double(c.sectors) * 32 / 1024,
                 share(c.bytes, 32 * c.sectors));
  }
  std::fclose(file);
}

}  // namespace

bool is_reported() {
  static const bool on = [] {
    const bool wanted = std::getenv("TAILSEG_CARD_REPORT") != nullptr;
    if (wanted) std::atexit(write);
    return wanted;
  }();
  return on;
}

void report_launch(const std::string& kernel, const LaunchCounts& counts) {
  Row& row = rows()[kernel];
  ++row.launches;
  row.counts.add(counts);
}

}  // namespace tailseg::card
