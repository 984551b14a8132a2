// Equalization loss against METHODS 1.6, over sigmoids, Gumbel and a softmax.
#include "detection/losses/eql.h"

#include "detection/losses/eql_body.h"
#include "detection/losses/sigmoid_cross_entropy.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "detection/losses/tail_classes.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

EqlOptions eql(const char* form, double lambda, double gamma = 0.7, const char* activation = "sigmoid") {
  EqlOptions options;
  options.form = form;
  options.lambda = lambda;
  options.gamma = gamma;
  options.activation.kind = activation;
  return options;
}

Long is_tail(const Input& in, int64_t j, double lambda) {
  return double(in.statistics.images[size_t(j)]) / 30000 < lambda ? 1 : 0;
}

Oracle sigmoid_eql(double lambda, const Activation& activation) {
  return [=](const Input& in) {
    return binary_oracle(in, activation, [&](int64_t r, int64_t j) {
      const Long e = in.label(r) < in.classes ? 1 : 0, y = in.label(r) == j ? 1 : 0;
      return 1 - e * is_tail(in, j, lambda) * (1 - y);
    });
  };
}

Expected softmax_eql(const Input& in, double lambda, float gamma) {
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0) continue;
    std::vector<Long> w;
    for (int64_t k = 0; k < in.width; ++k) {
      const Long b = k < in.classes && in.draws[size_t(r * in.classes + k)] < double(gamma) ? 1 : 0;
      w.push_back(1 - b * (k < in.classes ? is_tail(in, k, lambda) : 0) * (k == y ? 0 : 1));
    }
    Long d = 0;
    for (int64_t k = 0; k < in.width; ++k) d += w[size_t(k)] * std::exp(in.at(r, k));
    total += std::log(d) - in.at(r, y);
    for (int64_t k = 0; k < in.width; ++k) {
      out.gradient[size_t(r * in.width + k)] =
          double((w[size_t(k)] * std::exp(in.at(r, k)) / d - (k == y)) / in.normaliser());
    }
  }
  out.loss = double(total / in.normaliser());
  return out;
}

}  // namespace

TEST_CASE("tail classes: strictly below lambda, of the images with annotations") {
  TailClasses tail({{1, 100, 101, 5000}, {}, 100000}, 0.001);
  Context ctx;
  REQUIRE(tail.problem.empty());
  REQUIRE(tail.is_tail.on(ctx, DType::float64).to_vector<double>(ctx) == std::vector<double>{1, 0, 0, 0});
  // METHODS 1.6: v0.5 has common classes with 100 of 56,740 images, which the paper's lambda leaves out.
  TailClasses paper({{100}, {}, 56740}, 1.76e-3), code({{100}, {}, 56740}, 1.77e-3);
  REQUIRE(paper.is_tail.on(ctx, DType::float32).to_vector<float>(ctx)[0] == 0);
  REQUIRE(code.is_tail.on(ctx, DType::float32).to_vector<float>(ctx)[0] == 1);
  REQUIRE(!TailClasses({}, 0.001).problem.empty());
}

TEST_CASE("EQL equals its definition: sigmoid, Gumbel, softmax") {
  for (const double lambda : {0.0, 1.1e-3, 0.05, 1.0}) {
    check_against(sigmoid_eql(lambda, sigmoid_point), eql("sigmoid", lambda));
    check_against([&](const Input& in) { return softmax_eql(in, lambda, 0.7f); }, eql("softmax", lambda));
  }
  const auto published = [](Long z, bool y) { return gumbel_point(z, y, -4, 10, true); };
  check_against(sigmoid_eql(1.1e-3, published), eql("sigmoid", 1.1e-3, 0, "gumbel"));
  check_gradient(eql("sigmoid", 0.05), cases()[0]);
  check_gradient(eql("softmax", 0.05), cases()[0]);
}

TEST_CASE("EQL without a tail is cross-entropy: lambda 0, and gamma 0 over a softmax") {
  const Case c = cases()[0];
  SigmoidOptions binary;
  binary.background = "none";
  const auto same = [&](const LossOptions& a, const LossOptions& b) {
    Context ctx;
    Made first(ctx, a, c.classes, DType::float64), second(ctx, b, c.classes, DType::float64);
    const Tensor z = Tensor::from(ctx, {c.rows, first.loss->width()}, logits_of(c, first.loss->width()));
    const Tensor labels = Tensor::from(ctx, {c.rows}, labels_of(c));
    const Result x = run(ctx, *first.loss, z, labels, first.loss->draws(ctx, c.rows, {})),
                 y = run(ctx, *second.loss, z, labels);
    REQUIRE(x.loss == Approx(y.loss).epsilon(1e-14));
    REQUIRE(x.counts == y.counts);
    for (size_t i = 0; i < x.gradient.size(); ++i) REQUIRE(x.gradient[i] == Approx(y.gradient[i]).margin(1e-16));
  };
  same(eql("sigmoid", 0), binary);
  same(eql("softmax", 0), SoftmaxOptions());
  same(eql("softmax", 1, 0), SoftmaxOptions());
}

TEST_CASE("EQL by hand: a tail class is discouraged by background alone") {
  // Two classes; the first is tail. z = 0: every term is log 2.
  Context ctx;
  ParameterStore store(ctx, 1, DType::float64);
  const auto loss = eql("sigmoid", 0.5).make(Scope(store, "loss"), 2, {{1, 9}, {}, 10});
  const auto of = [&](int32_t label) {
    return run(ctx, *loss, Tensor::zeros(ctx, {1, 2}, DType::float64), Tensor::full(ctx, {1}, label, DType::int32));
  };
  REQUIRE(of(1).gradient == std::vector<double>{0, -0.5});
  REQUIRE(of(1).loss == Approx(std::log(2.0)));
  REQUIRE(of(0).gradient == std::vector<double>{-0.5, 0.5});
  REQUIRE(of(2).gradient == std::vector<double>{0.5, 0.5});
  REQUIRE_THROWS_WITH(eql("sigmoid", 0.5).make(Scope(store, "b"), 2, {})->check_ready(ctx),
                      Catch::Contains("not known"));
}

TEST_CASE("EQL: the bodies agree on one lane and on a crew") {
  const std::vector<double> tail = [] {
    std::vector<double> t(35);
    for (size_t j = 0; j < 35; ++j) t[j] = j % 3 == 0;
    return t;
  }();
  const std::vector<float> draws = wave<float>(9 * 35);
  check_on_crew(35, 35, [&](const ClassRows<double>& r) { return EqlRow<double, SigmoidLink>{r, tail.data(), {}}; });
  check_on_crew(36, 35, [&](const ClassRows<double>& r) {
    return EqlSoftmaxRow<double>{r, tail.data(), draws.data(), 0.5f};
  });
}
