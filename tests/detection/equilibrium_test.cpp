// LOCE's equilibrium loss against METHODS 1.14 and 11.2.
#include "detection/losses/equilibrium.h"

#include <map>

#include "detection/losses/equilibrium_body.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

// One step; s moves on first. `objects` may be empty: every row its own.
Expected step(const Input& in, const std::vector<int32_t>& objects, std::vector<Long>& s, Long momentum) {
  std::map<int64_t, std::map<int64_t, std::vector<Long>>> seen;  // class -> object -> scores of its rows
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0 || y >= in.classes) continue;
    seen[y][objects.empty() ? r : objects[size_t(r)]].push_back(std::exp(in.at(r, y) - log_sum(in, r, 0, in.width)));
  }
  for (const auto& [c, all] : seen) {
    Long mean = 0;
    for (const auto& [object, scores] : all) {
      for (const Long score : scores) mean += score / Long(scores.size()) / Long(all.size());
    }
    const Long old = std::pow(momentum, Long(all.size()));
    s[size_t(c)] = old * s[size_t(c)] + (1 - old) * mean;
  }
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0) continue;
    Long d = 0;
    for (int64_t k = 0; k < in.width; ++k) d += s[size_t(k)] * std::exp(in.at(r, k));
    total -= std::log(s[size_t(y)]) + in.at(r, y) - std::log(d);
    for (int64_t k = 0; k < in.width; ++k) {
      out.gradient[size_t(r * in.width + k)] =
          double((s[size_t(k)] * std::exp(in.at(r, k)) / d - (k == y)) / in.normaliser());
    }
  }
  out.loss = double(total / in.normaliser());
  return out;
}

void set_scores(Context& ctx, ParameterStore& store) {
  const Tensor score = store.find("loss.score")->variable.value();
  score.copy_from(
      ctx, typed_tensor(ctx, score.dtype(), score.shape(), gradient_check::values(score.elements(), 8, 0.01, 0.9)));
}

}  // namespace

TEST_CASE("equilibrium loss equals its definition, loss, gradient and running scores, over three steps") {
  for (const Case& c : cases()) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      for (const bool with_objects : {false, true}) {
        INFO(c.what << ", " << ctx.device().name() << ", " << name_of(dtype) << ", objects " << with_objects);
        Made made(ctx, EquilibriumOptions(), c.classes, dtype);
        std::vector<Long> s(size_t(c.classes + 1), 0.01L);
        const double tolerance = dtype == DType::float64 ? 1e-10 : dtype == DType::float32 ? 5e-5 : 3e-2;
        for (uint64_t t = 0; t < 3; ++t) {
          Input in{
              c.classes, c.classes + 1, rounded_to(ctx, dtype, logits_of(c, c.classes + 1, t)), labels_of(c, t), {}, 0,
              {}};
          std::vector<int32_t> objects;
          for (int64_t r = 0; with_objects && r < c.rows; ++r) objects.push_back(int32_t(r % 4) * 7);
          const Variable z(typed_tensor(ctx, dtype, {c.rows, in.width}, in.z), true);
          LossInput input{z, Tensor::from(ctx, {c.rows}, in.labels), {}, {}};
          if (with_objects) input.objects = Tensor::from(ctx, {c.rows}, objects);
          const RowLoss out = made.loss->loss(ctx, input);
          backward(ctx, out.loss);
          compare({to_doubles(ctx, out.loss.value())[0], to_doubles(ctx, z.grad()), {}}, step(in, objects, s, 0.9L), in,
                  tolerance, 1);
        }
        const std::vector<double> score = to_doubles(ctx, made.store.find("loss.score")->variable.value());
        for (size_t j = 0; j < s.size(); ++j) REQUIRE(score[j] == Approx(double(s[j])).epsilon(tolerance).margin(1e-9));
      }
    });
  }
}

TEST_CASE("equilibrium: gradients by differences with scores that stay") {
  EquilibriumOptions still;
  still.momentum = 1;
  check_gradient(still, cases()[0], {}, set_scores);
  check_gradient(still, Case{"logits of 100", 5, 6, 100}, {}, set_scores);
}

TEST_CASE("equilibrium: with equal scores it is cross-entropy; the initial ones are equal") {
  const Case c = cases()[0];
  EquilibriumOptions still;
  still.momentum = 1;
  Context ctx;
  Made equal(ctx, still, c.classes, DType::float64), plain(ctx, SoftmaxOptions(), c.classes, DType::float64);
  const Tensor z = Tensor::from(ctx, {c.rows, 13}, logits_of(c, 13)),
               labels = Tensor::from(ctx, {c.rows}, labels_of(c));
  const Result a = run(ctx, *equal.loss, z, labels), b = run(ctx, *plain.loss, z, labels);
  REQUIRE(a.loss == Approx(b.loss).epsilon(1e-14));
  REQUIRE(a.counts == b.counts);
  for (size_t i = 0; i < a.gradient.size(); ++i) REQUIRE(a.gradient[i] == Approx(b.gradient[i]).margin(1e-15));
}

TEST_CASE("equilibrium by hand: one object of two rows is one observation, two objects are two") {
  // Scores 1/2 and 3/4 of the first class; alpha 0.9.
  Context ctx;
  const auto score_after = [&](const std::vector<int32_t>& objects) {
    Made made(ctx, EquilibriumOptions(), 1, DType::float64);
    const Variable z(Tensor::from(ctx, {2, 2}, std::vector<double>{0, 0, std::log(3.0), 0}));
    made.loss->loss(ctx, {z, Tensor::zeros(ctx, {2}, DType::int32), {}, {}, Tensor::from(ctx, {2}, objects)});
    return to_doubles(ctx, made.store.find("loss.score")->variable.value());
  };
  REQUIRE(score_after({4, 4})[0] == Approx(0.9 * 0.01 + 0.1 * 0.625));
  REQUIRE(score_after({4, 5})[0] == Approx(0.81 * 0.01 + 0.19 * 0.625));
  REQUIRE(score_after({4, 4})[1] == 0.01);
}

TEST_CASE("equilibrium: the bodies agree on one lane and on a crew") {
  const std::vector<double> logs = gradient_check::values(36, 2, -4, 0), z = wave<double>(9 * 36);
  check_on_crew(36, 35, [&](const ClassRows<double>& r) { return EquilibriumRow<double>{r, logs.data()}; });
  const std::vector<int32_t> labels{0, 3, 3, 35, -1, 3, 35, 0, 3}, objects{1, 2, 2, -1, -1, 5, -1, 1, 2};
  struct Out {
    std::vector<double> scores = std::vector<double>(9, NAN), mean = std::vector<double>(36, 0.01);
    std::vector<double> logs = std::vector<double>(36, NAN);
  } out[2];
  for (Out& o : out) {
    const auto run_on = [&](int64_t items, const auto& body) {
      &o == out ? run_solo(items, body) : crew::run(5, items, body);
    };
    run_on(9, LabelScores<double>{z.data(), labels.data(), o.scores.data(), 35});
    run_on(36, RunningScores<double>{labels.data(), objects.data(), o.scores.data(), o.mean.data(), o.logs.data(), 9,
                                     35, 0.9});
  }
  for (size_t i = 0; i < 9; ++i) REQUIRE(out[1].scores[i] == Approx(out[0].scores[i]).margin(1e-15));
  for (size_t j = 0; j < 36; ++j) REQUIRE(out[1].mean[j] == Approx(out[0].mean[j]));
  for (size_t j = 0; j < 36; ++j) REQUIRE(out[1].logs[j] == Approx(out[0].logs[j]));
}
