#include "detection/class_proposals.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "detection/class_proposals_body.h"
#include "tensor/error.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr RandomKey kKey{77, random_purpose("class proposals test")};
constexpr int32_t kBack = 5;  // classes 0 .. 4

ClassProposals select(Context& ctx, const std::vector<int32_t>& label, const std::vector<int32_t>& drawn_for,
                      int64_t most, const SamplerDraws& draws = {kKey, 3, nullptr, 0, nullptr}) {
  const auto photos = static_cast<int64_t>(drawn_for.size());
  return class_proposals(ctx, Tensor::from(ctx, {photos, static_cast<int64_t>(label.size()) / photos}, label),
                         Tensor::from(ctx, {photos}, drawn_for), kBack, most, draws);
}

struct Selected {
  std::vector<int32_t> rows, label;
  int32_t positives = 0, total = 0;
};

// By sorting: the definition, one list of positives and one of negatives for the whole batch.
Selected expected_selection(const std::vector<int32_t>& label, const std::vector<int32_t>& drawn_for,
                            const std::vector<float>& keys, size_t capacity) {
  const size_t per_photo = label.size() / drawn_for.size();
  Selected out;
  std::vector<std::pair<float, int32_t>> negatives;
  for (size_t i = 0; i < label.size(); ++i) {
    if (label[i] == kBack) {
      negatives.emplace_back(-keys[i], static_cast<int32_t>(i));
    } else if (label[i] >= 0 && label[i] == drawn_for[i / per_photo]) {
      out.rows.push_back(static_cast<int32_t>(i));
    }
  }
  std::sort(negatives.begin(), negatives.end());
  out.positives = static_cast<int32_t>(out.rows.size());
  for (const auto& [key, row] : negatives) {
    if (static_cast<int32_t>(out.rows.size()) < 2 * out.positives) out.rows.push_back(row);
  }
  out.total = static_cast<int32_t>(out.rows.size());
  for (const int32_t row : out.rows) out.label.push_back(label[static_cast<size_t>(row)]);
  out.rows.resize(capacity, -1);
  out.label.resize(capacity, -1);
  return out;
}

void check_same(Context& ctx, const ClassProposals& got, const Selected& expected) {
  CHECK(got.rows.to_vector<int32_t>(ctx) == expected.rows);
  CHECK(got.label.to_vector<int32_t>(ctx) == expected.label);
  CHECK(got.count.to_vector<int32_t>(ctx) == std::vector<int32_t>{expected.positives, expected.total});
}

// Rows of 3 photos: up to 16 positives of all classes in front, then background, then unused rows.
std::vector<int32_t> mixed_labels(int64_t photos, int64_t per_photo) {
  std::vector<int32_t> label;
  for (int64_t n = 0; n < photos; ++n) {
    for (int64_t s = 0; s < per_photo; ++s) {
      label.push_back(s < 10 + n ? static_cast<int32_t>((s * 7 + n) % kBack) : s < per_photo - 5 * n ? kBack : -1);
    }
  }
  return label;
}

}  // namespace

TEST_CASE("positives of the drawn class stay, those of other classes go, and as many of the background come") {
  const std::vector<int32_t> label = {2, 1, 2, 5, 5, 5,  -1, -1,  //
                                      0, 2, 3, 5, 5, -1, -1, -1,  //
                                      4, 4, 5, 5, 5, 5,  5,  -1};
  const std::vector<int32_t> drawn_for = {2, 3, 0};                         // photo 2 has no proposal of its class
  const std::vector<float> keys = {.9f, .9f, .9f, .1f, .7f, .2f, .9f, .9f,  //
                                   .9f, .9f, .9f, .8f, .3f, .9f, .9f, .9f,  //
                                   .9f, .9f, .0f, .6f, .4f, .5f, .2f, .9f};
  for (Context* ctx : devices()) {
    const Tensor given = Tensor::from(*ctx, {3, 8}, keys);
    SamplerDraws draws;
    draws.keys = &given;
    const ClassProposals chosen = select(*ctx, label, drawn_for, 4, draws);
    REQUIRE(chosen.capacity() == 24);
    const auto rows = chosen.rows.to_vector<int32_t>(*ctx), labels = chosen.label.to_vector<int32_t>(*ctx);
    CHECK(std::vector<int32_t>(rows.begin(), rows.begin() + 7) == std::vector<int32_t>{0, 2, 10, 11, 4, 19, -1});
    CHECK(std::vector<int32_t>(labels.begin(), labels.begin() + 7) == std::vector<int32_t>{2, 2, 3, 5, 5, 5, -1});
    CHECK(std::count(rows.begin(), rows.end(), -1) == 18);
    CHECK(chosen.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{3, 6});
  }
}

TEST_CASE("the selection by Philox is that of its keys, for any batch") {
  for (Context* ctx : devices()) {
    for (const int64_t per_photo : {64, 61, 512}) {
      const std::vector<int32_t> label = mixed_labels(3, per_photo), drawn_for = {1, 2, 0};
      std::vector<float> keys(label.size());
      for (int64_t n = 0; n < 3; ++n) {
        for (int64_t s = 0; s < per_photo; ++s) {
          const auto words = random_words(kKey, 9, static_cast<uint32_t>(s / 4), static_cast<uint32_t>(4 + n));
          keys[static_cast<size_t>(n * per_photo + s)] = uniform01(words.word[s % 4]);
        }
      }
      check_same(*ctx, select(*ctx, label, drawn_for, 16, {kKey, 9, nullptr, 4, nullptr}),
                 expected_selection(label, drawn_for, keys, 96));
      const Tensor two = Tensor::from(*ctx, {1}, std::vector<int32_t>{2});
      check_same(*ctx, select(*ctx, label, drawn_for, 16, {kKey, 7, &two, 4, nullptr}),
                 expected_selection(label, drawn_for, keys, 96));
    }
  }
}

TEST_CASE("no positive of the drawn class, too little background, photos drawn for no class") {
  for (Context* ctx : devices()) {
    const ClassProposals none = select(*ctx, {0, 0, 5, 5, 1, 5, 5, -1}, {3, -1}, 2);
    CHECK(none.rows.to_vector<int32_t>(*ctx) == std::vector<int32_t>(8, -1));
    CHECK(none.label.to_vector<int32_t>(*ctx) == std::vector<int32_t>(8, -1));
    CHECK(none.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
    const ClassProposals scarce = select(*ctx, {0, 0, 0, 5}, {0}, 3);  // three positives, one background row
    CHECK(scarce.rows.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 1, 2, 3, -1, -1});
    CHECK(scarce.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{3, 4});
    // A background label is no class to be drawn for, nor is -1 a class of unused rows.
    CHECK(select(*ctx, {5, 5, 5, 5}, {5}, 1).count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
    CHECK(select(*ctx, {-1, -1, 5, 5}, {-1}, 1).count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
    CHECK_THROWS_AS(select(*ctx, {0, 5}, {0}, 3), Error);
    CHECK_THROWS_AS(class_proposals(*ctx, Tensor::zeros(*ctx, {2, 4}, DType::int32),
                                    Tensor::zeros(*ctx, {3}, DType::int32), 5, 1, {}),
                    Error);
  }
}

TEST_CASE("every background row of the batch is equally likely") {
  // 6 positives, so 6 of 20 negatives of two photos; each is expected 0.3 x 5000 times, standard deviation 32.
  Context& ctx = cpu_context();
  std::vector<int32_t> label(16, kBack);
  for (size_t i = 0; i < 6; ++i) label[i] = 2;
  label.insert(label.end(), 16, kBack);
  for (size_t i = 26; i < 32; ++i) label[i] = -1;
  std::vector<int> times(32, 0);
  for (uint32_t step = 0; step < 5000; ++step) {
    const auto rows = select(ctx, label, {2, 1}, 8, {kKey, step, nullptr, 0, nullptr}).rows.to_vector<int32_t>(ctx);
    REQUIRE(std::set<int32_t>(rows.begin(), rows.begin() + 12).size() == 12);
    for (size_t i = 6; i < 12; ++i) ++times[static_cast<size_t>(rows[i])];
  }
  for (size_t i = 0; i < 32; ++i) {
    CAPTURE(i);
    if (label[i] == kBack) {
      CHECK(std::abs(times[i] - 1500) < 5 * 32.4);
    } else {
      CHECK(times[i] == 0);
    }
  }
}

TEST_CASE("class proposal bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const std::vector<int32_t> label = mixed_labels(3, 61), drawn_for = {1, 2, 0};
  const ClassProposals expected = select(ctx, label, drawn_for, 16);
  std::vector<float> keys(2 * label.size(), -7);
  crew::run(
      4, 3 * 16,
      ClassProposalKeys{label.data(), drawn_for.data(), nullptr, nullptr, keys.data(), 3, 61, 16, kBack, kKey, 3, 0});
  std::vector<float> best;
  std::vector<int32_t> ranked;
  for (size_t row = 0; row < 2; ++row) {
    std::vector<int32_t> order(label.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    const float* mine = keys.data() + row * label.size();
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return mine[a] > mine[b]; });
    for (size_t i = 0; i < 96; ++i) {
      ranked.push_back(order[i]);
      best.push_back(mine[order[i]]);
    }
  }
  std::vector<int32_t> rows(96, -7), out_label(96, -7), count(2, -7);
  crew::run(
      5, 1,
      PackClassProposals{best.data(), ranked.data(), label.data(), rows.data(), out_label.data(), count.data(), 96});
  CHECK(rows == expected.rows.to_vector<int32_t>(ctx));
  CHECK(out_label == expected.label.to_vector<int32_t>(ctx));
  CHECK(count == expected.count.to_vector<int32_t>(ctx));
  CHECK(count[0] > 5);
}
