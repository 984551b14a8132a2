// The libraries' convolutions against the plain body in float64, for every class of shape that a detector uses and for
// every algorithm that the shapes select; that they repeat bit for bit, and that the library's plans are bounded.
#include "tensor/conv.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

#include "tensor/matmul.h"
#include "tensor/onednn.h"
#include "tensor/profiler.h"

using namespace tailseg;

namespace {

struct Case {
  const char* name;
  int64_t n, h, w, c, k, window, stride, padding, dilation, groups = 1;
};

const std::vector<Case> kCases = {
    {"3x3", 1, 16, 24, 32, 48, 3, 1, 1, 1},
    {"3x3, sizes that no tile divides", 2, 29, 23, 64, 32, 3, 1, 1, 1},
    {"3x3, many tiles", 2, 61, 90, 32, 32, 3, 1, 1, 1},
    {"3x3, few channels", 1, 12, 20, 16, 32, 3, 1, 1, 1},
    {"3x3, channels that no vector divides", 1, 9, 11, 5, 7, 3, 1, 1, 1},
    {"3x3 on one pixel", 3, 1, 1, 32, 32, 3, 1, 1, 1},
    {"3x3 on one row", 1, 1, 50, 64, 64, 3, 1, 1, 1},
    {"3x3 without padding", 1, 25, 18, 64, 32, 3, 1, 0, 1},
    {"3x3 padded by 2", 1, 22, 17, 32, 64, 3, 1, 2, 1},
    {"3x3 without padding, several images", 5, 9, 11, 32, 64, 3, 1, 0, 1},
    {"3x3 padded by 2, several images", 11, 7, 10, 64, 32, 3, 1, 2, 1},
    {"3x3, images of one pixel", 37, 1, 1, 64, 64, 3, 1, 1, 1},
    {"3x3 stride 2, odd", 1, 13, 15, 64, 64, 3, 2, 1, 1},
    {"3x3 stride 2, even", 2, 8, 10, 32, 16, 3, 2, 1, 1},
    {"3x3 dilated", 1, 14, 11, 16, 16, 3, 1, 2, 2},
    {"3x3 with 256 channels", 1, 20, 33, 256, 64, 3, 1, 1, 1},
    {"mask head", 7, 14, 14, 64, 256, 3, 1, 1, 1},
    {"1x1", 2, 10, 9, 64, 48, 1, 1, 0, 1},
    {"1x1 on one pixel", 1, 1, 1, 64, 48, 1, 1, 0, 1},
    {"1x1, several blocks", 1, 90, 100, 8, 256, 1, 1, 0, 1},
    {"1x1 padded", 1, 5, 6, 16, 16, 1, 1, 1, 1},
    {"1x1 stride 2, odd", 1, 11, 7, 64, 32, 1, 2, 0, 1},
    {"1x1 stride 2, even", 1, 6, 8, 32, 64, 1, 2, 0, 1},
    {"1x1, 3 outputs", 1, 15, 9, 256, 3, 1, 1, 0, 1},
    {"1x1, 12 outputs", 1, 15, 9, 256, 12, 1, 1, 0, 1},
    {"1x1, 16 outputs", 1, 25, 9, 256, 16, 1, 1, 0, 1},
    {"1x1, 91 outputs", 3, 28, 28, 64, 91, 1, 1, 0, 1},
    {"stem", 1, 37, 50, 3, 64, 7, 2, 3, 1},
    {"stem with a fourth channel", 1, 32, 32, 4, 64, 7, 2, 3, 1},
    {"2x2 stride 2", 3, 14, 14, 32, 16, 2, 2, 0, 1},
    {"2x2 stride 2, several blocks", 40, 14, 14, 256, 4, 2, 2, 0, 1},
    {"2x2 stride 2, the last row unread", 1, 7, 9, 8, 16, 2, 2, 0, 1},
    {"2x2 stride 3", 1, 8, 10, 8, 16, 2, 3, 0, 1},
    {"5x5", 1, 11, 12, 6, 10, 5, 1, 2, 1},
    {"3x3 in 32 groups of 4", 1, 14, 15, 128, 128, 3, 1, 1, 1, 32},
    {"3x3 stride 2 in 32 groups of 8", 2, 11, 9, 256, 256, 3, 2, 1, 1, 32},
    {"3x3 in 4 groups of 16, other numbers in and out", 1, 17, 12, 64, 32, 3, 1, 1, 1, 4},
    {"3x3 in groups of one", 1, 9, 8, 32, 32, 3, 1, 1, 1, 32},
    {"1x1 in 2 groups", 1, 7, 5, 8, 12, 1, 1, 0, 1, 2},
};

ConvGeometry geometry_of(const Case& g) { return {g.stride, g.padding, g.dilation, g.groups}; }

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

// Is there a library behind conv2d, or the body alone?
bool has_library() {
  static const bool has = [] {
    Context ctx;
    const Tensor x = Tensor::zeros(ctx, {1, 1, 1, 1}), y = Tensor::empty(ctx, {1, 1, 1, 1});
    return conv2d_onednn(ctx, x, x, {}, {}, y);
  }();
  return has;
}

// The body takes minutes for the cases that are there for a library's blocks.
bool is_for_libraries(const Case& g) {
  const double products =
      double(g.n) * double(g.h) * double(g.w) * double(g.c) * double(g.k) * double(g.window) * double(g.window);
  return !has_library() && products > 3e6;
}

bool may_be_winograd(const Case& g) { return g.window == 3 && g.stride == 1 && g.dilation == 1 && g.groups == 1; }

// How far one element may be off. The inputs are standard normal, so the partial sum after i products is about sqrt(i).
// Its roundings, each uniform in u sqrt(i) with u = 2^-24, have a standard deviation of u / sqrt(3) * n / sqrt(2) when
// all n products are added one by one: seven of those are allowed.
double direct_tolerance(double n) { return 7 / std::sqrt(6.0) * std::ldexp(1.0, -24) * n; }

// Winograd's F(4x4, 3x3) adds n products of transformed values, of size |B_i| |G_i| (2-norms of the transforms' rows,
// each way), and weighs the sums with A: an output's deviation grows by the sum over i of (A_pi |B_i| |G_i|)^2, each
// way: 24.6 at the tile's corner, and 26.3 for F(3x3, 4x4). The path through the six transforms has at most 6 * 4
// roundings besides.
double winograd_tolerance(double n, double growth) {
  return 7 / std::sqrt(3.0) * std::ldexp(1.0, -24) * growth * std::sqrt(n * n / 2 + 24 * n);
}

// length: products of an element by the definition; tiles: of the filters' gradient, 0 for the other directions.
void check_close(const Case& g, const std::vector<float>& got, const std::vector<double>& expected, int64_t length,
                 int64_t tiles = 0) {
  REQUIRE(got.size() == expected.size());
  const auto n = static_cast<double>(length);
  const double winograd = tiles > 0 ? winograd_tolerance(double(tiles), 26.3) : winograd_tolerance(n / 9, 24.6);
  const double a = may_be_winograd(g) ? std::max(winograd, direct_tolerance(n)) : direct_tolerance(n), r = 1e-6;
  int64_t wrong = 0;
  double error = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = double(got[i]) - expected[i];
    wrong += !(std::abs(difference) <= a + r * std::abs(expected[i]));
    error += difference * difference;
    size += expected[i] * expected[i];
  }
  CHECK(wrong == 0);
  // A library adds in blocks; the body adds one by one, whose relative error grows with the root of the length.
  const double relative = has_library() ? (may_be_winograd(g) ? 2e-6 : 1e-6)
                                        : std::max(1e-6, std::ldexp(1.0, -24) * std::sqrt(static_cast<double>(length)));
  CHECK(std::sqrt(error) <= relative * std::sqrt(size));
}

struct Data {
  Tensor x, w, y, bias, residual;
  Data(Context& ctx, const Case& g) {
    const ConvGeometry geometry = geometry_of(g);
    const Shape shape{g.n, geometry.output_size(g.h, g.window), geometry.output_size(g.w, g.window), g.k};
    x = random_tensor(ctx, {g.n, g.h, g.w, g.c}, 1);
    w = random_tensor(ctx, {g.k, g.window, g.window, g.c / g.groups}, 2);
    y = random_tensor(ctx, shape, 3);
    bias = random_tensor(ctx, {g.k}, 4);
    residual = random_tensor(ctx, shape, 5);
  }
};

// value = relu(value + bias[channel] + residual), each part optional.
std::vector<double> with_epilogue(Context& ctx, std::vector<double> values, const Tensor* bias, const Tensor* residual,
                                  bool relu) {
  const auto b = bias ? bias->to_vector<float>(ctx) : std::vector<float>();
  const auto r = residual ? residual->to_vector<float>(ctx) : std::vector<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (bias) values[i] += double(b[i % b.size()]);
    if (residual) values[i] += double(r[i]);
    if (relu && values[i] < 0) values[i] = 0;
  }
  return values;
}

}  // namespace

TEST_CASE("conv2d equals its definition, with every epilogue") {
  Context ctx;
  for (const Case& g : kCases) {
    if (is_for_libraries(g)) continue;
    const Data data(ctx, g);
    Tensor plain = Tensor::empty(ctx, data.y.shape(), DType::float64);
    conv2d_naive(ctx, in_double(ctx, data.x), in_double(ctx, data.w), geometry_of(g), {}, plain);
    for (int epilogue = 0; epilogue < 8; epilogue += plain.elements() < 50'000 ? 1 : 7) {  // large: none and all
      INFO(g.name << ", epilogue " << epilogue);
      const Tensor* bias = epilogue & 1 ? &data.bias : nullptr;
      const Tensor* residual = epilogue & 2 ? &data.residual : nullptr;
      const bool relu = epilogue & 4;
      const Tensor y = conv2d(ctx, data.x, data.w, geometry_of(g), {bias, residual, relu});
      check_close(g, y.to_vector<float>(ctx), with_epilogue(ctx, plain.to_vector<double>(ctx), bias, residual, relu),
                  g.window * g.window * g.c / g.groups);
    }
  }
}

TEST_CASE("conv2d_backward_data equals its definition, with a transposed convolution's epilogue") {
  Context ctx;
  for (const Case& g : kCases) {
    if (is_for_libraries(g)) continue;
    const Data data(ctx, g);
    const Tensor shift = random_tensor(ctx, {g.c}, 6);
    Tensor plain = Tensor::empty(ctx, data.x.shape(), DType::float64);
    conv2d_backward_data_naive(ctx, in_double(ctx, data.y), in_double(ctx, data.w), geometry_of(g), {}, plain);
    for (int epilogue = 0; epilogue < 4; epilogue += plain.elements() < 50'000 ? 1 : 3) {
      INFO(g.name << ", epilogue " << epilogue);
      const Tensor* bias = epilogue & 1 ? &shift : nullptr;
      const bool relu = epilogue & 2;
      const Tensor dx =
          conv2d_backward_data(ctx, data.y, data.w, data.x.shape(), geometry_of(g), {bias, nullptr, relu});
      check_close(g, dx.to_vector<float>(ctx), with_epilogue(ctx, plain.to_vector<double>(ctx), bias, nullptr, relu),
                  g.window * g.window * g.k / g.groups);
    }
  }
}

TEST_CASE("conv2d_backward_filter equals its definition") {
  Context ctx;
  for (const Case& g : kCases) {
    if (is_for_libraries(g)) continue;
    INFO(g.name);
    const Data data(ctx, g);
    Tensor expected = Tensor::empty(ctx, data.w.shape(), DType::float64);
    conv2d_backward_filter_naive(ctx, in_double(ctx, data.x), in_double(ctx, data.y), geometry_of(g), expected);
    const Tensor dw = Tensor::full(ctx, data.w.shape(), NAN);
    conv2d_backward_filter(ctx, data.x, data.y, geometry_of(g), dw);
    const int64_t tiles = g.n * ((data.y.size(1) + 3) / 4) * ((data.y.size(2) + 3) / 4);
    check_close(g, dw.to_vector<float>(ctx), expected.to_vector<double>(ctx), data.y.elements() / g.k, tiles);
  }
}

TEST_CASE("any number of threads computes the same convolution, bit for bit when run again") {
  const std::vector<Case> cases = {{"Winograd, one chunk", 1, 20, 19, 64, 64, 3, 1, 1, 1},
                                   {"Winograd, many chunks", 2, 61, 90, 64, 64, 3, 1, 1, 1},
                                   {"direct", 1, 33, 21, 64, 64, 3, 2, 1, 1},
                                   {"product", 1, 33, 21, 64, 96, 1, 1, 0, 1},
                                   {"transposed", 5, 14, 14, 64, 64, 2, 2, 0, 1}};
  for (const Case& g : cases) {
    if (is_for_libraries(g)) continue;
    for (const int threads : {1, 2, 3, 5}) {
      INFO(g.name << ", " << threads << " threads");
      std::vector<std::vector<float>> first;
      for (int run = 0; run < 3; ++run) {
        Context ctx({}, {threads, MathMode::float32});
        const Data data(ctx, g);
        const Tensor dw = Tensor::full(ctx, data.w.shape(), NAN);
        conv2d_backward_filter(ctx, data.x, data.y, geometry_of(g), dw);
        const std::vector<std::vector<float>> results = {
            conv2d(ctx, data.x, data.w, geometry_of(g), {&data.bias, &data.residual, true}).to_vector<float>(ctx),
            conv2d_backward_data(ctx, data.y, data.w, data.x.shape(), geometry_of(g)).to_vector<float>(ctx),
            dw.to_vector<float>(ctx)};
        if (run == 0) {
          first = results;
          Tensor y = Tensor::empty(ctx, data.y.shape(), DType::float64);
          conv2d_naive(ctx, in_double(ctx, data.x), in_double(ctx, data.w), geometry_of(g), {}, y);
          check_close(g, results[0], with_epilogue(ctx, y.to_vector<double>(ctx), &data.bias, &data.residual, true),
                      g.window * g.window * g.c / g.groups);
        }
        for (size_t i = 0; i < results.size(); ++i) {
          CHECK(std::memcmp(results[i].data(), first[i].data(), sizeof(float) * first[i].size()) == 0);
        }
      }
    }
  }
}

TEST_CASE("an empty batch is a legal convolution") {
  Context ctx;
  const Tensor w = random_tensor(ctx, {32, 3, 3, 16}, 1);
  const Tensor x = Tensor::empty(ctx, {0, 14, 14, 16}), y = Tensor::empty(ctx, {0, 14, 14, 32});
  CHECK(conv2d(ctx, x, w, {1, 1, 1}).shape() == Shape{0, 14, 14, 32});
  CHECK(conv2d_backward_data(ctx, y, w, x.shape(), {1, 1, 1}).shape() == x.shape());
  const Tensor dw = Tensor::full(ctx, w.shape(), NAN);
  conv2d_backward_filter(ctx, x, y, {1, 1, 1}, dw);
  CHECK(dw.to_vector<float>(ctx) == std::vector<float>(static_cast<size_t>(w.elements()), 0.0f));
}

TEST_CASE("each class of layer runs by the algorithm meant for it, and the profiler says so") {
  Context ctx;
  if (onednn_plans(ctx).capacity == 0) return;  // the naive body serves everything
  const auto profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  const auto check = [&](const Case& g, const std::string& algorithm) {
    INFO(g.name);
    profiler->clear();
    const Data data(ctx, g);
    conv2d(ctx, data.x, data.w, geometry_of(g));
    conv2d_backward_data(ctx, data.y, data.w, data.x.shape(), geometry_of(g));
    conv2d_backward_filter(ctx, data.x, data.y, geometry_of(g), data.w);
    std::vector<std::string> names;
    for (const auto& [name, row] : profiler->rows()) {
      names.push_back(name);
      CHECK(row.calls == 1);
      CHECK(row.cost.bytes >= 4.0 * double(data.x.elements()));
      CHECK(row.cost.operations > 0);
    }
    CHECK(names == std::vector<std::string>{"conv_backward_data_" + algorithm, "conv_backward_filter_" + algorithm,
                                            "conv_forward_" + algorithm});
  };
  check({"3x3 stride 1", 1, 16, 16, 64, 64, 3, 1, 1, 1}, "winograd");
  check({"3x3 stride 2", 1, 16, 16, 64, 64, 3, 2, 1, 1}, "direct");
  check({"3x3 stride 1, a pixel", 1, 1, 1, 64, 64, 3, 1, 1, 1}, "direct");
  check({"1x1", 1, 8, 8, 64, 64, 1, 1, 0, 1}, "matmul");
  check({"1x1 stride 2", 1, 8, 8, 64, 64, 1, 2, 0, 1}, "matmul");
  ctx.set_profiler(nullptr);
}

TEST_CASE("the library's plans are kept up to a bound, and results stay right when they are dropped") {
  Context ctx;
  const int64_t capacity = onednn_plans(ctx).capacity;
  const Tensor ones = Tensor::full(ctx, {3, 2}, 1);
  const auto sum_of_rows = [&](int64_t rows) {
    const Tensor twos = Tensor::full(ctx, {rows, 3}, 2);
    CHECK(matmul(ctx, twos, ones).to_vector<float>(ctx) == std::vector<float>(static_cast<size_t>(rows * 2), 6.0f));
  };
  for (int64_t rows = 1; rows <= capacity + 20; ++rows) sum_of_rows(rows);
  const PlanFigures full = onednn_plans(ctx);
  CHECK(full.kept == capacity);
  CHECK(full.made == (capacity > 0 ? capacity + 20 : 0));
  sum_of_rows(capacity + 20);  // still there
  CHECK(onednn_plans(ctx).made == full.made);
  sum_of_rows(1);  // dropped long ago
  CHECK(onednn_plans(ctx).made == full.made + (capacity > 0 ? 1 : 0));
  CHECK(onednn_plans(ctx).kept == capacity);
}
