#include "detection/losses/softmax_cross_entropy.h"

#include "detection/losses/row_loss_body.h"
#include "detection/losses/softmax_cross_entropy_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Expected {
  double loss = 0;
  std::vector<double> gradient;
  int32_t used = 0, hits = 0;
};

// From the definition, without the usual shift: long double holds e^100 and more.
Expected slow(const std::vector<double>& z, const std::vector<int32_t>& labels, size_t columns, double normaliser = 0) {
  Expected out;
  out.gradient.assign(z.size(), 0.0);
  for (int32_t label : labels) out.used += label >= 0;
  const long double by = normaliser > 0 ? normaliser : std::max(out.used, 1);
  long double total = 0;
  for (size_t r = 0; r < labels.size(); ++r) {
    if (labels[r] < 0) continue;
    const auto y = static_cast<size_t>(labels[r]);
    long double sum = 0;
    bool top = true;
    for (size_t j = 0; j < columns; ++j) {
      sum += std::exp(static_cast<long double>(z[r * columns + j]));
      top = top && z[r * columns + j] <= z[r * columns + y];
    }
    total -= std::log(std::exp(static_cast<long double>(z[r * columns + y])) / sum);
    out.hits += top;
    for (size_t j = 0; j < columns; ++j) {
      const long double p = std::exp(static_cast<long double>(z[r * columns + j])) / sum;
      out.gradient[r * columns + j] = static_cast<double>((p - (j == y)) / by);
    }
  }
  out.loss = static_cast<double>(total / by);
  return out;
}

struct Case {
  int64_t rows, columns;
  double largest;  // |z|
};
const Case kCases[] = {{7, 1, 3}, {7, 2, 3}, {9, 12, 1}, {40, 81, 10}, {33, 1204, 5}, {20, 1204, 100}, {5, 31, 100}};

std::vector<int32_t> some_labels(const Case& c) {  // every fifth row unused, background (the last column) frequent
  std::vector<int32_t> labels;
  for (double u : gc::values(c.rows, 3, 0, 2)) {
    labels.push_back(labels.size() % 5 == 4 ? -1 : int32_t(std::min(u, 0.9999) * double(c.columns)));
  }
  return labels;
}

}  // namespace

TEST_CASE("softmax cross-entropy equals its definition, also for logits of 100") {
  for (const Case& c : kCases) {
    const std::vector<double> z = gc::values(c.rows * c.columns, 1, -c.largest, c.largest);
    const std::vector<int32_t> labels = some_labels(c);
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(ctx.device().name() << ": " << c.rows << " x " << c.columns << ", |z| up to " << c.largest << ", "
                               << name_of(dtype));
      const Expected expected = slow(rounded_to(ctx, dtype, z), labels, size_t(c.columns));
      const Variable logits(typed_tensor(ctx, dtype, {c.rows, c.columns}, z), true);
      const RowLoss got = softmax_cross_entropy(ctx, logits, Tensor::from(ctx, {c.rows}, labels));
      REQUIRE(got.loss.value().dtype() == (dtype == DType::float64 ? DType::float64 : DType::float32));
      REQUIRE(got.loss.shape() == Shape{1});
      REQUIRE(to_doubles(ctx, got.loss.value())[0] ==
              Approx(expected.loss).epsilon(dtype == DType::float64 ? 1e-13 : 1e-6).margin(1e-7));
      REQUIRE(got.counts.to_vector<int32_t>(ctx) == std::vector<int32_t>{expected.used, expected.hits});
      backward(ctx, got.loss);
      const std::vector<double> gradient = to_doubles(ctx, logits.grad());
      for (size_t i = 0; i < gradient.size(); ++i) {
        const double tolerance = dtype == DType::float64   ? 1e-14
                                 : dtype == DType::float32 ? 1e-7
                                                           : 1e-2 / expected.used;
        REQUIRE(std::abs(gradient[i] - expected.gradient[i]) <= tolerance);
      }
    });
  }
}

TEST_CASE("softmax cross-entropy of two logits by hand") {
  Context ctx;
  // p = (1/4, 3/4): -log(1/4) and gradient (1/4 - 1, 3/4).
  const Variable z(Tensor::from<double>(ctx, {1, 2}, {0, std::log(3.0)}), true);
  const RowLoss got = softmax_cross_entropy(ctx, z, Tensor::zeros(ctx, {1}, DType::int32));
  REQUIRE(got.loss.value().to_vector<double>(ctx)[0] == Approx(std::log(4.0)));
  backward(ctx, scale(ctx, got.loss, 2.0));
  REQUIRE(z.grad().to_vector<double>(ctx)[0] == Approx(-1.5));
  REQUIRE(z.grad().to_vector<double>(ctx)[1] == Approx(1.5));
}

TEST_CASE("softmax cross-entropy divides by a normaliser from the device when one is given") {
  Context ctx;
  const Case c{6, 5, 2};
  const std::vector<double> z = gc::values(30, 1, -2, 2);
  const std::vector<int32_t> labels = some_labels(c);
  const Expected expected = slow(z, labels, 5, 512.0);
  const Variable logits(typed_tensor(ctx, DType::float64, {6, 5}, z), true);
  const RowLoss got =
      softmax_cross_entropy(ctx, logits, Tensor::from(ctx, {6}, labels), Tensor::full(ctx, {1}, 512.0, DType::float64));
  REQUIRE(to_doubles(ctx, got.loss.value())[0] == Approx(expected.loss).epsilon(1e-13));
  backward(ctx, got.loss);
  for (size_t i = 0; i < 30; ++i)
    REQUIRE(to_doubles(ctx, logits.grad())[i] == Approx(expected.gradient[i]).margin(1e-15));
}

TEST_CASE("softmax cross-entropy's gradient by differences") {
  Context ctx;
  for (const Case& c : {Case{6, 2, 2}, Case{6, 11, 3}, Case{3, 7, 100}}) {
    const Tensor labels = Tensor::from(ctx, {c.rows}, some_labels(c));
    gc::run(ctx, [&](Context& x, const gc::Leaves& in) { return softmax_cross_entropy(x, in[0], labels).loss; },
            {gc::leaf(ctx, {c.rows, c.columns}, 2, -c.largest, c.largest)});
  }
}

TEST_CASE("softmax cross-entropy without rows, or without used rows, is zero; bad input is not") {
  Context ctx;
  for (int64_t rows : {0, 3}) {
    const Variable z = gc::leaf(ctx, {rows, 4}, 1);
    const RowLoss got = softmax_cross_entropy(ctx, z, Tensor::full(ctx, {rows}, -1, DType::int32));
    REQUIRE(to_doubles(ctx, got.loss.value()) == std::vector<double>{0});
    REQUIRE(got.counts.to_vector<int32_t>(ctx) == std::vector<int32_t>{0, 0});
    backward(ctx, got.loss);
    REQUIRE(to_doubles(ctx, z.grad()) == std::vector<double>(size_t(rows * 4), 0.0));
  }
  const Tensor background = Tensor::full(ctx, {2}, 3, DType::int32);  // nothing but background
  REQUIRE(
      std::isfinite(to_doubles(ctx, softmax_cross_entropy(ctx, gc::leaf(ctx, {2, 4}, 1), background).loss.value())[0]));
  const Variable nan(Tensor::full(ctx, {2, 4}, std::nan("")));
  REQUIRE(std::isnan(to_doubles(ctx, softmax_cross_entropy(ctx, nan, background).loss.value())[0]));
  const Tensor beyond = Tensor::full(ctx, {2}, 4, DType::int32);
  REQUIRE(std::isnan(to_doubles(ctx, softmax_cross_entropy(ctx, gc::leaf(ctx, {2, 4}, 1), beyond).loss.value())[0]));
  REQUIRE_THROWS_AS(softmax_cross_entropy(ctx, gc::leaf(ctx, {3, 4}, 1), background), Error);
  REQUIRE_THROWS_AS(softmax_cross_entropy(ctx, gc::leaf(ctx, {2, 4}, 1), Tensor::zeros(ctx, {2})), Error);
  REQUIRE_THROWS_AS(softmax_cross_entropy(ctx, gc::leaf(ctx, {2, 4}, 1), background, Tensor::zeros(ctx, {2})), Error);
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("softmax cross-entropy gives the same bits at any number of threads") {
  const Case c{300, 1204, 20};
  std::vector<std::vector<double>> first;
  for (int threads : {1, 2, 5}) {
    Context ctx({}, {.threads = threads});
    const Variable z(typed_tensor(ctx, DType::float32, {c.rows, c.columns}, gc::values(c.rows * c.columns, 1, -20, 20)),
                     true);
    const RowLoss got = softmax_cross_entropy(ctx, z, Tensor::from(ctx, {c.rows}, some_labels(c)));
    backward(ctx, got.loss);
    std::vector<std::vector<double>> all{to_doubles(ctx, got.loss.value()), to_doubles(ctx, z.grad())};
    if (first.empty()) first = all;
    REQUIRE(first == all);
  }
}

TEST_CASE("softmax cross-entropy's bodies agree on one lane and on a crew") {
  const Case c{9, 37, 4};
  const std::vector<double> z = gc::values(c.rows * c.columns, 1, -4, 4);
  const std::vector<int32_t> labels = some_labels(c);
  struct Result {
    std::vector<double> gradient, values, loss = {NAN}, inverse = {NAN};
    std::vector<int32_t> hits, counts = {-7, -7};
  };
  auto with = [&](auto run) {
    Result r;
    r.gradient.assign(z.size(), NAN);
    r.values.assign(size_t(c.rows), NAN);
    r.hits.assign(size_t(c.rows), -7);
    run(c.rows, SoftmaxCrossEntropyRow<double>{{z.data(), labels.data(), r.gradient.data(), r.values.data(),
                                                r.hits.data(), c.columns, c.columns - 1}});
    run(1, RowLossTotal<double>{r.values.data(), labels.data(), r.hits.data(), nullptr, r.loss.data(), r.inverse.data(),
                                r.counts.data(), c.rows, 1});
    const double upstream = 1;
    run(1, ScaleRowGradient<double>{r.gradient.data(), &upstream, r.inverse.data(), int64_t(z.size())});
    return r;
  };
  const Result solo = with([](int64_t items, const auto& body) {
    for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
  });
  const Result crews = with([](int64_t items, const auto& body) { crew::run(6, items, body); });
  const Expected expected = slow(z, labels, size_t(c.columns));
  for (const Result& r : {solo, crews}) {
    REQUIRE(r.loss[0] == Approx(expected.loss).epsilon(1e-13));
    REQUIRE(r.counts == std::vector<int32_t>{expected.used, expected.hits});
    for (size_t i = 0; i < z.size(); ++i) REQUIRE(r.gradient[i] == Approx(expected.gradient[i]).margin(1e-15));
  }
}
