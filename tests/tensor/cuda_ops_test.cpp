// What a GPU computes against what the CPU computes, op by op. Needs a card; without one each test says SKIP and why.
// Tolerance: |gpu - cpu| <= absolute + relative * |cpu|, the relative part grown with the length of the sums.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "tensor/conv.h"
#include "tensor/conv_plan.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/profiler.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// Values in [-1, 1) without a pattern that a kernel could share, kept to 8 bits so that bfloat16 holds them exactly.
std::vector<float> noise(int64_t count, uint32_t seed) {
  std::vector<float> out(static_cast<size_t>(count));
  uint32_t state = seed * 2654435761u + 12345u;
  for (float& x : out) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(static_cast<int32_t>(state >> 25) - 64) / 64.f;
  }
  return out;
}

struct Mode {
  const char* name;
  MathMode math;
  DType dtype;
  double relative;  // of one product
};

const Mode kModes[] = {{"float32", MathMode::float32, DType::float32, 1e-6},
                       {"tf32", MathMode::tf32, DType::float32, 1e-3},
                       {"bfloat16", MathMode::bfloat16, DType::bfloat16, 8e-3}};

Tensor on(Context& ctx, const Shape& shape, uint32_t seed, DType dtype) {
  return cast(ctx, Tensor::from(ctx, shape, noise(shape.elements(), seed)), dtype);
}

std::vector<float> numbers(Context& ctx, const Tensor& x) { return cast(ctx, x, DType::float32).to_vector<float>(ctx); }

void require_close(const std::vector<float>& got, const std::vector<float>& expected, double relative, int64_t length) {
  REQUIRE(got.size() == expected.size());
  const double absolute = relative * std::sqrt(double(length));
  size_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!(std::abs(double(got[i]) - expected[i]) <= absolute + relative * std::abs(double(expected[i])))) {
      if (wrong++ == 0) {
        UNSCOPED_INFO("first at " << i << ": got " << got[i] << ", expected " << expected[i] << " +- " << absolute);
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("matrix products on a GPU agree with the CPU in every form, and repeat bit by bit") {
  for (const Mode& mode : kModes) {
    Context* gpu = cuda_or_skip("matmul on CUDA", mode.math);
    if (!gpu) return;
    Context& cpu = cpu_context();
    for (auto [m, n, k] :
         {std::array<int64_t, 3>{1, 1, 1}, {5, 7, 3}, {64, 64, 64}, {512, 1204, 1024}, {33, 5, 4097}}) {
      for (int form = 0; form < 16; ++form) {
        const bool ta = form & 1, tb = form & 2, relu = form & 8;
        const Shape a{ta ? k : m, ta ? m : k}, b{tb ? n : k, tb ? k : n};
        INFO(mode.name << " " << a << (ta ? "^T" : "") << " times " << b << (tb ? "^T" : "") << " form " << form);
        const Tensor bias = on(cpu, {n}, 3, DType::float32), gpu_bias = on(*gpu, {n}, 3, DType::float32);
        Tensor expected = Tensor::empty(cpu, {m, n});
        matmul_naive(cpu, on(cpu, a, 1, DType::float32), on(cpu, b, 2, DType::float32),
                     {ta, tb, form & 4 ? &bias : nullptr, relu}, expected);
        const Tensor ga = on(*gpu, a, 1, mode.dtype), gb = on(*gpu, b, 2, mode.dtype);
        const MatmulOptions options{ta, tb, form & 4 ? &gpu_bias : nullptr, relu};
        const Tensor got = matmul(*gpu, ga, gb, options), again = matmul(*gpu, ga, gb, options);
        require_close(numbers(*gpu, got), numbers(cpu, expected), mode.relative, k);
        REQUIRE(numbers(*gpu, got) == numbers(*gpu, again));
        const Tensor full = Tensor::full(*gpu, {m, n}, NAN);  // of bfloat16 factors: not rounded
        matmul_into(*gpu, ga, gb, options, full);
        require_close(numbers(*gpu, full), numbers(cpu, expected), std::min(mode.relative, 1e-3), k);
      }
    }
  }
}

TEST_CASE("convolutions and their gradients on a GPU agree with the CPU, and repeat bit by bit") {
  struct Problem {
    int64_t n, h, w, c, k, window, stride, padding, dilation;
  };
  const Problem problems[] = {{2, 17, 19, 8, 16, 3, 1, 1, 1}, {1, 32, 24, 4, 64, 7, 2, 3, 1},
                              {2, 13, 9, 64, 32, 1, 1, 0, 1}, {2, 14, 14, 32, 32, 2, 2, 0, 1},
                              {1, 20, 20, 16, 8, 3, 2, 1, 1}, {1, 9, 11, 3, 5, 3, 1, 2, 2},
                              {1, 1, 1, 16, 3, 1, 1, 0, 1}};
  for (const Mode& mode : kModes) {
    Context* gpu = cuda_or_skip("conv2d on CUDA", mode.math);
    if (!gpu) return;
    Context& cpu = cpu_context();
    for (const Problem& p : problems) {
      const ConvGeometry geometry{p.stride, p.padding, p.dilation};
      const Shape x{p.n, p.h, p.w, p.c}, w{p.k, p.window, p.window, p.c};
      const Shape y{p.n, geometry.output_size(p.h, p.window), geometry.output_size(p.w, p.window), p.k};
      INFO(mode.name << " x " << x << " w " << w << " stride " << p.stride);
      const auto host = [&](const Shape& shape, uint32_t seed) { return on(cpu, shape, seed, DType::float32); };
      const auto card = [&](const Shape& shape, uint32_t seed) { return on(*gpu, shape, seed, mode.dtype); };
      const int64_t taps = p.window * p.window;
      for (int form = 0; form < 8; ++form) {
        const Tensor b = host({p.k}, 3), r = host(y, 4), gb = on(*gpu, {p.k}, 3, DType::float32), gr = card(y, 4);
        const Tensor expected = Tensor::empty(cpu, y);
        conv2d_naive(cpu, host(x, 1), host(w, 2), geometry,
                     {form & 1 ? &b : nullptr, form & 2 ? &r : nullptr, bool(form & 4)}, expected);
        const ConvEpilogue epilogue{form & 1 ? &gb : nullptr, form & 2 ? &gr : nullptr, bool(form & 4)};
        const Tensor got = conv2d(*gpu, card(x, 1), card(w, 2), geometry, epilogue);
        require_close(numbers(*gpu, got), numbers(cpu, expected), mode.relative, taps * p.c);
        REQUIRE(numbers(*gpu, conv2d(*gpu, card(x, 1), card(w, 2), geometry, epilogue)) == numbers(*gpu, got));
      }
      const Tensor dx = Tensor::empty(cpu, x), dw = Tensor::empty(cpu, w);
      const Tensor b = host({p.c}, 5), gb = on(*gpu, {p.c}, 5, DType::float32);
      conv2d_backward_data_naive(cpu, host(y, 4), host(w, 2), geometry, {&b, nullptr, true}, dx);
      const Tensor got_dx = conv2d_backward_data(*gpu, card(y, 4), card(w, 2), x, geometry, {&gb, nullptr, true});
      require_close(numbers(*gpu, got_dx), numbers(cpu, dx), mode.relative, taps * p.k);
      conv2d_backward_filter_naive(cpu, host(x, 1), host(y, 4), geometry, dw);
      const Tensor got_dw = Tensor::full(*gpu, w, NAN), again = Tensor::full(*gpu, w, NAN);
      conv2d_backward_filter(*gpu, card(x, 1), card(y, 4), geometry, got_dw);
      conv2d_backward_filter(*gpu, card(x, 1), card(y, 4), geometry, again);
      require_close(numbers(*gpu, got_dw), numbers(cpu, dw), mode.relative, y[0] * y[1] * y[2]);
      REQUIRE(numbers(*gpu, got_dw) == numbers(*gpu, again));
    }
  }
}

TEST_CASE("strict float32 on a GPU keeps all 24 bits of the factors") {
  Context* gpu = cuda_or_skip("strict float32");
  if (!gpu) return;
  const float x = 1.0f + 0x1p-20f;  // TF32 keeps 10 bits behind the point: it would read 1
  const Tensor a = Tensor::full(*gpu, {1, 4, 4, 16}, x), w = Tensor::full(*gpu, {16, 1, 1, 16}, 1);
  for (float y : conv2d(*gpu, a, w, {}).to_vector<float>(*gpu)) REQUIRE(y > 16.00001f);
  const Tensor left = Tensor::full(*gpu, {64, 64}, x), right = Tensor::full(*gpu, {64, 64}, 1);
  // 64.00006 exactly; one float32 sum that takes the 64 terms in order reaches 64.00002, and TF32 64.
  for (float y : matmul(*gpu, left, right).to_vector<float>(*gpu)) REQUIRE(y > 64.00001f);
}

TEST_CASE("element-wise arithmetic and sums on a GPU agree with the CPU") {
  Context* gpu = cuda_or_skip("elementwise on CUDA");
  if (!gpu) return;
  Context& cpu = cpu_context();
  for (int64_t n : {0, 1, 31, 1000, 40000}) {
    for (DType dtype : {DType::float32, DType::bfloat16}) {
      INFO(n << " " << name_of(dtype));
      const auto both = [&](auto op) {
        const auto at = [&](Context& ctx) { return op(ctx, on(ctx, {n}, 1, dtype), on(ctx, {n}, 2, dtype)); };
        require_close(numbers(*gpu, at(*gpu)), numbers(cpu, at(cpu)), 1e-6, 1);
      };
      both([](Context& ctx, const Tensor& a, const Tensor& b) { return add(ctx, a, b); });
      both([](Context& ctx, const Tensor& a, const Tensor& b) { return multiply(ctx, a, b); });
      both([](Context& ctx, const Tensor& a, const Tensor&) { return scale(ctx, a, 0.75); });
      both([](Context& ctx, const Tensor& a, const Tensor& b) {
        add_in_place(ctx, a, b);
        return a;
      });
      require_close(sum_all(*gpu, on(*gpu, {n}, 1, dtype)).to_vector<float>(*gpu),
                    sum_all(cpu, on(cpu, {n}, 1, dtype)).to_vector<float>(cpu), 1e-6, n + 1);
    }
  }
}

TEST_CASE("the kernel table on a GPU has a row with a time for every launch") {
  Context* gpu = cuda_or_skip("profiler on CUDA");
  if (!gpu) return;
  const auto profiler = make_profiler(*gpu);
  const Tensor a = on(*gpu, {1 << 20}, 1, DType::float32);
  gpu->set_profiler(profiler.get());
  for (int i = 0; i < 3; ++i) (void)add(*gpu, a, a);
  const Tensor square = a.reshape({1024, 1024});
  (void)matmul(*gpu, square, square);
  (void)conv2d(*gpu, a.reshape({1, 128, 128, 64}), a.reshape({1024, 1, 1, 1024}).slice(0, 1).reshape({16, 1, 1, 64}),
               {});
  gpu->set_profiler(nullptr);
  profiler->collect(*gpu);
  const KernelRow& row = profiler->rows().at("axpby");
  CHECK(row.calls == 3);
  CHECK(row.seconds > 0);
  CHECK(row.cost.bytes == 3.0 * 12 * (1 << 20));
  CHECK(profiler->rows().count("matmul") == 1);  // the libraries' versions, not the naive bodies
  CHECK(profiler->rows().count("conv_forward") == 1);
}

TEST_CASE("convolution plans are written down, read back and used") {
  Context* gpu = cuda_or_skip("plan file on CUDA");
  if (!gpu) return;
  const std::string path = std::string(TAILSEG_BINARY_DIR) + "/plans_test.json";
  const auto run = [](Context& ctx) {
    return conv2d(ctx, on(ctx, {1, 16, 16, 32}, 1, DType::float32), on(ctx, {32, 3, 3, 32}, 2, DType::float32),
                  {1, 1, 1})
        .to_vector<float>(ctx);
  };
  Context first(Device{DeviceKind::cuda, 0}), second(Device{DeviceKind::cuda, 0});
  const std::vector<float> before = run(first);
  save_conv_plans(first, path);
  REQUIRE(load_conv_plans(second, path) == 1);
  REQUIRE(run(second) == before);
  REQUIRE(conv_plan_reports(second).at(0).from_file);
}

TEST_CASE("a plan made from the card's description is the one that the card itself gets") {
  for (const Mode& mode : kModes) {
    Context* gpu = cuda_or_skip("planning without a device", mode.math);
    if (!gpu) return;
#ifdef TAILSEG_CUDA
    Context fresh(Device{DeviceKind::cuda, 0}, ContextOptions{0, mode.math});
    const Tensor x = on(fresh, {2, 50, 84, 64}, 1, mode.dtype), w = on(fresh, {64, 3, 3, 64}, 2, mode.dtype);
    const Tensor y = conv2d(fresh, x, w, {1, 1, 1});
    const ConvPlanReport real = conv_plan_reports(fresh).at(0);
    const ConvPlanKey key = conv_plan_key(ConvDirection::forward, x, w, y, {1, 1, 1}, {}, mode.math);
    const ConvPlanReport described = plan_conv_without_device(key, device_properties(fresh));
    CHECK(described.engine == real.engine);
    CHECK(described.workspace_bytes == real.workspace_bytes);
#endif
  }
}
