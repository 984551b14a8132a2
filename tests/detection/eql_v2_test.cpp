// Equalization loss v2 against METHODS 1.7, over several steps of its state.
#include "detection/losses/eql_v2.h"

#include "detection/losses/eql_v2_body.h"
#include "tests/crew.h"
#include "tests/detection/loss_oracles.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

Long weight_of(Long ratio) { return 1 / (1 + std::exp(-12 * (ratio - 0.8L))); }

struct State {
  std::vector<Long> positive, negative, ratio;
  explicit State(int64_t classes) : positive(size_t(classes), 0), negative(positive), ratio(size_t(classes), 100) {}
};

// One step of the paper's equations; the state moves on.
Expected step(const Input& in, State& s) {
  const State before = s;
  const Expected out = binary_oracle(in, sigmoid_point, [&](int64_t r, int64_t j) -> Long {
    if (j == in.classes) return 1;
    const Long f = weight_of(before.ratio[size_t(j)]);
    return in.label(r) == j ? 1 + 4 * (1 - f) : f;
  });
  for (int64_t r = 0; r < in.rows(); ++r) {
    for (int64_t j = 0; j < in.classes && in.label(r) >= 0; ++j) {
      const Long size = std::abs(Long(out.gradient[size_t(r * in.width + j)])) * in.normaliser();
      (in.label(r) == j ? s.positive : s.negative)[size_t(j)] += size;
    }
  }
  for (size_t j = 0; j < s.ratio.size(); ++j) s.ratio[j] = s.positive[j] / (s.negative[j] + 1e-10L);
  return out;
}

void check_state(Context& ctx, const ParameterStore& store, const char* name, const std::vector<Long>& expected,
                 double tolerance) {
  const std::vector<double> got = to_doubles(ctx, store.find(name)->variable.value());
  for (size_t j = 0; j < expected.size(); ++j) {
    INFO(name << " of class " << j);
    REQUIRE(got[j] == Approx(double(expected[j])).epsilon(tolerance).margin(tolerance * 0.1));
  }
}

}  // namespace

TEST_CASE("EQL v2: METHODS's check values of the weights") {
  const auto weights = [](double ratio) {
    double negative = 0, positive = 0;
    run_solo(1, EqlV2Weights<double>{&ratio, &negative, &positive, 1, 12, 0.8, 4});
    return std::pair{negative, positive};
  };
  REQUIRE(weights(100).first == Approx(1).epsilon(1e-12));
  REQUIRE(weights(1).first == Approx(0.916827).margin(5e-7));
  REQUIRE(weights(1).second == Approx(1.33269).margin(5e-6));
  REQUIRE(weights(0.8).first == Approx(0.5));
  REQUIRE(weights(0.8).second == Approx(3));
  REQUIRE(weights(0).first == Approx(6.7724e-5).epsilon(1e-4));
  REQUIRE(weights(0).second == Approx(4.99973).margin(5e-6));
}

TEST_CASE("EQL v2 equals its definition, loss, gradient and state, over four steps") {
  for (const Case& c : cases()) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(c.what << ", " << ctx.device().name() << ", " << name_of(dtype));
      Made made(ctx, EqlV2Options(), c.classes, dtype);
      State state(c.classes);
      const double tolerance = dtype == DType::float64 ? 1e-11 : dtype == DType::float32 ? 3e-4 : 0.1;
      for (uint64_t t = 0; t < 4; ++t) {
        Input in{
            c.classes, c.classes + 1, rounded_to(ctx, dtype, logits_of(c, c.classes + 1, t)), labels_of(c, t), {}, 0,
            {}};
        const Result got = run(ctx, *made.loss, typed_tensor(ctx, dtype, {c.rows, in.width}, in.z),
                               Tensor::from(ctx, {c.rows}, in.labels));
        compare(got, step(in, state), in, tolerance, 5);
      }
      if (c.rows == 0 || dtype == DType::bfloat16) return;
      check_state(ctx, made.store, "loss.positive", state.positive, tolerance);
      check_state(ctx, made.store, "loss.negative", state.negative, tolerance);
      check_state(ctx, made.store, "loss.ratio", state.ratio, tolerance * 3);
    });
  }
}

TEST_CASE("EQL v2: gradients by differences, with the weights of a class that fell behind") {
  check_gradient(EqlV2Options(), cases()[0], {}, [](Context& ctx, ParameterStore& store) {
    store.find("loss.ratio")
        ->variable.value()
        .copy_from(ctx, Tensor::from(ctx, {12}, gradient_check::values(12, 4, 0, 1.5)));
  });
}

TEST_CASE("EQL v2: scores carry the background's absence") {
  for (Context* ctx : devices()) {
    Made made(*ctx, EqlV2Options(), 2);
    const auto l3 = float(std::log(3.0));
    const auto s =
        made.loss->scores(*ctx, Tensor::from(*ctx, {1, 3}, std::vector<float>{0, l3, l3})).to_vector<float>(*ctx);
    REQUIRE(s[0] == Approx(0.125));
    REQUIRE(s[1] == Approx(0.1875));
  }
}

TEST_CASE("EQL v2: the bodies agree on one lane and on a crew") {
  const std::vector<double> negative = gradient_check::values(36, 1, 0, 1),
                            positive = gradient_check::values(36, 2, 1, 5);
  check_on_crew(36, 35, [&](const ClassRows<double>& r) {
    return EqlV2Row<double>{r, negative.data(), positive.data()};
  });
  const int64_t rows = 130, classes = 300, chunks = 3, tiles = 2;
  const std::vector<double> gradient = wave<double>(size_t(rows * (classes + 1)));
  std::vector<int32_t> labels;
  for (int32_t r = 0; r < rows; ++r) labels.push_back(r % 7 == 6 ? -1 : r * 5 % 301);
  std::vector<double> z = wave<double>(size_t(rows * (classes + 1)), 1),
                      ratio = gradient_check::values(classes, 3, 0, 2);
  struct Out {
    std::vector<double> with = std::vector<double>(900, NAN), without = with, all_with = std::vector<double>(300, 2);
    std::vector<double> all_without = all_with, ratio = std::vector<double>(300, 100),
                        negative = std::vector<double>(301, NAN);
    std::vector<double> positive = negative, scores = std::vector<double>(130 * 300, NAN);
  } out[2];
  for (Out& o : out) {
    const auto run_on = [&](int64_t items, const auto& body) {
      &o == out ? run_solo(items, body) : crew::run(6, items, body);
    };
    run_on(chunks * tiles, GradientMagnitudes<double>{gradient.data(), labels.data(), o.with.data(), o.without.data(),
                                                      rows, classes, tiles});
    run_on(classes, AddMagnitudes<double>{o.with.data(), o.without.data(), o.all_with.data(), o.all_without.data(),
                                          o.ratio.data(), chunks, classes});
    run_on(classes + 1, EqlV2Weights<double>{ratio.data(), o.negative.data(), o.positive.data(), classes, 12, 0.8, 4});
    run_on(rows, EqlV2Scores<double>{z.data(), o.scores.data(), classes});
  }
  REQUIRE(out[0].all_with == out[1].all_with);
  REQUIRE(out[0].all_without == out[1].all_without);
  REQUIRE(out[0].ratio == out[1].ratio);
  REQUIRE(out[0].negative == out[1].negative);
  REQUIRE(out[0].positive == out[1].positive);
  REQUIRE(out[0].scores == out[1].scores);
}
