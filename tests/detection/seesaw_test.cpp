// Seesaw loss against METHODS 1.10.
#include "detection/losses/seesaw.h"

#include "detection/losses/seesaw_body.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

SeesawOptions seesaw(double p, double q, double epsilon = 0.01, bool objectness = true) {
  SeesawOptions options;
  options.p = p;
  options.q = q;
  options.epsilon = epsilon;
  options.objectness = objectness;
  return options;
}

// The paper's equations with the code's epsilon: S as factors, no logarithms. `counts` already holds the batch; a
// column behind them has none and is not mitigated.
Expected oracle(const Input& in, const SeesawOptions& o, std::vector<Long> counts) {
  Expected out = in.nothing();
  Long total = 0;
  const int64_t n = o.objectness ? in.classes : in.classes + 1;
  Long positives = 0;
  for (const int32_t y : in.labels) positives += y >= 0 && y < in.classes;
  const bool by_positives = o.divide_by == "positives" && o.objectness && positives > 0;
  const Long more = by_positives ? in.normaliser() / positives : 1;  // of the class term
  for (int64_t r = 0; r < in.rows(); ++r) {
    const int64_t y = in.label(r);
    if (y < 0) continue;
    const auto put = [&](int64_t j, Long g) { out.gradient[size_t(r * in.width + j)] = double(g / in.normaliser()); };
    if (y < n) {
      std::vector<Long> factor(size_t(n), 1), share;
      Long all = 0, d = 0;
      for (int64_t j = 0; j < n; ++j) all += std::exp(in.at(r, j));
      const Long own = std::exp(in.at(r, y)) / all;
      for (int64_t j = 0; j < n; ++j) {
        if (j == y) continue;
        if (o.mitigation && std::max(size_t(j), size_t(y)) < counts.size()) {
          const Long ratio = std::max(counts[size_t(j)], Long(1)) / std::max(counts[size_t(y)], Long(1));
          if (ratio < 1) factor[size_t(j)] *= std::pow(ratio, Long(o.p));
        }
        const Long t = std::exp(in.at(r, j)) / all / std::max(own, Long(o.epsilon));
        if (o.compensation && t > 1) factor[size_t(j)] *= std::pow(t, Long(o.q));
      }
      for (int64_t j = 0; j < n; ++j) share.push_back(factor[size_t(j)] * std::exp(in.at(r, j)));
      for (const Long s : share) d += s;
      total += more * (std::log(d) - in.at(r, y));
      for (int64_t j = 0; j < n; ++j) put(j, more * (share[size_t(j)] / d - (j == y)));
    }
    if (o.objectness) {
      const Long f = in.at(r, n), b = in.at(r, n + 1), pf = 1 / (1 + std::exp(b - f)), pb = 1 / (1 + std::exp(f - b));
      total += y < in.classes ? std::log1p(std::exp(b - f)) : std::log1p(std::exp(f - b));
      put(n, y < in.classes ? -pb : pf);
      put(n + 1, y < in.classes ? pb : -pf);
    }
  }
  out.loss = double(total / in.normaliser());
  return out;
}

// Counts before the batch: a falling tail.
std::vector<Long> before(int64_t classes) {
  std::vector<Long> counts;
  for (int64_t c = 0; c <= classes; ++c) counts.push_back(std::floor(5000 / std::pow(Long(c + 1), 2)));
  return counts;
}

void set_counts(Context& ctx, ParameterStore& store, const std::vector<Long>& counts) {
  const Tensor buffer = store.find("loss.counts")->variable.value();
  buffer.copy_from(ctx, typed_tensor(ctx, buffer.dtype(), buffer.shape(), {counts.begin(), counts.end()}));
}

void check(const SeesawOptions& options) {
  check_against(
      [&](const Input& in) {
        std::vector<Long> counts = before(in.classes);
        if (options.counts == "online") {
          for (const int32_t y : in.labels) {
            if (y >= 0) counts[size_t(y)] += 1;
          }
        }
        return oracle(in, options, counts);
      },
      options, {.float32 = 3e-5},
      [](Context& ctx, ParameterStore& store) {
        set_counts(ctx, store, before(store.find("loss.counts")->variable.size(0) - 1));
      });
}

}  // namespace

TEST_CASE("seesaw: METHODS's two test vectors") {
  // Foreground certain, so that the branch adds nothing; n = (100, 10, 1000) with this sample counted.
  const auto counts = [](std::vector<Long> n) {
    return [n](Context& ctx, ParameterStore& store) { set_counts(ctx, store, n); };
  };
  const Result a = one_row(seesaw(0.8, 2), 3, {1, 2, 0.5, 50, -50}, 0, counts({99, 10, 1000, 0}));
  REQUIRE(a.loss == Approx(1.5665041).margin(1e-7));
  REQUIRE(a.gradient[0] == Approx(-0.7912262).margin(1e-7));
  REQUIRE(a.gradient[1] == Approx(0.6645985).margin(1e-7));
  REQUIRE(a.gradient[2] == Approx(0.1266277).margin(1e-7));
  const Result b = one_row(seesaw(0.8, 2), 3, {-6, 1, 1.5, 50, -50}, 0, counts({4, 500, 0, 0}));
  REQUIRE(b.loss == Approx(15.0665016).margin(1e-7));
  REQUIRE(b.gradient[0] == Approx(-0.99999971).margin(1e-8));
  REQUIRE(b.gradient[1] == Approx(0.44708633).margin(1e-8));
  REQUIRE(b.gradient[2] == Approx(0.55291339).margin(1e-8));
  // Without the branch the same three logits and an impossible background.
  const Result c = one_row(seesaw(0.8, 2, 0.01, false), 3, {1, 2, 0.5, -200}, 0, counts({99, 10, 1000, 1}));
  REQUIRE(c.loss == Approx(1.5665041).margin(1e-7));
}

TEST_CASE("seesaw equals its definition: both factors, each alone, the paper's epsilon, no branch, fixed counts") {
  check(seesaw(0.8, 2));
  check(seesaw(1.3, 1));
  check(seesaw(0.8, 2, 0));
  check(seesaw(0.8, 2, 0.01, false));
  SeesawOptions one = seesaw(0.8, 2);
  one.mitigation = false;
  check(one);
  one = seesaw(0.8, 2);
  one.compensation = false;
  check(one);
  one = seesaw(0.8, 2);
  one.counts = "checkpoint";
  check(one);
  for (const bool objectness : {true, false}) {
    one = seesaw(0.8, 2, 0.01, objectness);
    one.divide_by = "positives";
    check(one);
  }
  // A given normaliser takes the place of either.
  Context ctx;
  const Case c = cases()[0];
  double losses[2];
  for (const bool positives : {false, true}) {
    one = seesaw(0.8, 2);
    one.divide_by = positives ? "positives" : "rows";
    Made made(ctx, one, c.classes, DType::float64);
    const Variable z(Tensor::from(ctx, {c.rows, c.classes + 2}, logits_of(c, c.classes + 2)));
    const LossInput input{z, Tensor::from(ctx, {c.rows}, labels_of(c)), {}, Tensor::full(ctx, {1}, 7, DType::float64)};
    losses[positives] = to_doubles(ctx, made.loss->loss(ctx, input).loss.value())[0];
  }
  REQUIRE(losses[0] == losses[1]);
}

TEST_CASE("seesaw: gradients by differences where the factors are constant") {
  const auto set = [](Context& ctx, ParameterStore& store) { set_counts(ctx, store, before(12)); };
  check_gradient(seesaw(0.8, 0), cases()[0], {}, set);
  check_gradient(seesaw(0.8, 0, 0.01, false), cases()[0], {}, set);
}

TEST_CASE("seesaw is cross-entropy with p = q = 0, and with equal counts where the label scores highest") {
  const Case c{"mixed", 12, 23, 4};
  Context ctx;
  for (const bool objectness : {true, false}) {
    SoftmaxOptions plain;
    plain.objectness = objectness;
    Made off(ctx, seesaw(0, 0, 0.01, objectness), 12, DType::float64), expected(ctx, plain, 12, DType::float64);
    const int64_t width = off.loss->width();
    std::vector<double> z = logits_of(c, width);
    std::vector<int32_t> labels = labels_of(c);
    const auto same = [&](Made& made) {
      const Tensor logits = Tensor::from(ctx, {c.rows, width}, z), y = Tensor::from(ctx, {c.rows}, labels);
      const Result a = run(ctx, *made.loss, logits, y), b = run(ctx, *expected.loss, logits, y);
      REQUIRE(a.loss == Approx(b.loss).epsilon(1e-13));
      REQUIRE(a.counts == b.counts);
      for (size_t i = 0; i < a.gradient.size(); ++i) REQUIRE(a.gradient[i] == Approx(b.gradient[i]).margin(1e-14));
    };
    set_counts(ctx, off.store, before(12));
    same(off);
    Made equal(ctx, seesaw(0.8, 2, 0.01, objectness), 12, DType::float64);  // counts of one batch: each class once
    for (size_t r = 0; r < labels.size(); ++r) {
      labels[r] = r < 12 ? int32_t(r) : -1;
      if (labels[r] >= 0) z[r * size_t(width) + size_t(labels[r])] = 5;
    }
    same(equal);
  }
}

TEST_CASE("seesaw counts the labels of a batch before its loss, background and unused rows apart") {
  Context ctx;
  Made made(ctx, seesaw(0.8, 2), 3);
  const Tensor labels = Tensor::from(ctx, {6}, std::vector<int32_t>{0, 2, 3, 0, -1, 3});
  for (int step = 0; step < 2; ++step) run(ctx, *made.loss, Tensor::zeros(ctx, {6, 5}), labels);
  REQUIRE(to_doubles(ctx, made.store.find("loss.counts")->variable.value()) == std::vector<double>{4, 0, 2, 4});
}

TEST_CASE("seesaw: counts from the data set or from a checkpoint, and what is missing") {
  Context ctx;
  std::vector<Long> counts;  // none of the background
  for (const int64_t n : statistics_of(12).instances) counts.push_back(n);
  for (const bool objectness : {false, true}) {
    SeesawOptions from_set = seesaw(0.8, 2, 0.01, objectness);
    from_set.counts = "dataset";
    Made made(ctx, from_set, 12, DType::float64);
    REQUIRE(made.store.entries().empty());
    const Case c = cases()[0];
    const int64_t width = made.loss->width();
    Input in{12, width, logits_of(c, width), labels_of(c), {}, 0, {}};
    const Result got =
        run(ctx, *made.loss, Tensor::from(ctx, {c.rows, width}, in.z), Tensor::from(ctx, {c.rows}, in.labels));
    compare(got, oracle(in, from_set, counts), in, 1e-11, 1);
  }
  // By hand: classes of 1000 and 1 instances, equal logits. A background row pushes both alike, and is pushed in full.
  SeesawOptions plain = seesaw(1, 0, 0.01, false);
  plain.counts = "dataset";
  ParameterStore hand(ctx, 1, DType::float64);
  const auto two = plain.make(Scope(hand, "loss"), 2, {{}, {1000, 1}, 0});
  const auto gradient = [&](int32_t label) {
    return run(ctx, *two, Tensor::zeros(ctx, {1, 3}, DType::float64), Tensor::full(ctx, {1}, label, DType::int32))
        .gradient;
  };
  REQUIRE(gradient(2)[0] == Approx(1.0 / 3));
  REQUIRE(gradient(2)[1] == Approx(1.0 / 3));
  REQUIRE(gradient(0)[2] == Approx(1 / 2.001));  // 1 + 1 / 1000 + 1
  REQUIRE(gradient(0)[1] == Approx(0.001 / 2.001));
  SeesawOptions options = seesaw(0.8, 2);
  options.counts = "dataset";
  ParameterStore store(ctx, 1);
  const auto unknown = options.make(Scope(store, "a"), 12, {});
  REQUIRE_THROWS_WITH(unknown->check_ready(ctx),
                      Catch::Contains("loss seesaw cannot train") && Catch::Contains("instances"));
  REQUIRE_NOTHROW(unknown->scores(ctx, Tensor::zeros(ctx, {2, 14})));
  options.counts = "checkpoint";
  const auto empty = options.make(Scope(store, "b"), 12, {});
  REQUIRE_THROWS_WITH(empty->check_ready(ctx), Catch::Contains("counts = \"checkpoint\""));
  store.find("b.counts")->variable.value().fill(ctx, 3);
  REQUIRE_NOTHROW(empty->check_ready(ctx));
}

TEST_CASE("seesaw: the bodies agree on one lane and on a crew") {
  const Case c{"mixed", 35, 9, 4};
  const std::vector<double> z = logits_of(c, 37);
  const std::vector<int32_t> labels = labels_of(c);
  struct Out {
    std::vector<double> gradient = std::vector<double>(9 * 37, NAN), values = std::vector<double>(9, NAN);
    std::vector<double> counts = std::vector<double>(36, 7), logs = std::vector<double>(36, NAN);
    std::vector<int32_t> hits = std::vector<int32_t>(9, -7);
    double scale = NAN;
  } solo, crews;
  const auto both = [&](Out& o, auto run_on) {
    run_on(36, CountLabels<double>{labels.data(), o.counts.data(), o.logs.data(), 9});
    run_on(1, PositiveScale<double>{labels.data(), &o.scale, 9, 35});
    run_on(9, SeesawRow<double>{{z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(), 37, 35},
                                o.logs.data(),
                                0.8,
                                2,
                                std::log(0.01),
                                35,
                                36,
                                true,
                                &o.scale});
  };
  both(solo, [](int64_t items, const auto& body) { run_solo(items, body); });
  both(crews, [](int64_t items, const auto& body) { crew::run(6, items, body); });
  REQUIRE(solo.hits == crews.hits);
  REQUIRE(solo.counts == crews.counts);
  REQUIRE(solo.logs == crews.logs);
  REQUIRE((solo.scale > 1 && solo.scale == crews.scale));
  for (size_t i = 0; i < 9; ++i) REQUIRE(crews.values[i] == Approx(solo.values[i]));
  for (size_t i = 0; i < 9 * 37; ++i) REQUIRE(crews.gradient[i] == Approx(solo.gradient[i]).margin(1e-14));
}
