#include "autograd/arithmetic.h"

#include "tensor/elementwise.h"

#include "tests/gradient_check.h"

using namespace tailseg;
namespace gc = gradient_check;

TEST_CASE("add, scale, multiply, sum, reshape, concat_rows and slice_rows have the gradients of their definitions") {
  Context ctx;
  const Variable a = gc::leaf(ctx, {3, 4}, 1), b = gc::leaf(ctx, {3, 4}, 2), c = gc::leaf(ctx, {2, 4}, 3);
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, add(x, in[0], in[1])); }, {a, b});
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, scale(x, in[0], -2.5)); }, {a});
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, multiply(x, in[0], in[1])); }, {a, b});
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return sum(x, in[0]); }, {a});
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, reshape(x, in[0], {2, 6})); }, {a});
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, concat_rows(x, in)); }, {a, c, b});
  gc::run(ctx,
          [](Context& x, const gc::Leaves& in) {  // two overlapping slices
            return add(x, gc::probe(x, slice_rows(x, in[0], 0, 2), 1), gc::probe(x, slice_rows(x, in[0], 1, 3), 2));
          },
          {a});
}

TEST_CASE("a variable used twice gets the sum of both gradients") {
  Context ctx;
  const Variable a = gc::leaf(ctx, {5}, 4);
  gc::run(ctx,
          [](Context& x, const gc::Leaves& in) {
            const Variable square = multiply(x, in[0], in[0]);
            return sum(x, add(x, multiply(x, square, square), add(x, in[0], in[0])));  // a^4 + 2a
          },
          {a});
  backward(ctx, sum(ctx, multiply(ctx, a, a)));
  for (size_t i = 0; i < 5; ++i) {
    REQUIRE(a.grad().to_vector<double>(ctx)[i] == Approx(2 * a.value().to_vector<double>(ctx)[i]));
  }
}

TEST_CASE("scale_gradient leaves the value and scales what goes back") {
  Context ctx;
  const Variable a = gc::leaf(ctx, {5}, 4);
  const Variable y = scale_gradient(ctx, a, 0.25);
  REQUIRE(y.value().to_vector<double>(ctx) == a.value().to_vector<double>(ctx));
  backward(ctx, y, Tensor::from(ctx, {5}, std::vector<double>{4, -8, 0, 1, 2}));
  REQUIRE(a.grad().to_vector<double>(ctx) == std::vector<double>{1, -2, 0, 0.25, 0.5});
}

TEST_CASE("relu passes the gradient of positive elements only; at zero it is zero") {
  Context ctx;
  const Variable a(Tensor::from<double>(ctx, {6}, {-2, -1e-30, 0, 1e-30, 0.5, 3}), true);
  gc::run(ctx, [](Context& x, const gc::Leaves& in) { return gc::probe(x, relu(x, in[0])); }, {a},
          {.kink = [](size_t, int64_t i) { return i >= 1 && i <= 3; }});
  backward(ctx, sum(ctx, relu(ctx, a)));
  REQUIRE(a.grad().to_vector<double>(ctx) == std::vector<double>{0, 0, 0, 1, 1, 1});
  const Variable nan(Tensor::from<double>(ctx, {2}, {std::nan(""), 1}));
  REQUIRE(std::isnan(relu(ctx, nan).value().to_vector<double>(ctx)[0]));
}

TEST_CASE("the gradient check sees a wrong gradient, a missing element and a gradient that replaces") {
  Context ctx;
  const Variable a = gc::leaf(ctx, {4}, 5);
  auto square_with = [](double factor) {
    return [factor](Context& c, const gc::Leaves& in) {
      const Variable x = in[0];
      return sum(c,
                 record(c, "wrong", multiply(c, x.value(), x.value()), {x}, [x, factor](Context& d, const Tensor& dy) {
                   x.accumulate(d, scale(d, multiply(d, dy, x.value()), factor));
                 }));
    };
  };
  auto worst = [&](const gc::Function& f) {
    double error = 0;
    const std::vector<double> g = gc::gradients(ctx, f, {a})[0];
    for (size_t i = 0; i < 4; ++i) {
      double* x = a.value().data<double>() + i;
      const double e = std::abs(g[i] - gc::difference(ctx, f, {a}, *x, 1e-4));
      error = e > error || std::isnan(e) ? e : error;
    }
    return error;
  };
  REQUIRE(worst(square_with(2)) < 1e-9);
  REQUIRE(worst(square_with(2.001)) > 1e-5);
  REQUIRE(std::isnan(worst([](Context& c, const gc::Leaves& in) {
    const Variable x = in[0];
    return sum(c, record(c, "unwritten", multiply(c, x.value(), x.value()), {x}, [x](Context& d, const Tensor&) {
                 x.accumulate(d, Tensor::empty(d, x.shape(), DType::float64));
               }));
  })));
}

TEST_CASE("nothing is recorded under NoGrad or without an input that requires a gradient") {
  Context ctx;
  const Variable a = gc::leaf(ctx, {2}, 6), fixed(Tensor::full(ctx, {2}, 1.0, DType::float64));
  const int64_t before = live_nodes();
  const Variable b = multiply(ctx, fixed, fixed);
  REQUIRE(!b.requires_grad());
  {
    const NoGrad quiet(ctx);
    REQUIRE(!multiply(ctx, a, a).requires_grad());
  }
  REQUIRE(live_nodes() == before);
  REQUIRE_THROWS_AS(backward(ctx, sum(ctx, b)), Error);
  const Variable y = multiply(ctx, a, a);
  REQUIRE(live_nodes() == before + 1);
  REQUIRE_THROWS_AS(backward(ctx, y), Error);  // two elements and no seed
}
