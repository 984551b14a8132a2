// DropLoss and GOL against METHODS 1.9 and 1.13.
#include "detection/losses/drop_loss.h"

#include "detection/losses/drop_loss_body.h"
#include "detection/losses/sigmoid_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

Oracle drop(double lambda, const Activation& activation) {
  return [=](const Input& in) {
    const auto tail = [&](int64_t j) { return double(in.statistics.images[size_t(j)]) / 30000 < lambda; };
    Long objects = 0, tails = 0;
    for (const int32_t y : in.labels) {
      if (y < 0 || y >= in.classes) continue;
      objects += 1;
      tails += tail(y);
    }
    return binary_oracle(in, activation, [&](int64_t r, int64_t j) -> Long {
      if (!tail(j)) return 1;
      if (in.label(r) < in.classes) return in.label(r) == j ? 1 : 0;
      if (objects == 0) return 1;
      return in.draws[size_t(r * in.classes + j)] > double(tails / objects) ? 0 : 1;
    });
  };
}

DropLossOptions drop_options(double lambda) {
  DropLossOptions options;
  options.lambda = lambda;
  return options;
}

}  // namespace

TEST_CASE("DropLoss and GOL equal their definitions") {
  for (const double lambda : {0.0, 1.1e-3, 0.01, 0.05, 1.0}) {
    check_against(drop(lambda, sigmoid_point), drop_options(lambda));
  }
  const auto published = [](Long z, bool y) { return gumbel_point(z, y, -4, 10, true); };
  check_against(drop(1.1e-3, published), GolOptions());
  GolOptions exact;
  exact.activation.gradient = "exact";
  const auto exact_point = [](Long z, bool y) { return gumbel_point(z, y, -4, 10, false); };
  check_against(drop(1.1e-3, exact_point), exact);
  check_gradient(drop_options(0.01), cases()[0]);
  exact.lambda = 0.01;
  check_gradient(exact, Case{"inside the clamps", 12, 23, 3.5});
}

TEST_CASE("DropLoss: background keeps a tail class as often as the foreground shows one") {
  // 4 classes, the first two tail; 8 foreground rows, 2 of them tail: rho = 1/4.
  Context ctx;
  ParameterStore store(ctx, 1);
  const auto loss = drop_options(0.5).make(Scope(store, "loss"), 4, {{1, 1, 9, 9}, {}, 10});
  const int64_t rows = 4008;
  std::vector<int32_t> labels(size_t(rows), 4);
  for (size_t r = 0; r < 8; ++r) labels[r] = r < 2 ? int32_t(r) : 2;
  const Result got = run(ctx, *loss, Tensor::zeros(ctx, {rows, 4}), Tensor::from(ctx, {rows}, labels),
                         loss->draws(ctx, rows, {.seed = 1}));
  double kept[4] = {};
  for (size_t r = 8; r < size_t(rows); ++r) {
    for (size_t j = 0; j < 4; ++j) kept[j] += got.gradient[r * 4 + j] != 0;
  }
  REQUIRE(kept[0] / 4000 == Approx(0.25).margin(0.03));  // 4 standard deviations of a share of 4000
  REQUIRE(kept[1] / 4000 == Approx(0.25).margin(0.03));
  REQUIRE(kept[2] == 4000);
  REQUIRE(kept[3] == 4000);
}

TEST_CASE("DropLoss without a tail, or without foreground, is binary cross-entropy") {
  SigmoidOptions binary;
  binary.background = "none";
  for (const auto& [lambda, index] : {std::pair{0.0, 0}, {1.0, 3}}) {  // mixed; all background
    const Case& c = cases()[size_t(index)];
    Context ctx;
    Made a(ctx, drop_options(lambda), c.classes, DType::float64), b(ctx, binary, c.classes, DType::float64);
    const Tensor z = Tensor::from(ctx, {c.rows, c.classes}, logits_of(c, c.classes));
    const Tensor labels = Tensor::from(ctx, {c.rows}, labels_of(c));
    const Result x = run(ctx, *a.loss, z, labels, a.loss->draws(ctx, c.rows, {})), y = run(ctx, *b.loss, z, labels);
    REQUIRE(x.loss == y.loss);
    REQUIRE(x.gradient == y.gradient);
  }
}

TEST_CASE("GOL: its settings") {
  const GolOptions gol;
  REQUIRE(gol.activation.is_gumbel());
  REQUIRE(gol.lambda == 1.1e-3);
  REQUIRE(gol.last_layer().kind == "constant");
  REQUIRE(gol.last_layer().scale == 0.001);
  REQUIRE(gol.last_layer().bias == -2);
  REQUIRE(gol.clone()->name() == "gol");
  Context ctx;
  Made made(ctx, gol, 3);
  REQUIRE(made.loss->width() == 3);
  REQUIRE(made.loss->scores(ctx, Tensor::full(ctx, {1, 3}, -2)).to_vector<float>(ctx)[1] == Approx(6.1798e-4));
}

TEST_CASE("DropLoss: the bodies agree on one lane and on a crew") {
  std::vector<double> tail(35);
  for (size_t j = 0; j < 35; ++j) tail[j] = j % 3 == 0;
  const std::vector<float> draws = wave<float>(9 * 35);
  const std::vector<int32_t> labels{0, 3, 4, 35, -1, 6, 35, 7, 8};  // 3 of 6 are tail
  for (const int lanes : {1, 4}) {
    double share = NAN;
    crew::run(lanes, 1, TailShare<double>{labels.data(), tail.data(), &share, 9, 35});
    REQUIRE(share == 0.5);
    check_on_crew(35, 35, [&](const ClassRows<double>& r) {
      return DropLossRow<double, SigmoidLink>{r, tail.data(), &share, draws.data(), {}};
    });
  }
}
