// The losses "sigmoid" and "gumbel" against METHODS 1.2 and 1.12.
#include "detection/losses/sigmoid_cross_entropy.h"

#include "detection/losses/activation.h"
#include "detection/losses/activation_body.h"
#include "detection/losses/class_rows.h"
#include "detection/losses/gumbel.h"
#include "detection/losses/gumbel_body.h"
#include "detection/losses/sigmoid_cross_entropy_body.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

Oracle gumbel_oracle(Long low, Long high, bool published, Long ceiling = 0) {
  return [=](const Input& in) {
    Expected out = binary_oracle(
        in, [=](Long z, bool y) { return gumbel_point(z, y, low, high, published); }, one);
    if (ceiling > 0 && out.loss > ceiling) out = {double(ceiling), in.nothing().gradient};
    return out;
  };
}

// The Gaussian's distribution where a class has more than `above` images; its logits end at +-5.
Point normal_point(Long z, bool positive) {
  const Long at = std::min(std::max(z, Long(-5)), Long(5)), u = positive ? at : -at;
  const Long p = std::erfc(-u / std::sqrt(Long(2))) / 2,
             density = std::exp(-u * u / 2) / std::sqrt(8 * std::atan(1.0L));
  return {-std::log(p), std::abs(z) > 5 ? 0 : (positive ? -density : density) / p};
}

Oracle mixed_oracle(int64_t above, bool published, Long ceiling) {
  return [=](const Input& in) {
    Expected out = in.nothing();
    Long total = 0;
    for (int64_t r = 0; r < in.rows(); ++r) {
      if (in.label(r) < 0) continue;
      for (int64_t j = 0; j < in.width; ++j) {
        const bool frequent = j < in.classes && in.statistics.images[size_t(j)] > above, own = j == in.label(r);
        const Point at = frequent ? normal_point(in.at(r, j), own) : gumbel_point(in.at(r, j), own, -4, 10, published);
        total += at.value;
        out.gradient[size_t(r * in.width + j)] = double(at.slope / in.normaliser());
      }
    }
    out.loss = double(total / in.normaliser());
    if (ceiling > 0 && out.loss > ceiling) out = {double(ceiling), in.nothing().gradient};
    return out;
  };
}

GumbelOptions gumbel(const char* gradient, double ceiling, double low = -4, double high = 10) {
  GumbelOptions options;
  options.activation.gradient = gradient;
  options.activation.clamp_low = low;
  options.activation.clamp_high = high;
  options.loss_ceiling = ceiling;
  return options;
}

}  // namespace

TEST_CASE("sigmoid loss equals its definition, with a background column and without") {
  SigmoidOptions options;
  const Oracle oracle = [](const Input& in) { return binary_oracle(in, sigmoid_point, one); };
  check_against(oracle, options);
  check_gradient(options, cases()[0]);
  options.background = "none";
  check_against(oracle, options);
  check_gradient(options, cases()[0]);
  check_gradient(options, Case{"logits of 100", 5, 6, 100});
}

TEST_CASE("sigmoid loss by hand: the sum over columns is divided by rows only; scores are what they are called") {
  SigmoidOptions options;
  options.background = "none";
  const std::vector<double> z{0, std::log(3.0), 0};  // 1/2, 3/4, 1/2
  const Result object = one_row(options, 3, z, 1), background = one_row(options, 3, z, 3);
  REQUIRE(object.loss == Approx(2 * std::log(2.0) + std::log(4.0 / 3)));
  REQUIRE(object.gradient[1] == Approx(-0.25));
  REQUIRE(object.counts == std::vector<int32_t>{1, 1});
  REQUIRE(background.loss == Approx(2 * std::log(2.0) + std::log(4.0)));
  REQUIRE(background.counts == std::vector<int32_t>{1, 0});
  for (Context* ctx : devices()) {
    const Tensor row = Tensor::from(*ctx, {1, 3}, std::vector<float>(z.begin(), z.end()));
    const auto scores_of = [&](int64_t classes) {
      return Made(*ctx, options, classes).loss->scores(*ctx, row).to_vector<float>(*ctx);
    };
    REQUIRE(scores_of(3)[1] == Approx(0.75));
    options.background = "column";
    REQUIRE(scores_of(2)[1] == Approx(0.6));  // of 1 + 3 + 1
    options.scores = "sigmoid";
    REQUIRE(scores_of(2)[1] == Approx(0.75));
    options = SigmoidOptions();
    options.background = "none";
  }
}

TEST_CASE("Gumbel: the table of METHODS 1.12 to every digit it has") {
  struct Line {
    double z, eta, positive, positive_slope, negative, negative_slope;
  };
  const GumbelLink<double> exact{-4, 10, false};
  for (const Line& l :
       {Line{-2, 6.1798e-4, 7.38906, -7.38906, 6.182e-4, 4.569e-3}, Line{0, 0.367879, 1, -1, 0.458675, 0.581977},
        Line{2, 0.873423, 0.135335, -0.135335, 2.0669, 0.93385},
        Line{5, 0.993285, 6.738e-3, -6.738e-3, 5.0034, 0.99663}}) {
    REQUIRE(exact.probability(l.z) == Approx(l.eta).epsilon(1e-4));
    REQUIRE(exact(l.z, true).value == Approx(l.positive).epsilon(1e-4));
    REQUIRE(exact(l.z, true).slope == Approx(l.positive_slope).epsilon(1e-4));
    REQUIRE(exact(l.z, false).value == Approx(l.negative).epsilon(1e-4));
    REQUIRE(exact(l.z, false).slope == Approx(l.negative_slope).epsilon(1e-4));
  }
  const GumbelLink<double> published{-4, 10, true};  // the collapse below -3.3
  REQUIRE(published(-3.3, true).slope == Approx(-27.1).epsilon(2e-3));
  REQUIRE(published(-3.4, true).slope == Approx(-2.9).epsilon(2e-2));
  REQUIRE(published(-3.5, true).slope == Approx(-0.14).epsilon(5e-2));
  REQUIRE(published(-4.0, true).slope == Approx(-1.1e-10).epsilon(5e-2));
  REQUIRE(exact(-4.0, true).slope == Approx(-54.6).epsilon(1e-3));
  REQUIRE(exact(10.0, false).slope > 0.9999);  // the limits themselves pass their gradient
  REQUIRE(exact(10.001, false).slope == 0);
  REQUIRE(exact(-4.001, true).slope == 0);
  REQUIRE(exact(-4.001, true).value == exact(-4.0, true).value);
  REQUIRE(std::isnan(exact(NAN, true).value));
}

TEST_CASE("Gumbel loss equals its definition: as published, exact, with wide clamps") {
  check_against(gumbel_oracle(-4, 10, true, 20), gumbel("collapsed", 20));
  check_against(gumbel_oracle(-4, 10, true), gumbel("collapsed", 0));
  check_against(gumbel_oracle(-4, 10, false), gumbel("exact", 0));
  check_against(gumbel_oracle(-20, 50, false), gumbel("exact", 0, -20, 50));
  check_gradient(gumbel("exact", 0), Case{"inside the clamps", 7, 12, 3.5});
}

TEST_CASE("Gumbel: every value and slope in float32, point by point, as far as exp(-t) can be told there") {
  // t = e^-z carries a rounding of its own, and eta = e^-t turns it into t times as much. The collapsed slope of a
  // negative is eta^2 t / 1e-12, and float32 ends at 1.4e-45.
  const auto sweep = [](float low, float high, bool collapsed) {
    const GumbelLink<float> link{low, high, collapsed};
    for (int i = 0; i <= 20000; ++i) {
      const float z = low - 1 + (high - low + 2) * float(i) / 20000;
      const double at = std::min(std::max(double(z), double(low)), double(high));
      const double share = 3e-7 * (4 + std::exp(-at)), least = collapsed ? 1e-31 : 1e-37;
      for (const bool positive : {false, true}) {
        const Point expected = gumbel_point(z, positive, low, high, collapsed);
        const ValueAndSlope<float> got = link(z, positive);
        INFO("z " << z << ", positive " << positive << ", collapsed " << collapsed);
        REQUIRE(std::abs(got.value - expected.value) <= share * std::abs(expected.value) + least);
        REQUIRE(std::abs(got.slope - expected.slope) <= share * std::abs(expected.slope) + least);
      }
    }
  };
  sweep(-4, 10, false);
  sweep(-4, 10, true);
  sweep(-20, 50, false);
}

TEST_CASE("Gumbel: a loss above the ceiling is cut to it and teaches nothing") {
  const Result cut = one_row(gumbel("exact", 20), 1, {-4, -4}, 0);  // 54.6 and about 0
  REQUIRE(cut.loss == 20);
  REQUIRE(cut.gradient == std::vector<double>{0, 0});
  REQUIRE(one_row(gumbel("exact", 0), 1, {-4, -4}, 0).loss == Approx(std::exp(4.0)));
}

TEST_CASE("Gumbel with the Gaussian for frequent classes equals its definition; scores, state and what cannot train") {
  GumbelOptions options = gumbel("collapsed", 0);
  options.frequent = "normal";
  const Tolerance close{.float32 = 1e-5};
  check_against(mixed_oracle(100, true, 0), options, close);
  options.loss_ceiling = 25;
  check_against(mixed_oracle(100, true, 25), options, close);
  options = gumbel("exact", 0);
  options.frequent = "normal";
  options.frequent_above = 1000;
  check_against(mixed_oracle(1000, false, 0), options, close);
  check_gradient(options, Case{"inside the clamps", 7, 12, 3.5});

  // Phi(1) = 0.8413447461 (tables); classes of 1, 100 and 10000 images.
  options.frequent_above = 100;
  Context ctx;
  Made made(ctx, options, 3, DType::float64);
  const std::vector<double> scores =
      to_doubles(ctx, made.loss->scores(ctx, Tensor::from(ctx, {1, 4}, std::vector<double>{1, 1, 1, 1})));
  const double eta = std::exp(-std::exp(-1.0));
  REQUIRE(scores[0] == Approx(eta));
  REQUIRE(scores[1] == Approx(eta));  // 100 is not more than 100
  REQUIRE(scores[2] == Approx(0.8413447461).epsilon(1e-10));
  const Result row = one_row(options, 3, {-40, -40, 1, -40}, 2);
  REQUIRE(row.loss == Approx(-std::log(0.8413447461)).epsilon(1e-9));
  REQUIRE(row.gradient[2] == Approx(-0.2419707245 / 0.8413447461).epsilon(1e-9));  // phi(1) / Phi(1)
  // The state says which classes they were: weights of another set are refused, and an unknown set can score only.
  GumbelOptions other = options;
  other.frequent_above = 10000;
  Made elsewhere(ctx, other, 3, DType::float64);
  elsewhere.store.load_state_dict(made.store.state_dict(), "weights");
  REQUIRE_THROWS_WITH(elsewhere.loss->check_ready(ctx), Catch::Contains("class 2 is not frequent"));
  ParameterStore store(ctx, 1);
  const auto scorer = options.make(Scope(store, "loss"), 3, {});
  REQUIRE_THROWS_WITH(scorer->check_ready(ctx), Catch::Contains("images"));
  const Tensor fresh = Tensor::from(ctx, {1, 4}, std::vector<float>{1, 1, 1, 1});
  REQUIRE(to_doubles(ctx, scorer->scores(ctx, fresh))[2] == Approx(eta));
  store.load_state_dict(Made(ctx, options, 3).store.state_dict(), "weights");
  REQUIRE(to_doubles(ctx, scorer->scores(ctx, fresh))[2] == Approx(0.8413447461));
}

TEST_CASE("losses with a probability a class: the bodies agree on one lane and on a crew") {
  const Case c{"mixed", 35, 9, 4};
  const std::vector<double> z = logits_of(c, 36);
  const std::vector<int32_t> labels = labels_of(c);
  const auto compare_links = [&](const auto& link) {
    using Link = std::decay_t<decltype(link)>;
    struct Out {
      std::vector<double> gradient = std::vector<double>(9 * 36, NAN), values = std::vector<double>(9, NAN);
      std::vector<double> scores = std::vector<double>(9 * 35, NAN);
      std::vector<int32_t> hits = std::vector<int32_t>(9, -7);
    } solo, crews;
    const auto body = [&](Out& o) {
      return BinaryClassRow<double, Link>{
          {z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(), 36, 35}, link};
    };
    run_solo(9, body(solo));
    crew::run(5, 9, body(crews));
    run_solo(9, LinkScores<double, Link>{z.data(), solo.scores.data(), 36, 35, link});
    crew::run(5, 9, LinkScores<double, Link>{z.data(), crews.scores.data(), 36, 35, link});
    REQUIRE(solo.hits == crews.hits);
    REQUIRE(solo.scores == crews.scores);
    REQUIRE(solo.gradient == crews.gradient);
    for (size_t i = 0; i < 9; ++i) REQUIRE(crews.values[i] == Approx(solo.values[i]));
  };
  compare_links(SigmoidLink{});
  compare_links(GumbelLink<double>{-4, 10, true});
  std::vector<double> normal(35, 0);
  for (size_t j = 0; j < 35; j += 3) normal[j] = 1;
  compare_links(MixedLink<double>{{-4, 10, true}, {5}, normal.data(), 35});
}
