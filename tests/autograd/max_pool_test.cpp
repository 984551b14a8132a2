#include "autograd/max_pool.h"

#include <limits>

#include "autograd/max_pool_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Case {
  int64_t height, width, window, stride, padding;
};
const Case kCases[] = {{8, 7, 3, 2, 1}, {6, 6, 2, 2, 0}, {5, 9, 1, 2, 0},
                       {4, 5, 3, 1, 1}, {7, 7, 5, 3, 4}, {3, 3, 3, 1, 0}};

// Values that all differ by at least 0.01, so that no difference quotient changes a winner.
std::vector<double> distinct(int64_t count) {
  std::vector<double> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(0.01 * double((i * 7919) % 10007) - 50);
  return out;
}

struct Expected {
  std::vector<double> y, dx;
};

Expected slow(const std::vector<double>& x, const std::vector<double>& dy, int64_t images, int64_t channels,
              const Case& g) {
  const int64_t rows = (g.height + 2 * g.padding - g.window) / g.stride + 1,
                columns = (g.width + 2 * g.padding - g.window) / g.stride + 1;
  Expected out{{}, std::vector<double>(x.size(), 0.0)};
  for (int64_t n = 0; n < images; ++n)
    for (int64_t p = 0; p < rows; ++p)
      for (int64_t q = 0; q < columns; ++q)
        for (int64_t c = 0; c < channels; ++c) {
          double best = -std::numeric_limits<double>::infinity();
          size_t from = 0;
          for (int64_t i = p * g.stride - g.padding; i < p * g.stride - g.padding + g.window; ++i)
            for (int64_t j = q * g.stride - g.padding; j < q * g.stride - g.padding + g.window; ++j) {
              if (i < 0 || i >= g.height || j < 0 || j >= g.width) continue;
              const auto at = size_t(((n * g.height + i) * g.width + j) * channels + c);
              if (x[at] > best) {
                best = x[at];
                from = at;
              }
            }
          out.dx[from] += dy[out.y.size()];
          out.y.push_back(best);
        }
  return out;
}

}  // namespace

TEST_CASE("max_pool and its gradient equal the definition") {
  Context ctx;
  for (const Case& g : kCases) {
    INFO(g.height << "x" << g.width << " window " << g.window << " stride " << g.stride << " padding " << g.padding);
    for_each_device_and_type([&](Context& each, DType dtype) {
      const std::vector<double> x = rounded_to(each, dtype, distinct(2 * g.height * g.width * 3));
      const Variable v(typed_tensor(each, dtype, {2, g.height, g.width, 3}, x), true);
      const Variable y = max_pool(each, v, g.window, g.stride, g.padding);
      const std::vector<double> dy = rounded_to(each, dtype, gc::values(y.shape().elements(), 2));
      const Expected expected = slow(x, dy, 2, 3, g);
      REQUIRE(to_doubles(each, y.value()) == expected.y);
      backward(each, y, typed_tensor(each, dtype, y.shape(), dy));
      const std::vector<double> dx = to_doubles(each, v.grad());
      const double tolerance = dtype == DType::bfloat16 ? 3e-2 : 1e-6;  // up to 9 additions of numbers up to 1
      for (size_t i = 0; i < dx.size(); ++i) REQUIRE(std::abs(dx[i] - expected.dx[i]) <= tolerance);
    });
    const Variable leaf(typed_tensor(ctx, DType::float64, {2, g.height, g.width, 2}, distinct(4 * g.height * g.width)),
                        true);
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              return gc::probe(c, max_pool(c, in[0], g.window, g.stride, g.padding));
            },
            {leaf}, {.step = 1e-5});
  }
}

TEST_CASE("max_pool: the first of equals gets the gradient, a NaN is not hidden, infinities are values") {
  Context ctx;
  const Variable equal(Tensor::from<float>(ctx, {1, 2, 2, 1}, {5, 5, 5, 5}), true);
  backward(ctx, max_pool(ctx, equal, 2, 2, 0));
  REQUIRE(to_doubles(ctx, equal.grad()) == std::vector<double>{1, 0, 0, 0});
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& x : {std::vector<float>{nan, 1, 2, 3}, {1, nan, 2, 3}, {1, 2, 3, nan}}) {
    REQUIRE(
        std::isnan(to_doubles(ctx, max_pool(ctx, Variable(Tensor::from(ctx, {1, 2, 2, 1}, x)), 2, 2, 0).value())[0]));
  }
  const Variable low(Tensor::full(ctx, {1, 2, 2, 1}, -double(inf)));
  REQUIRE(to_doubles(ctx, max_pool(ctx, low, 2, 2, 0).value())[0] == -double(inf));
}

TEST_CASE("max_pool's bodies agree on one lane and on a crew, and the op refuses bad windows") {
  const PoolSizes g{8, 7, 5, 4, 4, 3, 2, 1};
  std::vector<float> x, dy;
  for (double v : distinct(2 * 8 * 7 * 5)) x.push_back(float(v));
  for (double v : gc::values(2 * 4 * 4 * 5, 2)) dy.push_back(float(v));
  std::vector<std::vector<float>> results;
  for (int lanes : {1, 4}) {
    std::vector<float> y(dy.size(), NAN), dx(x.size(), NAN);
    std::vector<uint8_t> tap(dy.size(), 99);
    const MaxPoolForward<float> forward{g, x.data(), y.data(), tap.data()};
    const MaxPoolBackward<float> backward_{g, dy.data(), tap.data(), dx.data()};
    if (lanes == 1) {
      for (int64_t i = 0; i < 32; ++i) forward(Solo{}, i);
      for (int64_t i = 0; i < 112; ++i) backward_(Solo{}, i);
    } else {
      crew::run(lanes, 32, forward);
      crew::run(lanes, 112, backward_);
    }
    results.push_back(y);
    results.push_back(dx);
  }
  REQUIRE(results[0] == results[2]);
  REQUIRE(results[1] == results[3]);
  Context ctx;
  const Variable v = gc::leaf(ctx, {1, 4, 4, 1}, 1);
  REQUIRE_THROWS_AS(max_pool(ctx, v, 3, 1, 3), Error);
  REQUIRE_THROWS_AS(max_pool(ctx, v, 5, 1, 0), Error);
  REQUIRE_THROWS_AS(max_pool(ctx, v, 16, 1, 8), Error);
  REQUIRE_THROWS_AS(max_pool(ctx, v, 2, 0, 0), Error);
}
