// Federated loss against METHODS 1.11: which classes take part, and the loss over them.
#include "detection/losses/federated.h"

#include <algorithm>
#include <set>

#include "detection/losses/federated_body.h"
#include "detection/losses/sigmoid_cross_entropy.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

FederatedOptions federated(int64_t classes, double power = 0.5, const char* activation = "sigmoid") {
  FederatedOptions options;
  options.sampled_classes = classes;
  options.power = power;
  options.activation.kind = activation;
  return options;
}

// U, then the classes with the largest u^(1/weight), one after the other.
std::set<int64_t> chosen_classes(const Input& in, int64_t most, double power) {
  std::set<int64_t> chosen;
  for (const int32_t y : in.labels) {
    if (y >= 0) chosen.insert(y);
  }
  while (int64_t(chosen.size()) < most) {
    int64_t best = -1;
    Long best_key = -1e30L;
    for (int64_t j = 0; j < in.classes; ++j) {
      const Long w = std::pow(Long(in.statistics.images[size_t(j)]), Long(power));
      const Long key = std::log(std::max(Long(in.draws[size_t(j)]), Long(1e-9L))) / w;
      if (!chosen.count(j) && key > best_key) {
        best = j;
        best_key = key;
      }
    }
    if (best < 0) break;
    chosen.insert(best);
  }
  return chosen;
}

Oracle oracle(int64_t most, double power, const Activation& activation) {
  return [=](const Input& in) {
    const std::set<int64_t> chosen = chosen_classes(in, most, power);
    return binary_oracle(in, activation,
                         [&](int64_t, int64_t j) -> Long { return j < in.classes && chosen.count(j) ? 1 : 0; });
  };
}

}  // namespace

TEST_CASE("federated loss equals its definition") {
  for (const int64_t most : {1, 4, 50, 2000}) {
    check_against(oracle(most, 0.5, sigmoid_point), federated(most));
  }
  check_against(oracle(6, 1, sigmoid_point), federated(6, 1));
  const auto published = [](Long z, bool y) { return gumbel_point(z, y, -4, 10, true); };
  check_against(oracle(50, 0.5, published), federated(50, 0.5, "gumbel"));
  check_gradient(federated(6), cases()[0]);
}

TEST_CASE("federated: the number of classes, those without images, and the unused column") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const ClassStatistics some{{9, 0, 4, 16, 1, 0, 25, 36}, {}, 100};
  const auto count = [&](int64_t most, const std::vector<int32_t>& labels) {
    const auto loss = federated(most).make(Scope(store, text("loss", store.entries().size())), 8, some);
    const Tensor z = Tensor::zeros(ctx, {int64_t(labels.size()), 9});
    const Result got =
        run(ctx, *loss, z, Tensor::from(ctx, {int64_t(labels.size())}, labels), loss->draws(ctx, 1, {.seed = 2}));
    std::set<int64_t> columns;
    for (size_t i = 0; i < got.gradient.size(); ++i) {
      if (got.gradient[i] != 0) columns.insert(int64_t(i % 9));
    }
    return columns;
  };
  REQUIRE(count(5, {2, 3, 3}).size() == 5);
  REQUIRE(count(5, {2, 8, 3}).size() == 4);  // the background takes a place but has no column
  REQUIRE(count(2, {0, 1, 2, 3}) == std::set<int64_t>{0, 1, 2, 3});
  const std::set<int64_t> all = count(8, {8});
  REQUIRE((all.size() == 6 && !all.count(1) && !all.count(5) && !all.count(8)));
  REQUIRE_THROWS_WITH(federated(5).make(Scope(store, "none"), 8, {})->check_ready(ctx), Catch::Contains("not known"));
}

TEST_CASE("federated: classes are drawn without replacement in proportion to the root of their images") {
  // Weights 1, 2, 3 and two of three drawn: P(out = last of the order) by enumeration of the six orders.
  Context ctx;
  ParameterStore store(ctx, 1);
  const auto loss = federated(3).make(Scope(store, "loss"), 3, {{1, 4, 9}, {}, 10});  // background and two more
  const double w[3] = {1, 2, 3};
  double left_out[3] = {};
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      if (a != b) left_out[3 - a - b] += w[a] / 6 * w[b] / (6 - w[a]);
    }
  }
  double seen[3] = {};
  const int trials = 6000;
  for (int t = 0; t < trials; ++t) {
    const Result got = run(ctx, *loss, Tensor::zeros(ctx, {1, 4}), Tensor::full(ctx, {1}, 3, DType::int32),
                           loss->draws(ctx, 1, {.seed = 3, .step = uint32_t(t)}));
    for (int j = 0; j < 3; ++j) seen[j] += got.gradient[size_t(j)] == 0;
  }
  double chi_square = 0;
  for (int j = 0; j < 3; ++j) {
    const double expected = left_out[j] * trials;
    chi_square += (seen[j] - expected) * (seen[j] - expected) / expected;
  }
  REQUIRE(chi_square < 13.8);  // two degrees of freedom: 0.1 %
}

TEST_CASE("federated: the bodies agree on one lane and on a crew") {
  std::vector<double> chosen(36);
  for (size_t j = 0; j < 36; ++j) chosen[j] = j % 3 == 0;
  check_on_crew(36, 35, [&](const ClassRows<double>& r) {
    return FederatedRow<double, SigmoidLink>{r, chosen.data(), {}};
  });
  const std::vector<int32_t> labels{4, 35, -1, 4, 20}, ranked{9, 3, 30, -1, -1, -1};
  const std::vector<float> draws = wave<float>(35);
  const std::vector<double> weight = gradient_check::values(35, 1, -0.2, 3),
                            ranked_keys{-1, -2, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
  struct Out {
    std::vector<double> chosen = std::vector<double>(36, NAN), keys = std::vector<double>(35, NAN);
  } out[2];
  for (Out& o : out) {
    const auto run_on = [&](int64_t items, const auto& body) {
      &o == out ? run_solo(items, body) : crew::run(6, items, body);
    };
    run_on(36,
           FederatedKeys<double>{labels.data(), draws.data(), weight.data(), o.chosen.data(), o.keys.data(), 5, 35});
    run_on(1, FederatedChoice<double>{ranked.data(), ranked_keys.data(), o.chosen.data(), 6, 35});
    REQUIRE(std::count(o.chosen.begin(), o.chosen.end(), 1.0) == 5);  // 4, 20, background; 9, 3
  }
  REQUIRE(out[0].chosen == out[1].chosen);
  REQUIRE(out[0].keys == out[1].keys);
}
