#include "autograd/batch_norm.h"

#include "autograd/batch_norm_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Expected {
  std::vector<double> y, mean, unbiased;
};

// Two passes in float64, channel by channel.
Expected slow(const std::vector<double>& x, const std::vector<double>& gamma, const std::vector<double>& beta,
              const std::vector<double>& residual, double eps, bool relu) {
  const size_t channels = gamma.size(), rows = x.size() / channels;
  Expected out{std::vector<double>(x.size()), {}, {}};
  for (size_t c = 0; c < channels; ++c) {
    double mean = 0, squares = 0;
    for (size_t r = 0; r < rows; ++r) mean += x[r * channels + c] / double(rows);
    for (size_t r = 0; r < rows; ++r) squares += (x[r * channels + c] - mean) * (x[r * channels + c] - mean);
    for (size_t r = 0; r < rows; ++r) {
      const size_t at = r * channels + c;
      const double y = gamma[c] * (x[at] - mean) / std::sqrt(squares / double(rows) + eps) + beta[c] +
                       (residual.empty() ? 0 : residual[at]);
      out.y[at] = relu ? std::max(y, 0.0) : y;
    }
    out.mean.push_back(mean);
    out.unbiased.push_back(rows > 1 ? squares / double(rows - 1) : squares);
  }
  return out;
}

}  // namespace

TEST_CASE("batch_norm equals its definition and moves the running statistics") {
  const int64_t channels = 5;
  for (double offset : {0.0, 1000.0}) {  // a large mean against the deviation loses nothing
    for (const Shape& shape : {Shape{2, 4, 3, channels}, Shape{3, 11, 13, channels}, Shape{7, channels}}) {
      for (bool extras : {false, true}) {
        for_each_device_and_type([&](Context& ctx, DType dtype) {
          if (dtype == DType::bfloat16) return;
          INFO(ctx.device().name() << ": offset " << offset << ", shape " << shape << ", residual and relu " << extras
                                   << ", " << name_of(dtype));
          const std::vector<double> x = rounded_to(ctx, dtype, gc::values(shape.elements(), 1, offset - 1, offset + 1)),
                                    gamma = rounded_to(ctx, dtype, gc::values(channels, 2, 0.5, 1.5)),
                                    beta = rounded_to(ctx, dtype, gc::values(channels, 3)),
                                    residual = rounded_to(ctx, dtype, gc::values(extras ? shape.elements() : 0, 4));
          const Expected expected = slow(x, gamma, beta, residual, 1e-5, extras);
          const Tensor mean = Tensor::full(ctx, {channels}, 2, dtype), var = Tensor::full(ctx, {channels}, 3, dtype);
          const Variable y = batch_norm(
              ctx, Variable(typed_tensor(ctx, dtype, shape, x)), Variable(typed_tensor(ctx, dtype, {channels}, gamma)),
              Variable(typed_tensor(ctx, dtype, {channels}, beta)), mean, var, 1e-5, 0.1,
              extras ? Variable(typed_tensor(ctx, dtype, shape, residual)) : Variable(), extras);
          // float32: the mean itself is rounded to offset * 6e-8, and the result is a difference from it.
          const double tolerance = dtype == DType::float64 ? 1e-10 : 1e-5 + offset * 4e-7;
          const std::vector<double> got = to_doubles(ctx, y.value());
          for (size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - expected.y[i]) <= tolerance);
          for (size_t c = 0; c < size_t(channels); ++c) {
            REQUIRE(to_doubles(ctx, mean)[c] == Approx(0.9 * 2 + 0.1 * expected.mean[c]).epsilon(1e-6));
            REQUIRE(to_doubles(ctx, var)[c] == Approx(0.9 * 3 + 0.1 * expected.unbiased[c]).epsilon(1e-5));
          }
        });
      }
    }
  }
}

TEST_CASE("batch_norm's gradients, with residual and relu") {
  Context ctx;
  const Tensor mean = Tensor::zeros(ctx, {3}, DType::float64), var = Tensor::full(ctx, {3}, 1, DType::float64);
  const Variable gamma = gc::leaf(ctx, {3}, 2, 0.5, 1.5), beta = gc::leaf(ctx, {3}, 3);
  for (const Shape& shape : {Shape{2, 3, 2, 3}, Shape{150, 3}}) {  // the second spans two chunks of rows
    const Variable x = gc::leaf(ctx, shape, 1), residual = gc::leaf(ctx, shape, 4, 6, 7);
    for (int64_t i = 0; i < shape.elements(); i += 2) residual.value().data<double>()[i] *= -1;
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              return gc::probe(c, batch_norm(c, in[0], in[1], in[2], mean, var, 1e-5, 0.1));
            },
            {x, gamma, beta});
    // A residual of 6 to 7 with either sign keeps every element away from relu's kink.
    for (double v : to_doubles(ctx, batch_norm(ctx, x, gamma, beta, mean, var, 1e-5, 0.1, residual).value())) {
      REQUIRE(std::abs(v) > 0.1);
    }
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              return gc::probe(c, batch_norm(c, in[0], in[1], in[2], mean, var, 1e-5, 0.1, in[3], true));
            },
            {x, gamma, beta, residual});
  }
}

TEST_CASE("batch_norm of one row is beta, with zero gradient for its input") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {1, 3}, 1), gamma = gc::leaf(ctx, {3}, 2), beta = gc::leaf(ctx, {3}, 3);
  const Tensor mean = Tensor::zeros(ctx, {3}, DType::float64), var = Tensor::full(ctx, {3}, 1, DType::float64);
  const Variable y = batch_norm(ctx, x, gamma, beta, mean, var, 1e-5, 0.1);
  REQUIRE(to_doubles(ctx, y.value()) == to_doubles(ctx, beta.value()));
  backward(ctx, y, Tensor::full(ctx, {1, 3}, 1.0, DType::float64));
  for (double g : to_doubles(ctx, x.grad())) REQUIRE(std::abs(g) < 1e-12);
  REQUIRE_THROWS_AS(batch_norm(ctx, gc::leaf(ctx, {0, 3}, 1), gamma, beta, mean, var, 1e-5, 0.1), Error);
  REQUIRE_THROWS_AS(batch_norm(ctx, gc::leaf(ctx, {2, 4}, 1), gamma, beta, mean, var, 1e-5, 0.1), Error);
}

TEST_CASE("batch_norm's bodies agree on one lane and on a crew") {
  const int64_t rows = 300, columns = 7, chunks = 3;
  const std::vector<double> x = gc::values(rows * columns, 1), dy = gc::values(rows * columns, 2),
                            gamma = gc::values(columns, 3, 0.5, 1.5), beta = gc::values(columns, 4);
  std::vector<std::vector<double>> results;
  for (int lanes : {1, 4}) {
    auto run = [lanes](int64_t items, const auto& body) {
      if (lanes > 1) return crew::run(lanes, items, body);
      for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
    };
    std::vector<double> m(size_t(chunks * columns), NAN),
        d = m, db = m, dg = m, mean(size_t(columns), NAN), rstd = mean, running_mean(size_t(columns), 0),
        running_var(size_t(columns), 1), dbeta = mean, dgamma = mean, y(x.size(), NAN), masked = y, dx = y;
    run(chunks, BatchNormChunk<double>{x.data(), m.data(), d.data(), rows, columns});
    run(1, BatchNormMerge<double>{m.data(), d.data(), mean.data(), rstd.data(), running_mean.data(), running_var.data(),
                                  chunks, rows, columns, 1e-5, 0.1});
    run(rows, BatchNormApply<double>{x.data(), mean.data(), rstd.data(), gamma.data(), beta.data(), nullptr, y.data(),
                                     columns, true});
    run(chunks, BatchNormSums<double>{dy.data(), y.data(), x.data(), mean.data(), rstd.data(), masked.data(), db.data(),
                                      dg.data(), rows, columns});
    run(1, AddChunks<double>{db.data(), dbeta.data(), chunks, columns});
    run(1, AddChunks<double>{dg.data(), dgamma.data(), chunks, columns});
    run(rows, BatchNormInput<double>{masked.data(), x.data(), mean.data(), rstd.data(), gamma.data(), dbeta.data(),
                                     dgamma.data(), dx.data(), rows, columns});
    for (const auto& v : {y, dx, dbeta, dgamma, running_mean, running_var}) results.push_back(v);
  }
  for (size_t i = 0; i < 6; ++i) REQUIRE(results[i] == results[i + 6]);
}
