// What a sampler costs: the tables it makes once a run, and the order it makes once an epoch.
//   make_lvis_files --annotations train.json --images 100170 --instances 1270141 --points 4
//   bench_samplers train.json
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "apps/command_line.h"
#include "datasets/samplers/photo_sampler.h"

namespace {

using namespace tailseg;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class F>
void time_it(const char* sampler, const char* what, int repeats, F f) {
  std::vector<double> times;
  size_t photos = 0;
  for (int i = 0; i <= repeats; ++i) {
    const Clock::time_point start = Clock::now();
    photos = f(i);
    if (i > 0) times.push_back(milliseconds_since(start));  // the first warms up
  }
  std::sort(times.begin(), times.end());
  std::printf("%-15s %-20s %9zu photos %8.1f ms (%.1f to %.1f)\n", sampler, what, photos, times[times.size() / 2],
              times.front(), times.back());
}

void run(const std::string& path, int repeats) {
  const AnnotationSet set = read_annotations(path);
  std::printf("%s: %d photos, %d objects, %d classes\n", path.c_str(), set.images.size(), set.annotations.size(),
              set.class_count());
  for (const PhotoSamplerRow& row : photo_samplers()) {
    for (const RepeatRounding rounding : {RepeatRounding::stochastic, RepeatRounding::ceil}) {
      if (rounding == RepeatRounding::ceil && row.name != std::string("repeat_factor")) continue;
      PhotoSamplerOptions options;
      options.repeat.rounding = rounding;
      const PhotoSampler sampler = make_photo_sampler(row.name, set, options);
      time_it(row.name, "made, once a run", repeats,
              [&](int) { return static_cast<size_t>(make_photo_sampler(row.name, set, options).drawable); });
      time_it(row.name, rounding == RepeatRounding::ceil ? "order, ceil" : "order of an epoch", repeats,
              [&](int epoch) { return sampler.order(epoch).images.size(); });
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What a sampler costs.", "bench_samplers");
  std::string path;
  int repeats = 7;
  app.add_option("FILE", path, "annotation file")->required()->check(CLI::ExistingFile);
  app.add_option("--repeats", repeats, "after one that warms up")->capture_default_str()->check(CLI::PositiveNumber);
  return run_program(app, argc, argv, [&] { run(path, repeats); });
}
