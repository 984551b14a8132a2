#include "autograd/convolution.h"

#include "autograd/fold.h"
#include "tests/gradient_check.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

// y[n, p, q, k] = sum of x[n, p*stride - padding + r*dilation, .., c] * w[k, r, s, c], straight from the definition.
std::vector<double> convolution_slow(const Tensor& x, const Tensor& w, const ConvGeometry& g, Shape* y_shape) {
  const int64_t height = x.size(1), width = x.size(2), channels = x.size(3);
  const int64_t rows = (height + 2 * g.padding - g.dilation * (w.size(1) - 1) - 1) / g.stride + 1;
  const int64_t columns = (width + 2 * g.padding - g.dilation * (w.size(2) - 1) - 1) / g.stride + 1;
  *y_shape = {x.size(0), rows, columns, w.size(0)};
  std::vector<double> y;
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t p = 0; p < rows; ++p)
      for (int64_t q = 0; q < columns; ++q)
        for (int64_t k = 0; k < w.size(0); ++k) {
          double total = 0;
          for (int64_t r = 0; r < w.size(1); ++r)
            for (int64_t s = 0; s < w.size(2); ++s) {
              const int64_t i = p * g.stride - g.padding + r * g.dilation,
                            j = q * g.stride - g.padding + s * g.dilation;
              if (i < 0 || i >= height || j < 0 || j >= width) continue;
              for (int64_t c = 0; c < channels; ++c) {
                total += x.data<double>()[((n * height + i) * width + j) * channels + c] *
                         w.data<double>()[((k * w.size(1) + r) * w.size(2) + s) * channels + c];
              }
            }
          y.push_back(total);
        }
  return y;
}

void require_equal(const Tensor& got, const std::vector<double>& expected) {
  REQUIRE(got.elements() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) REQUIRE(got.data<double>()[i] == Approx(expected[i]).margin(1e-12));
}

void require_no_kink(const Tensor& before_relu) {  // and that relu does something
  int64_t negative = 0;
  for (int64_t i = 0; i < before_relu.elements(); ++i) {
    REQUIRE(std::abs(before_relu.data<double>()[i]) > 1e-3);
    negative += before_relu.data<double>()[i] < 0;
  }
  REQUIRE(negative * 5 > before_relu.elements());
  REQUIRE(negative * 5 < 4 * before_relu.elements());
}

}  // namespace

TEST_CASE("convolution, forward and backward, over strides, paddings and dilations") {
  Context ctx;
  const std::vector<ConvGeometry> geometries = {{1, 0, 1}, {1, 1, 1}, {2, 1, 1}, {2, 0, 1}, {1, 2, 2}, {3, 2, 1}};
  for (const ConvGeometry& g : geometries) {
    INFO("stride " << g.stride << " padding " << g.padding << " dilation " << g.dilation);
    const Variable x = gc::leaf(ctx, {2, 6, 5, 3}, 1), w = gc::leaf(ctx, {4, 3, 3, 3}, 2);
    Shape shape;
    const std::vector<double> expected = convolution_slow(x.value(), w.value(), g, &shape);
    const Variable y = convolution(ctx, x, w, g);
    REQUIRE(y.shape() == shape);
    require_equal(y.value(), expected);
    gc::run(ctx, [g](Context& c, const gc::Leaves& in) { return gc::probe(c, convolution(c, in[0], in[1], g)); },
            {x, w});
  }
}

TEST_CASE("grouped convolution's gradients, with scale, bias and residual") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {2, 5, 4, 6}, 1), w = gc::leaf(ctx, {9, 3, 3, 2}, 2), scale = gc::leaf(ctx, {9}, 3);
  const Variable bias = gc::leaf(ctx, {9}, 4, 3, 4), residual = gc::leaf(ctx, {2, 3, 2, 9}, 5);
  gc::run(ctx,
          [](Context& c, const gc::Leaves& in) {
            return gc::probe(c, convolution(c, in[0], in[1], {2, 1, 1, 3}, {in[2], in[3], in[4], false}));
          },
          {x, w, scale, bias, residual});
  REQUIRE_THROWS_WITH(transposed_convolution(ctx, residual, w, {2, 1, 1, 3}, {}), Catch::Contains("3 groups"));
}

TEST_CASE("convolution 1x1 with stride 2") {
  Context ctx;
  const ConvGeometry g{2, 0, 1};
  const Variable x = gc::leaf(ctx, {1, 5, 6, 3}, 1), w = gc::leaf(ctx, {2, 1, 1, 3}, 2);
  Shape shape;
  require_equal(convolution(ctx, x, w, g).value(), convolution_slow(x.value(), w.value(), g, &shape));
  gc::run(ctx, [g](Context& c, const gc::Leaves& in) { return gc::probe(c, convolution(c, in[0], in[1], g)); }, {x, w});
}

TEST_CASE("convolution with scale, bias, residual and relu is one op with five gradients") {
  Context ctx;
  const ConvGeometry g{1, 1, 1};
  const Variable x = gc::leaf(ctx, {2, 4, 5, 3}, 11), w = gc::leaf(ctx, {4, 3, 3, 3}, 2),
                 s = gc::leaf(ctx, {4}, 3, 0.5, 2), b = gc::leaf(ctx, {4}, 4), r = gc::leaf(ctx, {2, 4, 5, 4}, 5);
  Shape shape;
  std::vector<double> expected = convolution_slow(x.value(), w.value(), g, &shape);
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] =
        expected[i] * s.value().data<double>()[i % 4] + b.value().data<double>()[i % 4] + r.value().data<double>()[i];
  }
  const Variable linear = convolution(ctx, x, w, g, {s, b, r, false});
  require_equal(linear.value(), expected);
  require_no_kink(linear.value());
  for (double& y : expected) y = std::max(y, 0.0);
  require_equal(convolution(ctx, x, w, g, {s, b, r, true}).value(), expected);
  for (bool relu : {false, true}) {
    gc::run(ctx,
            [g, relu](Context& c, const gc::Leaves& in) {
              return gc::probe(c, convolution(c, in[0], in[1], g, {in[2], in[3], in[4], relu}));
            },
            {x, w, s, b, r});
  }
  // Each part alone.
  gc::run(
      ctx,
      [g](Context& c, const gc::Leaves& in) { return gc::probe(c, convolution(c, in[0], in[1], g, {.scale = in[2]})); },
      {x, w, s});
  gc::run(
      ctx,
      [g](Context& c, const gc::Leaves& in) { return gc::probe(c, convolution(c, in[0], in[1], g, {.bias = in[2]})); },
      {x, w, b});
  gc::run(ctx,
          [g](Context& c, const gc::Leaves& in) {
            return gc::probe(c, convolution(c, in[0], in[1], g, {.residual = in[2]}));
          },
          {x, w, r});
}

TEST_CASE("one filter used twice, and a residual that is the input itself") {
  Context ctx;
  const ConvGeometry g{1, 1, 1};
  gc::run(ctx,
          [g](Context& c, const gc::Leaves& in) {
            const Variable once = convolution(c, in[0], in[1], g, {in[2], {}, in[0]});
            return gc::probe(c, convolution(c, once, in[1], g, {in[2], {}, once}));
          },
          {gc::leaf(ctx, {1, 3, 4, 2}, 1), gc::leaf(ctx, {2, 3, 3, 2}, 2), gc::leaf(ctx, {2}, 3)});
}

TEST_CASE("transposed convolution is the adjoint of convolution, with bias and relu") {
  Context ctx;
  struct Case {
    ConvGeometry geometry;
    int64_t window;
  };
  for (const Case& one : {Case{{2, 0, 1}, 2}, Case{{2, 1, 1}, 3}, Case{{1, 1, 1}, 3}, Case{{3, 0, 1}, 2}}) {
    const ConvGeometry g = one.geometry;
    const Variable x = gc::leaf(ctx, {2, 3, 4, 4}, 6), w = gc::leaf(ctx, {4, one.window, one.window, 3}, 7),
                   b = gc::leaf(ctx, {3}, 8);
    const Variable plain = transposed_convolution(ctx, x, w, g, {});
    REQUIRE(plain.size(1) == (3 - 1) * g.stride + one.window - 2 * g.padding);
    // <transposed(x), u> = <x, convolution(u)> for any u: the definition of an adjoint.
    const Variable u = gc::leaf(ctx, plain.shape(), 9);
    Shape shape;
    const std::vector<double> forward = convolution_slow(u.value(), w.value(), g, &shape);
    REQUIRE(shape == x.shape());
    double left = 0, right = 0;
    for (int64_t i = 0; i < plain.value().elements(); ++i) {
      left += plain.value().data<double>()[i] * u.value().data<double>()[i];
    }
    for (size_t i = 0; i < forward.size(); ++i) right += forward[i] * x.value().data<double>()[i];
    REQUIRE(left == Approx(right).epsilon(1e-12));
    gc::run(ctx,
            [g](Context& c, const gc::Leaves& in) {
              return gc::probe(c, transposed_convolution(c, in[0], in[1], g, in[2]));
            },
            {x, w, b});
  }
  const ConvGeometry g{2, 0, 1};
  const Variable x = gc::leaf(ctx, {1, 3, 2, 4}, 16), w = gc::leaf(ctx, {4, 2, 2, 3}, 7), b = gc::leaf(ctx, {3}, 8);
  require_no_kink(transposed_convolution(ctx, x, w, g, b).value());
  gc::run(ctx,
          [g](Context& c, const gc::Leaves& in) {
            return gc::probe(c, transposed_convolution(c, in[0], in[1], g, in[2], true));
          },
          {x, w, b});
}

TEST_CASE("a frozen batch norm folds into scale and bias, differentiably") {
  Context ctx;
  const Variable gamma = gc::leaf(ctx, {3}, 1, 0.5, 1.5), beta = gc::leaf(ctx, {3}, 2);
  const Tensor mean = Tensor::from<double>(ctx, {3}, {0.3, -1, 2}),
               var = Tensor::from<double>(ctx, {3}, {0.5, 2, 1e-6});
  const ScaleAndBias folded = fold_batch_norm(ctx, gamma, beta, mean, var, 1e-5);
  for (size_t c = 0; c < 3; ++c) {  // the affine gives gamma * (x - mean) / sqrt(var + eps) + beta
    const double x = 0.7, deviation = std::sqrt(var.data<double>()[c] + 1e-5);
    const double expected =
        gamma.value().data<double>()[c] * (x - mean.data<double>()[c]) / deviation + beta.value().data<double>()[c];
    REQUIRE(folded.scale.value().data<double>()[c] * x + folded.bias.value().data<double>()[c] ==
            Approx(expected).epsilon(1e-12));
  }
  const Variable x = gc::leaf(ctx, {1, 4, 3, 2}, 3), w = gc::leaf(ctx, {3, 3, 3, 2}, 4);
  gc::run(ctx,
          [&](Context& c, const gc::Leaves& in) {
            const ScaleAndBias f = fold_batch_norm(c, in[2], in[3], mean, var, 1e-5);
            return gc::probe(c, convolution(c, in[0], in[1], {1, 1, 1}, {.scale = f.scale, .bias = f.bias}));
          },
          {x, w, gamma, beta});
  gc::run(ctx,
          [&](Context& c, const gc::Leaves& in) {
            return gc::probe(
                c, fold_batch_norm(c, in[0], Variable(Tensor::zeros(c, {3}, DType::float64)), mean, var, 1e-5).scale);
          },
          {gamma});
}

TEST_CASE("convolution refuses operands that do not fit") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {1, 4, 4, 3}, 1), w = gc::leaf(ctx, {2, 3, 3, 4}, 2);
  REQUIRE_THROWS_AS(convolution(ctx, x, w, {1, 1, 1}), Error);
  const Variable fits = gc::leaf(ctx, {2, 3, 3, 3}, 2);
  REQUIRE_THROWS_AS(convolution(ctx, x, fits, {1, 1, 1}, {.scale = gc::leaf(ctx, {3}, 3)}), Error);
  REQUIRE_THROWS_AS(convolution(ctx, x, gc::leaf(ctx, {2, 7, 7, 3}, 2), {1, 0, 1}), Error);
}
