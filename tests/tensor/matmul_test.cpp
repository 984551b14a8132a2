// The libraries' matrix product against the plain body in float64.
#include "tensor/matmul.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

using namespace tailseg;

namespace {

Tensor random_matrix(Context& ctx, const Shape& shape, unsigned seed) {
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

}  // namespace

TEST_CASE("matmul equals its definition, transposed or not, with every epilogue") {
  Context ctx;
  const std::vector<std::array<int64_t, 3>> sizes = {{1, 1, 1},     {5, 7, 3},    {16, 16, 16},   {64, 33, 129},
                                                     {512, 4, 256}, {3, 1000, 2}, {100, 91, 320}, {1, 513, 1025}};
  for (const auto& [m, n, k] : sizes) {
    for (int form = 0; form < 16; ++form) {
      INFO(m << " x " << n << " over " << k << ", form " << form);
      const bool transpose_a = form & 1, transpose_b = form & 2, with_bias = form & 4, relu = form & 8;
      const Tensor a = random_matrix(ctx, transpose_a ? Shape{k, m} : Shape{m, k}, 1);
      const Tensor b = random_matrix(ctx, transpose_b ? Shape{n, k} : Shape{k, n}, 2);
      const Tensor bias = random_matrix(ctx, {n}, 3), bias64 = in_double(ctx, bias);
      Tensor expected = Tensor::empty(ctx, {m, n}, DType::float64);
      matmul_naive(ctx, in_double(ctx, a), in_double(ctx, b),
                   {transpose_a, transpose_b, with_bias ? &bias64 : nullptr, relu}, expected);
      const Tensor got = matmul(ctx, a, b, {transpose_a, transpose_b, with_bias ? &bias : nullptr, relu});
      const auto x = got.to_vector<float>(ctx);
      const auto y = expected.to_vector<double>(ctx);
      // Seven standard deviations of a sum of k products of size 1, added one by one (see conv_test.cpp).
      const double absolute = 3 * std::ldexp(1.0, -24) * static_cast<double>(k), relative = 1e-6;
      int64_t wrong = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        wrong += !(std::abs(double(x[i]) - y[i]) <= absolute + relative * std::abs(y[i]));
      }
      CHECK(wrong == 0);
    }
  }
}
