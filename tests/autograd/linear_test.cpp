#include "autograd/linear.h"

#include "tests/gradient_check.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

std::vector<double> linear_slow(const std::vector<double>& x, const std::vector<double>& w,
                                const std::vector<double>& b, size_t in, bool relu) {
  std::vector<double> y;
  for (size_t row = 0; row < x.size() / in; ++row) {
    for (size_t out = 0; out < w.size() / in; ++out) {
      double total = b.empty() ? 0 : b[out];
      for (size_t i = 0; i < in; ++i) total += x[row * in + i] * w[out * in + i];
      y.push_back(relu && total < 0 ? 0 : total);
    }
  }
  return y;
}

}  // namespace

TEST_CASE("linear equals its definition in float32 and float64") {
  Context ctx;
  const size_t rows = 7, in = 33, out = 19;
  const std::vector<double> x = gc::values(rows * in, 1), w = gc::values(out * in, 2), b = gc::values(out, 3);
  for (bool relu : {false, true}) {
    for (bool biased : {false, true}) {
      const std::vector<double> expected = linear_slow(x, w, biased ? b : std::vector<double>(), in, relu);
      auto as = [&](DType dtype, const Shape& shape, const std::vector<double>& v) {
        if (dtype == DType::float64) return Variable(Tensor::from(ctx, shape, v));
        return Variable(Tensor::from(ctx, shape, std::vector<float>(v.begin(), v.end())));
      };
      for (DType dtype : {DType::float32, DType::float64}) {
        const Variable y =
            linear(ctx, as(dtype, {int64_t(rows), int64_t(in)}, x), as(dtype, {int64_t(out), int64_t(in)}, w),
                   biased ? as(dtype, {int64_t(out)}, b) : Variable(), {.relu = relu});
        REQUIRE(y.shape() == Shape{int64_t(rows), int64_t(out)});
        for (size_t i = 0; i < expected.size(); ++i) {
          if (dtype == DType::float64) {
            REQUIRE(y.value().data<double>()[i] == Approx(expected[i]).margin(1e-13));
          } else {
            REQUIRE(y.value().data<float>()[i] == Approx(expected[i]).margin(2e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("linear's gradients") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {5, 6}, 1), w = gc::leaf(ctx, {4, 6}, 2), b = gc::leaf(ctx, {4}, 3);
  gc::run(ctx, [](Context& c, const gc::Leaves& in) { return gc::probe(c, linear(c, in[0], in[1], in[2])); },
          {x, w, b});
  gc::run(ctx, [](Context& c, const gc::Leaves& in) { return gc::probe(c, linear(c, in[0], in[1], {})); }, {x, w});
  // relu: no pre-activation lies within reach of the differences' steps, and both signs occur.
  int negative = 0, positive = 0;
  for (double z : linear(ctx, x, w, b).value().to_vector<double>(ctx)) {
    REQUIRE(std::abs(z) > 1e-3);
    ++(z < 0 ? negative : positive);
  }
  REQUIRE((negative > 2 && positive > 2));
  gc::run(ctx,
          [](Context& c, const gc::Leaves& in) { return gc::probe(c, linear(c, in[0], in[1], in[2], {.relu = true})); },
          {x, w, b});
}

TEST_CASE("linear of no rows gives no rows and zero gradients") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {0, 6}, 1), w = gc::leaf(ctx, {4, 6}, 2), b = gc::leaf(ctx, {4}, 3);
  const Variable y = linear(ctx, x, w, b, {.relu = true});
  REQUIRE(y.shape() == Shape{0, 4});
  backward(ctx, y, Tensor::empty(ctx, {0, 4}, DType::float64));
  REQUIRE(w.grad().to_vector<double>(ctx) == std::vector<double>(24, 0.0));
  REQUIRE(b.grad().to_vector<double>(ctx) == std::vector<double>(4, 0.0));
}

TEST_CASE("linear refuses operands that do not fit") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {5, 7}, 1), w = gc::leaf(ctx, {4, 6}, 2), b = gc::leaf(ctx, {3}, 3);
  REQUIRE_THROWS_AS(linear(ctx, x, w, {}), Error);
  REQUIRE_THROWS_AS(linear(ctx, gc::leaf(ctx, {5, 6}, 1), w, b), Error);
}
