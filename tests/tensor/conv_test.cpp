// The libraries' convolutions against the plain body in float64, for every class of shape that a detector uses.
#include "tensor/conv.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

#include "tensor/profiler.h"

using namespace tailseg;

namespace {

struct Case {
  const char* name;
  int64_t n, h, w, c, k, window, stride, padding, dilation;
};

const std::vector<Case> kCases = {
    {"3x3", 1, 12, 20, 16, 32, 3, 1, 1, 1},
    {"3x3, sizes that no tile divides", 2, 13, 7, 32, 16, 3, 1, 1, 1},
    {"3x3, channels that no vector divides", 1, 9, 11, 5, 7, 3, 1, 1, 1},
    {"3x3 on one pixel", 3, 1, 1, 16, 16, 3, 1, 1, 1},
    {"3x3 without padding", 1, 8, 9, 16, 16, 3, 1, 0, 1},
    {"3x3 stride 2, odd", 1, 13, 15, 16, 32, 3, 2, 1, 1},
    {"3x3 stride 2, even", 2, 8, 10, 32, 16, 3, 2, 1, 1},
    {"3x3 dilated", 1, 14, 11, 16, 16, 3, 1, 2, 2},
    {"3x3 with 256 channels", 1, 20, 33, 256, 256, 3, 1, 1, 1},
    {"mask head", 7, 14, 14, 256, 256, 3, 1, 1, 1},
    {"1x1", 2, 10, 9, 64, 48, 1, 1, 0, 1},
    {"1x1 stride 2, odd", 1, 11, 7, 64, 32, 1, 2, 0, 1},
    {"1x1 stride 2, even", 1, 6, 8, 32, 64, 1, 2, 0, 1},
    {"1x1, 3 outputs", 1, 15, 9, 256, 3, 1, 1, 0, 1},
    {"1x1, 12 outputs", 1, 15, 9, 256, 12, 1, 1, 0, 1},
    {"1x1, 16 outputs", 1, 25, 9, 256, 16, 1, 1, 0, 1},
    {"1x1, 91 outputs", 3, 28, 28, 64, 91, 1, 1, 0, 1},
    {"stem", 1, 37, 50, 3, 64, 7, 2, 3, 1},
    {"stem with a fourth channel", 1, 32, 32, 4, 64, 7, 2, 3, 1},
    {"2x2 stride 2", 3, 14, 14, 32, 16, 2, 2, 0, 1},
    {"2x2 stride 2, the last row unread", 1, 7, 9, 8, 16, 2, 2, 0, 1},
    {"5x5", 1, 11, 12, 6, 10, 5, 1, 2, 1},
};

ConvGeometry geometry_of(const Case& g) { return {g.stride, g.padding, g.dilation}; }

Tensor random_tensor(Context& ctx, const Shape& shape, unsigned seed) {
  std::mt19937 draw(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& value : values) value = normal(draw);
  return Tensor::from(ctx, shape, values);
}

Tensor in_double(Context& ctx, const Tensor& x) {
  const std::vector<float> values = x.to_vector<float>(ctx);
  return Tensor::from(ctx, x.shape(), std::vector<double>(values.begin(), values.end()));
}

// The inputs are standard normal, so the partial sum after i products is about sqrt(i). Its roundings, each uniform in
// 2^-24 sqrt(i), add up to a standard deviation of 0.41 * 2^-24 * length when the products are added one by one: 3 is
// seven of them. Over all elements the relative error must be that of float32 sums, Winograd's included.
void check_close(Context& ctx, const Tensor& got, const Tensor& expected, int64_t length) {
  REQUIRE(got.shape() == expected.shape());
  const auto x = got.to_vector<float>(ctx);
  const auto y = expected.to_vector<double>(ctx);
  const double a = 3 * std::ldexp(1.0, -24) * static_cast<double>(length), r = 1e-6;
  int64_t wrong = 0;
  double error = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = double(x[i]) - y[i];
    wrong += !(std::abs(difference) <= a + r * std::abs(y[i]));
    error += difference * difference;
    size += y[i] * y[i];
  }
  CHECK(wrong == 0);
  CHECK(std::sqrt(error) <= 2e-6 * std::sqrt(size));
}

struct Data {
  Tensor x, w, y, bias, residual;
  Data(Context& ctx, const Case& g) {
    const ConvGeometry geometry = geometry_of(g);
    const Shape shape{g.n, geometry.output_size(g.h, g.window), geometry.output_size(g.w, g.window), g.k};
    x = random_tensor(ctx, {g.n, g.h, g.w, g.c}, 1);
    w = random_tensor(ctx, {g.k, g.window, g.window, g.c}, 2);
    y = random_tensor(ctx, shape, 3);
    bias = random_tensor(ctx, {g.k}, 4);
    residual = random_tensor(ctx, shape, 5);
  }
};

Tensor forward_oracle(Context& ctx, const Case& g, const Data& data, bool bias, bool residual, bool relu) {
  const Tensor b = in_double(ctx, data.bias), r = in_double(ctx, data.residual);
  Tensor y = Tensor::empty(ctx, data.y.shape(), DType::float64);
  conv2d_naive(ctx, in_double(ctx, data.x), in_double(ctx, data.w), geometry_of(g),
               {bias ? &b : nullptr, residual ? &r : nullptr, relu}, y);
  return y;
}

}  // namespace

TEST_CASE("conv2d equals its definition, with every epilogue") {
  Context ctx;
  for (const Case& g : kCases) {
    const Data data(ctx, g);
    for (int epilogue = 0; epilogue < 8; ++epilogue) {
      INFO(g.name << ", epilogue " << epilogue);
      const bool bias = epilogue & 1, residual = epilogue & 2, relu = epilogue & 4;
      const Tensor y = conv2d(ctx, data.x, data.w, geometry_of(g),
                              {bias ? &data.bias : nullptr, residual ? &data.residual : nullptr, relu});
      check_close(ctx, y, forward_oracle(ctx, g, data, bias, residual, relu), g.window * g.window * g.c);
    }
  }
}

TEST_CASE("conv2d_backward_data equals its definition, with a transposed convolution's epilogue") {
  Context ctx;
  for (const Case& g : kCases) {
    const Data data(ctx, g);
    const Tensor bias = random_tensor(ctx, {g.c}, 6), bias64 = in_double(ctx, bias);
    for (int epilogue = 0; epilogue < 4; ++epilogue) {
      INFO(g.name << ", epilogue " << epilogue);
      const bool with_bias = epilogue & 1, relu = epilogue & 2;
      Tensor expected = Tensor::empty(ctx, data.x.shape(), DType::float64);
      conv2d_backward_data_naive(ctx, in_double(ctx, data.y), in_double(ctx, data.w), geometry_of(g),
                                 {with_bias ? &bias64 : nullptr, nullptr, relu}, expected);
      const Tensor dx = conv2d_backward_data(ctx, data.y, data.w, data.x.shape(), geometry_of(g),
                                             {with_bias ? &bias : nullptr, nullptr, relu});
      check_close(ctx, dx, expected, g.window * g.window * g.k);
    }
  }
}

TEST_CASE("conv2d_backward_filter equals its definition") {
  Context ctx;
  for (const Case& g : kCases) {
    INFO(g.name);
    const Data data(ctx, g);
    Tensor expected = Tensor::empty(ctx, data.w.shape(), DType::float64);
    conv2d_backward_filter_naive(ctx, in_double(ctx, data.x), in_double(ctx, data.y), geometry_of(g), expected);
    const Tensor dw = Tensor::full(ctx, data.w.shape(), NAN);
    conv2d_backward_filter(ctx, data.x, data.y, geometry_of(g), dw);
    check_close(ctx, dw, expected, data.y.elements() / g.k);
  }
}
