// The focal loss over a softmax and over sigmoids against METHODS 1.3.
#include "detection/losses/focal.h"

#include "detection/losses/focal_body.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

// beta 0: every weight 1. Else CE = -w log p with w = C h(n_y) / sum_k h(n_k), background 1, goes into the modulation.
Oracle softmax_focal(Long gamma, Long beta = 0) {
  return [=](const Input& in) {
    Expected out = in.nothing();
    Long total = 0;
    std::vector<Long> w(size_t(in.classes + 1), 1);
    if (beta > 0) {
      Long sum = 0;
      for (int64_t c = 0; c < in.classes; ++c) {
        w[size_t(c)] = (1 - beta) / (1 - std::pow(beta, Long(in.statistics.instances[size_t(c)])));
        sum += w[size_t(c)];
      }
      for (int64_t c = 0; c < in.classes; ++c) w[size_t(c)] *= Long(in.classes) / sum;
    }
    for (int64_t r = 0; r < in.rows(); ++r) {
      const int64_t y = in.label(r);
      if (y < 0) continue;
      const Long log_sum_all = log_sum(in, r, 0, in.width);
      Long q = 0;
      for (int64_t j = 0; j < in.width; ++j) q += j == y ? 0 : std::exp(in.at(r, j) - log_sum_all);
      const Long wrong = q, exact = q < 0.5L ? std::log1p(-q) : in.at(r, y) - log_sum_all;
      const Long log_p = w[size_t(y)] * exact, p = std::exp(log_p);
      if (beta > 0) q = -std::expm1(log_p);
      total += -std::pow(q, gamma) * log_p;
      const Long bracket =
          w[size_t(y)] * ((q > 0 ? gamma * p * std::pow(q, gamma - 1) * log_p : 0) - std::pow(q, gamma));
      for (int64_t j = 0; j < in.width; ++j) {
        const Long against = j == y ? wrong : -std::exp(in.at(r, j) - log_sum_all);
        out.gradient[size_t(r * in.width + j)] = double(bracket * against / in.normaliser());
      }
    }
    out.loss = double(total / in.normaliser());
    return out;
  };
}

// -alpha_t (1 - p_t)^gamma log p_t, its slope by a central difference in long double.
Oracle sigmoid_focal(Long gamma, Long alpha) {
  const auto value = [=](Long z, bool y) {
    const Long u = y ? z : -z, p = 1 / (1 + std::exp(-u)), q = 1 / (1 + std::exp(u));
    return -(y ? alpha : 1 - alpha) * std::pow(q, gamma) * (q < 0.5L ? std::log1p(-q) : std::log(p));
  };
  return [=](const Input& in) {
    const auto point = [&](Long z, bool y) {
      const Long h = 1e-4L;
      const Long slope =
          (8 * (value(z + h, y) - value(z - h, y)) - (value(z + 2 * h, y) - value(z - 2 * h, y))) / (12 * h);
      return Point{value(z, y), slope};
    };
    return binary_oracle(in, point, one);
  };
}

FocalOptions focal(const char* form, double gamma, double alpha = 0.25) {
  FocalOptions options;
  options.form = form;
  options.gamma = gamma;
  options.alpha = alpha;
  return options;
}

}  // namespace

TEST_CASE("focal loss equals its definition, for several gamma") {
  for (const double gamma : {0.0, 0.5, 1.0, 2.0, 5.0}) {
    INFO("gamma " << gamma);
    const Tolerance close{.float32 = 1e-5};
    check_against(softmax_focal(gamma), focal("softmax", gamma), close);
    check_against(sigmoid_focal(gamma, 0.25L), focal("sigmoid", gamma), close);
    check_gradient(focal("softmax", gamma), cases()[0]);
    check_gradient(focal("sigmoid", gamma, 0.4), cases()[0]);
  }
}

TEST_CASE("focal loss with class weights inside the modulation equals its definition") {
  FocalOptions options;
  options.class_weights = "balanced";
  options.beta = 0.999;
  for (const double gamma : {0.5, 1.0, 2.0}) {
    INFO("gamma " << gamma);
    options.gamma = gamma;
    check_against(softmax_focal(gamma, 0.999L), options, {.float32 = 1e-5});
    check_gradient(options, cases()[0]);
  }
  // By hand: n = 2 and 20000, so C h(n_0) / sum is 2 but for 5e-5; p = 1/2, CE = 2 log 2, e^-CE = 1/4.
  options.gamma = 1;
  options.beta = 0.9999;
  const double w0 = 1 / (1 - std::pow(0.9999, 2)), w1 = 1 / (1 - std::pow(0.9999, 20000)), w = 2 * w0 / (w0 + w1);
  const double ce = w * std::log(2.0);
  const Result row = one_row(options, 2, {0, 0, -200}, 0);
  REQUIRE(row.loss == Approx((1 - std::exp(-ce)) * ce).epsilon(1e-12));
  REQUIRE(row.gradient[1] == Approx(w * 0.5 * (std::exp(-ce) * ce + 1 - std::exp(-ce))).epsilon(1e-12));
  // The background weighs 1, and a set that is not known cannot train.
  REQUIRE(one_row(options, 2, {0, -200, 0}, 2).loss == Approx(std::log(2.0) / 2));
  Context ctx;
  ParameterStore store(ctx, 1);
  REQUIRE_THROWS_WITH(options.make(Scope(store, "loss"), 2, {})->check_ready(ctx), Catch::Contains("instances"));
}

TEST_CASE("focal loss with gamma 0 is cross-entropy, and half of it over sigmoids with alpha 1/2") {
  const Case c = cases()[0];
  Context ctx;
  Made none(ctx, focal("softmax", 0), c.classes, DType::float64),
      plain(ctx, SoftmaxOptions(), c.classes, DType::float64);
  const Tensor z = typed_tensor(ctx, DType::float64, {c.rows, c.classes + 1}, logits_of(c, c.classes + 1));
  const Tensor labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const Result a = run(ctx, *none.loss, z, labels), b = run(ctx, *plain.loss, z, labels);
  REQUIRE(a.loss == Approx(b.loss).epsilon(1e-14));
  REQUIRE(a.counts == b.counts);
  for (size_t i = 0; i < a.gradient.size(); ++i) REQUIRE(a.gradient[i] == Approx(b.gradient[i]).margin(1e-15));
  REQUIRE(one_row(focal("sigmoid", 0, 0.5), 1, {0}, 0).loss == Approx(std::log(2.0) / 2));
  // p = 3/4: RetinaNet's own numbers, -1/4 (1/4)^2 log(3/4).
  REQUIRE(one_row(focal("sigmoid", 2), 1, {std::log(3.0)}, 0).loss == Approx(std::log(4.0 / 3) / 64));
  REQUIRE(one_row(focal("sigmoid", 2), 1, {std::log(3.0)}, 1).loss == Approx(0.75 * 9 / 16 * std::log(4.0)));
  REQUIRE(one_row(focal("softmax", 2), 1, {std::log(3.0), 0}, 0).loss == Approx(std::log(4.0 / 3) / 16));
}

TEST_CASE("focal loss over sigmoids: easy logits keep their digits in float32") {
  // alpha 1 for positives and 1/2 for negatives: q = 1 / (1 + e^u), value q^2 log1p(e^-u), from u = 0 to 30.
  for (double u = -30; u <= 30; u += 0.37) {
    const Long z = float(u), q = 1 / (1 + std::exp(z)), p = 1 / (1 + std::exp(-z)), ce = std::log1p(std::exp(-z));
    const Long value = q * q * ce, slope = -q * q * (2 * p * ce + q);
    for (const bool positive : {true, false}) {
      INFO("u " << u << ", positive " << positive);
      const FocalLink<float> link{2, positive ? 1.f : 0.5f};
      const ValueAndSlope<float> got = link(positive ? float(u) : -float(u), positive);
      const double share = positive ? 1 : 0.5;
      REQUIRE(got.value == Approx(double(share * value)).epsilon(3e-6));
      REQUIRE(got.slope == Approx(double((positive ? share : -share) * slope)).epsilon(3e-6));
    }
  }
}

TEST_CASE("focal loss: the bodies agree on one lane and on a crew") {
  const Case c{"mixed", 35, 9, 4};
  const std::vector<double> z = logits_of(c, 36);
  const std::vector<int32_t> labels = labels_of(c);
  struct Out {
    std::vector<double> gradient = std::vector<double>(9 * 36, NAN), values = std::vector<double>(9, NAN);
    std::vector<int32_t> hits = std::vector<int32_t>(9, -7);
  };
  const auto both = [&](auto make) {
    Out solo, crews;
    const auto rows = [&](Out& o) {
      return ClassRows<double>{z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(), 36, 35};
    };
    run_solo(9, make(rows(solo)));
    crew::run(5, 9, make(rows(crews)));
    REQUIRE(solo.hits == crews.hits);
    for (size_t i = 0; i < 9; ++i) REQUIRE(crews.values[i] == Approx(solo.values[i]));
    for (size_t i = 0; i < 9 * 36; ++i) REQUIRE(crews.gradient[i] == Approx(solo.gradient[i]).margin(1e-15));
  };
  both([](const ClassRows<double>& rows) { return SoftmaxFocalRow<double>{rows, 2, nullptr}; });
  const std::vector<double> weights = gradient_check::values(36, 4, 0.1, 5);
  both([&](const ClassRows<double>& rows) { return SoftmaxFocalRow<double>{rows, 1, weights.data()}; });
  both([](const ClassRows<double>& rows) { return SigmoidFocalRow<double>{rows, {2, 0.25}}; });
}
