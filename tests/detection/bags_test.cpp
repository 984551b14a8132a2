// Balanced Group Softmax against METHODS 1.8.
#include "detection/losses/bags.h"

#include <algorithm>
#include <set>

#include "detection/losses/bags_body.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

// The released code's layout, with lists: per group the columns of "others" and of its classes.
struct Layout {
  std::vector<std::vector<int64_t>> classes;
  std::vector<int64_t> begin;
};

Layout layout_of(const std::vector<int64_t>& instances, const std::vector<double>& boundaries) {
  Layout out;
  out.classes.resize(boundaries.size() + 1);
  for (size_t c = 0; c < instances.size(); ++c) {
    size_t g = 0;
    while (g < boundaries.size() && double(instances[c]) >= boundaries[g]) ++g;
    out.classes[g].push_back(int64_t(c));
  }
  int64_t next = 2;
  for (const auto& group : out.classes) {
    out.begin.push_back(next);
    next += 1 + int64_t(group.size());
  }
  return out;
}

// One softmax cross-entropy of columns [first, first + n), its gradient over `by` added.
Long group_loss(const Input& in, int64_t r, int64_t first, int64_t n, int64_t target, Long by, Expected& out) {
  const Long all = log_sum(in, r, first, n);
  for (int64_t j = 0; j < n; ++j) {
    out.gradient[size_t(r * in.width + first + j)] = double((std::exp(in.at(r, first + j) - all) - (j == target)) / by);
  }
  return (all - in.at(r, first + target)) / by;
}

Expected oracle(const Input& in, std::vector<double> boundaries, double ratio) {
  if (in.classes < 4) boundaries.clear();
  const Layout layout = layout_of(in.statistics.instances, boundaries);
  const size_t groups = layout.classes.size();
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    if (in.label(r) >= 0) total += group_loss(in, r, 0, 2, in.label(r) < in.classes, in.normaliser(), out);
  }
  for (size_t g = 0; g < groups; ++g) {
    std::vector<std::pair<int64_t, int64_t>> kept;  // row, target
    std::vector<std::pair<double, int64_t>> others;
    for (int64_t r = 0; r < in.rows(); ++r) {
      if (in.label(r) < 0) continue;
      const auto& members = layout.classes[g];
      const auto at = std::find(members.begin(), members.end(), in.label(r));
      if (at != members.end())
        kept.emplace_back(r, at - members.begin() + 1);
      else
        others.emplace_back(-in.draws[size_t(r) * groups + g], r);
    }
    if (kept.empty()) continue;
    std::sort(others.begin(), others.end());
    const auto most = size_t(double(kept.size()) * ratio);
    for (size_t i = 0; i < std::min(most, others.size()); ++i) kept.emplace_back(others[i].second, 0);
    for (const auto& [r, target] : kept) {
      total +=
          group_loss(in, r, layout.begin[g], int64_t(layout.classes[g].size()) + 1, target, Long(kept.size()), out);
    }
  }
  out.loss = double(total);
  return out;
}

BagsOptions bags(double ratio, std::vector<double> boundaries = {10, 100, 1000}) {
  BagsOptions options;
  options.ratio = ratio;
  options.boundaries = std::move(boundaries);
  return options;
}

}  // namespace

TEST_CASE("BAGS equals its definition, with few others, many, and other groups") {
  const std::vector<double> usual{10, 100, 1000};
  for (const double ratio : {8.0, 0.5, 1.0, 0.0, 1000.0}) {
    check_against([&](const Input& in) { return oracle(in, usual, ratio); }, bags(ratio));
  }
  check_against([&](const Input& in) { return oracle(in, {}, 2); }, bags(2, {}));
  check_against([&](const Input& in) { return oracle(in, {50}, 2); }, bags(2, {50}));
  check_gradient(bags(1), cases()[0]);
}

TEST_CASE("BAGS: width of LVIS, scores by hand, groups from a checkpoint") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const ClassStatistics four{{}, {5, 2000, 50, 9}, 0};  // groups 0, 2, 1, 0 of boundaries 10, 100
  const auto loss = bags(8, {10, 100}).make(Scope(store, "loss"), 4, four);
  REQUIRE(loss->width() == 4 + 2 + 3);
  REQUIRE(BagsOptions().make(Scope(store, "lvis"), 1230, {})->width() == 1236);
  // bg, fg | others, class 0, class 3 | others, class 2 | others, class 1
  const auto l = [](double x) { return float(std::log(x)); };
  const std::vector<float> z{0, l(3), l(5), l(2), l(1), l(1), l(4), l(9), l(1)};
  const Tensor row = Tensor::from(ctx, {1, 9}, z);
  const auto close = [&](const Tensor& scores) {
    const auto s = scores.to_vector<float>(ctx);
    REQUIRE(s[0] == Approx(0.75 * 2 / 8));
    REQUIRE(s[1] == Approx(0.75 * 1 / 10));
    REQUIRE(s[2] == Approx(0.75 * 4 / 5));
    REQUIRE(s[3] == Approx(0.75 * 1 / 8));
  };
  close(loss->scores(ctx, row));
  ParameterStore other(ctx, 1);
  const auto loaded = bags(8, {10, 100}).make(Scope(other, "loss"), 4, {});
  other.load_state_dict({{"loss.group", store.state_dict().at("loss.group")}}, "a checkpoint");
  close(loaded->scores(ctx, row));
  REQUIRE_THROWS_WITH(loaded->check_ready(ctx), Catch::Contains("not known"));
  REQUIRE_NOTHROW(loss->check_ready(ctx));
  store.find("loss.group")->variable.value().fill(ctx, 1);
  REQUIRE_THROWS_WITH(loss->check_ready(ctx),
                      Catch::Contains("class 0 in group 1") && Catch::Contains("another data set"));
}

TEST_CASE("BAGS: a group without classes and boundaries that fall are refused") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const auto gap = bags(8).make(Scope(store, "a"), 3, {{}, {5, 50, 5000}, 0});
  REQUIRE_THROWS_WITH(gap->check_ready(ctx), Catch::Contains("no class is in group 2 of 4"));
  REQUIRE_THROWS_WITH(bags(8, {10, 10}).make(Scope(store, "b"), 3, {}), Catch::Contains("must rise"));
}

TEST_CASE("BAGS: others are drawn evenly, without replacement") {
  // One row of the class, ten others, two of them kept: each with probability 1/5.
  Context ctx;
  ParameterStore store(ctx, 1);
  const auto loss = bags(2, {}).make(Scope(store, "loss"), 1, {{}, {5}, 0});
  std::vector<int32_t> labels(11, 1);
  labels[0] = 0;
  std::vector<double> kept(11, 0);
  const int trials = 4000;
  for (int t = 0; t < trials; ++t) {
    const Result got = run(ctx, *loss, Tensor::zeros(ctx, {11, 4}), Tensor::from(ctx, {11}, labels),
                           loss->draws(ctx, 11, {.seed = 1, .step = uint32_t(t)}));
    int this_time = 0;
    for (size_t r = 0; r < 11; ++r) {
      kept[r] += got.gradient[r * 4 + 2] != 0;
      this_time += got.gradient[r * 4 + 2] != 0;
    }
    REQUIRE(this_time == 3);
  }
  REQUIRE(kept[0] == trials);
  double chi_square = 0;
  for (size_t r = 1; r < 11; ++r) chi_square += std::pow(kept[r] - trials / 5.0, 2) / (trials / 5.0 * 0.8);
  REQUIRE(chi_square < 29.6);  // at most ten degrees of freedom: 0.1 %
}

TEST_CASE("BAGS: the bodies agree on one lane and on a crew") {
  const int64_t classes = 35, groups = 3;
  std::vector<double> group(35);
  for (size_t c = 0; c < 35; ++c) group[c] = double(c * 7 % 3);
  const std::vector<int32_t> labels{0, 3, 4, 35, -1, 6, 35, 7, 8};
  const std::vector<float> draws = wave<float>(27);
  const std::vector<double> z = wave<double>(9 * 40);
  struct Out {
    std::vector<int32_t> column = std::vector<int32_t>(35, -7), begin = std::vector<int32_t>(4, -7),
                         limit = std::vector<int32_t>(3, -7);
    std::vector<float> keys = std::vector<float>(27, NAN);
    std::vector<double> share = std::vector<double>(3, NAN), scores = std::vector<double>(9 * 35, NAN);
    std::vector<uint8_t> kept = std::vector<uint8_t>(27, 9);
  } out[2];
  const std::vector<int32_t> ranked{8, 7, 6, 5, 3, 2, 1, 0, 4, 0, 1, 2, 3, 5, 6, 7, 8, 4, 3, 6, 0, 1, 2, 5, 7, 8, 4};
  for (Out& o : out) {
    const auto run_on = [&](int64_t items, const auto& body) {
      &o == out ? run_solo(items, body) : crew::run(4, items, body);
    };
    const BagsGroups<double> of{group.data(), classes, groups};
    const BagsKeys<double> keys{of, labels.data(), draws.data(), o.keys.data(), o.limit.data(), o.share.data(), 9, 0.6};
    run_on(classes + groups + 1, BagsLayout<double>{of, o.column.data(), o.begin.data()});
    run_on(groups, keys);
    run_on(groups, BagsKept<double>{keys, ranked.data(), o.kept.data()});
    run_on(9, BagsScores<double>{of, z.data(), o.column.data(), o.begin.data(), o.scores.data(), 40});
  }
  REQUIRE(out[0].column == out[1].column);
  REQUIRE(out[0].begin == out[1].begin);
  REQUIRE(out[0].begin == std::vector<int32_t>{2, 15, 28, 40});
  REQUIRE(std::set<int32_t>(out[0].column.begin(), out[0].column.end()).size() == 35);
  REQUIRE(out[0].keys == out[1].keys);
  REQUIRE(out[0].limit == out[1].limit);
  REQUIRE(out[0].share == out[1].share);
  REQUIRE(out[0].kept == out[1].kept);
  for (size_t i = 0; i < out[0].scores.size(); ++i) REQUIRE(out[1].scores[i] == Approx(out[0].scores[i]));
  check_on_crew(40, classes, [&](const ClassRows<double>& r) {
    return BagsRow<double>{
        r, out[0].column.data(), out[0].begin.data(), out[0].kept.data(), out[0].share.data(), groups, 9};
  });
}
