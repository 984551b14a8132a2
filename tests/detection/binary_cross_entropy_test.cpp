#include "detection/losses/binary_cross_entropy.h"

#include "detection/losses/binary_cross_entropy_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Expected {
  double loss = 0;
  std::vector<double> gradient;
};

// -t log s - (1 - t) log(1 - s) with s = 1 / (1 + e^-z), both logarithms taken of quotients that cannot cancel.
Expected slow(const std::vector<double>& z, const std::vector<double>& t, const std::vector<int32_t>& labels,
              size_t columns) {
  Expected out;
  out.gradient.assign(z.size(), 0.0);
  double used = 0;
  for (int32_t label : labels) used += label >= 0;
  const long double by = std::max(used, 1.0) * double(columns);
  long double total = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    if (labels[i / columns] < 0) continue;
    const long double e = std::exp(static_cast<long double>(-z[i]));
    total += t[i] * std::log(1 + e) + (1 - t[i]) * std::log((1 + e) / e);
    out.gradient[i] = static_cast<double>((1 / (1 + e) - t[i]) / by);
  }
  out.loss = static_cast<double>(total / by);
  return out;
}

const std::vector<int32_t> kLabels{4, -1, 0, 1202, -1, 7};

}  // namespace

TEST_CASE("binary cross-entropy equals its definition, with hard and soft targets, also for logits of 100") {
  const int64_t rows = int64_t(kLabels.size()), size = 9, columns = size * size;
  for (double largest : {1.0, 10.0, 100.0}) {
    for (bool soft : {false, true}) {
      const std::vector<double> z = gc::values(rows * columns, 1, -largest, largest);
      std::vector<double> t = gc::values(rows * columns, 2, 0, 1);
      for (double& v : t) v = soft ? double(float(v)) : (v > 0.5);
      for_each_device_and_type([&](Context& ctx, DType dtype) {
        const Tensor labels = Tensor::from(ctx, {rows}, kLabels);
        INFO(ctx.device().name() << ": |z| up to " << largest << ", soft " << soft << ", " << name_of(dtype));
        const DType full = dtype == DType::float64 ? DType::float64 : DType::float32;
        const Expected expected = slow(rounded_to(ctx, dtype, z), t, kLabels, size_t(columns));
        const Variable logits(typed_tensor(ctx, dtype, {rows, size, size}, z), true);
        const RowLoss got = binary_cross_entropy(ctx, logits, typed_tensor(ctx, full, {rows, size, size}, t), labels);
        REQUIRE(to_doubles(ctx, got.loss.value())[0] ==
                Approx(expected.loss).epsilon(dtype == DType::float64 ? 1e-13 : 1e-6));
        REQUIRE(got.counts.to_vector<int32_t>(ctx)[0] == 4);
        backward(ctx, got.loss);
        const std::vector<double> gradient = to_doubles(ctx, logits.grad());
        for (size_t i = 0; i < gradient.size(); ++i) {
          // A gradient is at most 1 / (4 * 81); bfloat16 rounds it twice, by 2^-8 each.
          const double tolerance = dtype == DType::bfloat16 ? 2.5e-5 : dtype == DType::float32 ? 1e-9 : 1e-16;
          REQUIRE(std::abs(gradient[i] - expected.gradient[i]) <= tolerance);
        }
      });
    }
  }
}

TEST_CASE("binary cross-entropy's gradient by differences") {
  Context ctx;
  const Tensor labels = Tensor::from(ctx, {6}, kLabels),
               targets = typed_tensor(ctx, DType::float64, {6, 2, 3}, gc::values(36, 2, 0, 1));
  for (double largest : {2.0, 100.0}) {
    gc::run(ctx, [&](Context& c, const gc::Leaves& in) { return binary_cross_entropy(c, in[0], targets, labels).loss; },
            {gc::leaf(ctx, {6, 2, 3}, 1, -largest, largest)});
  }
  const Tensor by = Tensor::full(ctx, {1}, 7.0, DType::float64);
  gc::run(ctx,
          [&](Context& c, const gc::Leaves& in) { return binary_cross_entropy(c, in[0], targets, labels, by).loss; },
          {gc::leaf(ctx, {6, 2, 3}, 1)});
}

TEST_CASE("binary cross-entropy without positives is zero, and refuses what does not fit") {
  Context ctx;
  for (int64_t rows : {0, 3}) {
    const Variable z = gc::leaf(ctx, {rows, 2, 2}, 1);
    const RowLoss got = binary_cross_entropy(ctx, z, Tensor::zeros(ctx, {rows, 2, 2}, DType::float64),
                                             Tensor::full(ctx, {rows}, -1, DType::int32));
    REQUIRE(to_doubles(ctx, got.loss.value()) == std::vector<double>{0});
    backward(ctx, got.loss);
    REQUIRE(to_doubles(ctx, z.grad()) == std::vector<double>(size_t(rows * 4), 0.0));
  }
  const Variable z = gc::leaf(ctx, {3, 2, 2}, 1);
  const Tensor labels = Tensor::zeros(ctx, {3}, DType::int32);
  REQUIRE_THROWS_AS(binary_cross_entropy(ctx, z, Tensor::zeros(ctx, {3, 4}, DType::float64), labels), Error);
  REQUIRE_THROWS_AS(binary_cross_entropy(ctx, z, Tensor::zeros(ctx, {3, 2, 2}), labels), Error);  // float32 targets
  REQUIRE_THROWS_AS(binary_cross_entropy(ctx, z, z.value(), Tensor::zeros(ctx, {2}, DType::int32)), Error);
}

TEST_CASE("binary cross-entropy's body agrees on one lane and on a crew") {
  const int64_t rows = 6, columns = 29;
  const std::vector<double> z = gc::values(rows * columns, 1, -5, 5), t = gc::values(rows * columns, 2, 0, 1);
  const Expected expected = slow(z, t, kLabels, size_t(columns));
  for (int lanes : {1, 5}) {
    std::vector<double> gradient(z.size(), NAN), values(size_t(rows), NAN);
    const BinaryCrossEntropyRow<double> body{z.data(),        t.data(),      kLabels.data(),
                                             gradient.data(), values.data(), columns};
    if (lanes == 1) {
      for (int64_t row = 0; row < rows; ++row) body(Solo{}, row);
    } else {
      crew::run(lanes, rows, body);
    }
    double total = 0;
    for (double v : values) total += v;
    const double by = 4.0 * double(columns);
    REQUIRE(total / by == Approx(expected.loss).epsilon(1e-13));
    for (size_t i = 0; i < z.size(); ++i) REQUIRE(gradient[i] / by == Approx(expected.gradient[i]).margin(1e-16));
  }
}
