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

TEST_CASE("grouped convolution's gradients, with bias and residual") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {2, 5, 4, 6}, 1), w = gc::leaf(ctx, {9, 3, 3, 2}, 2);
  const Variable bias = gc::leaf(ctx, {9}, 4, 3, 4), residual = gc::leaf(ctx, {2, 3, 2, 9}, 5);
  gc::run(ctx,
          [](Context& c, const gc::Leaves& in) {
            return gc::probe(c, convolution(c, in[0], in[1], {2, 1, 1, 3}, {.bias = in[2], .residual = in[3]}));
          },
          {x, w, bias, residual});
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

TEST_CASE("convolution with a frozen norm, residual and relu is one op with five gradients") {
  Context ctx;
  const ConvGeometry g{1, 1, 1};
  const Variable x = gc::leaf(ctx, {2, 4, 5, 3}, 11), w = gc::leaf(ctx, {4, 3, 3, 3}, 2),
                 s = gc::leaf(ctx, {4}, 3, 0.5, 2), b = gc::leaf(ctx, {4}, 4), r = gc::leaf(ctx, {2, 4, 5, 4}, 5);
  const std::vector<double> means{0.3, -1, 2, 0}, variances{0.5, 2, 1e-6, 4};
  const Tensor mean = Tensor::from(ctx, {4}, means), var = Tensor::from(ctx, {4}, variances);
  const auto norm = [&](const Variable& gamma, const Variable& beta) {
    return FrozenNorm{gamma, beta, mean, var, 1e-5};
  };
  Shape shape;
  std::vector<double> expected = convolution_slow(x.value(), w.value(), g, &shape);
  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t c = i % 4;
    expected[i] = s.value().data<double>()[c] * (expected[i] - means[c]) / std::sqrt(variances[c] + 1e-5) +
                  b.value().data<double>()[c] + r.value().data<double>()[i];
  }
  const Variable linear = convolution(ctx, x, w, g, {.norm = norm(s, b), .residual = r});
  require_equal(linear.value(), expected);
  require_no_kink(linear.value());
  for (double& y : expected) y = std::max(y, 0.0);
  require_equal(convolution(ctx, x, w, g, {.norm = norm(s, b), .residual = r, .relu = true}).value(), expected);
  for (bool relu : {false, true}) {
    gc::run(ctx,
            [&, relu](Context& c, const gc::Leaves& in) {
              return gc::probe(
                  c, convolution(c, in[0], in[1], g, {.norm = norm(in[2], in[3]), .residual = in[4], .relu = relu}));
            },
            {x, w, s, b, r});
  }
  // Every set of parameters that a frozen stage, or a recipe that trains the norms alone, may leave trained.
  for (int trained = 0; trained < 8; ++trained) {
    gc::Leaves leaves{x};
    const auto leaf_if = [&](const Variable& v, int bit) {
      const Variable leaf(v.value(), (trained & bit) != 0);
      if (leaf.requires_grad()) leaves.push_back(leaf);
      return leaf;
    };
    const Variable wt = leaf_if(w, 1), st = leaf_if(s, 2), bt = leaf_if(b, 4);
    gc::run(
        ctx,
        [&](Context& c, const gc::Leaves& in) {
          return gc::probe(c, convolution(c, in[0], wt, g, {.norm = norm(st, bt)}));
        },
        leaves);
  }
  // Bias and residual alone.
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
            const Variable once = convolution(c, in[0], in[1], g, {.bias = in[2], .residual = in[0]});
            return gc::probe(c, convolution(c, once, in[1], g, {.bias = in[2], .residual = once}));
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

TEST_CASE("convolution refuses operands that do not fit") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {1, 4, 4, 3}, 1), w = gc::leaf(ctx, {2, 3, 3, 4}, 2);
  REQUIRE_THROWS_AS(convolution(ctx, x, w, {1, 1, 1}), Error);
  const Variable fits = gc::leaf(ctx, {2, 3, 3, 3}, 2);
  REQUIRE_THROWS_AS(convolution(ctx, x, fits, {1, 1, 1}, {.bias = gc::leaf(ctx, {3}, 3)}), Error);
  const Variable two = gc::leaf(ctx, {2}, 3);
  const FrozenNorm norm{two, two, two.value(), two.value()};
  REQUIRE_THROWS_WITH(convolution(ctx, x, fits, {1, 1, 1}, {.norm = norm, .bias = two}),
                      Catch::Contains("beside a norm"));
  REQUIRE_THROWS_AS(convolution(ctx, x, gc::leaf(ctx, {2, 7, 7, 3}, 2), {1, 0, 1}), Error);
}
