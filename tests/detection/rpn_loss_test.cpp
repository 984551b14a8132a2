#include "detection/losses/rpn_loss.h"

#include "detection/losses/rpn_loss_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

constexpr int64_t kAnchors = 3, kChannels = 16;
struct Size {
  int64_t height, width;
};
const std::vector<Size> kSizes{{4, 5}, {2, 3}, {1, 1}};  // 60 + 18 + 3 anchors
constexpr int64_t kTotal = 81;

struct Draw {
  int64_t images = 0, samples = 0;
  std::vector<int32_t> index, label;
  std::vector<double> deltas;

  RpnTargets on(Context& ctx, DType dtype) const {
    return {Tensor::from(ctx, {images, samples}, index), Tensor::from(ctx, {images, samples}, label),
            typed_tensor(ctx, dtype, {images, samples, 4}, deltas)};
  }
};

// Distinct anchors for each image: a walk through all of them with a step that shares no factor with 81.
Draw some_draw(int64_t images, int64_t samples, double positive_share) {
  Draw d{images, samples, {}, {}, gc::values(images * samples * 4, 20)};
  const std::vector<double> u = gc::values(images * samples, 21, 0, 1);
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t s = 0; s < samples; ++s) {
      const double v = u[size_t(n * samples + s)];
      const int32_t label = v < positive_share ? 1 : v < 0.9 ? 0 : -1;
      d.index.push_back(label < 0 ? -1 : int32_t((7 * n + 13 * s) % kTotal));
      d.label.push_back(label);
      if (label != 1) {  // nobody may read these
        for (int64_t i = 0; i < 4; ++i) d.deltas[size_t((n * samples + s) * 4 + i)] = std::nan("");
      }
    }
  }
  return d;
}

std::vector<Variable> some_levels(Context& ctx, DType dtype, int64_t images, double largest) {
  std::vector<Variable> levels;
  for (size_t l = 0; l < kSizes.size(); ++l) {
    const Shape shape{images, kSizes[l].height, kSizes[l].width, kChannels};
    levels.emplace_back(typed_tensor(ctx, dtype, shape, gc::values(shape.elements(), 30 + l, -largest, largest)), true);
  }
  return levels;
}

struct Expected {
  double objectness = 0, box = 0;
  std::vector<std::vector<double>> gradients;  // of objectness + 3 * box
  int32_t positives = 0, negatives = 0;
};

Expected slow(const std::vector<std::vector<double>>& levels, const Draw& draw, const RpnLossOptions& o) {
  Expected out;
  for (const auto& level : levels) out.gradients.emplace_back(level.size(), 0.0);
  double mmdet = 0;
  for (int64_t n = 0; n < draw.images; ++n) {
    int32_t positives = 0, negatives = 0;
    for (int64_t s = 0; s < draw.samples; ++s) {
      positives += draw.label[size_t(n * draw.samples + s)] == 1;
      negatives += draw.label[size_t(n * draw.samples + s)] == 0;
    }
    mmdet += std::max(positives, 1) + std::max(negatives, 1);
    out.positives += positives;
    out.negatives += negatives;
  }
  const double by = o.normaliser == RpnNormaliser::mmdet        ? mmdet
                    : o.normaliser == RpnNormaliser::detectron2 ? o.per_image * double(draw.images)
                                                                : std::max(out.positives + out.negatives, 1);
  for (int64_t n = 0; n < draw.images; ++n) {
    for (int64_t s = 0; s < draw.samples; ++s) {
      const auto at = size_t(n * draw.samples + s);
      if (draw.label[at] < 0) continue;
      int64_t anchor = draw.index[at];
      size_t l = 0;
      while (anchor >= kSizes[l].height * kSizes[l].width * kAnchors) {
        anchor -= kSizes[l].height * kSizes[l].width * kAnchors;
        ++l;
      }
      const int64_t y = anchor / (kSizes[l].width * kAnchors), x = anchor / kAnchors % kSizes[l].width,
                    a = anchor % kAnchors;
      const auto cell = size_t(((n * kSizes[l].height + y) * kSizes[l].width + x) * kChannels);
      const double z = levels[l][cell + size_t(a)], p = 1 / (1 + std::exp(-z));
      const bool object = draw.label[at] == 1;
      out.objectness -= (object ? std::log(p) : std::log(1 / (1 + std::exp(z)))) / by;
      out.gradients[l][cell + size_t(a)] = (p - object) / by;
      for (size_t i = 0; object && i < 4; ++i) {
        const size_t channel = cell + size_t(kAnchors + 4 * a) + i;
        const double d = levels[l][channel] - draw.deltas[at * 4 + i], size = std::abs(d);
        out.box += (size < o.beta ? d * d / (2 * o.beta) : size - o.beta / 2) / by;
        out.gradients[l][channel] = 3 * (size < o.beta ? d / o.beta : d > 0 ? 1 : -1) / by;
      }
    }
  }
  return out;
}

std::vector<RpnLossOptions> every_option() {
  std::vector<RpnLossOptions> out;
  for (RpnNormaliser n : {RpnNormaliser::mmdet, RpnNormaliser::detectron2, RpnNormaliser::torchvision}) {
    for (double beta : {0.0, 1.0 / 9})
      out.push_back({.anchors_per_cell = kAnchors, .normaliser = n, .per_image = 40, .beta = beta});
  }
  return out;
}

Variable weighted(Context& ctx, const RpnLoss& loss) { return add(ctx, loss.objectness, scale(ctx, loss.box, 3.0)); }

}  // namespace

TEST_CASE("rpn_loss equals its definition for every normaliser, and writes the packed gradient") {
  for (int64_t samples : {20, 81}) {  // 81: nothing is subsampled
    const Draw draw = some_draw(2, samples, 0.4);
    for (const RpnLossOptions& o : every_option()) {
      for_each_device_and_type([&](Context& ctx, DType dtype) {
        INFO(ctx.device().name() << ": " << samples << " samples, normaliser " << int(o.normaliser) << ", beta "
                                 << o.beta << ", " << name_of(dtype));
        const DType full = dtype == DType::float64 ? DType::float64 : DType::float32;
        const std::vector<Variable> levels = some_levels(ctx, dtype, 2, 3);
        std::vector<std::vector<double>> values;
        for (const Variable& level : levels) values.push_back(to_doubles(ctx, level.value()));
        Draw stored = draw;
        stored.deltas = rounded_to(ctx, full, draw.deltas);
        const Expected expected = slow(values, stored, o);
        const RpnLoss got = rpn_loss(ctx, levels, draw.on(ctx, full), o);
        const double epsilon = dtype == DType::float64 ? 1e-13 : 1e-6;
        REQUIRE(to_doubles(ctx, got.objectness.value())[0] == Approx(expected.objectness).epsilon(epsilon));
        REQUIRE(to_doubles(ctx, got.box.value())[0] == Approx(expected.box).epsilon(epsilon));
        REQUIRE(got.counts.to_vector<int32_t>(ctx) == std::vector<int32_t>{expected.positives, expected.negatives});
        backward(ctx, weighted(ctx, got));
        for (size_t l = 0; l < levels.size(); ++l) {
          const std::vector<double> gradient = to_doubles(ctx, levels[l].grad());
          for (size_t i = 0; i < gradient.size(); ++i) {
            const double tolerance = dtype == DType::float64 ? 1e-15 : dtype == DType::float32 ? 1e-7 : 1e-3;
            REQUIRE(std::abs(gradient[i] - expected.gradients[l][i]) <= tolerance);
          }
        }
      });
    }
  }
}

TEST_CASE("rpn_loss's divisors by hand") {
  Context ctx;
  // Image 0: one positive, two negatives; image 1: no positive, one negative. All logits 0: each sample costs log 2.
  Draw draw{2, 4, {0, 5, 80, -1, 3, -1, -1, -1}, {1, 0, 0, -1, 0, -1, -1, -1}, std::vector<double>(32, 0.5)};
  std::vector<Variable> levels;
  for (const Size& s : kSizes)
    levels.emplace_back(Tensor::zeros(ctx, {2, s.height, s.width, kChannels}, DType::float64), true);
  const double log2 = std::log(2.0);
  auto check = [&](RpnNormaliser n, double divisor) {
    const RpnLoss got =
        rpn_loss(ctx, levels, draw.on(ctx, DType::float64), {.anchors_per_cell = kAnchors, .normaliser = n});
    REQUIRE(to_doubles(ctx, got.objectness.value())[0] == Approx(4 * log2 / divisor));
    REQUIRE(to_doubles(ctx, got.box.value())[0] == Approx(4 * 0.5 / divisor));
  };
  check(RpnNormaliser::mmdet, 5);  // 1 + 2 and max(0, 1) + 1
  check(RpnNormaliser::detectron2, 512);
  check(RpnNormaliser::torchvision, 4);
}

TEST_CASE("rpn_loss's gradients by differences") {
  Context ctx;
  const Draw draw = some_draw(2, 30, 0.5);
  for (double largest : {1.0, 100.0}) {
    for (const RpnLossOptions& o : every_option()) {
      gc::run(
          ctx,
          [&](Context& c, const gc::Leaves& in) { return weighted(c, rpn_loss(c, in, draw.on(c, DType::float64), o)); },
          some_levels(ctx, DType::float64, 2, largest));
    }
  }
}

TEST_CASE("rpn_loss with only one of its two losses used") {
  Context ctx;
  const Draw draw = some_draw(2, 30, 0.5);
  for (bool box : {false, true}) {
    gc::run(
        ctx,
        [&](Context& c, const gc::Leaves& in) {
          const RpnLoss loss = rpn_loss(c, in, draw.on(c, DType::float64), {.anchors_per_cell = kAnchors});
          return box ? loss.box : loss.objectness;
        },
        some_levels(ctx, DType::float64, 2, 1.0));
  }
}

TEST_CASE("rpn_loss of nothing is zero, and refuses what does not fit") {
  Context ctx;
  for (int64_t samples : {0, 6}) {
    const Draw draw{2, samples, std::vector<int32_t>(size_t(2 * samples), -1),
                    std::vector<int32_t>(size_t(2 * samples), -1),
                    std::vector<double>(size_t(8 * samples), std::nan(""))};
    for (const RpnLossOptions& o : every_option()) {
      const std::vector<Variable> levels = some_levels(ctx, DType::float32, 2, 3);
      const RpnLoss got = rpn_loss(ctx, levels, draw.on(ctx, DType::float32), o);
      REQUIRE(to_doubles(ctx, got.objectness.value()) == std::vector<double>{0});
      REQUIRE(to_doubles(ctx, got.box.value()) == std::vector<double>{0});
      backward(ctx, weighted(ctx, got));
      for (const Variable& level : levels) {
        REQUIRE(to_doubles(ctx, level.grad()) == std::vector<double>(size_t(level.shape().elements()), 0.0));
      }
    }
  }
  const std::vector<Variable> levels = some_levels(ctx, DType::float32, 2, 3);
  const Draw draw = some_draw(2, 4, 0.5);
  Draw beyond = some_draw(2, 4, 1.1);
  beyond.index[1] = kTotal;
  const RpnLoss bad = rpn_loss(ctx, levels, beyond.on(ctx, DType::float32), {.anchors_per_cell = kAnchors});
  REQUIRE(std::isnan(to_doubles(ctx, bad.objectness.value())[0]));
  backward(ctx, weighted(ctx, bad));
  REQUIRE_THROWS_AS(rpn_loss(ctx, levels, draw.on(ctx, DType::float32), {.anchors_per_cell = 4}), Error);
  REQUIRE_THROWS_AS(rpn_loss(ctx, levels, some_draw(3, 4, 0.5).on(ctx, DType::float32), {}), Error);
  REQUIRE_THROWS_AS(rpn_loss(ctx, levels, draw.on(ctx, DType::float32), {.beta = -1}), Error);
  REQUIRE_THROWS_AS(rpn_loss(ctx, {}, draw.on(ctx, DType::float32), {}), Error);
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("rpn_loss's bodies agree on one lane and on a crew") {
  Context ctx;
  const Draw draw = some_draw(2, 30, 0.5);
  const RpnLossOptions o{
      .anchors_per_cell = kAnchors, .normaliser = RpnNormaliser::mmdet, .per_image = 256, .beta = 0.25};
  std::vector<std::vector<double>> values;
  for (const Variable& level : some_levels(ctx, DType::float64, 2, 2)) values.push_back(to_doubles(ctx, level.value()));
  const Expected expected = slow(values, draw, o);
  const int64_t total = draw.images * draw.samples;
  for (int lanes : {1, 5}) {
    auto run = [lanes](int64_t items, const auto& body) {
      if (lanes > 1) return crew::run(lanes, items, body);
      for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
    };
    std::vector<double> sums(size_t(2 * total), NAN), slopes(size_t(5 * total), NAN), losses(2, NAN), inverse(1, NAN);
    std::vector<int32_t> counts(2, -7);
    std::vector<std::vector<double>> gradients;
    for (const auto& level : values) gradients.emplace_back(level.size(), 0.0);
    RpnPacked<const double> packed{};
    RpnPacked<double> spread{};
    packed.levels = spread.levels = 3;
    packed.channels = spread.channels = kChannels;
    packed.per_cell = spread.per_cell = kAnchors;
    for (size_t l = 0; l < 3; ++l) {
      packed.data[l] = values[l].data();
      spread.data[l] = gradients[l].data();
      packed.cells[l] = spread.cells[l] = kSizes[l].height * kSizes[l].width;
      packed.first[l + 1] = spread.first[l + 1] = packed.first[l] + packed.cells[l] * kAnchors;
    }
    run(1, RpnLossTotal<double>{sums.data(), draw.label.data(), losses.data(), inverse.data(), counts.data(), 0, 0,
                                o.normaliser, 256});
    REQUIRE(losses == std::vector<double>{0, 0});
    const std::vector<double> upstream{1, 3};
    // Lanes::one bodies belong to one thread an item.
    for (int64_t item = 0; item < total; ++item) {
      RpnLossSample<double>{packed,      draw.index.data(), draw.label.data(), draw.deltas.data(),
                            sums.data(), slopes.data(),     draw.samples,      total,
                            0.25}(Solo{}, item);
    }
    run(1, RpnLossTotal<double>{sums.data(), draw.label.data(), losses.data(), inverse.data(), counts.data(),
                                draw.images, draw.samples, o.normaliser, 256});
    for (int64_t item = 0; item < total; ++item) {
      RpnLossSpread<double>{spread,          draw.index.data(), draw.label.data(), slopes.data(),
                            upstream.data(), inverse.data(),    draw.samples}(Solo{}, item);
    }
    REQUIRE(losses[0] == Approx(expected.objectness).epsilon(1e-13));
    REQUIRE(losses[1] == Approx(expected.box).epsilon(1e-13));
    REQUIRE(counts == std::vector<int32_t>{expected.positives, expected.negatives});
    for (size_t l = 0; l < 3; ++l) {
      for (size_t i = 0; i < gradients[l].size(); ++i)
        REQUIRE(gradients[l][i] == Approx(expected.gradients[l][i]).margin(1e-15));
    }
  }
}
