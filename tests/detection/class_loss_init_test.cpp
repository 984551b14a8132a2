// How the last layer begins with every classification loss: as its options say, and with a gradient.
#include <map>

#include "detection/box_head.h"
#include "tests/detection/loss_variants.h"

using namespace tailseg;
using namespace tailseg::loss_check;

TEST_CASE("losses: init = auto is what the other options go with, as published") {
  const auto begins = [](const std::string& loss, const std::map<std::string, std::string>& words) {
    const LossSettings settings;
    LossOptions& options = settings.options(loss);
    REQUIRE(options.init == "auto");
    for (const LossKnob& knob : options.knobs()) {
      if (words.contains(knob.name)) *std::get<std::string*>(knob.field) = words.at(knob.name);
    }
    const LastLayer layer = options.last_layer();
    return text(layer.kind, " ", layer.scale, " ", layer.bias);
  };
  // METHODS 1.1, 1.6, 1.9, 1.11, 1.12, 1.13; focal: Lin et al. 2017, section 4.1.
  REQUIRE(begins("eql", {}) == "normal 0.01 -6.9068");
  REQUIRE(begins("eql", {{"activation", "gumbel"}}) == "normal 0.01 -2");
  REQUIRE(begins("eql", {{"form", "softmax"}, {"activation", "gumbel"}}) == "normal 0.01 0");
  REQUIRE(begins("drop", {}) == "normal 0.01 -6.9068");
  REQUIRE(begins("drop", {{"activation", "gumbel"}}) == "normal 0.01 -2");
  REQUIRE(begins("gol", {}) == "constant 0.001 -2");
  REQUIRE(begins("gol", {{"activation", "sigmoid"}}) == "normal 0.01 -6.9068");
  REQUIRE(begins("gumbel", {}) == "constant 0.001 -2");
  REQUIRE(begins("gumbel", {{"frequent", "normal"}}) == "constant 0.001 -2");
  REQUIRE(begins("federated", {}) == "normal 0.01 0");
  REQUIRE(begins("federated", {{"activation", "gumbel"}}) == "normal 0.01 -2");
  REQUIRE(begins("focal", {}) == "head 0.01 0");
  REQUIRE(begins("focal", {{"form", "sigmoid"}}) == "normal 0.01 -4.59512");
  const LossSettings settings;
  LossOptions& gol = settings.options("gol");
  gol.init_bias = -3;
  REQUIRE_THROWS_WITH(gol.check(), Catch::Contains("init_bias -3") && Catch::Contains("\"auto\" brings its own"));
  gol.init = "constant";
  REQUIRE_NOTHROW(gol.check());
}

TEST_CASE("losses: a first bias that Gumbel's clamps leave without a gradient is refused; it can still score") {
  Context ctx;
  for (const char* name : {"eql", "drop", "federated", "gumbel", "gol"}) {
    const LossSettings settings;
    LossOptions& options = settings.options(name);
    for (const LossKnob& knob : options.knobs()) {
      if (knob.name == "activation") *std::get<std::string*>(knob.field) = "gumbel";
    }
    options.init = "normal";
    for (const double bias : {-6.9068, -4.001, 10.001}) {
      INFO(name << ", bias " << bias);
      options.init_bias = bias;
      Made made(ctx, options, 6);
      REQUIRE_THROWS_WITH(made.loss->check_ready(ctx),
                          Catch::Contains(text("the bias ", bias)) && Catch::Contains("from -4 to 10"));
      REQUIRE_THROWS_AS(run(ctx, *made.loss, Tensor::zeros(ctx, {2, made.loss->width()}),
                            Tensor::zeros(ctx, {2}, DType::int32), made.loss->draws(ctx, 2, {})),
                        Error);
      REQUIRE_NOTHROW(made.loss->scores(ctx, Tensor::zeros(ctx, {2, made.loss->width()})));
    }
    for (const double bias : {-4.0, 0.0, 10.0}) {
      options.init_bias = bias;
      REQUIRE_NOTHROW(Made(ctx, options, 6).loss->check_ready(ctx));
    }
  }
}

TEST_CASE("losses: whatever their words say, every class begins with a gradient, behind both classifiers") {
  const int64_t classes = 200, width = 64, rows = 205;
  for (const auto& listed : loss_list()) {
    for (const auto& [what, variant] : variants(*listed, false)) {
      if (what == "gumbel init=head") continue;  // a bias of 0: its loss begins above the ceiling (gumbel.h)
      for (const bool normalized : {false, true}) {
        INFO(what << (normalized ? ", normalised" : ", linear"));
        Context ctx;
        ParameterStore store(ctx, 4);
        BoxHeadOptions head{.classes = classes, .pooled = 1, .width = width, .statistics = statistics_of(classes)};
        if (normalized) head.normalized = NormalizedOptions{.temperature = 5};  // of width 64 as 20 of 1024
        head.loss.type = variant->name();
        take_over(*variant, head.loss.options(variant->name()));
        const BoxHead box(Scope(store, "roi_heads"), 3, head);
        std::vector<int32_t> labels;
        for (int32_t r = 0; r < int32_t(rows); ++r) labels.push_back(std::min(r, int32_t(classes)));
        const Variable x(
            typed_tensor(ctx, DType::float32, {rows, width}, gradient_check::values(rows * width, 6, 0, 1)));
        const Variable logits(box.class_logits(ctx, x).value(), true);
        ClassLoss& loss = box.loss();
        const Result got = run(ctx, loss, logits.value(), Tensor::from(ctx, {rows}, labels), loss.draws(ctx, rows, {}));
        const Tensor columns = loss.class_columns(ctx);
        const std::vector<int32_t> column =
            columns.defined() ? columns.to_vector<int32_t>(ctx) : std::vector<int32_t>();
        int64_t learning = 0;
        for (int64_t c = 0; c < classes; ++c) {
          const int64_t j = column.empty() ? c : column[size_t(c)];
          learning += got.gradient[size_t(c * loss.width() + j)] < 0;
        }
        REQUIRE(learning == classes);
      }
    }
  }
}

TEST_CASE("losses: the box head's last layer has the loss's width and begins as the loss says") {
  for_each_variant([](const LossOptions& options) {
    Context ctx;
    ParameterStore store(ctx, 1);
    BoxHeadOptions head{.classes = 5, .pooled = 2, .width = 6, .statistics = statistics_of(5)};
    head.loss.type = options.name();
    take_over(options, head.loss.options(options.name()));
    const BoxHead box(Scope(store, "roi_heads"), 3, head);
    const Tensor weight = store.find("roi_heads.box_predictor.cls_score.weight")->variable.value();
    const Tensor bias = store.find("roi_heads.box_predictor.cls_score.bias")->variable.value();
    REQUIRE(weight.size(0) == box.loss().width());
    for (const double b : to_doubles(ctx, bias)) {
      REQUIRE(b == Approx(options.last_layer().kind == "head" ? 0 : options.last_layer().bias));
    }
    if (options.last_layer().kind == "constant") {
      for (const double w : to_doubles(ctx, weight)) REQUIRE(w == Approx(options.last_layer().scale));
    }
    for (const ParameterEntry& entry : store.entries()) {
      if (entry.name.find(".loss.") != std::string::npos) REQUIRE(entry.buffer);
    }
  });
}
