#include "detection/losses/smooth_l1.h"

#include "detection/losses/smooth_l1_body.h"
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

Expected slow(const std::vector<double>& d, const std::vector<double>& t, const std::vector<int32_t>& labels,
              size_t columns, int32_t classes, double beta) {
  Expected out;
  out.gradient.assign(d.size(), 0.0);
  double sampled = 0;
  for (int32_t label : labels) sampled += label >= 0;
  sampled = std::max(sampled, 1.0);
  for (size_t r = 0; r < labels.size(); ++r) {
    if (labels[r] < 0 || labels[r] >= classes) continue;
    for (size_t i = 0; i < 4; ++i) {
      const size_t at = r * columns + (columns == 4 ? i : size_t(labels[r]) * 4 + i);
      const double difference = d[at] - t[r * 4 + i];
      if (std::abs(difference) < beta) {
        out.loss += 0.5 * difference * difference / beta / sampled;
        out.gradient[at] = difference / beta / sampled;
      } else {
        out.loss += (std::abs(difference) - beta / 2) / sampled;
        out.gradient[at] = (difference > 0 ? 1 : difference < 0 ? -1 : 0) / sampled;
      }
    }
  }
  return out;
}

const std::vector<int32_t> kLabels{4, -1, 0, 5, 2, 5, 0, -1, 3, 5};  // of 5 classes; 5 is background

// Targets; unused and background rows hold NaN, which nobody may read.
std::vector<double> targets(const std::vector<int32_t>& labels, int32_t classes) {
  std::vector<double> t = gc::values(int64_t(labels.size()) * 4, 2, -0.5, 0.5);
  for (size_t i = 0; i < t.size(); ++i) {
    if (labels[i / 4] < 0 || labels[i / 4] >= classes) t[i] = std::nan("");
  }
  return t;
}

}  // namespace

TEST_CASE("box loss equals its definition: class-wise and agnostic, L1 and smooth, every dtype") {
  std::vector<int32_t> many;
  for (double v : gc::values(50, 4, -100, 1400)) many.push_back(std::max(-1, std::min(int32_t(v), 1203)));
  struct Case {
    std::vector<int32_t> labels;
    int32_t classes;
    bool agnostic;
  };
  for (const Case& c :
       {Case{kLabels, 5, false}, Case{kLabels, 5, true}, Case{kLabels, 1, false}, Case{many, 1203, false}}) {
    const auto rows = int64_t(c.labels.size());
    const int64_t columns = c.agnostic ? 4 : 4 * c.classes;
    const std::vector<double> d = gc::values(rows * columns, 1, -0.6, 0.6), t = targets(c.labels, c.classes);
    for (double beta : {0.0, 1.0 / 9, 1.0}) {
      for_each_device_and_type([&](Context& ctx, DType dtype) {
        INFO(ctx.device().name() << ": " << c.classes << " classes, agnostic " << c.agnostic << ", beta " << beta
                                 << ", " << name_of(dtype));
        const DType full = dtype == DType::float64 ? DType::float64 : DType::float32;
        const Expected expected =
            slow(rounded_to(ctx, dtype, d), rounded_to(ctx, full, t), c.labels, size_t(columns), c.classes, beta);
        const Variable deltas(typed_tensor(ctx, dtype, {rows, columns}, d), true);
        const RowLoss got = box_loss(ctx, deltas, typed_tensor(ctx, full, {rows, 4}, t),
                                     Tensor::from(ctx, {rows}, c.labels), {.classes = c.classes, .beta = beta});
        REQUIRE(to_doubles(ctx, got.loss.value())[0] ==
                Approx(expected.loss).epsilon(dtype == DType::float64 ? 1e-13 : 1e-6));
        backward(ctx, got.loss);
        const std::vector<double> gradient = to_doubles(ctx, deltas.grad());
        for (size_t i = 0; i < gradient.size(); ++i) {
          const double tolerance = dtype == DType::float64 ? 1e-15 : dtype == DType::float32 ? 1e-7 : 1e-3;
          REQUIRE(std::abs(gradient[i] - expected.gradient[i]) <= tolerance);
        }
      });
    }
  }
}

TEST_CASE("box loss by hand: one positive among four sampled") {
  Context ctx;
  // |1| + |-2| + |0| + |0.5| = 3.5 for L1, over 4 sampled rows (one more is unused).
  const Variable d(Tensor::from<double>(ctx, {5, 4}, {9, 9, 9, 9, 1, -2, 0, 0.5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}),
                   true);
  const Tensor labels = Tensor::from<int32_t>(ctx, {5}, {3, 1, 3, -1, 3});
  const RowLoss got = box_loss(ctx, d, Tensor::zeros(ctx, {5, 4}, DType::float64), labels, {.classes = 3, .beta = 0});
  REQUIRE(to_doubles(ctx, got.loss.value())[0] == Approx(3.5 / 4));
  backward(ctx, got.loss);
  const std::vector<double> gradient = to_doubles(ctx, d.grad());
  REQUIRE(std::vector<double>(gradient.begin() + 4, gradient.begin() + 8) == std::vector<double>{0.25, -0.25, 0, 0.25});
}

TEST_CASE("box loss's gradient by differences, away from its kinks") {
  Context ctx;
  const std::vector<double> t = targets(kLabels, 5);
  for (int64_t columns : {4, 20}) {
    for (double beta : {0.0, 1.0 / 9, 1.0}) {
      const Variable d = gc::leaf(ctx, {10, columns}, 6);
      // Kinks: at the target for L1; where |difference| is beta, the slope itself has one.
      auto kink = [&](size_t, int64_t i) {
        const double difference = d.value().data<double>()[i] - t[size_t(i / columns * 4 + i % 4)];
        return std::abs(std::abs(difference) - beta) < 1e-3;
      };
      gc::run(ctx,
              [&](Context& c, const gc::Leaves& in) {
                return box_loss(c, in[0], typed_tensor(c, DType::float64, {10, 4}, t), Tensor::from(c, {10}, kLabels),
                                {.classes = 5, .beta = beta})
                    .loss;
              },
              {d}, {.kink = kink});
    }
  }
}

TEST_CASE("box loss without positives is zero, and refuses what does not fit") {
  Context ctx;
  for (int32_t label : {-1, 5}) {  // all unused, all background
    const Variable d = gc::leaf(ctx, {3, 20}, 1);
    const RowLoss got = box_loss(ctx, d, Tensor::full(ctx, {3, 4}, std::nan(""), DType::float64),
                                 Tensor::full(ctx, {3}, label, DType::int32), {.classes = 5});
    REQUIRE(to_doubles(ctx, got.loss.value()) == std::vector<double>{0});
    backward(ctx, got.loss);
    REQUIRE(to_doubles(ctx, d.grad()) == std::vector<double>(60, 0.0));
  }
  const Variable none = gc::leaf(ctx, {0, 20}, 1);
  REQUIRE(to_doubles(ctx, box_loss(ctx, none, Tensor::zeros(ctx, {0, 4}, DType::float64),
                                   Tensor::zeros(ctx, {0}, DType::int32), {.classes = 5})
                              .loss.value()) == std::vector<double>{0});
  const Variable d = gc::leaf(ctx, {3, 20}, 1);
  const Tensor t = Tensor::zeros(ctx, {3, 4}, DType::float64), labels = Tensor::zeros(ctx, {3}, DType::int32);
  REQUIRE_THROWS_AS(box_loss(ctx, d, t, labels, {.classes = 4}), Error);
  REQUIRE_THROWS_AS(box_loss(ctx, d, t, labels, {.classes = 5, .beta = -1}), Error);
  REQUIRE_THROWS_AS(box_loss(ctx, d, Tensor::zeros(ctx, {2, 4}, DType::float64), labels, {.classes = 5}), Error);
}

TEST_CASE("box loss's body agrees on one lane and on a crew") {
  const std::vector<double> d = gc::values(200, 1), t = targets(kLabels, 5);
  const Expected expected = slow(d, t, kLabels, 20, 5, 0.25);
  for (int lanes : {1, 3}) {
    std::vector<double> gradient(200, NAN), values(10, NAN);
    const SmoothL1Row<double> body{d.data(), t.data(), kLabels.data(), gradient.data(), values.data(), 20, 5, 0.25};
    if (lanes == 1) {
      for (int64_t row = 0; row < 10; ++row) body(Solo{}, row);
    } else {
      crew::run(lanes, 10, body);
    }
    double total = 0;
    for (double v : values) total += v;
    REQUIRE(total / 8 == Approx(expected.loss).epsilon(1e-13));
    for (size_t i = 0; i < 200; ++i) REQUIRE(gradient[i] / 8 == Approx(expected.gradient[i]).margin(1e-16));
  }
}
