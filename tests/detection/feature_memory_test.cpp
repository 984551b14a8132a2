// LOCE's feature memory against METHODS 1.14, with lists in the place of rings.
#include "detection/losses/feature_memory.h"

#include <catch2/catch.hpp>
#include <deque>
#include <set>

#include "detection/losses/feature_memory_body.h"
#include "detection/losses/uniform_draws.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

struct Made {
  ParameterStore store;
  FeatureMemory memory;
  Made(Context& ctx, const FeatureMemoryOptions& options) : store(ctx, 1), memory(Scope(store, "memory"), options) {}
};

const FeatureMemoryOptions kSmall{.classes = 5, .elements = 3, .depth = 4, .classes_a_step = 6, .features_a_class = 2};

Tensor draws_of(Context& ctx, const FeatureMemory& memory, uint32_t step) {
  return uniform_draws(ctx, {1, memory.draws()}, {{3, random_purpose("memory")}, step, {}, {}})
      .reshape({memory.draws()});
}

// Row r of push t is the feature (t, r, label) and offsets from it.
void push(Context& ctx, const FeatureMemory& memory, int t, const std::vector<int32_t>& labels,
          std::vector<std::deque<std::vector<float>>>* lists = nullptr) {
  std::vector<float> features, deltas;
  for (size_t r = 0; r < labels.size(); ++r) {
    const std::vector<float> feature{float(t), float(r), float(labels[r])};
    features.insert(features.end(), feature.begin(), feature.end());
    for (int i = 0; i < 4; ++i) deltas.push_back(float(100 * t) + float(10 * r) + float(i));
    if (!lists || labels[r] < 0 || labels[r] > 4) continue;
    auto& list = (*lists)[size_t(labels[r])];
    list.push_back(feature);
    if (list.size() > 4) list.pop_front();
  }
  const auto rows = int64_t(labels.size());
  memory.push(ctx, Tensor::from(ctx, {rows, 3}, features), Tensor::from(ctx, {rows}, labels),
              Tensor::from(ctx, {rows, 4}, deltas));
}

}  // namespace

TEST_CASE("feature memory: each class keeps its newest features with their offsets") {
  for (Context* ctx : devices()) {
    const Made made(*ctx, kSmall);
    std::vector<std::deque<std::vector<float>>> lists(5);
    const std::vector<std::vector<int32_t>> pushes{
        {0, 0, 3, -1, 5, 3}, {1, 0, 0}, {0, 2, 2, 2, 2, 2, 2, 2, 2, 2}, {}, {3, 2, 2, 0}};  // class 4 never
    for (size_t t = 0; t < pushes.size(); ++t) push(*ctx, made.memory, int(t), pushes[t], &lists);
    const auto features = made.store.find("memory.features")->variable.value().to_vector<float>(*ctx);
    const auto deltas = made.store.find("memory.deltas")->variable.value().to_vector<float>(*ctx);
    const auto filled = made.store.find("memory.filled")->variable.value().to_vector<float>(*ctx);
    for (size_t c = 0; c < 5; ++c) {
      REQUIRE(filled[c] == float(lists[c].size()));
      std::set<std::vector<float>> kept, expected(lists[c].begin(), lists[c].end());
      for (size_t s = 0; s < lists[c].size(); ++s) {
        const float* f = features.data() + (c * 4 + s) * 3;
        kept.insert({f, f + 3});
        REQUIRE(deltas[(c * 4 + s) * 4 + 2] == 100 * f[0] + 10 * f[1] + 2);
      }
      REQUIRE(kept == expected);
    }
  }
}

TEST_CASE("feature memory: draws classes by their scores, never one without features") {
  for (Context* ctx : devices()) {
    const Made made(*ctx, kSmall);
    const Tensor scores = Tensor::from(*ctx, {6}, std::vector<float>{0.5f, 0.25f, 0.1f, 0.5f, 0.0001f, 0.01f});
    REQUIRE(made.memory.draw(*ctx, scores, draws_of(*ctx, made.memory, 0)).labels.to_vector<int32_t>(*ctx) ==
            std::vector<int32_t>(12, -1));  // nothing there yet
    push(*ctx, made.memory, 0, {0, 0, 0, 1, 1, 2, 2, 2, 2});
    double seen[5] = {}, features[4] = {};
    const int steps = 1000;
    for (int t = 0; t < steps; ++t) {
      const MemoryRows rows = made.memory.draw(*ctx, scores, draws_of(*ctx, made.memory, uint32_t(t)));
      const auto labels = rows.labels.to_vector<int32_t>(*ctx);
      const auto values = rows.features.to_vector<float>(*ctx), deltas = rows.deltas.to_vector<float>(*ctx);
      for (size_t i = 0; i < 12; ++i) {
        REQUIRE((labels[i] >= 0 && labels[i] < 3));
        REQUIRE(labels[i] == labels[i / 2 * 2]);
        REQUIRE(values[i * 3 + 2] == float(labels[i]));
        REQUIRE(deltas[i * 4] == 10 * values[i * 3 + 1]);
        seen[labels[i]] += 0.5;
        if (labels[i] == 2) features[size_t(values[i * 3 + 1]) - 5] += 1;
      }
    }
    double chi_square = 0;
    const double share[3] = {2 / 16.0, 4 / 16.0, 10 / 16.0};
    for (int c = 0; c < 3; ++c) chi_square += std::pow(seen[c] - 6000 * share[c], 2) / (6000 * share[c]);
    REQUIRE(chi_square < 13.8);  // two degrees of freedom: 0.1 %
    const double each = seen[2] * 2 / 4;
    chi_square = 0;
    for (const double f : features) chi_square += (f - each) * (f - each) / each;
    REQUIRE(chi_square < 16.3);  // three
  }
}

TEST_CASE("feature memory: sixteen boxes around an object, one for each pattern of signs") {
  for (Context* ctx : devices()) {
    BoxSet truth;
    truth.boxes = Tensor::from(*ctx, {2, 2, 4},
                               std::vector<float>{100, 100, 160, 130, 0, 0, 0, 0, 1, 2, 61, 62, 40, 40, 198, 99});
    truth.labels = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{7, -1, 3, 4});
    truth.count = Tensor::from(*ctx, {2}, std::vector<int32_t>{1, 2});
    const Tensor sizes = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{300, 400, 100, 200});
    std::vector<float> u(128);
    for (size_t i = 0; i < 128; ++i) u[i] = float(i % 61) / 61;
    const JitteredBoxes got = jittered_boxes(*ctx, truth, sizes, Tensor::from(*ctx, {2, 64}, u));
    const auto boxes = got.boxes.to_vector<float>(*ctx);
    const auto labels = got.labels.to_vector<int32_t>(*ctx), image = got.image.to_vector<int32_t>(*ctx);
    std::set<std::vector<bool>> patterns;
    for (size_t k = 0; k < 16; ++k) {
      REQUIRE((labels[k] == 7 && image[k] == 0 && labels[16 + k] == -1 && image[16 + k] == -1 && labels[48 + k] == 4));
      const float own[4] = {100, 100, 160, 130}, side[4] = {60, 30, 60, 30};
      std::vector<bool> signs;
      for (size_t i = 0; i < 4; ++i) {
        const float moved = boxes[k * 4 + i] - own[i];
        REQUIRE(std::abs(moved) == Approx(u[i * 16 + k] / 6 * side[i]).margin(1e-4));
        signs.push_back(k >> i & 1);
        if (u[i * 16 + k] > 0) REQUIRE((moved > 0) == signs.back());
      }
      patterns.insert(signs);
      for (const size_t object : {2, 3}) {
        const float* b = boxes.data() + (object * 16 + k) * 4;
        REQUIRE((b[0] >= 0 && b[1] >= 0 && b[2] <= 199 && b[3] <= 99));
      }
    }
    REQUIRE(patterns.size() == 16);
    REQUIRE(got.objects.to_vector<float>(*ctx)[4 * 5 + 2] == 160);
  }
}

TEST_CASE("feature memory: what does not fit is refused; state is in the store") {
  Context ctx;
  const Made made(ctx, kSmall);
  REQUIRE(made.store.entries().size() == 4);
  REQUIRE_THROWS_AS(made.memory.push(ctx, Tensor::zeros(ctx, {2, 4}), Tensor::zeros(ctx, {2}, DType::int32),
                                     Tensor::zeros(ctx, {2, 4})),
                    Error);
  REQUIRE_THROWS_AS(made.memory.draw(ctx, Tensor::zeros(ctx, {4}), draws_of(ctx, made.memory, 0)), Error);
  REQUIRE_THROWS_AS(made.memory.draw(ctx, Tensor::zeros(ctx, {5}), Tensor::zeros(ctx, {3})), Error);
  REQUIRE_THROWS_AS(Made(ctx, {.classes = 0}), Error);
}

TEST_CASE("feature memory: the bodies agree on one lane and on a crew") {
  const std::vector<float> rows = wave<float>(9 * 37), row_deltas = wave<float>(36), draws = [] {
    std::vector<float> u;
    for (const double x : gradient_check::values(6 + 12, 4, 0, 1)) u.push_back(float(x));
    return u;
  }();
  const std::vector<int32_t> labels{0, 2, 2, 2, -1, 2, 1, 2, 0};
  const std::vector<float> scores{0.1f, 0.2f, 0.3f};
  struct Out {
    std::vector<float> features = std::vector<float>(3 * 4 * 37, -5), deltas = std::vector<float>(48, -5);
    std::vector<float> next{1, 3, 2}, filled{1, 4, 2};
    std::vector<int32_t> slots = std::vector<int32_t>(12, -9), labels = slots;
  } out[2];
  for (Out& o : out) {
    const auto run_on = [&](int64_t items, const auto& body) {
      &o == out ? run_solo(items, body) : crew::run(5, items, body);
    };
    run_on(9, PushFeature<float>{rows.data(), labels.data(), row_deltas.data(), o.next.data(), o.features.data(),
                                 o.deltas.data(), 9, 3, 37, 4});
    run_on(3, AdvanceMemory<float>{labels.data(), o.next.data(), o.filled.data(), 9, 4});
    run_on(6, DrawMemory<float>{scores.data(), o.filled.data(), draws.data(), o.slots.data(), o.labels.data(), 3, 4, 6,
                                2});
  }
  REQUIRE(out[0].features == out[1].features);
  REQUIRE(out[0].deltas == out[1].deltas);
  REQUIRE(out[0].next == out[1].next);
  REQUIRE(out[0].next == std::vector<float>{3, 0, 3});
  REQUIRE(out[0].filled == std::vector<float>{3, 4, 4});
  REQUIRE(out[0].slots == out[1].slots);
  REQUIRE(out[0].labels == out[1].labels);
}
