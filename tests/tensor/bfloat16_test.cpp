// Convolutions and matrix products of bfloat16 against the plain body in float64, which gets the same rounded numbers.
//
// Tolerance a + r |x|: sums are float32, so a is the float32 algorithms' own (7 standard deviations of n roundings of
// 2^-24, grown by Winograd's transforms; conv_test.cpp derives both), and one rounding to 8 bits gives r = 2^-8. What
// stays float32, the gradient of the filters and full results, has r = 1e-6.
#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/conv.h"
#include "tensor/conv_epilogue.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/onednn.h"
#include "tensor/profiler.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

struct Case {
  const char* name;
  int64_t n, h, w, c, k, window, stride, padding, groups = 1;
};

const Case kCases[] = {
    {"stem", 1, 37, 50, 3, 64, 7, 2, 3},
    {"3x3 on few tiles", 1, 9, 11, 64, 32, 3, 1, 1},
    {"3x3 on many tiles, in float32 by Winograd", 2, 30, 41, 32, 64, 3, 1, 1},
    {"3x3, channels that no vector divides", 1, 9, 11, 5, 7, 3, 1, 1},
    {"3x3 stride 2", 1, 13, 15, 64, 64, 3, 2, 1},
    {"1x1", 2, 10, 9, 64, 48, 1, 1, 0},
    {"1x1 stride 2", 1, 11, 7, 64, 32, 1, 2, 0},
    {"2x2 stride 2", 3, 14, 14, 32, 16, 2, 2, 0},
    {"2x2 stride 2, the last row unread", 1, 7, 9, 8, 16, 2, 2, 0},
    {"3x3 in 8 groups", 1, 14, 15, 32, 32, 3, 1, 1, 8},
};

constexpr double kStored = 1.0 / 256, kFull = 1e-6;

double float32_part(int64_t length) { return 8 * std::ldexp(1.0, -24) * 26.3 * static_cast<double>(length); }

// Numbers that bfloat16 holds exactly, in a dtype of choice.
Tensor data(Context& ctx, DType dtype, const Shape& shape, uint64_t seed) {
  return typed_tensor(ctx, dtype, shape,
                      rounded_to(ctx, DType::bfloat16, gradient_check::values(shape.elements(), seed, -1.5, 1.5)));
}

// `between`: what was rounded on the way, too.
void check_near(Context& ctx, const Tensor& got, const Tensor& expected, double absolute, double relative,
                const Tensor& between = {}) {
  const std::vector<double> a = to_doubles(ctx, got), b = to_doubles(cpu_context(), expected);
  const std::vector<double> c = between.defined() ? to_doubles(cpu_context(), between) : std::vector<double>(b.size());
  REQUIRE(a.size() == b.size());
  REQUIRE(b.size() == c.size());
  int64_t wrong = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    wrong += !(std::abs(a[i] - b[i]) <= absolute + relative * (std::abs(b[i]) + std::abs(c[i])));
  }
  CHECK(wrong == 0);
}

struct Problem {
  ConvGeometry geometry;
  Tensor x, w, dy, bias, residual;
  Problem(Context& ctx, const Case& g, DType dtype) : geometry{g.stride, g.padding, 1, g.groups} {
    const Shape y{g.n, geometry.output_size(g.h, g.window), geometry.output_size(g.w, g.window), g.k};
    x = data(ctx, dtype, {g.n, g.h, g.w, g.c}, 1);
    w = data(ctx, dtype, {g.k, g.window, g.window, g.c / g.groups}, 2);
    dy = data(ctx, dtype, y, 3);
    bias = data(ctx, compute_dtype(dtype), {g.k}, 4);
    residual = data(ctx, dtype, y, 5);
  }
};

}  // namespace

TEST_CASE("bfloat16 convolutions equal their definition up to one rounding, and the filters' gradient has none") {
  for (Context* ctx : devices()) {
    for (const Case& g : kCases) {
      INFO(ctx->device().name() << ", " << g.name);
      Context& cpu = cpu_context();
      const Problem p(*ctx, g, DType::bfloat16), exact(cpu, g, DType::float64);
      const int64_t taps = g.window * g.window;
      for (const bool all : {false, true}) {
        const auto epilogue = [all](const Problem& of) {
          return all ? ConvEpilogue{&of.bias, &of.residual, true} : ConvEpilogue{};
        };
        const Tensor y = conv2d(*ctx, p.x, p.w, p.geometry, epilogue(p));
        REQUIRE(y.dtype() == DType::bfloat16);
        check_near(*ctx, y, conv2d(cpu, exact.x, exact.w, exact.geometry, epilogue(exact)),
                   float32_part(taps * g.c / g.groups), kStored);
      }
      check_near(*ctx, conv2d_backward_data(*ctx, p.dy, p.w, p.x.shape(), p.geometry),
                 conv2d_backward_data(cpu, exact.dy, exact.w, exact.x.shape(), exact.geometry),
                 float32_part(taps * g.k / g.groups), kStored);
      const Tensor dw = Tensor::full(*ctx, p.w.shape(), NAN),
                   exact_dw = Tensor::empty(cpu, p.w.shape(), DType::float64);
      conv2d_backward_filter(*ctx, p.x, p.dy, p.geometry, dw);
      conv2d_backward_filter(cpu, exact.x, exact.dy, exact.geometry, exact_dw);
      const bool rounds = ctx->device().is_cuda();  // cuDNN writes bfloat16, which is widened
      check_near(*ctx, dw, exact_dw, float32_part(p.dy.elements() / g.k), rounds ? kStored : kFull);
    }
  }
}

TEST_CASE("a bias and a filter gradient in the dtype that the library has need no other sums") {
  for (Context* ctx : devices()) {
    for (const Case& g : kCases) {
      INFO(ctx->device().name() << ", " << g.name);
      const Problem p(*ctx, g, DType::bfloat16);
      const DType dtype = conv_parameter_dtype(*ctx, DType::bfloat16);
      const Tensor bias = cast(*ctx, p.bias, dtype);
      CHECK(to_doubles(*ctx, conv2d(*ctx, p.x, p.w, p.geometry, {&bias, &p.residual, true})) ==
            to_doubles(*ctx, conv2d(*ctx, p.x, p.w, p.geometry, {&p.bias, &p.residual, true})));
      const Tensor dw = Tensor::full(*ctx, p.w.shape(), NAN, dtype), full = Tensor::full(*ctx, p.w.shape(), NAN);
      conv2d_backward_filter(*ctx, p.x, p.dy, p.geometry, dw);
      conv2d_backward_filter(*ctx, p.x, p.dy, p.geometry, full);
      CHECK(to_doubles(*ctx, dw) == to_doubles(*ctx, full));  // on a GPU the full one was widened
    }
  }
}

TEST_CASE("our own kernels take a bfloat16 bias and give a bfloat16 filter gradient, for what a library refuses") {
  for (Context* ctx : devices()) {
    const Case& g = kCases[4];
    const Problem p(*ctx, g, DType::bfloat16);
    const Tensor bias = cast(*ctx, p.bias, DType::bfloat16);
    const auto forward = [&](const Tensor& with) {
      const Tensor y = Tensor::full(*ctx, p.dy.shape(), NAN, DType::bfloat16);
      conv2d_naive(*ctx, p.x, p.w, p.geometry, {&with, &p.residual, true}, y);
      apply_conv_epilogue(*ctx, y, {&with, nullptr, false});
      return to_doubles(*ctx, y);
    };
    CHECK(forward(bias) == forward(p.bias));
    const Tensor input_bias = data(*ctx, DType::float32, {g.c}, 6), narrow = cast(*ctx, input_bias, DType::bfloat16);
    const auto backward_data = [&](const Tensor& with) {
      const Tensor dx = Tensor::full(*ctx, p.x.shape(), NAN, DType::bfloat16);
      conv2d_backward_data_naive(*ctx, p.dy, p.w, p.geometry, {&with, nullptr, true}, dx);
      return to_doubles(*ctx, dx);
    };
    CHECK(backward_data(narrow) == backward_data(input_bias));
    const Tensor dw = Tensor::full(*ctx, p.w.shape(), NAN, DType::bfloat16),
                 full = Tensor::full(*ctx, p.w.shape(), NAN);
    conv2d_backward_filter_naive(*ctx, p.x, p.dy, p.geometry, dw);
    conv2d_backward_filter_naive(*ctx, p.x, p.dy, p.geometry, full);
    CHECK(to_doubles(*ctx, dw) == to_doubles(*ctx, cast(*ctx, full, DType::bfloat16)));
  }
}

// On a GPU, where cuDNN has no engine for both at once, the sum is rounded before and after the bias.
TEST_CASE("a bfloat16 transposed convolution with its bias is rounded once, on a GPU twice") {
  for (Context* ctx : devices()) {
    Context& cpu = cpu_context();
    const Case g{"deconvolution", 4, 14, 14, 32, 64, 2, 2, 0};
    const Problem p(*ctx, g, DType::bfloat16), exact(cpu, g, DType::float64);
    const Tensor bias = data(*ctx, DType::float32, {g.c}, 6), exact_bias = data(cpu, DType::float64, {g.c}, 6);
    const auto expected = [&](const ConvEpilogue& epilogue) {
      return conv2d_backward_data(cpu, exact.dy, exact.w, exact.x.shape(), exact.geometry, epilogue);
    };
    check_near(*ctx, conv2d_backward_data(*ctx, p.dy, p.w, p.x.shape(), p.geometry, {&bias, nullptr, true}),
               expected({&exact_bias, nullptr, true}), float32_part(g.k), kStored,
               ctx->device().is_cuda() ? expected({}) : Tensor());
  }
}

TEST_CASE("bfloat16 matrix products in every form, rounded or full") {
  for (Context* ctx : devices()) {
    Context& cpu = cpu_context();
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {5, 7, 3}, {64, 33, 129}, {100, 91, 320}}) {
      for (int form = 0; form < 16; ++form) {
        INFO(ctx->device().name() << ", " << m << " x " << n << " over " << k << ", form " << form);
        const bool ta = form & 1, tb = form & 2, biased = form & 4, relu = form & 8;
        const Shape a{ta ? k : m, ta ? m : k}, b{tb ? n : k, tb ? k : n};
        const Tensor bias = data(*ctx, DType::float32, {n}, 3), exact_bias = data(cpu, DType::float64, {n}, 3);
        const Tensor expected = matmul(cpu, data(cpu, DType::float64, a, 1), data(cpu, DType::float64, b, 2),
                                       {ta, tb, biased ? &exact_bias : nullptr, relu});
        for (const DType out : {DType::bfloat16, DType::float32}) {
          const Tensor got = Tensor::full(*ctx, {m, n}, NAN, out);
          matmul_into(*ctx, data(*ctx, DType::bfloat16, a, 1), data(*ctx, DType::bfloat16, b, 2),
                      {ta, tb, biased ? &bias : nullptr, relu}, got);
          const bool rounds = out == DType::bfloat16 || (biased && ctx->device().is_cuda());
          check_near(*ctx, got, expected, float32_part(k), rounds ? kStored : kFull);
        }
      }
    }
  }
}

TEST_CASE("bfloat16 runs in the library: as it is, or widened to float32 where that is faster or the only way") {
  Context ctx;
  if (onednn_plans(ctx).capacity == 0) return;  // the plain body serves everything
  const auto profiler = make_profiler(ctx);
  const auto kernels = [&](const Case& g) {
    profiler->clear();
    const Problem p(ctx, g, DType::bfloat16);
    ctx.set_profiler(profiler.get());
    conv2d(ctx, p.x, p.w, p.geometry);
    ctx.set_profiler(nullptr);
    std::vector<std::string> names;
    for (const auto& [name, row] : profiler->rows()) names.push_back(name);
    return names;
  };
  using Names = std::vector<std::string>;
  const bool native = has_bfloat16_products();
  CHECK(kernels(kCases[2]) == Names{"cast_elements", "conv_forward_winograd"});
  CHECK(kernels(kCases[4]) == (native ? Names{"conv_forward_direct"} : Names{"cast_elements", "conv_forward_direct"}));
  CHECK(kernels(kCases[5]) == (native ? Names{"conv_forward_matmul"} : Names{"cast_elements", "conv_forward_matmul"}));
}

TEST_CASE("bfloat16 refuses rounded sums") {
  Context ctx;
  using Catch::Contains;
  const Tensor x = Tensor::zeros(ctx, {1, 4, 4, 8}, DType::bfloat16),
               w = Tensor::zeros(ctx, {8, 1, 1, 8}, DType::bfloat16);
  const Tensor bias = Tensor::zeros(ctx, {8}, DType::bfloat16);
  CHECK_THROWS_WITH(conv2d(ctx, x, w, {}, {&bias, nullptr, false}), Contains("bias") && Contains("float32"));
  CHECK_THROWS_WITH(conv2d_backward_filter(ctx, x, x, {}, w), Contains("result") && Contains("float32"));
  const Tensor a = x.reshape({16, 8}), b = w.reshape({8, 8});
  CHECK_THROWS_WITH(matmul(ctx, a, b, {.bias = &bias}), Contains("bias") && Contains("float32"));
  CHECK_THROWS_WITH(matmul_into(ctx, cast(ctx, a, DType::float32), cast(ctx, b, DType::float32), {},
                                Tensor::zeros(ctx, {16, 8}, DType::bfloat16)),
                    Contains("dtypes differ"));
}
