#include "datasets/synthetic/frequency.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

using namespace tailseg;
using namespace tailseg::synthetic;

TEST_CASE("the power law is (k / shift + 1)^-power, normalised") {
  const std::vector<double> weights = power_law(24, 1.5);  // shift 3
  CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == Approx(1));
  CHECK(weights[3] / weights[0] == Approx(std::pow(2.0, -1.5)));
  CHECK(weights[23] / weights[0] == Approx(std::pow(26.0 / 3, -1.5)));
  for (const double weight : power_law(5, 0)) CHECK(weight == Approx(0.2));
  CHECK_THROWS_AS(power_law(0, 1), Error);
  CHECK_THROWS_AS(power_law(5, -1), Error);
}

TEST_CASE("the power is found for a range of pictures, not of objects") {
  const std::vector<int32_t> objects = {1, 2, 3, 4, 5, 1, 2, 3, 4, 5};
  const double power = power_for_range(24, 50, objects);
  const std::vector<double> weights = power_law(24, power);
  const auto pictures = [&](double share) {
    double sum = 0;
    for (const int32_t n : objects) sum += 1 - std::pow(1 - share, n);
    return sum;
  };
  CHECK(pictures(weights.front()) / pictures(weights.back()) == Approx(50).epsilon(1e-6));
  CHECK(weights.front() / weights.back() > 50);
  CHECK(power_for_range(24, 1, objects) == Approx(0).margin(1e-9));
  CHECK_THROWS_AS(power_for_range(24, 0.9, objects), Error);
}

TEST_CASE("counts are proportional, sum to the total and spare no class") {
  CHECK(proportional_counts(std::vector<double>{3, 1}, 8) == std::vector<int64_t>{6, 2});
  CHECK(proportional_counts(std::vector<double>{1, 1, 1}, 5) == std::vector<int64_t>{2, 2, 1});
  CHECK(proportional_counts(std::vector<double>{1000, 1, 1, 0}, 10) == std::vector<int64_t>{7, 1, 1, 1});
  CHECK(proportional_counts(std::vector<double>{60, 30, 10, 0.1, 0.1}, 22) == std::vector<int64_t>{12, 6, 2, 1, 1});
  CHECK(proportional_counts(std::vector<double>{5, 5, 5}, 3) == std::vector<int64_t>{1, 1, 1});
  CHECK_THROWS_AS(proportional_counts(std::vector<double>{1, 1, 1}, 2), Error);
  CHECK_THROWS_AS(proportional_counts(std::vector<double>{0, 0}, 5), Error);
  CHECK_THROWS_AS(proportional_counts(std::vector<double>{1, std::nan("")}, 5), Error);
}

TEST_CASE("dealing keeps the counts and the numbers of objects") {
  const std::vector<int64_t> counts = {5, 1, 4};
  const std::vector<int32_t> objects = {3, 0, 2, 5};
  const auto hands = deal(counts, objects, RandomStream({1, 2}, 0, 0));
  std::vector<int64_t> dealt(3, 0);
  REQUIRE(hands.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    CHECK(static_cast<int32_t>(hands[i].size()) == objects[i]);
    for (const int32_t k : hands[i]) ++dealt[k];
  }
  CHECK(dealt == counts);
  CHECK(deal(counts, objects, RandomStream({1, 2}, 0, 1)) != hands);
  CHECK_THROWS_AS(deal(counts, std::vector<int32_t>{3, 3}, RandomStream({1, 2}, 0, 0)), Error);
  CHECK_THROWS_AS(deal(counts, std::vector<int32_t>{30}, RandomStream({1, 2}, 0, 0)), Error);
}

TEST_CASE("frequency letters change after the thresholds, and LVIS's shares are kept") {
  CHECK(frequency_letter(10, {10, 100}) == 'r');
  CHECK(frequency_letter(11, {10, 100}) == 'c');
  CHECK(frequency_letter(100, {10, 100}) == 'c');
  CHECK(frequency_letter(101, {10, 100}) == 'f');
  std::vector<int64_t> counts(1203);
  std::iota(counts.begin(), counts.end(), 1);
  std::reverse(counts.begin(), counts.end());
  const FrequencyThresholds thresholds = thresholds_like_lvis(counts);
  int groups[3] = {0, 0, 0};
  for (const int64_t n : counts) {
    const char letter = frequency_letter(n, thresholds);
    ++groups[letter == 'r' ? 0 : letter == 'c' ? 1 : 2];
  }
  CHECK((groups[0] == 337 && groups[1] == 461 && groups[2] == 405));
  const FrequencyThresholds tied = thresholds_like_lvis({1, 1, 1, 1, 1, 1, 2, 3, 4, 5});  // by hand: 2 of 4 are common
  CHECK((tied.rare == 1 && tied.common == 3));
}
