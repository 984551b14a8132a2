// Which head scores which class, by the counts; and the scores, on every device, type and crew.
#include "detection/calibration/dual_scores.h"

#include <catch2/catch.hpp>

#include "detection/calibration/dual_scores_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

std::vector<float> shares(const DualOptions& options, const std::vector<int64_t>& instances) {
  Context& ctx = cpu_context();
  return calibrated_shares(ctx, options, static_cast<int64_t>(instances.size()), {{}, instances, 0})
      .to_vector<float>(ctx);
}

}  // namespace

TEST_CASE("classes below T come from the calibrated head: the code's n < 100, the paper's n <= 300") {
  const std::vector<int64_t> seen{0, 99, 100, 101, 300, 301};
  CHECK(shares({}, seen) == std::vector<float>{1, 1, 0, 0, 0, 0});
  CHECK(shares({DualInference::select, 100, false}, seen) == std::vector<float>{1, 1, 1, 0, 0, 0});
  CHECK(shares({DualInference::select, 300, false}, seen) == std::vector<float>{1, 1, 1, 1, 1, 0});
  CHECK(shares({DualInference::select, 0, true}, seen) == std::vector<float>(6, 0.f));
  CHECK(shares({DualInference::average}, seen) == std::vector<float>(6, .5f));
  CHECK(shares({DualInference::calibrated}, seen) == std::vector<float>(6, 1.f));
  CHECK(shares({DualInference::original}, seen) == std::vector<float>(6, 0.f));
}

TEST_CASE("selection that does not know the counts, or has no T, is refused") {
  Context& ctx = cpu_context();
  CHECK_THROWS_WITH(calibrated_shares(ctx, {}, 4, {}), Catch::Contains("of 0 classes are known, not of 4"));
  CHECK_THROWS_WITH(calibrated_shares(ctx, {}, 4, {{}, {1, 2, 3}, 0}), Catch::Contains("of 3 classes"));
  CHECK_THROWS_WITH(calibrated_shares(ctx, {DualInference::select, -1, true}, 1, {{}, {1}, 0}),
                    Catch::Contains("T is -1"));
  CHECK_NOTHROW(calibrated_shares(ctx, {DualInference::average}, 4, {}));
  const Tensor three = Tensor::zeros(ctx, {2, 3}), shares = Tensor::zeros(ctx, {3});
  CHECK_THROWS_AS(dual_scores(ctx, three, Tensor::zeros(ctx, {2, 4}), shares), Error);
  CHECK_THROWS_AS(dual_scores(ctx, three, three, Tensor::zeros(ctx, {4})), Error);
  CHECK_THROWS_AS(dual_scores(ctx, three, Tensor::zeros(ctx, {2, 3}, DType::float64), shares), Error);
}

TEST_CASE("a selected score is one of the two, bit by bit and not renormalised; an average is their mean") {
  // Row 0 by hand: classes 0 and 2 are rare.
  for (Context* ctx : devices()) {
    const Tensor original = Tensor::from(*ctx, {2, 3}, std::vector<float>{.1f, .6f, .05f, .3f, .3f, .3f});
    const Tensor calibrated = Tensor::from(*ctx, {2, 3}, std::vector<float>{.7f, .2f, .09f, 0.f, 1.f, 1e-30f});
    const Tensor rare = Tensor::from(*ctx, {3}, std::vector<float>{1, 0, 1});
    CHECK(dual_scores(*ctx, original, calibrated, rare).to_vector<float>(*ctx) ==
          std::vector<float>{.7f, .6f, .09f, 0.f, .3f, 1e-30f});
    const Tensor half = Tensor::full(*ctx, {3}, .5);
    const auto mean = dual_scores(*ctx, original, calibrated, half).to_vector<float>(*ctx);
    for (const auto& [at, expected] : {std::pair{0, .4}, {1, .4}, {2, .07}, {3, .15}, {4, .65}, {5, .15}}) {
      CHECK(mean[static_cast<size_t>(at)] == Approx(expected));
    }
    CHECK(dual_scores(*ctx, Tensor::zeros(*ctx, {0, 3}), Tensor::zeros(*ctx, {0, 3}), rare).size(0) == 0);
  }
}

TEST_CASE("dual scores on a crew are those of one lane") {
  const int64_t rows = 3;
  for (const int64_t classes : {1, 7, 1203}) {
    const auto count = static_cast<size_t>(rows * classes);
    const std::vector<float> a = wave<float>(count), b = wave<float>(count, 1);
    std::vector<float> which(static_cast<size_t>(classes)), one(count, -9), many(count, -9);
    for (size_t c = 0; c < which.size(); ++c) which[c] = c % 3 == 0 ? 1.f : c % 3 == 1 ? 0.f : .5f;
    run_solo(rows, DualScores<float>{a.data(), b.data(), which.data(), one.data(), classes});
    crew::run(5, rows, DualScores<float>{a.data(), b.data(), which.data(), many.data(), classes});
    CHECK(one == many);
    for (size_t i = 0; i < count; ++i) {
      const size_t c = i % which.size();
      CHECK(one[i] == Approx(c % 3 == 0 ? b[i] : c % 3 == 1 ? a[i] : (double(a[i]) + b[i]) / 2).margin(1e-7));
    }
  }
}
