// What every classification loss promises, whatever it computes: iterates over the list of losses and, for each, over
// every word and switch of its options and the limits of its numbers.
#include "detection/losses/class_loss.h"

#include <fstream>
#include <set>

#include "tests/detection/loss_variants.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

Tensor some_logits(Context& ctx, DType dtype, const Case& c, int64_t width) {
  return typed_tensor(ctx, dtype, {c.rows, width}, logits_of(c, width));
}

Result step_of(Context& ctx, ClassLoss& loss, const Case& c, DType dtype, uint32_t step = 0) {
  return run(ctx, loss, some_logits(ctx, dtype, c, loss.width()), Tensor::from(ctx, {c.rows}, labels_of(c, step + 3)),
             loss.draws(ctx, c.rows, {.seed = 5, .step = step}));
}

bool all_finite(const std::vector<double>& values) {
  for (const double x : values) {
    if (!std::isfinite(x)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("losses: names and options are told apart, limited and explained") {
  std::set<std::string> names;
  for (const auto& options : loss_list()) {
    INFO(options->name());
    REQUIRE(names.insert(options->name()).second);
    std::set<std::string> knobs;
    const Prototype mine = options->clone();
    for (const LossKnob& knob : mine->knobs()) {
      INFO(knob.name);
      REQUIRE(knobs.insert(knob.name).second);
      REQUIRE(!knob.comment.empty());
      REQUIRE(std::holds_alternative<std::string*>(knob.field) == !knob.words.empty());
      if (std::holds_alternative<double*>(knob.field)) {
        *std::get<double*>(knob.field) = knob.high + 1;
        REQUIRE_THROWS_WITH(mine->check(), Catch::Contains(knob.name) && Catch::Contains(options->name()));
        *std::get<double*>(knob.field) = knob.low;
      }
    }
    REQUIRE_NOTHROW(options->check());
  }
  LossSettings settings;
  settings.type = "sofmax";
  REQUIRE_THROWS_WITH(settings.chosen(), Catch::Contains("sofmax") && Catch::Contains("expected one of softmax"));
  settings.type = "softmax";
  settings.options("softmax").init = "constant";
  const LossSettings copy = settings;
  settings.options("softmax").init = "normal";
  REQUIRE(copy.chosen().init == "constant");
  settings = copy;
  REQUIRE(settings.chosen().init == "constant");
}

TEST_CASE("losses: the table of detection/losses/README.md is the list") {
  std::ifstream file(TAILSEG_SOURCE_DIR "/detection/losses/README.md");
  std::vector<std::string> documented, listed;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `")) documented.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  for (const auto& options : loss_list()) listed.push_back(options->name());
  REQUIRE(documented == listed);
}

TEST_CASE("losses: value, gradient, state and scores are finite for every input, on every device, in every dtype") {
  for_each_variant([](const LossOptions& options) {
    for (const Case& c : cases()) {
      for_each_device_and_type([&](Context& ctx, DType dtype) {
        INFO(c.what << ", " << ctx.device().name() << ", " << name_of(dtype));
        Made made(ctx, options, c.classes, dtype);
        for (uint32_t step = 0; step < 2; ++step) {
          const Result got = step_of(ctx, *made.loss, c, dtype, step);
          REQUIRE(std::isfinite(got.loss));
          REQUIRE(got.loss >= 0);
          REQUIRE(all_finite(got.gradient));
          if (c.kind == Labels::unused) REQUIRE(got.loss == 0);
          REQUIRE(got.counts[1] <= got.counts[0]);
        }
        for (const ParameterEntry& entry : made.store.entries()) {
          REQUIRE(all_finite(to_doubles(ctx, entry.variable.value())));
        }
        const Tensor scores = made.loss->scores(ctx, some_logits(ctx, dtype, c, made.loss->width()));
        REQUIRE(scores.shape() == Shape{c.rows, c.classes});
        REQUIRE(scores.dtype() == (dtype == DType::float64 ? DType::float64 : DType::float32));
        const std::vector<double> all = to_doubles(ctx, scores);
        REQUIRE(std::all_of(all.begin(), all.end(), [](double s) { return s >= 0 && s <= 1; }));
      });
    }
  });
}

TEST_CASE("losses: rows that are not in use weigh nothing, whatever they hold") {
  const Case c{"mixed", 9, 10, 3, Labels::foreground};
  for_each_variant([&](const LossOptions& options) {
    Context ctx;
    Made few(ctx, options, c.classes), more(ctx, options, c.classes);
    const int64_t width = few.loss->width();
    const Tensor z = some_logits(ctx, DType::float32, c, width);
    const std::vector<int32_t> labels = labels_of(c);
    const Result expected =
        run(ctx, *few.loss, z, Tensor::from(ctx, {c.rows}, labels), few.loss->draws(ctx, c.rows, {}));
    std::vector<float> long_z = z.to_vector<float>(ctx);
    std::vector<int32_t> long_labels = labels;
    long_z.insert(long_z.end(), size_t(3 * width), NAN);
    long_labels.insert(long_labels.end(), 3, -1);
    const Result got = run(ctx, *more.loss, Tensor::from(ctx, {c.rows + 3, width}, long_z),
                           Tensor::from(ctx, {c.rows + 3}, long_labels), more.loss->draws(ctx, c.rows + 3, {}));
    REQUIRE(got.loss == Approx(expected.loss).epsilon(1e-6));
    REQUIRE(got.counts == expected.counts);
    for (size_t i = 0; i < got.gradient.size(); ++i) {
      REQUIRE(got.gradient[i] == (i < expected.gradient.size() ? Approx(expected.gradient[i]).epsilon(1e-5).margin(1e-9)
                                                               : Approx(0).margin(0)));
    }
  });
}

TEST_CASE("losses: the same bits at any number of threads") {
  const Case c{"large", 300, 200, 6};
  for (const auto& options : loss_list()) {
    INFO(options->name());
    std::vector<std::vector<double>> first;
    for (const int threads : {1, 3}) {
      Context ctx({}, {.threads = threads});
      Made made(ctx, *options, c.classes);
      std::vector<std::vector<double>> all;
      for (uint32_t step = 0; step < 2; ++step) {
        const Result got = step_of(ctx, *made.loss, c, DType::float32, step);
        all.insert(all.end(), {{got.loss}, got.gradient});
      }
      for (const ParameterEntry& entry : made.store.entries()) all.push_back(to_doubles(ctx, entry.variable.value()));
      if (first.empty()) first = all;
      REQUIRE(first == all);
    }
  }
}

TEST_CASE("losses: a state that was saved and loaded goes on to the same bits") {
  const Case c{"mixed", 20, 60, 5};
  for_each_variant([&](const LossOptions& options) {
    Context ctx;
    Made whole(ctx, options, c.classes), resumed(ctx, options, c.classes);
    for (uint32_t step = 0; step < 3; ++step) step_of(ctx, *whole.loss, c, DType::float32, step);
    const auto report = resumed.store.load_state_dict(whole.store.state_dict(), "the run before");
    REQUIRE((report.missing.empty() && report.unexpected.empty()));
    for (uint32_t step = 3; step < 5; ++step) {
      const Result a = step_of(ctx, *whole.loss, c, DType::float32, step);
      const Result b = step_of(ctx, *resumed.loss, c, DType::float32, step);
      REQUIRE(a.loss == b.loss);
      REQUIRE(a.gradient == b.gradient);
    }
    for (const ParameterEntry& entry : whole.store.entries()) {
      REQUIRE(to_doubles(ctx, entry.variable.value()) ==
              to_doubles(ctx, resumed.store.find(entry.name)->variable.value()));
    }
  });
}

TEST_CASE("losses: a given normaliser takes the place of the loss's own") {
  const Case c{"mixed", 9, 20, 1};
  for_each_variant([&](const LossOptions& options) {
    Context ctx;
    double loss[2], largest[2] = {};
    for (const int by : {400, 800}) {  // below any ceiling
      Made made(ctx, options, c.classes, DType::float64);
      const Variable z(some_logits(ctx, DType::float64, c, made.loss->width()), true);
      const LossInput input{z, Tensor::from(ctx, {c.rows}, labels_of(c)), made.loss->draws(ctx, c.rows, {}),
                            Tensor::full(ctx, {1}, by, DType::float64)};
      const RowLoss out = made.loss->loss(ctx, input);
      backward(ctx, out.loss);
      loss[by / 800] = to_doubles(ctx, out.loss.value())[0];
      for (const double g : to_doubles(ctx, z.grad())) largest[by / 800] = std::max(largest[by / 800], std::abs(g));
    }
    REQUIRE(loss[0] == Approx(2 * loss[1]).epsilon(1e-12));
    REQUIRE(largest[0] == Approx(2 * largest[1]).epsilon(1e-12));
  });
}

TEST_CASE("losses: input that does not fit is refused") {
  for (const auto& options : loss_list()) {
    INFO(options->name());
    Context ctx;
    Made made(ctx, *options, 6);
    const int64_t width = made.loss->width();
    const auto attempt = [&](int64_t rows, int64_t columns, const Tensor& labels) {
      made.loss->loss(ctx,
                      {Variable(Tensor::zeros(ctx, {rows, columns})), labels, made.loss->draws(ctx, rows, {}), {}});
    };
    REQUIRE_THROWS_WITH(attempt(3, width + 1, Tensor::zeros(ctx, {3}, DType::int32)), Catch::Contains("for 6 classes"));
    REQUIRE_THROWS_AS(attempt(3, width, Tensor::zeros(ctx, {2}, DType::int32)), Error);
    REQUIRE_THROWS_AS(attempt(3, width, Tensor::zeros(ctx, {3})), Error);
    REQUIRE_THROWS_AS(made.loss->scores(ctx, Tensor::zeros(ctx, {3, width + 1})), Error);
    const auto fits = [&] {
      return LossInput{Variable(Tensor::zeros(ctx, {3, width})),
                       Tensor::zeros(ctx, {3}, DType::int32),
                       made.loss->draws(ctx, 3, {}),
                       {}};
    };
    REQUIRE_NOTHROW(made.loss->loss(ctx, fits()));
    const auto refused = [&](auto change) {
      LossInput input = fits();
      change(input);
      REQUIRE_THROWS_AS(made.loss->loss(ctx, input), Error);
    };
    refused([](LossInput& in) { in.logits = Variable(); });
    refused([](LossInput& in) { in.labels = Tensor(); });
    refused([&](LossInput& in) { in.normaliser = Tensor::zeros(ctx, {2}); });
    refused([&](LossInput& in) { in.normaliser = Tensor::zeros(ctx, {1}, DType::int32); });
    refused([&](LossInput& in) { in.objects = Tensor::zeros(ctx, {2}, DType::int32); });
    refused([&](LossInput& in) { in.objects = Tensor::zeros(ctx, {3}); });
    if (fits().draws.defined()) {
      refused([](LossInput& in) { in.draws = Tensor(); });
      refused([&](LossInput& in) { in.draws = Tensor::zeros(ctx, {1}); });
      refused([&](LossInput& in) { in.draws = Tensor::zeros(ctx, in.draws.shape(), DType::int32); });
    }
    ParameterStore store(ctx, 1);
    REQUIRE_THROWS_WITH(options->make(Scope(store, "other"), 6, statistics_of(7)),
                        Catch::Contains("7 classes") && Catch::Contains("6"));
    REQUIRE_THROWS_AS(options->make(Scope(store, "none"), 0, {}), Error);
  }
}

TEST_CASE("losses: a label beyond the background does not pass unseen") {
  for (const auto& options : loss_list()) {
    INFO(options->name());
    Context ctx;
    Made made(ctx, *options, 4);
    const Tensor z = Tensor::zeros(ctx, {2, made.loss->width()});
    REQUIRE(std::isnan(
        run(ctx, *made.loss, z, Tensor::full(ctx, {2}, 5, DType::int32), made.loss->draws(ctx, 2, {})).loss));
  }
}
