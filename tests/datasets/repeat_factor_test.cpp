#include "datasets/samplers/repeat_factor.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <numeric>
#include <sstream>

#include "datasets/samplers/repeat_factor_body.h"
#include "tensor/error.h"
#include "tests/crew.h"
#include "tests/datasets/sampling_cases.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// A table of classes that has these many photos and objects of each and no more.
ClassIndex index_of_counts(Context& ctx, const std::vector<int32_t>& photos, const std::vector<int32_t>& objects) {
  const auto classes = static_cast<int64_t>(photos.size());
  std::vector<int32_t> begin{0};
  for (const int32_t n : photos) begin.push_back(begin.back() + n);
  const int64_t all = std::accumulate(objects.begin(), objects.end(), int64_t{0});
  return {Tensor::zeros(ctx, {all}, DType::int32), Tensor::from(ctx, {classes + 1}, begin),
          Tensor::from(ctx, {classes}, objects)};
}

std::vector<double> factors_of_counts(const std::vector<int32_t>& photos, const std::vector<int32_t>& objects,
                                      int64_t all_photos, const RepeatFactorOptions& options = {}) {
  Context& ctx = cpu_context();
  return class_repeat_factors(ctx, index_of_counts(ctx, photos, objects), all_photos, options).to_vector<double>(ctx);
}

struct LvisCounts {
  std::vector<int32_t> photos, objects;
  LvisCounts() {
    std::ifstream file(TAILSEG_GOLDEN_DIR "/sampling/lvis_v1_train_counts.csv");
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      int id, n, m;
      char letter;
      REQUIRE(std::sscanf(line.c_str(), "%d,%c,%d,%d", &id, &letter, &n, &m) == 4);
      photos.push_back(n);
      objects.push_back(m);
    }
  }
};

PhotoClasses photo_classes(Context& ctx, const std::vector<std::vector<int32_t>>& photos,
                           const std::vector<uint8_t>& drawable) {
  std::vector<int32_t> begin{0}, label;
  for (const auto& photo : photos) {
    label.insert(label.end(), photo.begin(), photo.end());
    begin.push_back(static_cast<int32_t>(label.size()));
  }
  const auto count = static_cast<int64_t>(photos.size()), objects = static_cast<int64_t>(label.size());
  return {Tensor::from(ctx, {count + 1}, begin), Tensor::from(ctx, {objects}, label),
          Tensor::from(ctx, {count}, drawable)};
}

}  // namespace

TEST_CASE("LVIS's repeat factors at t = 0.001 (METHODS 3.2)") {
  const LvisCounts lvis;
  REQUIRE(lvis.photos.size() == 1203);
  const std::vector<double> r = factors_of_counts(lvis.photos, lvis.objects, 99388);
  const auto between = [&](double low, double high) {
    return std::count_if(r.begin(), r.end(), [&](double x) { return x > low && x <= high; });
  };
  CHECK(between(1, 1e9) == 796);
  CHECK(between(1, 2) == 297);
  CHECK(between(2, 3) == 143);
  CHECK(between(3, 1e9) == 356);
  CHECK(*std::max_element(r.begin(), r.end()) == Approx(9.97).margin(0.005));
  CHECK(factors_of_counts({1}, {1}, 56740)[0] == Approx(7.53).margin(0.005));  // v0.5
  // By objects; expected values by Python's math module in the operations of the formula.
  RepeatFactorOptions options;
  options.frequency = RepeatFrequency::instance;
  const std::vector<double> by_objects = factors_of_counts(lvis.photos, lvis.objects, 99388, options);
  CHECK(std::count_if(by_objects.begin(), by_objects.end(), [](double x) { return x > 1; }) == 977);
  CHECK(*std::max_element(by_objects.begin(), by_objects.end()) == Approx(35.63903758520985).epsilon(1e-14));
  CHECK(std::accumulate(by_objects.begin(), by_objects.end(), 0.0) == Approx(8157.388130216606).epsilon(1e-12));
}

TEST_CASE("threshold, exponent, and classes without a photo") {
  CHECK(factors_of_counts({8, 2, 1, 0}, {8, 2, 1, 0}, 8, {.threshold = 0.5}) ==
        std::vector<double>{1, std::sqrt(2.0), 2, 1});
  CHECK(factors_of_counts({8, 2, 1, 0}, {8, 2, 1, 0}, 8, {.threshold = 0.5, .exponent = 1}) ==
        std::vector<double>{1, 2, 4, 1});
  CHECK(factors_of_counts({8, 2, 1, 0}, {8, 2, 1, 0}, 8, {.threshold = 0.5, .exponent = 0}) ==
        std::vector<double>{1, 1, 1, 1});
  CHECK(factors_of_counts({8, 2, 1, 0}, {8, 2, 1, 0}, 8, {.threshold = 0}) == std::vector<double>{1, 1, 1, 1});
  CHECK(factors_of_counts({16}, {16}, 10000, {.exponent = 0.25, .frequency = RepeatFrequency::image})[0] == 1);
  CHECK(factors_of_counts({1}, {1}, 16000, {.exponent = 0.25})[0] == Approx(2).epsilon(1e-15));
  CHECK(factors_of_counts({}, {}, 5).empty());
  for (const RepeatFactorOptions& bad : {RepeatFactorOptions{.threshold = -0.1}, RepeatFactorOptions{.threshold = 1.1},
                                         RepeatFactorOptions{.threshold = NAN}, RepeatFactorOptions{.exponent = -1}}) {
    CHECK_THROWS_AS(factors_of_counts({1}, {1}, 5, bad), Error);
  }
}

TEST_CASE("ceil meets whole numbers as mmdetection's arithmetic does") {
  // t, photos with the class, photos, ceil(max(1, sqrt(t / (n / N)))) by Python.
  struct Case {
    double threshold;
    int32_t n;
    int64_t all;
    int64_t copies;
  };
  Context& ctx = cpu_context();
  for (const Case& c : {Case{1e-3, 1, 4000, 2}, Case{1e-3, 1, 9000, 3}, Case{1e-3, 7, 28000, 2},
                        Case{1e-3, 3, 48000, 4}, Case{5e-4, 11, 198000, 3}, Case{0.01, 1, 1600, 4},
                        Case{1e-3, 1, 4001, 3}, Case{1e-3, 1, 3999, 2}, Case{1e-3, 1, 1000, 1}}) {
    const Tensor r = class_repeat_factors(ctx, index_of_counts(ctx, {c.n}, {c.n}), c.all, {.threshold = c.threshold});
    const Tensor draw = Tensor::full(ctx, {1}, 0.999);
    CAPTURE(c.n, c.all);
    CHECK(repeat_counts(ctx, r, draw, RepeatRounding::ceil).to_vector<int64_t>(ctx)[0] == c.copies);
  }
}

TEST_CASE("a photo has its rarest class's factor, 1 without objects, 0 when it may not be drawn") {
  for (Context* ctx : devices()) {
    const PhotoClasses photos = photo_classes(*ctx, {{0}, {}, {0, 2, 1, 2}, {2}, {}, {1, 1}}, {1, 1, 1, 0, 0, 1});
    const bool gpu = ctx->device().is_cuda();
    const Tensor factors = gpu ? Tensor::from(*ctx, {3}, std::vector<float>{1, 1.5f, 4})
                               : Tensor::from(*ctx, {3}, std::vector<double>{1, 1.5, 4});
    const Tensor photo = photo_repeat_factors(*ctx, photos, factors);
    const Tensor none = Tensor::full(*ctx, {6}, 0.5), one = Tensor::full(*ctx, {6}, 0.49);
    using Counts = std::vector<int64_t>;
    CHECK(repeat_counts(*ctx, photo, none, RepeatRounding::stochastic).to_vector<int64_t>(*ctx) ==
          Counts{1, 1, 4, 0, 0, 1});
    CHECK(repeat_counts(*ctx, photo, one, RepeatRounding::stochastic).to_vector<int64_t>(*ctx) ==
          Counts{1, 1, 4, 0, 0, 2});
    const Tensor counts = repeat_counts(*ctx, photo, none, RepeatRounding::ceil);
    CHECK(counts.to_vector<int64_t>(*ctx) == Counts{1, 1, 4, 0, 0, 2});
    CHECK(repeated_photos(*ctx, counts).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 1, 2, 2, 2, 2, 5, 5});
    CHECK(repeated_photos(*ctx, Tensor::zeros(*ctx, {4}, DType::int64)).elements() == 0);
    CHECK(repeated_photos(*ctx, Tensor::from(*ctx, {4}, Counts{0, 0, 3, 0})).to_vector<int32_t>(*ctx) ==
          std::vector<int32_t>{2, 2, 2});
  }
}

TEST_CASE("stochastic copies have the factor as their mean, and only its two neighbours as values") {
  Context& ctx = cpu_context();
  const std::vector<double> factors = {1, 1.25, 1.5, 2.9, 7.01, 0, 3};
  const auto count = static_cast<int64_t>(factors.size());
  const Tensor r = Tensor::from(ctx, {count}, factors);
  constexpr int kEpochs = 4000;
  std::vector<double> more(factors.size(), 0);
  for (uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto copies =
        repeat_counts(ctx, r, repeat_draws(ctx, count, 9, epoch), RepeatRounding::stochastic).to_vector<int64_t>(ctx);
    for (size_t i = 0; i < factors.size(); ++i) {
      const double extra = static_cast<double>(copies[i]) - std::floor(factors[i]);
      REQUIRE((extra == 0 || extra == 1));
      more[i] += extra;
    }
  }
  double sum = 0, freedom = 0;
  for (size_t i = 0; i < factors.size(); ++i) {
    const double p = factors[i] - std::floor(factors[i]);
    if (p == 0) {
      CHECK(more[i] == 0);
      continue;
    }
    sum += (more[i] - kEpochs * p) * (more[i] - kEpochs * p) / (kEpochs * p * (1 - p));
    freedom += 1;
  }
  CHECK(sum < freedom + 5 * std::sqrt(2 * freedom));
}

TEST_CASE("a photo's draw depends on seed, epoch and its own number only") {
  for (Context* ctx : devices()) {
    const auto draws = [&](int64_t count, uint64_t seed, uint32_t epoch) {
      return repeat_draws(*ctx, count, seed, epoch).to_vector<float>(*ctx);
    };
    const auto all = draws(1000, 5, 3), few = draws(100, 5, 3);
    CHECK(std::vector<float>(all.begin(), all.begin() + 100) == few);
    CHECK(draws(100, 5, 4) != few);
    CHECK(draws(100, 6, 3) != few);
    CHECK(few[7] == random_uniform({5, random_purpose("repeat factor")}, 3, 7));
  }
}

TEST_CASE("repeat factor bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const std::vector<int32_t> photos = {40, 3, 0, 1, 9}, objects = {90, 3, 0, 4, 30};
  const ClassIndex index = index_of_counts(ctx, photos, objects);
  for (const bool by_objects : {false, true}) {
    const RepeatFactorOptions options{0.3, 0.7, by_objects ? RepeatFrequency::instance : RepeatFrequency::image};
    std::vector<double> factor(5);
    crew::run(3, 5,
              ClassRepeatFactor<double>{index.begin.data<int32_t>(), objects.data(), factor.data(),
                                        by_objects ? 127 : 50, by_objects, 0.3, 0.7});
    CHECK(factor == class_repeat_factors(ctx, index, 50, options).to_vector<double>(ctx));
    CHECK(factor[3] > 1.5);
  }
  const std::vector<std::vector<int32_t>> shown = {{0, 1}, {}, {3}, {4, 0}, {3}, {2}};
  const PhotoClasses classes = photo_classes(ctx, shown, {1, 1, 1, 1, 0, 1});
  const std::vector<double> class_factor = {1, 2.25, 1, 6.5, 1.75};
  std::vector<double> factor(6);
  crew::run(4, 6,
            PhotoRepeatFactor<double>{classes.begin.data<int32_t>(), classes.label.data<int32_t>(),
                                      classes.drawable.data<uint8_t>(), class_factor.data(), factor.data(), 1});
  CHECK(factor == std::vector<double>{2.25, 1, 6.5, 1.75, 0, 1});
  std::vector<float> draws(6);
  crew::run(4, 6, RepeatDraw{draws.data(), {1, random_purpose("repeat factor")}, 2});
  CHECK(draws == repeat_draws(ctx, 6, 1, 2).to_vector<float>(ctx));
  std::vector<int64_t> counts(6);
  const std::vector<float> given = {0.2f, 0, 0.5f, 0.74f, 0, 0.9f};
  crew::run(4, 6, RepeatCount<double>{factor.data(), given.data(), counts.data(), false});
  CHECK(counts == std::vector<int64_t>{3, 1, 6, 2, 0, 1});
  const std::vector<int64_t> begin = {0, 3, 4, 10, 12, 12, 13};
  std::vector<int32_t> places(13, -1);
  crew::run(4, 13, RepeatedPhoto{begin.data(), places.data(), 6});
  CHECK(places == std::vector<int32_t>{0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3, 3, 5});
}
