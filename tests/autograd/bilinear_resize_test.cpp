#include "autograd/bilinear_resize.h"

#include "autograd/bilinear_resize_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Case {
  int64_t height, width, to_height, to_width;
};
const Case kCases[] = {{2, 3, 4, 6}, {5, 4, 3, 2}, {4, 5, 7, 3}, {1, 1, 3, 4},
                       {3, 4, 1, 1}, {3, 4, 3, 4}, {9, 2, 2, 11}};

// y[i] is a hat function's weighted mean: pixels whose centre lies within 1 of the source position, edges repeated.
std::vector<double> slow(const std::vector<double>& x, int64_t images, const Case& g, int64_t channels, bool corners) {
  auto position = [&](int64_t i, int64_t from, int64_t to) {
    if (corners) return to > 1 ? double(i) * double(from - 1) / double(to - 1) : 0.0;
    return std::max((double(i) + 0.5) * double(from) / double(to) - 0.5, 0.0);
  };
  auto hat = [](double distance) { return std::max(0.0, 1 - std::abs(distance)); };
  std::vector<double> y;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t i = 0; i < g.to_height; ++i)
      for (int64_t j = 0; j < g.to_width; ++j)
        for (int64_t c = 0; c < channels; ++c) {
          const double v = position(i, g.height, g.to_height), u = position(j, g.width, g.to_width);
          double total = 0;
          for (int64_t r = 0; r <= g.height; ++r)  // one pixel more than there are: the last one again
            for (int64_t s = 0; s <= g.width; ++s) {
              const int64_t row = std::min(r, g.height - 1), column = std::min(s, g.width - 1);
              total += hat(v - double(r)) * hat(u - double(s)) *
                       x[size_t(((n * g.height + row) * g.width + column) * channels + c)];
            }
          y.push_back(total);
        }
  return y;
}

}  // namespace

TEST_CASE("bilinear_resize equals its definition in every dtype") {
  for (const Case& g : kCases) {
    for (bool corners : {false, true}) {
      for_each_device_and_type([&](Context& ctx, DType dtype) {
        INFO(ctx.device().name() << ": " << g.height << "x" << g.width << " to " << g.to_height << "x" << g.to_width
                                 << ", corners " << corners << ", " << name_of(dtype));
        const std::vector<double> x = rounded_to(ctx, dtype, gc::values(2 * g.height * g.width * 3, 1));
        const std::vector<double> expected = slow(x, 2, g, 3, corners);
        const Variable y = bilinear_resize(ctx, Variable(typed_tensor(ctx, dtype, {2, g.height, g.width, 3}, x)),
                                           g.to_height, g.to_width, corners);
        REQUIRE(y.shape() == Shape{2, g.to_height, g.to_width, 3});
        const std::vector<double> got = to_doubles(ctx, y.value());
        const double tolerance = dtype == DType::float64 ? 1e-14 : dtype == DType::float32 ? 1e-6 : 5e-3;
        for (size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - expected[i]) <= tolerance);
      });
    }
  }
}

TEST_CASE("bilinear_resize gives PyTorch's numbers") {
  Context ctx;  // torch 1.13.1: interpolate([[1, 2, 4], [8, 16, 32]], size, mode="bilinear", align_corners)
  const Variable x(Tensor::from<double>(ctx, {1, 2, 3, 1}, {1, 2, 4, 8, 16, 32}));
  auto check = [&](int64_t height, int64_t width, bool corners, const std::vector<double>& expected) {
    const std::vector<double> got = to_doubles(ctx, bilinear_resize(ctx, x, height, width, corners).value());
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).epsilon(1e-13));
  };
  check(3, 5, false, {1, 1.4, 2, 3.2, 4, 4.5, 6.3, 9, 14.4, 18, 8, 11.2, 16, 25.6, 32});
  check(3, 5, true, {1, 1.5, 2, 3, 4, 4.5, 6.75, 9, 13.5, 18, 8, 12, 16, 24, 32});
  check(1, 2, false, {5.625, 15.75});
  check(1, 2, true, {1, 4});
  check(4, 1, false, {2, 5.5, 12.5, 16});
  check(4, 1, true, {1, 10.0 / 3, 17.0 / 3, 8});
}

TEST_CASE("bilinear_resize's gradients") {
  Context ctx;
  for (const Case& g : kCases) {
    for (bool corners : {false, true}) {
      gc::run(ctx,
              [&](Context& c, const gc::Leaves& in) {
                return gc::probe(c, bilinear_resize(c, in[0], g.to_height, g.to_width, corners));
              },
              {gc::leaf(ctx, {2, g.height, g.width, 2}, 1)}, {.step = 1.0});  // linear: any step is exact
    }
  }
}

TEST_CASE("bilinear_resize's float32 gradient with many channels equals float64's") {
  Context ctx;
  const std::vector<double> x = gc::values(1 * 7 * 9 * 100, 1),
                            dy = rounded_to(ctx, DType::float32, gc::values(13 * 5 * 100, 2));
  std::vector<std::vector<double>> gradients;
  for (DType dtype : {DType::float64, DType::float32}) {
    const Variable v(typed_tensor(ctx, dtype, {1, 7, 9, 100}, x), true);
    backward(ctx, bilinear_resize(ctx, v, 13, 5, false), typed_tensor(ctx, dtype, {1, 13, 5, 100}, dy));
    gradients.push_back(to_doubles(ctx, v.grad()));
  }
  for (size_t i = 0; i < gradients[0].size(); ++i) REQUIRE(gradients[1][i] == Approx(gradients[0][i]).margin(1e-5));
}

TEST_CASE("bilinear_resize's bodies agree on one lane and on a crew, and the op refuses an empty size") {
  const int64_t channels = 7;
  const ResizeAxis<float> rows{4, 6, 4.f / 6, false}, columns{5, 3, 5.f / 3, false};
  std::vector<float> x, dy;
  for (double v : gc::values(2 * 4 * 5 * channels, 1)) x.push_back(float(v));
  for (double v : gc::values(2 * 6 * 3 * channels, 2)) dy.push_back(float(v));
  std::vector<std::vector<float>> results;
  for (int lanes : {1, 3}) {
    std::vector<float> y(dy.size(), NAN), dx(x.size(), NAN);
    const BilinearResizeForward<float> forward{rows, columns, x.data(), y.data(), channels};
    const BilinearResizeBackward<float> backward_{rows, columns, dy.data(), dx.data(), channels};
    if (lanes == 1) {
      for (int64_t i = 0; i < 36; ++i) forward(Solo{}, i);
      for (int64_t i = 0; i < 40; ++i) backward_(Solo{}, i);
    } else {
      crew::run(lanes, 36, forward);
      crew::run(lanes, 40, backward_);
    }
    results.push_back(y);
    results.push_back(dx);
  }
  REQUIRE(results[0] == results[2]);
  REQUIRE(results[1] == results[3]);
  Context ctx;
  REQUIRE_THROWS_AS(bilinear_resize(ctx, gc::leaf(ctx, {1, 2, 2, 1}, 1), 0, 3, false), Error);
  REQUIRE_THROWS_AS(bilinear_resize(ctx, gc::leaf(ctx, {1, 0, 2, 1}, 1), 3, 3, false), Error);
}
