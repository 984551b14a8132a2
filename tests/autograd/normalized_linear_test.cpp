// The cosine classifier: METHODS 2.1 by hand, PyTorch's autograd, central differences, a crew.
#include "autograd/normalized_linear.h"

#include "autograd/normalized_linear_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

void require_near(Context& ctx, const Tensor& got, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> values = to_doubles(ctx, got);
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    INFO("element " << i);
    REQUIRE(std::abs(values[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])));
  }
}

double tolerance_of(DType dtype) { return dtype == DType::float64 ? 1e-10 : dtype == DType::float32 ? 3e-6 : 2e-2; }

}  // namespace

TEST_CASE("normalised linear by hand: eps after the norm, temperature on the input, bias as it is") {
  Context ctx;
  // x = (3, 4), |x| = 5; w = (0, 2): z = 20 * (4 / 5.5) * (2 / 2.5) + 7 with eps = 0.5.
  const Variable x(Tensor::from(ctx, {1, 2}, std::vector<double>{3, 4})),
      w(Tensor::from(ctx, {1, 2}, std::vector<double>{0, 2})), b(Tensor::from(ctx, {1}, std::vector<double>{7}));
  const Variable z = normalized_linear(ctx, x, w, b, {.temperature = 20, .power = 1, .eps = 0.5});
  REQUIRE(z.value().to_vector<double>(ctx)[0] == Approx(20 * (4 / 5.5) * (2 / 2.5) + 7).epsilon(1e-14));
  // power 2: |x|^2 = 25, |w|^2 = 4.
  const Variable square = normalized_linear(ctx, x, w, b, {.temperature = 3, .power = 2, .eps = 0.5});
  REQUIRE(square.value().to_vector<double>(ctx)[0] == Approx(3 * (4 / 25.5) * (2 / 4.5) + 7).epsilon(1e-14));
}

TEST_CASE("normalised linear equals PyTorch's autograd of the formula") {
  // torch 1.13.1, float64: x * t / (x.norm(dim=1, keepdim=True).pow(p) + 1e-6), likewise w, then F.linear; backward(g).
  const std::vector<double> x{1, -2, 2, 0.5, 0.25, -1}, w{3, 0, 4, -1, 1, 0.5}, b{0.1, -0.2}, g{1, -0.5, 0.25, 2};
  struct Golden {
    double power;
    std::vector<double> z, dx, dw, db;
  };
  const std::vector<Golden> all{
      {1,
       {14.7666588444, -9.08888000001, -8.62870624466, -8.92870217126},
       {4.09876314733, 2.02468943868, -0.0246889497968, -13.1761886744, 27.0174084112, 0.166274908405},
       {0.271630360089, -2.44844758833, -0.203722145843, 3.63251370959, 16.0471106329, -24.8292111973},
       {1.25, 1.5}},
      {0.5,
       {56.9036975453, -19.056154549, -20.7910166007, -11.6424768159},
       {16.5264152285, 2.64504320507, 10.9397888555, -18.8921224295, 33.1901935588, 12.9053541961},
       {3.11366811451, -9.80566959323, 4.11236972198, 7.55218259066, 20.0468096784, -38.4461415203},
       {1.25, 1.5}}};
  for (const Golden& golden : all) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO("power " << golden.power << ", " << ctx.device().name() << " " << name_of(dtype));
      const DType full = compute_dtype(dtype);  // of parameters and results
      const auto leaf = [&](DType type, const Shape& shape, const std::vector<double>& values) {
        return Variable(typed_tensor(ctx, type, shape, values), true);
      };
      const Variable vx = leaf(dtype, {2, 3}, x), vw = leaf(full, {2, 3}, w), vb = leaf(full, {2}, b);
      const Variable z = normalized_linear(ctx, vx, vw, vb, {.temperature = 20, .power = golden.power, .eps = 1e-6});
      require_near(ctx, z.value(), golden.z, tolerance_of(dtype));
      backward(ctx, z, typed_tensor(ctx, full, {2, 2}, g));
      require_near(ctx, vx.grad(), golden.dx, 3 * tolerance_of(dtype));
      require_near(ctx, vw.grad(), golden.dw, 3 * tolerance_of(dtype));
      require_near(ctx, vb.grad(), golden.db, tolerance_of(dtype));
    });
  }
}

TEST_CASE("normalised linear's gradients") {
  Context ctx;
  for (const double power : {1.0, 0.5, 2.0, 0.0}) {
    INFO("power " << power);
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              const NormalizedOptions options{.temperature = 5, .power = power, .eps = 1e-2};
              return gc::probe(c, normalized_linear(c, in[0], in[1], in[2], options));
            },
            {gc::leaf(ctx, {4, 37}, 1), gc::leaf(ctx, {6, 37}, 2), gc::leaf(ctx, {6}, 3)});
  }
}

TEST_CASE("rows scale away: any positive multiple of a row has the same direction") {
  Context ctx;
  const std::vector<double> row = gc::values(50, 5);
  std::vector<double> rows;
  for (const double factor : {1e-3, 1.0, 1e4}) {
    for (const double v : row) rows.push_back(factor * v);
  }
  const Variable y = normalize_rows(ctx, Variable(Tensor::from(ctx, {3, 50}, rows)), 1, 1, 1e-12);
  const std::vector<double> got = y.value().to_vector<double>(ctx);
  double squares = 0;
  for (size_t i = 0; i < 50; ++i) {
    squares += got[i] * got[i];
    REQUIRE(got[50 + i] == Approx(got[i]).margin(1e-9));
    REQUIRE(got[100 + i] == Approx(got[i]).margin(1e-9));
  }
  REQUIRE(squares == Approx(1).epsilon(1e-9));
}

TEST_CASE("a row of zeros has the gradient scale / eps, and no rows are no work") {
  for_each_device_and_type([&](Context& ctx, DType dtype) {
    const Variable x(typed_tensor(ctx, dtype, {2, 3}, {0, 0, 0, 3, 0, 4}), true);
    const Variable y = normalize_rows(ctx, x, 20, 1, 0.25);
    require_near(ctx, y.value(), {0, 0, 0, 20 * 3 / 5.25, 0, 20 * 4 / 5.25}, tolerance_of(dtype));
    backward(ctx, y, typed_tensor(ctx, dtype, {2, 3}, {1, -2, 3, 0, 1, 0}));
    require_near(ctx, x.grad(), {80, -160, 240, 0, 20 / 5.25, 0}, tolerance_of(dtype));
    const Variable none(Tensor::zeros(ctx, {0, 3}, dtype), true);
    REQUIRE(normalize_rows(ctx, none, 20, 1, 1e-6).shape() == Shape{0, 3});
  });
}

TEST_CASE("normalised rows refuse an eps or a power that could divide by zero") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {2, 3}, 1);
  REQUIRE_THROWS_WITH(normalize_rows(ctx, x, 20, 1, 0), Catch::Contains("eps"));
  REQUIRE_THROWS_WITH(normalize_rows(ctx, x, 20, -1, 1e-6), Catch::Contains("power"));
  REQUIRE_THROWS_AS(normalized_linear(ctx, x, gc::leaf(ctx, {2, 4}, 2), gc::leaf(ctx, {2}, 3), {}), Error);
}

TEST_CASE("normalised rows' bodies agree on one lane and on a crew") {
  const int64_t rows = 5, features = 39;
  const auto x = wave<double>(size_t(rows * features)), dy = wave<double>(size_t(rows * features), 2);
  struct Result {
    std::vector<double> y = std::vector<double>(rows * features, NAN), dx = y, factor = std::vector<double>(rows, NAN),
                        pull = factor;
  };
  const auto with = [&](auto run) {
    Result r;
    run(rows, NormalizeRows<double>{x.data(), r.y.data(), r.factor.data(), r.pull.data(), features, {20, 1, 1e-6}});
    run(rows,
        NormalizeRowsBackward<double>{x.data(), dy.data(), r.factor.data(), r.pull.data(), r.dx.data(), features});
    return r;
  };
  const Result solo = with([](int64_t items, const auto& body) { run_solo(items, body); });
  const Result lanes = with([](int64_t items, const auto& body) { crew::run(4, items, body); });
  for (size_t i = 0; i < solo.y.size(); ++i) {
    REQUIRE(solo.y[i] == Approx(lanes.y[i]).margin(1e-12));
    REQUIRE(solo.dx[i] == Approx(lanes.dx[i]).margin(1e-12));
  }
}
