// The naive convolutions, the oracle of all others: by hand, as three forms of one sum, and on a crew; and what every
// convolution refuses.
#include "tensor/conv_naive_body.h"

#include <catch2/catch.hpp>

#include "tensor/conv.h"
#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

namespace {

// Runs one body on one lane and on a crew of 3; the results must agree, and what lies behind them stay.
template <class Make>  // Make(double* out) -> body
std::vector<double> on_both(int64_t items, Make make) {
  std::vector<double> solo(static_cast<size_t>(items) + 1, -77), crew = solo;
  run_solo(items, make(solo.data()));
  crew::run(3, items, make(crew.data()));
  REQUIRE(solo.back() == -77);
  REQUIRE(crew.back() == -77);
  solo.pop_back();
  for (size_t i = 0; i < solo.size(); ++i) REQUIRE(crew[i] == Approx(solo[i]).margin(1e-12));
  return solo;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

}  // namespace

TEST_CASE("a 2x2 window over a 3x3 image, by hand") {
  const std::vector<double> x{1, 2, 3, 4, 5, 6, 7, 8, 9}, w{1, 10, 100, 1000}, bias{-6000}, residual{1, 2, 3, 4};
  const ConvSizes g{1, 3, 3, 1, 1, 2, 2, 2, 2, 1, 0, 1};
  const auto y = on_both(4, [&](double* out) {
    return ConvForwardNaive<double>{g, x.data(), w.data(), bias.data(), residual.data(), out, true};
  });
  REQUIRE(y == std::vector<double>{0, 534, 2757, 3869});        // 5421, 6532, 8754, 9865 before the epilogue
  const ConvSizes strided{1, 3, 3, 1, 1, 2, 2, 2, 2, 2, 1, 1};  // stride 2, padding 1
  const auto corners = on_both(4, [&](double* out) {
    return ConvForwardNaive<double>{strided, x.data(), w.data(), nullptr, nullptr, out, false};
  });
  REQUIRE(corners == std::vector<double>{1000, 200 + 3000, 40 + 7000, 9865});
  const ConvSizes dilated{1, 3, 3, 1, 1, 2, 2, 1, 1, 1, 0, 2};
  const auto far = on_both(1, [&](double* out) {
    return ConvForwardNaive<double>{dilated, x.data(), w.data(), nullptr, nullptr, out, false};
  });
  REQUIRE(far == std::vector<double>{1 + 30 + 700 + 9000});
}

// <dy, conv(x, w)> is linear in x and in w, and the gradients are its coefficients: <dx, x> = <dy, y> = <dw, w>.
TEST_CASE("the two gradients are the adjoints of the forward pass, on one lane and on a crew") {
  struct Case {
    int64_t n, h, w, c, k, r, s, stride, padding, dilation, groups = 1;
  };
  for (const Case& a : {Case{2, 5, 7, 3, 4, 3, 3, 1, 1, 1},
                        {1, 8, 6, 5, 2, 3, 2, 2, 1, 1},
                        {2, 9, 9, 2, 7, 3, 3, 1, 0, 2},
                        {1, 7, 7, 1, 1, 7, 7, 2, 3, 1},
                        {3, 1, 1, 4, 4, 1, 1, 1, 0, 1},
                        {2, 6, 5, 6, 9, 3, 3, 2, 1, 1, 3},
                        {1, 4, 4, 4, 4, 3, 1, 1, 1, 1, 4}}) {
    const ConvGeometry geometry{a.stride, a.padding, a.dilation};
    const int64_t p = geometry.output_size(a.h, a.r), q = geometry.output_size(a.w, a.s);
    const ConvSizes g{a.n, a.h, a.w, a.c, a.k, a.r, a.s, p, q, a.stride, a.padding, a.dilation, a.groups};
    const auto size = [](int64_t elements) { return static_cast<size_t>(elements); };
    const auto x = wave<double>(size(a.n * a.h * a.w * a.c)),
               w = wave<double>(size(a.k * a.r * a.s * a.c / a.groups), 1);
    const auto dy = wave<double>(size(a.n * p * q * a.k), 2);
    const auto y = on_both(int64_t(dy.size()), [&](double* out) {
      return ConvForwardNaive<double>{g, x.data(), w.data(), nullptr, nullptr, out, false};
    });
    const auto dx = on_both(int64_t(x.size()), [&](double* out) {
      return ConvBackwardDataNaive<double>{g, dy.data(), w.data(), nullptr, out, false};
    });
    const auto dw = on_both(int64_t(w.size()), [&](double* out) {
      return ConvBackwardFilterNaive<double>{g, x.data(), dy.data(), out};
    });
    const double expected = dot(dy, y);
    REQUIRE(dot(dx, x) == Approx(expected).epsilon(1e-12));
    REQUIRE(dot(dw, w) == Approx(expected).epsilon(1e-12));
    const std::vector<double> bias = wave<double>(size(a.c), 3);
    const auto shifted = on_both(int64_t(x.size()), [&](double* out) {
      return ConvBackwardDataNaive<double>{g, dy.data(), w.data(), bias.data(), out, true};
    });
    for (size_t i = 0; i < dx.size(); ++i) {
      REQUIRE(shifted[i] == Approx(std::max(dx[i] + bias[i % size(a.c)], 0.0)).margin(1e-12));
    }
    const Cost cost = ConvForwardNaive<double>{g, nullptr, nullptr, nullptr, nullptr, nullptr, false}.cost(0);
    REQUIRE(cost.bytes == 8.0 * double(x.size() + w.size() + y.size()));
    REQUIRE(cost.operations == 2.0 * double(y.size()) * double(a.r * a.s * a.c / a.groups));
  }
}

TEST_CASE("a grouped convolution is one convolution for each group's channels") {
  Context ctx;
  const ConvGeometry one{2, 1, 1}, three{2, 1, 1, 3};
  const int64_t inputs = 2, outputs = 4;
  const Tensor x = Tensor::from(ctx, {1, 7, 6, 3 * inputs}, wave<double>(7 * 6 * 6));
  const Tensor w = Tensor::from(ctx, {3 * outputs, 3, 3, inputs}, wave<double>(12 * 9 * 2, 1));
  const std::vector<double> y = conv2d(ctx, x, w, three).to_vector<double>(ctx), all = x.to_vector<double>(ctx);
  for (int64_t group = 0; group < 3; ++group) {
    std::vector<double> part;
    for (int64_t pixel = 0; pixel < 42; ++pixel) {
      for (int64_t c = 0; c < inputs; ++c) part.push_back(all[size_t(pixel * 6 + group * inputs + c)]);
    }
    const Tensor alone =
        conv2d(ctx, Tensor::from(ctx, {1, 7, 6, inputs}, part), w.slice(group * outputs, (group + 1) * outputs), one);
    const std::vector<double> expected = alone.to_vector<double>(ctx);
    for (size_t i = 0; i < expected.size(); ++i) {
      REQUIRE(y[i / 4 * 12 + size_t(group * outputs) + i % 4] == Approx(expected[i]).margin(1e-12));
    }
  }
  REQUIRE_THROWS_WITH(conv2d(ctx, x, w, {2, 1, 1, 4}), Catch::Contains("6 channels in") && Catch::Contains("4 groups"));
  REQUIRE_THROWS_WITH(conv2d(ctx, x, w, {2, 1, 1, 0}), Catch::Contains("0 groups"));
  REQUIRE_THROWS_WITH(conv2d(ctx, x, w, {2, 1, 1, 2}), Catch::Contains("filters") && Catch::Contains("[12, 3, 3, 2]"));
}

TEST_CASE("a convolution of no channels is its epilogue, and its gradients are zero") {
  Context ctx;
  for (const int64_t window : {1, 3}) {
    const ConvGeometry geometry{1, window / 2, 1};
    const Tensor x = Tensor::empty(ctx, {1, 4, 4, 0}), w = Tensor::empty(ctx, {2, window, window, 0});
    const Tensor bias = Tensor::from(ctx, {2}, std::vector<float>{-1, 2});
    const std::vector<float> y = conv2d(ctx, x, w, geometry, {&bias, nullptr, true}).to_vector<float>(ctx);
    for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == (i % 2 == 0 ? 0.0f : 2.0f));
    const Tensor none = Tensor::empty(ctx, {0, window, window, 3}), dy = Tensor::empty(ctx, {1, 4, 4, 0});
    const Tensor dx = conv2d_backward_data(ctx, dy, none, {1, 4, 4, 3}, geometry);
    CHECK(dx.to_vector<float>(ctx) == std::vector<float>(48, 0.0f));
  }
}

TEST_CASE("a convolution refuses operands of another dtype, each by its name") {
  Context ctx;
  using Catch::Contains;
  const Tensor x = Tensor::zeros(ctx, {1, 8, 8, 16}), w = Tensor::zeros(ctx, {16, 3, 3, 16});
  const Tensor y = Tensor::zeros(ctx, {1, 8, 8, 16}), bias = Tensor::zeros(ctx, {16});
  const auto wide = [&](const Tensor& tensor) { return Tensor::zeros(ctx, tensor.shape(), DType::float64); };
  const Tensor wide_y = wide(y), wide_bias = wide(bias);
  const ConvGeometry same{1, 1, 1};
  CHECK_THROWS_WITH(conv2d(ctx, x, wide(w), same), Contains("float32") && Contains("float64"));
  CHECK_THROWS_WITH(conv2d(ctx, x, w, same, {&wide_bias, nullptr, false}), Contains("bias") && Contains("float64"));
  CHECK_THROWS_WITH(conv2d(ctx, x, w, same, {nullptr, &wide_y, false}), Contains("residual") && Contains("float64"));
  CHECK_THROWS_WITH(conv2d_backward_data(ctx, y, w, x.shape(), same, {&wide_bias, nullptr, false}),
                    Contains("bias") && Contains("float64"));
  CHECK_THROWS_WITH(conv2d_backward_filter(ctx, x, y, same, wide(w)), Contains("result") && Contains("float64"));
  CHECK_THROWS_WITH(conv2d_backward_filter(ctx, x, Tensor::zeros(ctx, {8, 8}), same, w),
                    Contains("conv2d_backward_filter") && Contains("[8, 8]"));
  CHECK_THROWS_WITH(conv2d_backward_data(ctx, y, w, {8, 16}, same),
                    Contains("conv2d_backward_data") && Contains("[8, 16]"));
  CHECK_THROWS_WITH(conv2d(ctx, x, w, {0, 1, 1}), Contains("stride 0"));
  CHECK_THROWS_WITH(conv2d(ctx, x, Tensor::zeros(ctx, {4, 0, 3, 16}), same), Contains("window of 0"));
  CHECK_THROWS_WITH(conv2d(ctx, x, Tensor::zeros(ctx, {4, 11, 11, 16}), same),
                    Contains("11") && Contains("8") && Contains("padded by 1"));
}
