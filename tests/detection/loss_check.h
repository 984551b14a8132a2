// What the tests of the classification losses share: inputs that a loss must survive, and the comparison of a loss with
// an evaluation of its equations that shares nothing with it (plain loops in long double, written from METHODS).
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "detection/losses/bags.h"
#include "detection/losses/class_loss.h"
#include "detection/losses/class_rows.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

namespace tailseg::loss_check {

using Long = long double;

enum class Labels { mixed, background, foreground, unused };

struct Case {
  const char* what;
  int64_t classes, rows;
  double largest;  // |z|
  Labels kind = Labels::mixed;
  double offset = 0;  // added to every logit
};

// One class; all background, so no positives; no background; no row in use; 1204 classes; logits of 100; logits as they
// are after an initialisation with a prior.
inline const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"mixed", 12, 23, 4},
      {"one class", 1, 9, 3},
      {"one class, logits of 100", 1, 9, 100},
      {"all background", 7, 12, 5, Labels::background},
      {"no background", 7, 12, 5, Labels::foreground},
      {"no row in use", 5, 4, 5, Labels::unused},
      {"no rows", 5, 0, 5},
      {"logits of 100", 12, 40, 100},
      {"1204 classes", 1204, 33, 5},
      {"1204 classes, logits of 100", 1204, 20, 100},
      {"1204 classes, prior bias", 1204, 24, 0.5, Labels::mixed, -6.9},
  };
  return all;
}

inline std::vector<int32_t> labels_of(const Case& c, uint64_t seed = 3) {  // mixed: a third background, a fifth unused
  std::vector<int32_t> labels;
  for (const double u : gradient_check::values(c.rows, seed, 0, 1)) {
    const size_t r = labels.size();
    const auto some_class = static_cast<int32_t>(std::min(u, 0.9999) * double(c.classes));
    const auto background = static_cast<int32_t>(c.classes);
    if (c.kind == Labels::unused || (c.kind == Labels::mixed && r % 5 == 4)) {
      labels.push_back(-1);
    } else {
      const bool other = c.kind == Labels::background || (c.kind == Labels::mixed && r % 3 == 1);
      labels.push_back(other ? background : some_class);
    }
  }
  return labels;
}

inline std::vector<double> logits_of(const Case& c, int64_t width, uint64_t seed = 1) {
  std::vector<double> z = gradient_check::values(c.rows * width, seed, -c.largest, c.largest);
  for (double& x : z) x += c.offset;
  return z;
}

// A long tail: class c was seen in 1, 1, 2, 3, 5, .. images, twice as often as instances.
inline ClassStatistics statistics_of(int64_t classes) {
  ClassStatistics out;
  for (int64_t c = 0; c < classes; ++c) {
    const double share = double(c) / double(std::max<int64_t>(classes - 1, 1));
    out.images.push_back(int64_t(std::pow(10.0, 4 * share)));
    out.instances.push_back(2 * out.images.back());
  }
  out.annotated_images = 30000;
  return out;
}

// One row of an oracle's input.
struct Row {
  const double* z;      // width logits
  int64_t label;        // 0..C: in use
  const double* draws;  // of the row, or of the batch; null when the loss draws nothing
};

struct Expected {
  double loss = 0;
  std::vector<double> gradient;
};

// Everything an oracle may look at.
struct Input {
  int64_t classes, width;
  std::vector<double> z;
  std::vector<int32_t> labels;
  std::vector<double> draws;
  int64_t draws_per_row = 0;
  ClassStatistics statistics;

  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  Long at(int64_t r, int64_t j) const { return z[size_t(r * width + j)]; }
  int64_t label(int64_t r) const { return labels[size_t(r)]; }
  int64_t used() const {
    int64_t n = 0;
    for (const int32_t y : labels) n += y >= 0;
    return n;
  }
  Long normaliser() const { return Long(std::max<int64_t>(used(), 1)); }
  Expected nothing() const { return {0, std::vector<double>(z.size(), 0.0)}; }
};

using Oracle = std::function<Expected(const Input&)>;

// What a loss gave.
struct Result {
  double loss = 0;
  std::vector<double> gradient;
  std::vector<int32_t> counts;
};

inline Result run(Context& ctx, ClassLoss& loss, const Tensor& z, const Tensor& labels, const Tensor& draws = {}) {
  const Variable logits(z, true);
  const RowLoss out = loss.loss(ctx, {logits, labels, draws, {}});
  backward(ctx, out.loss);
  return {to_doubles(ctx, out.loss.value())[0], to_doubles(ctx, logits.grad()), out.counts.to_vector<int32_t>(ctx)};
}

// The options, with one group where a set of so few classes would leave one of several empty.
inline std::unique_ptr<LossOptions> fitted(const LossOptions& options, int64_t classes) {
  std::unique_ptr<LossOptions> mine = options.clone();
  if (auto* bags = dynamic_cast<BagsOptions*>(mine.get()); bags && classes < 4) bags->boundaries.clear();
  return mine;
}

// A loss with a store of its own, on one device, in the dtype's precision.
struct Made {
  ParameterStore store;
  std::shared_ptr<ClassLoss> loss;
  Made(Context& ctx, const LossOptions& options, int64_t classes, DType dtype = DType::float32)
      : store(ctx, 1, dtype == DType::float64 ? DType::float64 : DType::float32),
        loss(fitted(options, classes)->make(Scope(store, "loss"), classes, statistics_of(classes))) {}
};

struct Tolerance {
  double scale = 1;  // of the loss and of the gradients of positives: the largest weight in use
  double float32 = 4e-6, float64 = 1e-11, bfloat16 = 2e-2;
  double of(DType dtype) const {
    return dtype == DType::float64 ? float64 : dtype == DType::float32 ? float32 : bfloat16;
  }
};

// Element by element: tolerance * (|expected| + 1 / used rows), with `scale` in place of 1 where the column is the
// label's. What a large gradient may miss says nothing about a small one.
inline void compare(const Result& got, const Expected& expected, const Input& in, double tolerance, double scale) {
  REQUIRE(std::isfinite(got.loss));
  REQUIRE(std::abs(got.loss - expected.loss) <= tolerance * (std::abs(expected.loss) + scale));
  REQUIRE(got.gradient.size() == expected.gradient.size());
  for (size_t i = 0; i < got.gradient.size(); ++i) {
    const bool positive = int64_t(i) % in.width == in.label(int64_t(i) / in.width);
    const double room = (positive ? scale : 1) / double(in.normaliser());
    if (std::abs(got.gradient[i] - expected.gradient[i]) <= tolerance * (std::abs(expected.gradient[i]) + room)) {
      continue;
    }
    INFO("element " << i << ": gradient " << got.gradient[i] << ", expected " << expected.gradient[i]);
    REQUIRE(false);
  }
}

// `prepare` may set the state of the loss before its step.
inline void check_against(const Oracle& oracle, const LossOptions& options, const Tolerance& tolerance = {},
                          const std::function<void(Context&, ParameterStore&)>& prepare = {},
                          const std::vector<Case>& which = cases()) {
  for (const Case& c : which) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      Made made(ctx, options, c.classes, dtype);
      if (prepare) prepare(ctx, made.store);
      ClassLoss& loss = *made.loss;
      INFO(options.name() << ", " << c.what << ", " << ctx.device().name() << ", " << name_of(dtype));
      Input input{c.classes, loss.width(), {}, labels_of(c), {}, loss.draws_per_row(), statistics_of(c.classes)};
      input.z = rounded_to(ctx, dtype, logits_of(c, loss.width()));
      const Tensor draws = loss.draws(ctx, c.rows, {.seed = 7, .step = 3});
      if (draws.defined()) input.draws = to_doubles(ctx, draws);
      const Result got = run(ctx, loss, typed_tensor(ctx, dtype, {c.rows, loss.width()}, input.z),
                             Tensor::from(ctx, {c.rows}, input.labels), draws);
      REQUIRE(got.counts[0] == input.used());
      compare(got, oracle(input), input, tolerance.of(dtype), tolerance.scale);
    });
  }
}

// Gradients by central differences, with the state put back before every evaluation.
inline void check_gradient(const LossOptions& options, const Case& c, const gradient_check::Options& how = {},
                           const std::function<void(Context&, ParameterStore&)>& prepare = {}) {
  Context ctx;
  Made made(ctx, options, c.classes, DType::float64);
  if (prepare) prepare(ctx, made.store);
  const HostTensors state = made.store.state_dict();
  const Tensor labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const Tensor draws = made.loss->draws(ctx, c.rows, {.seed = 7, .step = 3});
  INFO(options.name() << ", " << c.what);
  const Variable z(Tensor::from(ctx, {c.rows, made.loss->width()}, logits_of(c, made.loss->width(), 2)), true);
  gradient_check::run(
      ctx,
      [&](Context& x, const gradient_check::Leaves& in) {
        made.store.load_state_dict(state, "the state before the step");
        return made.loss->loss(x, {in[0], labels, draws, {}}).loss;
      },
      {z}, how);
}

// METHODS's test vectors: one RoI, no other input.
inline Result one_row(const LossOptions& options, int64_t classes, const std::vector<double>& z, int32_t label,
                      const std::function<void(Context&, ParameterStore&)>& prepare = {}) {
  Context ctx;
  Made made(ctx, options, classes, DType::float64);
  if (prepare) prepare(ctx, made.store);
  return run(ctx, *made.loss, Tensor::from(ctx, {1, int64_t(z.size())}, z), Tensor::from(ctx, {1}, std::vector{label}),
             made.loss->draws(ctx, 1, {}));
}

// make(rows) is a body over ClassRows<double>: one lane and a crew must agree on gradient, value and hit.
template <class Make>
void check_on_crew(int64_t columns, int64_t classes, const Make& make) {
  const Case c{"mixed", classes, 9, 4};
  const std::vector<double> z = logits_of(c, columns);
  const std::vector<int32_t> labels = labels_of(c);
  struct Out {
    std::vector<double> gradient, values;
    std::vector<int32_t> hits;
  } out[2];
  for (Out& o : out) {
    o.gradient.assign(z.size(), NAN);
    o.values.assign(9, NAN);
    o.hits.assign(9, -7);
    const auto body = make(ClassRows<double>{z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(),
                                             columns, classes});
    if (&o == out)
      run_solo(9, body);
    else
      crew::run(5, 9, body);
  }
  REQUIRE(out[0].hits == out[1].hits);
  for (size_t i = 0; i < 9; ++i) REQUIRE(out[1].values[i] == Approx(out[0].values[i]).margin(1e-14));
  for (size_t i = 0; i < z.size(); ++i) REQUIRE(out[1].gradient[i] == Approx(out[0].gradient[i]).margin(1e-14));
}

}  // namespace tailseg::loss_check
