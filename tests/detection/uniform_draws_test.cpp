// What the losses share below them: the draws, and the sum over rows with its normaliser.
#include "detection/losses/uniform_draws.h"

#include <catch2/catch.hpp>
#include <set>

#include "detection/losses/row_loss_body.h"
#include "detection/losses/uniform_draws_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

TEST_CASE("uniform draws: one for each row's number and column, the same for rows that moved, and on a crew") {
  Context ctx;
  const UniformDrawsInput key{{11, random_purpose("test")}, 4, {}, {}};
  const auto all = uniform_draws(ctx, {6, 7}, key).to_vector<float>(ctx);
  REQUIRE(std::set<float>(all.begin(), all.end()).size() == 42);
  for (const float u : all) REQUIRE((u >= 0 && u < 1));
  REQUIRE(all[2 * 7 + 5] == uniform01(random_words(key.key, 4, 1, 2).word[1]));
  UniformDrawsInput moved = key;
  moved.rows = Tensor::from(ctx, {2}, std::vector<int32_t>{4, 1});
  moved.step = 1;
  moved.steps = Tensor::from(ctx, {1}, std::vector<int32_t>{3});
  const auto two = uniform_draws(ctx, {2, 7}, moved).to_vector<float>(ctx);
  for (size_t j = 0; j < 7; ++j) REQUIRE((two[j] == all[4 * 7 + j] && two[7 + j] == all[7 + j]));
  std::vector<float> crews(42, NAN);
  crew::run(3, 6, UniformDraws{nullptr, nullptr, crews.data(), 7, key.key, 4});
  REQUIRE(crews == all);
  double mean = 0;
  for (const float u : uniform_draws(ctx, {100, 1000}, key).to_vector<float>(ctx)) mean += u / 1e5;
  REQUIRE(mean == Approx(0.5).margin(0.004));  // 4 standard deviations
}

TEST_CASE("the total of a row loss: a weighted mean, and a ceiling without gradient, on one lane and on a crew") {
  const std::vector<double> values{1, 2, 6}, weights{0.5, 0, 2.5};
  const std::vector<int32_t> labels{0, -1, 3};
  struct Want {
    const double* weights;
    double ceiling, loss, inverse;
  };
  for (const Want& want : {Want{nullptr, 0, 4.5, 0.5}, Want{weights.data(), 0, 3, 1.0 / 3}, Want{nullptr, 4, 4, 0},
                           Want{nullptr, 5, 4.5, 0.5}}) {
    for (const bool crewed : {false, true}) {
      double loss = NAN, inverse = NAN;
      int32_t counts[2] = {-7, -7};
      const RowLossTotal<double> body{values.data(), labels.data(), nullptr, nullptr, &loss, &inverse, counts, 3, 1,
                                      want.weights,  want.ceiling};
      crewed ? crew::run(4, 1, body) : run_solo(1, body);
      REQUIRE(loss == Approx(want.loss));
      REQUIRE(inverse == Approx(want.inverse).margin(0));
      REQUIRE(counts[0] == 2);
    }
  }
}
