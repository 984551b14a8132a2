// Calibrated heads beside a box head: names and shapes, how they begin, gradients by differences, and what does not go
// together.
#include "detection/calibration/calibrated_head.h"

#include "detection/losses/loss_list.h"
#include "tests/detection/loss_check.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

using Kind = CalibratedKind;
constexpr int64_t kClasses = 5, kWidth = 6, kChannels = 3, kRows = 4;
constexpr Kind kKinds[] = {Kind::fc2_rand,   Kind::fc3_rand,      Kind::fc3_ft,      Kind::fc2_ncm,
                           Kind::classifier, Kind::classifier_ft, Kind::class_scale, Kind::tau};

BoxHeadOptions detector_options(const std::string& loss = "softmax") {
  BoxHeadOptions options;
  options.classes = kClasses;
  options.pooled = 2;
  options.width = kWidth;
  options.loss.type = loss;
  for (int64_t c = 0; c < kClasses; ++c) {
    options.statistics.images.push_back(2 + c * c * 40);
    options.statistics.instances.push_back(3 + c * c * 90);
  }
  options.statistics.annotated_images = 5000;
  return options;
}

// A detector whose layers hold something, and a head beside it.
struct Pair {
  ParameterStore store;
  BoxHead box;
  CalibratedHead head;
  Pair(Context& ctx, const CalibrationOptions& options, const std::string& loss = "softmax",
       DType dtype = DType::float64)
      : store(ctx, 3, dtype),
        box(Scope(store, "roi_heads"), kChannels, detector_options(loss)),
        head(Scope(store, "roi_heads"), kChannels, box, options) {
    uint64_t seed = 40;
    for (const ParameterEntry& entry : store.entries()) {
      if (is_calibrated(entry.name) || entry.buffer) continue;
      const bool bias = entry.name.ends_with("bias");
      entry.variable.value().copy_from(
          ctx, typed_tensor(ctx, dtype, entry.variable.shape(),
                            gc::values(entry.variable.value().elements(), ++seed, bias ? 0.1 : -0.5, 0.5)));
    }
    head.begin(ctx, box);
  }
  RoiFeatures rois(Context& ctx) const {
    const NoGrad no_grad(ctx);
    RoiFeatures out{Variable(typed_tensor(ctx, store.dtype(), {kRows, 2, 2, kChannels},
                                          gc::values(kRows * 4 * kChannels, 9, 0, 1))),
                    {}};
    out.features = box.features(ctx, out.pooled);
    return out;
  }
  std::vector<double> logits(Context& ctx) const { return to_doubles(ctx, head.logits(ctx, box, rois(ctx)).value()); }
  std::vector<double> own_logits(Context& ctx) const {
    return to_doubles(ctx, box.class_logits(ctx, rois(ctx).features).value());
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const ParameterEntry& entry : store.entries()) {
      if (is_calibrated(entry.name)) out.push_back(entry.name.substr(std::string("roi_heads.box_predictor.").size()));
    }
    return out;
  }
};

CalibrationOptions with(Kind kind, const std::string& loss = "softmax") {
  CalibrationOptions options;
  options.head = kind;
  options.loss.type = loss;
  return options;
}

}  // namespace

TEST_CASE("every head's tensors, under names that the checkpoint keeps") {
  Context& ctx = cpu_context();
  using Names = std::vector<std::string>;
  const Names fc6{"calibrated.fc6.weight", "calibrated.fc6.bias"}, fc7{"calibrated.fc7.weight", "calibrated.fc7.bias"};
  const Names last{"calibrated.cls_score.weight", "calibrated.cls_score.bias"};
  const auto joined = [](Names a, const Names& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  CHECK(Pair(ctx, with(Kind::fc2_rand)).names() == joined(fc6, last));
  CHECK(Pair(ctx, with(Kind::fc3_rand)).names() == joined(joined(fc6, fc7), last));
  CHECK(Pair(ctx, with(Kind::fc3_ft)).names() == joined(joined(fc6, fc7), last));
  CHECK(Pair(ctx, with(Kind::classifier)).names() == last);
  CHECK(Pair(ctx, with(Kind::tau)).names() == last);
  CHECK(Pair(ctx, with(Kind::class_scale)).names() == Names{"calibrated.scale"});
  CHECK(Pair(ctx, with(Kind::fc2_ncm)).names() == Names{"calibrated.class_means.mean", "calibrated.class_means.count"});
  CHECK(Pair(ctx, with(Kind::classifier, "seesaw")).names() == joined({"calibrated.loss.counts"}, last));
}

TEST_CASE("behind a normalised classifier no loss begins with the same row for every class") {
  Context& ctx = cpu_context();
  for (const char* loss : {"gumbel", "gol", "softmax"}) {
    INFO(loss);
    CalibrationOptions options = with(Kind::classifier, loss);
    options.normalized.emplace();
    const Pair pair(ctx, options);
    const std::vector<double> z = pair.logits(ctx);  // [rows, width], a linear one's rows would be equal
    double apart = 0;
    for (size_t c = 1; c < kClasses; ++c) apart = std::max(apart, std::abs(z[c] - z[0]));
    CHECK(apart > 1);  // 20 times the difference of two cosines
  }
}

TEST_CASE("heads that begin as the detector's give its logits; others do not") {
  Context& ctx = cpu_context();
  for (const Kind kind : kKinds) {
    INFO(static_cast<int>(kind));
    const Pair pair(ctx, with(kind));
    const std::vector<double> mine = pair.logits(ctx), theirs = pair.own_logits(ctx);
    REQUIRE(mine.size() == theirs.size());
    double apart = 0;
    for (size_t i = 0; i < mine.size(); ++i) apart = std::max(apart, std::abs(mine[i] - theirs[i]));
    const bool same = kind == Kind::fc3_ft || kind == Kind::classifier_ft || kind == Kind::class_scale;
    CHECK((same ? apart < 1e-12 : apart > 1e-3));
  }
}

TEST_CASE("a classifier that goes on under another loss keeps the classes' rows; what is new begins at random") {
  Context& ctx = cpu_context();
  for (const auto& listed : loss_list()) {
    INFO(listed->name());
    const Pair pair(ctx, with(Kind::classifier_ft, listed->name()));
    const Tensor columns = pair.head.loss().class_columns(ctx);
    const std::vector<double> mine = pair.logits(ctx), theirs = pair.own_logits(ctx);
    const auto width = static_cast<size_t>(pair.head.loss().width());
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t c = 0; c < kClasses; ++c) {
        const size_t at = columns.defined() ? static_cast<size_t>(columns.to_vector<int32_t>(ctx)[c]) : c;
        CHECK(mine[r * width + at] == Approx(theirs[r * (kClasses + 1) + c]).epsilon(1e-9));
      }
    }
    if (width == kClasses + 1) CHECK(mine[kClasses] == Approx(theirs[kClasses]).epsilon(1e-9));
  }
  // From grouped logits back to plain ones: the background's row is new.
  const Pair back(ctx, with(Kind::classifier_ft), "bags");
  const std::vector<double> mine = back.logits(ctx), theirs = back.own_logits(ctx);
  const std::vector<int32_t> columns = back.box.loss().class_columns(ctx).to_vector<int32_t>(ctx);
  for (size_t c = 0; c < kClasses; ++c) CHECK(mine[c] == Approx(theirs[size_t(columns[c])]).epsilon(1e-9));
}

TEST_CASE("tau: every row of the detector's classifier over its length, without bias") {
  Context& ctx = cpu_context();
  const Pair pair(ctx, with(Kind::tau));
  const std::vector<double> mine = pair.logits(ctx), w = to_doubles(ctx, pair.box.classifier().weight.value());
  const std::vector<double> x = to_doubles(ctx, pair.rois(ctx).features.value());
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c <= kClasses; ++c) {
      double dot = 0, squares = 0;
      for (size_t i = 0; i < kWidth; ++i) {
        dot += w[c * kWidth + i] * x[r * kWidth + i];
        squares += w[c * kWidth + i] * w[c * kWidth + i];
      }
      CHECK(mine[r * (kClasses + 1) + c] == Approx(dot / std::sqrt(squares)).epsilon(1e-10));
    }
  }
  CHECK_FALSE(pair.head.logits(ctx, pair.box, pair.rois(ctx)).requires_grad());
}

TEST_CASE("gradients of every trained head by differences; nothing of the detector is asked for any") {
  Context& ctx = cpu_context();
  for (const Kind kind : kKinds) {
    if (kind == Kind::fc2_ncm || kind == Kind::tau) continue;
    for (const bool cosine : {false, true}) {
      if (cosine && kind == Kind::class_scale) continue;
      INFO(static_cast<int>(kind) << (cosine ? " with a cosine" : ""));
      CalibrationOptions options = with(kind);
      if (cosine) options.normalized = NormalizedOptions{.temperature = 3, .power = 1, .eps = 0.1};
      const Pair pair(ctx, options);
      gc::Leaves leaves;
      for (const ParameterEntry& entry : pair.store.entries()) {
        if (!is_calibrated(entry.name)) {
          entry.variable.set_requires_grad(false);
        } else {
          leaves.push_back(entry.variable);
        }
      }
      const RoiFeatures rois = pair.rois(ctx);
      gc::run(
          ctx, [&](Context& c, const gc::Leaves&) { return gc::probe(c, pair.head.logits(c, pair.box, rois)); },
          leaves);
    }
  }
}

TEST_CASE("heads and losses that do not go together are refused") {
  Context& ctx = cpu_context();
  CHECK_THROWS_WITH(Pair(ctx, with(Kind::fc2_ncm, "seesaw")), Catch::Contains("class means are scored by a softmax"));
  CHECK_THROWS_WITH(Pair(ctx, with(Kind::class_scale, "seesaw")),
                    Catch::Contains("trained with the loss 'softmax'") && Catch::Contains("\"detector\""));
  CHECK_THROWS_WITH(Pair(ctx, with(Kind::tau), "eql"), Catch::Contains("trained with the loss 'eql'"));
  CHECK_NOTHROW(Pair(ctx, with(Kind::tau, "eql"), "eql"));
}
