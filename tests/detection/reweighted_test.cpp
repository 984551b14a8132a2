// Re-weighted cross-entropy against METHODS 1.4 and 11.1.
#include "detection/losses/reweighted.h"

#include "detection/losses/reweighted_body.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

ReweightedOptions weighted(const char* weights) {
  ReweightedOptions options;
  options.weights = weights;
  return options;
}

// METHODS 1.4's table, row by row. beta^n with long double's powl.
std::vector<Long> table(const std::string& variant, const std::vector<int64_t>& n, Long beta) {
  const size_t classes = n.size();
  const auto h = [&](Long count) { return (1 - beta) / (1 - std::pow(beta, count)); };
  Long total = 0, mean_inverse = 0, sum_h = 0;
  for (const int64_t x : n) {
    total += x;
    mean_inverse += 1 / Long(x) / Long(classes);
    sum_h += h(Long(x));
  }
  std::vector<Long> w;
  for (const int64_t x : n) {
    if (variant == "inverse") w.push_back(std::min(std::max(100 / Long(x), Long(0.1L)), Long(10)));
    if (variant == "mean") w.push_back(std::min(std::max(1 / Long(x) / mean_inverse, Long(0.1L)), Long(5)));
    if (variant == "effective") {
      w.push_back(std::min(std::max(h(Long(x)) / (sum_h / Long(classes)), Long(0.1L)), Long(5)));
    }
    if (variant == "background") w.push_back(h(Long(x)) / ((sum_h + h(3 * total)) / Long(classes + 1)));
    if (variant == "balanced") w.push_back(Long(classes) * h(Long(x)) / sum_h);
  }
  w.push_back(variant == "background" ? h(3 * total) / ((sum_h + h(3 * total)) / Long(classes + 1)) : 1);
  return w;
}

Expected oracle(const Input& in, const std::string& variant, Long beta) {
  const std::vector<Long> w = table(variant, in.statistics.instances, beta);
  Expected out = in.nothing();
  Long total = 0, weight = 0;
  for (const int32_t y : in.labels) weight += y < 0 ? 0 : w[size_t(y)];
  const Long by = variant == "balanced" ? (weight > 0 ? weight : 1) : in.normaliser();
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0) continue;
    const Long all = log_sum(in, r, 0, in.width);
    total += w[size_t(y)] * (all - in.at(r, y));
    for (int64_t j = 0; j < in.width; ++j) {
      out.gradient[size_t(r * in.width + j)] = double(w[size_t(y)] * (std::exp(in.at(r, j) - all) - (j == y)) / by);
    }
  }
  out.loss = double(total / by);
  return out;
}

}  // namespace

TEST_CASE("re-weighting: the five published weights of three classes by hand") {
  const std::vector<int64_t> n{1, 10, 10000};
  const auto weights = [&](const char* name) { return class_weights(weighted(name), n); };
  REQUIRE(weights("inverse") == std::vector<double>{10, 10, 0.1, 1});  // 100, 10, 0.01 within [0.1, 10]
  REQUIRE(weights("mean")[0] == Approx(3 / 1.1001));
  REQUIRE(weights("mean")[1] == Approx(0.3 / 1.1001));
  REQUIRE(weights("mean")[2] == 0.1);
  const double h1 = 1, h10 = 0.001 / (1 - std::pow(0.999, 10)), h4 = 0.001 / (1 - std::pow(0.999, 10000));
  REQUIRE(weights("effective")[0] == Approx(3 * h1 / (h1 + h10 + h4)));
  REQUIRE(weights("effective")[1] == Approx(3 * h10 / (h1 + h10 + h4)));
  REQUIRE(weights("effective")[2] == 0.1);
  const double hb = 0.001 / (1 - std::pow(0.999, 30033));
  REQUIRE(weights("background")[3] == Approx(4 * hb / (h1 + h10 + h4 + hb)));
  REQUIRE(weights("background")[2] == Approx(4 * h4 / (h1 + h10 + h4 + hb)));
  const auto balanced = weights("balanced");
  REQUIRE(balanced[0] + balanced[1] + balanced[2] == Approx(3));
  REQUIRE(balanced[3] == 1);
}

TEST_CASE("re-weighting equals its definition, for every published weight") {
  for (const char* variant : {"inverse", "mean", "effective", "background", "balanced"}) {
    const Long beta = std::string(variant) == "balanced" ? 0.9999L : 0.999L;
    check_against([&](const Input& in) { return oracle(in, variant, beta); }, weighted(variant),
                  {.scale = 12, .float64 = 1e-10});
    check_gradient(weighted(variant), cases()[0]);
  }
}

TEST_CASE("re-weighting with equal counts is cross-entropy; what it divides by is a choice") {
  const Case c = cases()[0];
  Context ctx;
  ParameterStore store(ctx, 1, DType::float64);
  const Tensor z = Tensor::from(ctx, {c.rows, 13}, logits_of(c, 13)),
               labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const ClassStatistics equal{{}, std::vector<int64_t>(12, 40), 0};
  const auto plain = SoftmaxOptions().make(Scope(store, "plain"), 12, {});
  const Result expected = run(ctx, *plain, z, labels);
  for (const char* variant : {"mean", "effective", "balanced"}) {
    for (const char* by : {"published", "rows", "weights"}) {
      ReweightedOptions options = weighted(variant);
      options.divide_by = by;
      const auto loss = options.make(Scope(store, text(variant, by)), 12, equal);
      const Result got = run(ctx, *loss, z, labels);
      REQUIRE(got.loss == Approx(expected.loss).epsilon(1e-12));
      REQUIRE(got.counts == expected.counts);
    }
  }
  ReweightedOptions options = weighted("inverse");  // one row of weight 10: 10 CE / 1, or 10 CE / 10
  const auto rows = options.make(Scope(store, "rows"), 1, {{}, {1}, 0});
  options.divide_by = "weights";
  const auto weights = options.make(Scope(store, "weights"), 1, {{}, {1}, 0});
  const Tensor row = Tensor::zeros(ctx, {1, 2}, DType::float64), y = Tensor::zeros(ctx, {1}, DType::int32);
  REQUIRE(run(ctx, *rows, row, y).loss == Approx(10 * std::log(2.0)));
  REQUIRE(run(ctx, *weights, row, y).loss == Approx(std::log(2.0)));
}

TEST_CASE("re-weighting without counts, or with a class that never occurs, scores but refuses to train") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const auto unknown = weighted("mean").make(Scope(store, "a"), 3, {});
  REQUIRE_THROWS_WITH(unknown->check_ready(ctx), Catch::Contains("not known"));
  const auto absent = weighted("mean").make(Scope(store, "b"), 3, {{}, {4, 0, 2}, 0});
  REQUIRE_THROWS_WITH(absent->check_ready(ctx), Catch::Contains("class 1 has no instances"));
  REQUIRE_THROWS_AS(run(ctx, *absent, Tensor::zeros(ctx, {2, 4}), Tensor::zeros(ctx, {2}, DType::int32)), Error);
  REQUIRE(absent->scores(ctx, Tensor::zeros(ctx, {2, 4})).to_vector<float>(ctx)[0] == 0.25f);
}

TEST_CASE("re-weighting: the body agrees on one lane and on a crew") {
  const Case c{"mixed", 35, 9, 4};
  const std::vector<double> z = logits_of(c, 36), weights = gradient_check::values(36, 5, 0.1, 5);
  const std::vector<int32_t> labels = labels_of(c);
  struct Out {
    std::vector<double> gradient = std::vector<double>(9 * 36, NAN), values = std::vector<double>(9, NAN);
    std::vector<double> row_weights = std::vector<double>(9, NAN);
    std::vector<int32_t> hits = std::vector<int32_t>(9, -7);
  } solo, crews;
  const auto body = [&](Out& o) {
    return ReweightedRow<double>{{z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(), 36, 35},
                                 weights.data(),
                                 o.row_weights.data()};
  };
  run_solo(9, body(solo));
  crew::run(6, 9, body(crews));
  REQUIRE(solo.hits == crews.hits);
  REQUIRE(solo.row_weights == crews.row_weights);
  for (size_t i = 0; i < 9; ++i) REQUIRE(crews.values[i] == Approx(solo.values[i]));
  for (size_t i = 0; i < 9 * 36; ++i) REQUIRE(crews.gradient[i] == Approx(solo.gradient[i]).margin(1e-14));
}
