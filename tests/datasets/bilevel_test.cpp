#include "datasets/samplers/bilevel.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "datasets/samplers/bilevel_body.h"
#include "tensor/error.h"
#include "tests/crew.h"
#include "tests/datasets/sampling_cases.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// Class c owns counts[c] photos, numbered 1000 c, 1000 c + 1, ...
struct Table {
  std::vector<int32_t> counts, photos, begin{0};
  explicit Table(std::vector<int32_t> given) : counts(std::move(given)) {
    for (size_t c = 0; c < counts.size(); ++c) {
      for (int32_t i = 0; i < counts[c]; ++i) photos.push_back(static_cast<int32_t>(1000 * c) + i);
      begin.push_back(static_cast<int32_t>(photos.size()));
    }
  }
  ClassIndex index(Context& ctx) const {
    const auto classes = static_cast<int64_t>(counts.size());
    return {Tensor::from(ctx, {static_cast<int64_t>(photos.size())}, photos), Tensor::from(ctx, {classes + 1}, begin),
            Tensor::zeros(ctx, {classes}, DType::int32)};
  }
  std::vector<int64_t> tickets(Context& ctx, const BilevelOptions& options) const {
    return class_tickets(ctx, index(ctx), options).to_vector<int64_t>(ctx);
  }
};

}  // namespace

TEST_CASE("tickets are proportional to min(n, cap)^power, none for a class without photos") {
  const Table table({400, 100, 99, 25, 1, 0});
  for (Context* ctx : devices()) {
    constexpr double kMost = 1 << 30;
    CHECK(table.tickets(*ctx, {}) == std::vector<int64_t>{1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 0});
    const auto linear = table.tickets(*ctx, {.power = 1}), root = table.tickets(*ctx, {.cap = 400, .power = 0.5});
    const std::vector<double> expected = {1, 1, 0.99, 0.25, 0.01, 0},
                              of_root = {1, 0.5, std::sqrt(99.0) / 20, 0.25, 0.05, 0};
    for (size_t c = 0; c < expected.size(); ++c) {
      CHECK(std::abs(static_cast<double>(linear[c]) - kMost * expected[c]) <= 1);
      CHECK(std::abs(static_cast<double>(root[c]) - kMost * of_root[c]) <= 1);
    }
    CHECK(table.tickets(*ctx, {.cap = 100000, .power = 8}) == std::vector<int64_t>{1, 1, 1, 1, 1, 0});
    CHECK_THROWS_AS(table.tickets(*ctx, {.cap = 0}), Error);
    CHECK_THROWS_AS(table.tickets(*ctx, {.power = -1}), Error);
  }
}

TEST_CASE("given draws pick the ticket's owner and its photos") {
  const Table table({3, 0, 1, 2});
  const std::vector<int64_t> tickets = {10, 0, 5, 85};
  constexpr int64_t kEnd = int64_t{1} << 53;
  const auto share = [](double x) { return static_cast<int64_t>(x * double(kEnd)); };
  const std::vector<int64_t> words = {0,
                                      0,
                                      kEnd - 1,  //
                                      share(0.0999),
                                      share(0.34),
                                      share(0.67),  //
                                      share(0.1001),
                                      kEnd - 1,
                                      0,  //
                                      share(0.1499),
                                      share(0.5),
                                      share(0.5),  //
                                      share(0.1501),
                                      share(0.49),
                                      share(0.51),  //
                                      kEnd - 1,
                                      kEnd - 1,
                                      0};
  for (Context* ctx : devices()) {
    const ClassDraws draws =
        bilevel_draws(*ctx, table.index(*ctx), Tensor::from(*ctx, {4}, tickets), Tensor::from(*ctx, {6, 3}, words));
    CHECK(draws.labels.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3});
    CHECK(draws.photos.to_vector<int32_t>(*ctx) ==
          std::vector<int32_t>{0, 2, 1, 2, 2000, 2000, 2000, 2000, 3000, 3001, 3001, 3000});
  }
}

TEST_CASE("a batch's draws depend on seed and batch only") {
  for (Context* ctx : devices()) {
    for (const int64_t per_class : {1, 2}) {
      const BilevelOptions options{8, per_class};
      const auto words = [&](int64_t first, int64_t batches, uint64_t seed) {
        return bilevel_words(*ctx, options, first, batches, seed).to_vector<int64_t>(*ctx);
      };
      const auto all = words(0, 50, 3), part = words(20, 5, 3);
      const auto row = static_cast<std::ptrdiff_t>(8 * (1 + per_class));
      CHECK(std::vector<int64_t>(all.begin() + 20 * row, all.begin() + 25 * row) == part);
      CHECK(words(20, 5, 4) != part);
      CHECK(std::all_of(all.begin(), all.end(), [](int64_t w) { return w >= 0 && w < int64_t{1} << 53; }));
      CHECK(std::set<int64_t>(all.begin(), all.end()).size() == all.size());
    }
  }
}

TEST_CASE("classes and photos come as often as they should") {
  Context& ctx = cpu_context();
  const Table table({400, 50, 0, 10, 1});
  for (const double power : {0.0, 1.0}) {
    const BilevelOptions options{16, 2, 100, power};
    constexpr int64_t kBatches = 2000;
    const ClassDraws draws = bilevel_draws(ctx, table.index(ctx), class_tickets(ctx, table.index(ctx), options),
                                           bilevel_words(ctx, options, 0, kBatches, 8));
    const auto labels = draws.labels.to_vector<int32_t>(ctx), photos = draws.photos.to_vector<int32_t>(ctx);
    REQUIRE(labels.size() == 2 * 16 * kBatches);
    std::map<int32_t, double> by_class, by_photo, repeated;
    for (size_t i = 0; i < labels.size(); i += 2) {
      REQUIRE(labels[i] == labels[i + 1]);
      by_class[labels[i]] += 1;
      repeated[labels[i]] += photos[i] == photos[i + 1];
      for (const size_t k : {i, i + 1}) {
        REQUIRE(photos[k] / 1000 == labels[k]);
        by_photo[photos[k]] += 1;
      }
    }
    const std::map<int32_t, double> weight = {
        {0, power == 0 ? 1 : 100}, {1, power == 0 ? 1 : 50}, {3, power == 0 ? 1 : 10}, {4, 1}};
    double all = 0;
    for (const auto& [label, w] : weight) all += w;
    std::vector<double> seen, expected, seen_photo, expected_photo;
    for (const auto& [label, w] : weight) {
      seen.push_back(by_class[label]);
      expected.push_back(16 * kBatches * w / all);
      const int32_t n = table.counts[static_cast<size_t>(label)];
      for (int32_t i = 0; i < n; ++i) {
        seen_photo.push_back(by_photo[1000 * label + i]);
        expected_photo.push_back(2 * by_class[label] / n);
      }
    }
    REQUIRE(by_class.size() == 4);
    CHECK(chi_square_fits(seen, expected, 3));
    CHECK(chi_square_fits(seen_photo, expected_photo, 457));
    CHECK(repeated[4] == by_class[4]);  // with replacement
    CHECK(repeated[3] == Approx(by_class[3] / 10).margin(5 * std::sqrt(by_class[3] * 0.09)));
  }
}

TEST_CASE("bi-level sampling refuses a set without classes") {
  Context& ctx = cpu_context();
  const Table table({0, 0});
  const BilevelOptions options;
  CHECK_THROWS_AS(bilevel_draws(ctx, table.index(ctx), class_tickets(ctx, table.index(ctx), options),
                                bilevel_words(ctx, options, 0, 1, 1)),
                  Error);
  CHECK_THROWS_AS(bilevel_words(ctx, {0, 1}, 0, 1, 1), Error);
}

TEST_CASE("bi-level bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const Table table({70, 0, 3, 12});
  const BilevelOptions options{4, 3, 20, 0.5};
  std::vector<int64_t> tickets(4), upto(5, 0), words(64);
  crew::run(3, 4, ClassTickets{table.begin.data(), tickets.data(), 20, 0.5});
  CHECK(tickets == table.tickets(ctx, options));
  crew::run(3, 64, BilevelWord{words.data(), 16, 7, {2, random_purpose("bilevel")}});
  CHECK(words == bilevel_words(ctx, options, 7, 4, 2).to_vector<int64_t>(ctx));
  std::partial_sum(tickets.begin(), tickets.end(), upto.begin() + 1);
  std::vector<int32_t> photo(48, -1), label(48, -1);
  crew::run(4, 16,
            BilevelDraw{words.data(), table.photos.data(), table.begin.data(), upto.data(), photo.data(), label.data(),
                        4, 3});
  // The owner by walking along the classes, in exact integers.
  for (size_t item = 0; item < 16; ++item) {
    const int64_t high = words[item * 4] >> 27, low = words[item * 4] & ((1 << 27) - 1);
    const int64_t ticket = (high * upto[4] + (low * upto[4] >> 27)) >> 26;  // word * tickets / 2^53
    size_t c = 0;
    while (upto[c + 1] <= ticket) ++c;
    for (size_t i = 0; i < 3; ++i) {
      const int64_t place = words[item * 4 + 1 + i] * table.counts[c] / (int64_t{1} << 53);
      REQUIRE(label[item * 3 + i] == static_cast<int32_t>(c));
      REQUIRE(photo[item * 3 + i] == static_cast<int32_t>(1000 * c) + static_cast<int32_t>(place));
    }
  }
}
