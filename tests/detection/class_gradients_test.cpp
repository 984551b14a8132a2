// Positive and negative gradients of each class: against a plain double loop on every device and type, by hand, on a
// crew, over many steps, and inside the tape, where watching must change nothing.
#include "detection/class_gradients.h"

#include <cmath>

#include "autograd/arithmetic.h"
#include "detection/class_gradients_body.h"
#include "detection/losses/loss_list.h"
#include "detection/losses/softmax_cross_entropy.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Sums {
  std::vector<double> positive, negative;
};

// Class by class from the definition.
Sums slow(const std::vector<double>& g, const std::vector<int32_t>& labels, int64_t width, int64_t classes,
          const std::vector<int32_t>& columns = {}) {
  Sums out;
  for (int32_t c = 0; c < classes; ++c) {
    long double up = 0, down = 0;
    for (size_t r = 0; r < labels.size(); ++r) {
      const int64_t column = columns.empty() ? c : columns[size_t(c)];
      const long double size = std::abs(g[size_t(int64_t(r) * width + column)]);
      if (labels[r] == c) up += size;
      if (labels[r] >= 0 && labels[r] != c) down += size;
    }
    out.positive.push_back(double(up));
    out.negative.push_back(double(down));
  }
  return out;
}

std::vector<int32_t> some_labels(int64_t rows, int64_t classes) {  // every fifth unused; background among them
  std::vector<int32_t> labels;
  for (double u : gc::values(rows, 3, 0, 1)) {
    labels.push_back(labels.size() % 5 == 4 ? -1 : int32_t(std::min(u, 0.9999) * double(classes + 1)));
  }
  return labels;
}

void require_close(const std::vector<float>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).epsilon(tolerance).margin(1e-30));
}

struct Case {
  int64_t rows, classes, extra;
};
const Case kCases[] = {{0, 3, 1}, {1, 1, 1}, {7, 1, 0}, {130, 5, 2}, {300, 81, 1}, {513, 1203, 1}};

}  // namespace

TEST_CASE("class gradients equal their definition") {
  for (const Case& c : kCases) {
    const int64_t width = c.classes + c.extra;
    const std::vector<double> values = gc::values(c.rows * width, 1, -1, 1);
    const std::vector<int32_t> labels = some_labels(c.rows, c.classes);
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(ctx.device().name() << ": " << c.rows << " rows, " << c.classes << " classes, " << name_of(dtype));
      const Sums expected = slow(rounded_to(ctx, dtype, values), labels, width, c.classes);
      ParameterStore store(ctx, 1, dtype == DType::float64 ? DType::float64 : DType::float32);
      const ClassGradients sums(Scope(store, "head"), c.classes);
      const Tensor g = typed_tensor(ctx, dtype, {c.rows, width}, values);
      sums.add(ctx, g, Tensor::from(ctx, {c.rows}, labels));
      require_close(sums.read(ctx).positive, expected.positive, 2e-6);
      require_close(sums.read(ctx).negative, expected.negative, 2e-6);
      REQUIRE(store.find("head.class_gradients")->buffer);
    });
  }
}

TEST_CASE("class gradients by hand, with the classes in other columns") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    ParameterStore store(*ctx, 1);
    const ClassGradients sums(Scope(store), 2);
    // Columns: background, class 1, class 0. Rows: class 0, class 1, background, unused.
    const Tensor g = Tensor::from(*ctx, {4, 3}, std::vector<float>{9, 1, -2, 9, -4, 8, 9, 16, 32, 9, 64, 128});
    const Tensor labels = Tensor::from(*ctx, {4}, std::vector<int32_t>{0, 1, 2, -1});
    sums.add(*ctx, g, labels, Tensor::from(*ctx, {2}, std::vector<int32_t>{2, 1}));
    REQUIRE(sums.read(*ctx).positive == std::vector<float>{2, 4});
    REQUIRE(sums.read(*ctx).negative == std::vector<float>{40, 17});
    sums.add(*ctx, g, labels, Tensor::from(*ctx, {2}, std::vector<int32_t>{2, 1}));
    REQUIRE(sums.read(*ctx).positive == std::vector<float>{4, 8});
  }
}

TEST_CASE("class gradients on a crew: the same bits as on one lane") {
  const int64_t rows = 300, width = 9, classes = 7, chunks = 3;
  const auto g = wave<float>(size_t(rows * width));
  const std::vector<int32_t> labels = some_labels(rows, classes);
  std::vector<float> partial(size_t(chunks * 2 * classes), NAN), partial_crew = partial;
  using Chunk = ClassGradientChunk<float>;
  run_solo(chunks, Chunk{g.data(), labels.data(), nullptr, partial.data(), rows, width, classes});
  crew::run(4, chunks, Chunk{g.data(), labels.data(), nullptr, partial_crew.data(), rows, width, classes});
  REQUIRE(partial == partial_crew);
  std::vector<float> state(size_t(4 * classes), 0.0f), state_crew = state;
  using Accumulate = AccumulateClassGradients<float>;
  for (int step = 0; step < 3; ++step) {
    run_solo(1, Accumulate{partial.data(), state.data(), chunks, 2 * classes});
    crew::run(5, 1, Accumulate{partial.data(), state_crew.data(), chunks, 2 * classes});
  }
  REQUIRE(state == state_crew);
  const Sums expected = slow({g.begin(), g.end()}, labels, width, classes);
  for (size_t c = 0; c < 7; ++c) {
    REQUIRE(state[c] == Approx(3 * expected.positive[c]).epsilon(1e-5));
    REQUIRE(state[7 + c] == Approx(3 * expected.negative[c]).epsilon(1e-5));
  }
}

TEST_CASE("the last of many small steps counts like the first") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const ClassGradients sums(Scope(store), 1);
  const Tensor label = Tensor::from(ctx, {1}, std::vector<int32_t>{0});
  sums.add(ctx, Tensor::from(ctx, {1, 1}, std::vector<float>{16777216}), label);  // 2^24: the next float is 2 away
  const Tensor small = Tensor::from(ctx, {1, 1}, std::vector<float>{-0.25f});
  for (int i = 0; i < 4000; ++i) sums.add(ctx, small, label);
  REQUIRE(sums.read(ctx).positive[0] == 16777216 + 1000);
  REQUIRE(sums.read(ctx).negative[0] == 0);
}

TEST_CASE("watching logits changes neither value nor gradient, and sees the gradient of the whole loss") {
  for (Context* each : devices()) {
    Context& ctx = *each;
    INFO(ctx.device().name());
    const std::vector<double> z = gc::values(20 * 5, 1, -3, 3);
    const Tensor labels = Tensor::from(ctx, {20}, some_labels(20, 4));
    const auto train = [&](const ClassGradients* watcher) {
      const Variable logits(typed_tensor(ctx, DType::float32, {20, 5}, z), true);
      const Variable seen = watcher ? watcher->watch(ctx, logits, labels) : logits;
      const Variable loss = scale(ctx, softmax_cross_entropy(ctx, seen, labels).loss, 3.0);
      backward(ctx, loss);
      return std::pair{to_doubles(ctx, loss.value()), to_doubles(ctx, logits.grad())};
    };
    ParameterStore store(ctx, 1);
    const ClassGradients sums(Scope(store), 4);
    const auto plain = train(nullptr), watched = train(&sums);
    REQUIRE(plain == watched);
    const Sums expected = slow(plain.second, labels.to_vector<int32_t>(ctx), 5, 4);
    require_close(sums.read(ctx).positive, expected.positive, 2e-6);
    require_close(sums.read(ctx).negative, expected.negative, 2e-6);
  }
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("without a tape nothing is watched; what does not fit is refused") {
  Context ctx;
  ParameterStore store(ctx, 1);
  const ClassGradients sums(Scope(store), 3);
  const Variable logits(Tensor::full(ctx, {2, 4}, 1), true);
  const Tensor labels = Tensor::from(ctx, {2}, std::vector<int32_t>{0, 3});
  {
    const NoGrad no_grad(ctx);
    sums.watch(ctx, logits, labels);
  }
  REQUIRE(sums.read(ctx).negative == std::vector<float>(3, 0));
  REQUIRE_THROWS_AS(sums.add(ctx, Tensor::full(ctx, {2, 2}, 1), labels), Error);
  REQUIRE_THROWS_AS(sums.add(ctx, Tensor::full(ctx, {3, 4}, 1), labels), Error);
  REQUIRE_THROWS_AS(sums.add(ctx, Tensor::full(ctx, {2, 4}, 1, DType::float64), labels), Error);
  REQUIRE_THROWS_AS(sums.add(ctx, Tensor::full(ctx, {2, 4}, 1), labels, Tensor::zeros(ctx, {2}, DType::int32)), Error);
  REQUIRE_THROWS_AS(ClassGradients(Scope(store), 0), Error);
}

TEST_CASE("every loss tells where each class's logit is: raising it raises that class's score most") {
  for (Context* each : devices()) {
    Context& ctx = *each;
    for (const auto& options : loss_list()) {
      ParameterStore store(ctx, 1);
      const ClassStatistics statistics{{4, 400, 40, 4000, 9}, {5, 500, 50, 5000, 15}, 4100};
      const auto loss = options->make(Scope(store, "loss"), 5, statistics);
      const Tensor columns = loss->class_columns(ctx);
      const auto width = size_t(loss->width());
      const auto scores = [&](int raised) {
        std::vector<float> z(width, 0);
        if (raised >= 0) z[size_t(columns.defined() ? columns.to_vector<int32_t>(ctx)[size_t(raised)] : raised)] = 1;
        return loss->scores(ctx, Tensor::from(ctx, {1, int64_t(width)}, z)).to_vector<float>(ctx);
      };
      const std::vector<float> before = scores(-1);
      for (int c = 0; c < 5; ++c) {
        const std::vector<float> after = scores(c);
        for (size_t other = 0; other < 5; ++other) {
          INFO(ctx.device().name() << ": " << options->name() << ", class " << c << ", score " << other);
          if (int(other) == c) REQUIRE(after[other] > before[other]);
          if (int(other) != c) REQUIRE(after[other] <= before[other]);
        }
      }
    }
  }
}
