// Class-aware margins and LDAM with deferred re-weighting against METHODS 1.5 and 11.1.
#include "detection/losses/margin.h"

#include "detection/losses/margin_body.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "detection/losses/softmax_scores_body.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

MarginOptions margin(const char* form, double largest, int64_t drw_start = -1) {
  MarginOptions options;
  options.form = form;
  options.largest = largest;
  options.drw_start = drw_start;
  return options;
}

Expected oracle(const Input& in, const std::string& form, Long largest, Long background, bool reweighted) {
  const std::vector<int64_t>& n = in.statistics.instances;
  const Long scale = form == "ldam" ? 30 : 1, beta = 0.9999L;
  Long most = 0, sum_h = 0;
  const auto h = [&](Long count) { return (1 - beta) / (1 - std::pow(beta, count)); };
  for (const int64_t x : n) {
    most = std::max(most, 1 / std::sqrt(std::sqrt(Long(x))));
    sum_h += h(x);
  }
  std::vector<Long> delta, w;
  for (const int64_t x : n) {
    delta.push_back(largest / std::sqrt(std::sqrt(Long(x))) / (form == "ldam" ? most : 1));
    w.push_back(reweighted ? Long(in.classes) * h(x) / sum_h : 1);
  }
  delta.push_back(background);
  w.push_back(1);
  Expected out = in.nothing();
  Long total = 0, by = 0;
  for (const int32_t y : in.labels) by += y < 0 ? 0 : w[size_t(y)];
  by = by > 0 ? by : 1;
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0) continue;
    std::vector<Long> e;
    Long d = 0;
    for (int64_t j = 0; j < in.width; ++j) {
      e.push_back(std::exp(scale * (in.at(r, j) - (j == y ? delta[size_t(y)] : 0))));
      d += e.back();
    }
    total += w[size_t(y)] * (std::log(d) - scale * (in.at(r, y) - delta[size_t(y)]));
    for (int64_t j = 0; j < in.width; ++j) {
      out.gradient[size_t(r * in.width + j)] = double(w[size_t(y)] * scale * (e[size_t(j)] / d - (j == y)) / by);
    }
  }
  out.loss = double(total / by);
  return out;
}

}  // namespace

TEST_CASE("margin losses equal their definitions") {
  check_against([](const Input& in) { return oracle(in, "simcal", 2, 0, false); }, margin("simcal", 2));
  MarginOptions apart = margin("simcal", 1);
  apart.background = 0.7;
  check_against([](const Input& in) { return oracle(in, "simcal", 1, 0.7L, false); }, apart);
  const Tolerance scaled{.float32 = 1e-4, .float64 = 1e-10};  // 100 - margin, rounded, times 30
  check_against([](const Input& in) { return oracle(in, "ldam", 0.5L, 0, false); }, margin("ldam", 0.5), scaled);
  check_against([](const Input& in) { return oracle(in, "ldam", 0.5L, 0, true); }, margin("ldam", 0.5, 0), scaled);
  check_gradient(margin("simcal", 2), cases()[0]);
  check_gradient(margin("ldam", 0.5, 0), Case{"cosines", 12, 23, 1});
}

TEST_CASE("margin: without any it is cross-entropy; with one, one logit by hand") {
  const Case c = cases()[0];
  Context ctx;
  Made none(ctx, margin("simcal", 0), c.classes, DType::float64),
      plain(ctx, SoftmaxOptions(), c.classes, DType::float64);
  const Tensor z = Tensor::from(ctx, {c.rows, 13}, logits_of(c, 13)),
               labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const Result a = run(ctx, *none.loss, z, labels), b = run(ctx, *plain.loss, z, labels);
  REQUIRE(a.loss == Approx(b.loss).epsilon(1e-14));
  REQUIRE(a.counts == b.counts);
  for (size_t i = 0; i < a.gradient.size(); ++i) REQUIRE(a.gradient[i] == Approx(b.gradient[i]).margin(1e-15));
  ParameterStore store(ctx, 1, DType::float64);  // 16 instances: a margin of log(3) / 2 * 2
  const auto loss = margin("simcal", 2 * std::log(3.0)).make(Scope(store, "loss"), 1, {{}, {16}, 0});
  const Result one = run(ctx, *loss, Tensor::zeros(ctx, {1, 2}, DType::float64), Tensor::zeros(ctx, {1}, DType::int32));
  REQUIRE(one.loss == Approx(std::log(4.0)));  // e^(-log 3) against 1
  REQUIRE(one.gradient[0] == Approx(-0.75));
}

TEST_CASE("margin: DRW begins at its step, in the state") {
  Context ctx;
  Made late(ctx, margin("simcal", 1, 2), 12, DType::float64), now(ctx, margin("simcal", 1, 0), 12, DType::float64),
      never(ctx, margin("simcal", 1), 12, DType::float64);
  const Case c = cases()[0];
  const Tensor z = Tensor::from(ctx, {c.rows, 13}, logits_of(c, 13)),
               labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const double before = run(ctx, *never.loss, z, labels).loss, after = run(ctx, *now.loss, z, labels).loss;
  REQUIRE(before != Approx(after));
  for (const double expected : {before, before, after, after})
    REQUIRE(run(ctx, *late.loss, z, labels).loss == expected);
  REQUIRE(to_doubles(ctx, late.store.find("loss.steps")->variable.value()) == std::vector<double>{4});
  REQUIRE(never.store.entries().empty());
  ParameterStore store(ctx, 1);
  REQUIRE_THROWS_WITH(margin("ldam", 1).make(Scope(store, "a"), 2, {{}, {3, 0}, 0})->check_ready(ctx),
                      Catch::Contains("class 1 has no instances"));
}

TEST_CASE("margin: LDAM scores by the softmax of scaled cosines") {
  for (Context* ctx : devices()) {
    Made made(*ctx, margin("ldam", 0.5), 1);
    const std::vector<float> z{float(std::log(3.0) / 30), 0};
    REQUIRE(made.loss->scores(*ctx, Tensor::from(*ctx, {1, 2}, z)).to_vector<float>(*ctx)[0] == Approx(0.75));
  }
}

TEST_CASE("margin: the bodies agree on one lane and on a crew") {
  const std::vector<double> margins = gradient_check::values(36, 1, 0, 2),
                            weights = gradient_check::values(36, 2, 0.1, 4);
  std::vector<double> row_weights(9);
  for (const double steps : {0.0, 3.0}) {
    check_on_crew(36, 35, [&](const ClassRows<double>& r) {
      return MarginRow<double>{r, margins.data(), weights.data(), &steps, row_weights.data(), 3, 2};
    });
  }
  double steps = 4;
  crew::run(3, 1, CountStep<double>{&steps});
  REQUIRE(steps == 5);
  const std::vector<double> z = wave<double>(9 * 36);
  std::vector<double> solo(9 * 35, NAN), crews = solo;
  run_solo(9, SoftmaxScores<double>{z.data(), solo.data(), 35, 3});
  crew::run(5, 9, SoftmaxScores<double>{z.data(), crews.data(), 35, 3});
  for (size_t i = 0; i < solo.size(); ++i) REQUIRE(crews[i] == Approx(solo[i]));
}
