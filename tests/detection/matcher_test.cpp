// The matcher against the rules written down step by step on a full overlap matrix, and small cases worked by hand.
#include "detection/matcher.h"

#include <catch2/catch.hpp>
#include <limits>

#include "detection/matcher_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

struct Slow {
  std::vector<int32_t> index;
  std::vector<float> best;
};

// One image. The overlap's operations are those of the references: inter / max(area + area - inter, min_union).
Slow slow_match(const std::vector<float>& truth, const std::vector<float>& boxes, const std::vector<uint8_t>& usable,
                const MatcherOptions& options) {
  const size_t truths = truth.size() / 4, count = boxes.size() / 4;
  std::vector<std::vector<float>> matrix(truths, std::vector<float>(count));
  for (size_t g = 0; g < truths; ++g) {
    for (size_t a = 0; a < count; ++a) {
      const float* p = &truth[g * 4];
      const float* q = &boxes[a * 4];
      const float w = std::min(p[2], q[2]) - std::max(p[0], q[0]), h = std::min(p[3], q[3]) - std::max(p[1], q[1]);
      if (!(w > 0) || !(h > 0) || !usable[a]) continue;
      const float inter = w * h;
      const float area = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - inter;
      matrix[g][a] = inter / std::max(area, static_cast<float>(options.min_union));
    }
  }
  Slow out{std::vector<int32_t>(count, kBackground), std::vector<float>(count, 0)};
  std::vector<int32_t> argmax(count, 0);
  for (size_t a = 0; a < count; ++a) {
    for (size_t g = 0; g < truths; ++g) {
      if (matrix[g][a] > out.best[a]) {
        out.best[a] = matrix[g][a];
        argmax[a] = static_cast<int32_t>(g);
      }
    }
    if (truths > 0 && out.best[a] >= static_cast<float>(options.negative)) out.index[a] = kIgnored;
    if (truths > 0 && out.best[a] >= static_cast<float>(options.positive)) out.index[a] = argmax[a];
  }
  for (size_t g = 0; g < truths && options.low_quality != LowQuality::off; ++g) {
    float most = 0;
    for (size_t a = 0; a < count; ++a) most = std::max(most, matrix[g][a]);
    const bool reassign = options.low_quality == LowQuality::reassign;
    if (reassign && most < static_cast<float>(options.low_quality_minimum)) continue;
    for (size_t a = 0; a < count; ++a) {
      if (matrix[g][a] == most) out.index[a] = reassign ? static_cast<int32_t>(g) : argmax[a];
    }
  }
  for (size_t a = 0; a < count; ++a) {
    if (!usable[a]) out.index[a] = kIgnored;
  }
  return out;
}

std::vector<float> part(const std::vector<float>& values, size_t begin, size_t count) {
  return {values.begin() + static_cast<long>(begin), values.begin() + static_cast<long>(begin + count)};
}

std::vector<int32_t> match_one(Context& ctx, const std::vector<float>& truth, const std::vector<float>& boxes,
                               const MatcherOptions& options) {
  const auto truths = static_cast<int64_t>(truth.size() / 4);
  const BoxSet set = box_set(ctx, 1, truths, truth, {static_cast<int32_t>(truths)});
  MatchInput input;
  input.truth = &set;
  input.boxes = Tensor::from(ctx, {static_cast<int64_t>(boxes.size() / 4), 4}, boxes);
  return match_boxes(ctx, input, options).index.to_vector<int32_t>(ctx);
}

}  // namespace

TEST_CASE("matching equals the rules on a full matrix, for every low-quality rule") {
  const int64_t anchors = 700, capacity = 9;  // five tiles and a bit
  const auto rule = GENERATE(LowQuality::off, LowQuality::reassign, LowQuality::keep_argmax);
  const auto shared = GENERATE(true, false);
  const float step = GENERATE(0.f, 8.f);  // on a grid of 8 pixels many overlaps tie
  MatcherOptions options;
  options.low_quality = rule;
  options.min_union = rule == LowQuality::reassign ? 1e-6 : 0;
  options.positive = 0.5;
  const std::vector<int32_t> counts = {9, 0, 4};
  const std::vector<float> truth = random_boxes(3 * capacity, 200, 5, step);
  const std::vector<float> boxes = random_boxes((shared ? 1 : 3) * anchors, 200, 6, step);
  std::vector<uint8_t> usable(3 * anchors);
  for (size_t i = 0; i < usable.size(); ++i) usable[i] = i % 7 != 3;
  const std::vector<int32_t> used = {700, 700, 300};
  for (Context* ctx : devices()) {
    const BoxSet set = box_set(*ctx, 3, capacity, truth, counts);
    const Tensor usable_tensor = Tensor::from(*ctx, {3, anchors}, usable);
    const Tensor used_tensor = Tensor::from(*ctx, {3}, used);
    MatchInput input;
    input.truth = &set;
    input.boxes = shared ? Tensor::from(*ctx, {anchors, 4}, boxes) : Tensor::from(*ctx, {3, anchors, 4}, boxes);
    input.usable = &usable_tensor;
    input.count = &used_tensor;
    const Matches matches = match_boxes(*ctx, input, options);
    const auto index = matches.index.to_vector<int32_t>(*ctx);
    const auto best = matches.best.to_vector<float>(*ctx);
    for (size_t n = 0; n < 3; ++n) {
      std::vector<uint8_t> mine(usable.begin() + static_cast<long>(n * anchors),
                                usable.begin() + static_cast<long>((n + 1) * anchors));
      for (size_t a = static_cast<size_t>(used[n]); a < mine.size(); ++a) mine[a] = 0;
      const Slow slow = slow_match(part(truth, n * capacity * 4, static_cast<size_t>(counts[n]) * 4),
                                   part(boxes, shared ? 0 : n * anchors * 4, anchors * 4), mine, options);
      for (size_t a = 0; a < anchors; ++a) {
        INFO("image " << n << " box " << a);
        REQUIRE(index[n * anchors + a] == slow.index[a]);
        REQUIRE(best[n * anchors + a] == Approx(slow.best[a]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("low-quality rules, worked by hand") {
  const std::vector<float> truth = {0, 0, 10, 10, 20, 0, 30, 10};
  const std::vector<float> boxes = {0, 0, 10, 5, 0, 0, 10, 4, 24, 0, 30, 5, 20, 5, 26, 10, 50, 50, 60, 60};
  // Overlaps with the first truth 0.5, 0.4, 0, 0, 0, with the second 0, 0, 0.3, 0.3, 0: tied.
  MatcherOptions options;
  for (Context* ctx : devices()) {
    REQUIRE(match_one(*ctx, truth, boxes, options) == std::vector<int32_t>{0, kIgnored, 1, 1, kBackground});
    options.low_quality_minimum = 0.31;
    REQUIRE(match_one(*ctx, truth, boxes, options) ==
            std::vector<int32_t>{0, kIgnored, kIgnored, kIgnored, kBackground});
    options.low_quality_minimum = 0.3;
    options.low_quality = LowQuality::off;
    REQUIRE(match_one(*ctx, truth, boxes, options) ==
            std::vector<int32_t>{kIgnored, kIgnored, kIgnored, kIgnored, kBackground});
    options.low_quality = LowQuality::reassign;
  }
}

TEST_CASE("a later ground truth takes a tied box only under mmdet's rule") {
  // Both truths have their best overlap at the same box: (0,0,10,10) and (5,0,15,10) against (0,0,15,10): 2/3 each.
  const std::vector<float> truth = {0, 0, 10, 10, 5, 0, 15, 10}, boxes = {0, 0, 15, 10};
  for (Context* ctx : devices()) {
    MatcherOptions options;
    REQUIRE(match_one(*ctx, truth, boxes, options) == std::vector<int32_t>{1});
    options.low_quality = LowQuality::keep_argmax;
    REQUIRE(match_one(*ctx, truth, boxes, options) == std::vector<int32_t>{0});
  }
}

TEST_CASE("a ground truth that nothing overlaps") {
  const std::vector<float> truth = {100, 100, 110, 110}, boxes = {0, 0, 10, 10, 20, 20, 30, 30};
  for (Context* ctx : devices()) {
    MatcherOptions options;
    REQUIRE(match_one(*ctx, truth, boxes, options) == std::vector<int32_t>{kBackground, kBackground});
    options.low_quality = LowQuality::keep_argmax;  // detectron2: every box ties at zero
    REQUIRE(match_one(*ctx, truth, boxes, options) == std::vector<int32_t>{0, 0});
  }
}

TEST_CASE("degenerate and NaN boxes match nothing") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> boxes = {5, 5, 5, 5, 0, 0, nan, 10, 0, 0, 10, 10, 10, 10, 0, 0};
  for (Context* ctx : devices()) {
    const auto rule = LowQuality::reassign;
    MatcherOptions options;
    options.low_quality = rule;
    REQUIRE(match_one(*ctx, {0, 0, 10, 10}, boxes, options) ==
            std::vector<int32_t>{kBackground, kBackground, 0, kBackground});
    options.low_quality = LowQuality::keep_argmax;
    options.min_union = 0;
    REQUIRE(match_one(*ctx, {nan, 0, 10, 10, 0, 0, 10, 10}, boxes, options) ==
            std::vector<int32_t>{kBackground, kBackground, 1, kBackground});
    REQUIRE(match_one(*ctx, {}, boxes, options) == std::vector<int32_t>(4, kBackground));
    REQUIRE(match_one(*ctx, {0, 0, 10, 10}, {}, options).empty());
  }
}

// mmdet matches the proposals alone and then puts the ground truth in front of them, each its own.
TEST_CASE("ground truth that leads the boxes is its own and changes nothing for the boxes behind it") {
  const int64_t capacity = 150, proposals = 400;  // ground truth of one image goes beyond a tile
  const auto rule = GENERATE(LowQuality::off, LowQuality::reassign, LowQuality::keep_argmax);
  MatcherOptions options;
  options.low_quality = rule;
  options.positive = options.negative = options.low_quality_minimum = 0.5;
  const std::vector<int32_t> counts = {150, 0, 7};
  const std::vector<float> truth = random_boxes(3 * capacity, 200, 15, 8);
  const std::vector<float> boxes = random_boxes(3 * proposals, 200, 16, 8);
  std::vector<float> joined;
  std::vector<int32_t> used;
  for (size_t n = 0; n < 3; ++n) {
    const auto truths = static_cast<size_t>(counts[n]);
    for (const float v : part(truth, n * capacity * 4, truths * 4)) joined.push_back(v);
    for (const float v : part(boxes, n * proposals * 4, proposals * 4)) joined.push_back(v);
    joined.resize((n + 1) * (capacity + proposals) * 4);
    used.push_back(counts[n] + static_cast<int32_t>(proposals));
  }
  for (Context* ctx : devices()) {
    const BoxSet set = box_set(*ctx, 3, capacity, truth, counts);
    const Tensor used_tensor = Tensor::from(*ctx, {3}, used);
    MatchInput input;
    input.truth = &set;
    input.boxes = Tensor::from(*ctx, {3, capacity + proposals, 4}, joined);
    input.count = &used_tensor;
    input.truth_leads = true;
    const Matches matches = match_boxes(*ctx, input, options);
    const auto index = matches.index.to_vector<int32_t>(*ctx);
    const auto best = matches.best.to_vector<float>(*ctx);
    for (size_t n = 0; n < 3; ++n) {
      const auto truths = static_cast<size_t>(counts[n]);
      const Slow alone =
          slow_match(part(truth, n * capacity * 4, truths * 4), part(boxes, n * proposals * 4, proposals * 4),
                     std::vector<uint8_t>(proposals, 1), options);
      for (size_t a = 0; a < capacity + proposals; ++a) {
        INFO("image " << n << " box " << a);
        const bool itself = a < truths, unused = a >= truths + proposals;
        const int32_t expected = itself ? static_cast<int32_t>(a) : unused ? kIgnored : alone.index[a - truths];
        const float overlap = itself ? 1 : unused ? 0 : alone.best[a - truths];
        REQUIRE(index[n * (capacity + proposals) + a] == expected);
        REQUIRE(best[n * (capacity + proposals) + a] == Approx(overlap).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("ground truth that leads the boxes, worked by hand") {
  // The proposal overlaps the first by 70 / 78 and is the best that the second has, with 78 / 100.
  const std::vector<float> truth = {0, 0, 100, 70, 0, 0, 100, 100}, proposal = {0, 0, 100, 78};
  std::vector<float> joined = truth;
  joined.insert(joined.end(), proposal.begin(), proposal.end());
  MatcherOptions options;
  options.positive = options.negative = options.low_quality_minimum = 0.5;
  for (Context* ctx : devices()) {
    const BoxSet set = box_set(*ctx, 1, 2, truth, {2});
    MatchInput input;
    input.truth = &set;
    input.boxes = Tensor::from(*ctx, {1, 3, 4}, joined);
    REQUIRE(match_boxes(*ctx, input, options).index.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 1, 0});
    input.truth_leads = true;
    REQUIRE(match_boxes(*ctx, input, options).index.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 1, 1});
    // Two objects with one box: each is its own, and the last one takes the proposal with the same box.
    const BoxSet twins = box_set(*ctx, 1, 2, {0, 0, 9, 9, 0, 0, 9, 9}, {2});
    input.truth = &twins;
    input.boxes = Tensor::from(*ctx, {1, 3, 4}, std::vector<float>{0, 0, 9, 9, 0, 0, 9, 9, 0, 0, 9, 9});
    REQUIRE(match_boxes(*ctx, input, options).index.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 1, 1});
  }
}

TEST_CASE("a box that is not a number shares no area, on either side of the intersection") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Box<float> whole{0, 0, 100, 100};
  for (size_t corner = 0; corner < 4; ++corner) {
    float corners[4] = {10, 20, 30, 40};
    corners[corner] = nan;
    REQUIRE(intersection_area(whole, load_box(corners)) == 0);
    REQUIRE(intersection_area(load_box(corners), whole) == 0);
  }
  REQUIRE(intersection_area(whole, Box<float>{10, 20, 30, 40}) == 400);
  REQUIRE(intersection_area(whole, Box<float>{30, 20, 10, 40}) == 0);
}

TEST_CASE("matcher bodies give the same on a crew, and the CPU the same in float64") {
  const int64_t anchors = 300, capacity = 6, chunks = 3;
  const std::vector<float> truth = random_boxes(capacity * 2, 100, 8, 4), boxes = random_boxes(anchors, 100, 9, 4);
  const std::vector<int32_t> counts = {6, 5};
  Context& ctx = cpu_context();
  const BoxSet set = box_set(ctx, 2, capacity, truth, counts);
  MatchInput input;
  input.truth = &set;
  input.boxes = Tensor::from(ctx, {anchors, 4}, boxes);
  const Matches solo = match_boxes(ctx, input, {});

  const MatchArguments<float> in{truth.data(), counts.data(), boxes.data(), nullptr, nullptr, capacity,
                                 anchors,      chunks,        true,         false,   1e-6f};
  std::vector<float> chunk_best(36), best(12), overlaps(600);
  std::vector<int32_t> index(600, -7);
  crew::run(5, 2 * chunks, BestOfTruthInChunk<float>{in, chunk_best.data()});
  crew::run(2, 12, BestOfTruth<float>{chunk_best.data(), counts.data(), best.data(), capacity, chunks});
  crew::run(7, 2 * chunks,
            MatchChunk<float>{in, best.data(), index.data(), overlaps.data(), .7f, .3f, .3f, LowQuality::reassign});
  REQUIRE(index == solo.index.to_vector<int32_t>(ctx));
  REQUIRE(overlaps == solo.best.to_vector<float>(ctx));

  BoxSet wide = set;
  wide.boxes = Tensor::from(ctx, {2, capacity, 4}, widened(truth));
  input.truth = &wide;
  input.boxes = Tensor::from(ctx, {anchors, 4}, widened(boxes));
  const Matches in_double = match_boxes(ctx, input, {});
  const auto wide_best = in_double.best.to_vector<double>(ctx);
  for (size_t i = 0; i < 600; ++i) REQUIRE(wide_best[i] == Approx(overlaps[i]).margin(1e-6));
}

TEST_CASE("matcher input is checked") {
  Context& ctx = cpu_context();
  const BoxSet truth = box_set(ctx, 2, 1, {0, 0, 1, 1, 0, 0, 1, 1}, {1, 1});
  MatchInput input;
  REQUIRE_THROWS_AS(match_boxes(ctx, input, {}), Error);
  input.truth = &truth;
  REQUIRE_THROWS_AS(match_boxes(ctx, input, {}), Error);
  input.boxes = Tensor::zeros(ctx, {3, 5, 4});
  REQUIRE_THROWS_AS(match_boxes(ctx, input, {}), Error);
  input.boxes = Tensor::zeros(ctx, {5, 4}, DType::float64);
  REQUIRE_THROWS_AS(match_boxes(ctx, input, {}), Error);
  input.boxes = Tensor::zeros(ctx, {5, 4});
  input.truth_leads = true;
  REQUIRE_THROWS_AS(match_boxes(ctx, input, {}), Error);
  input.truth_leads = false;
  MatcherOptions options;
  options.negative = 0.9;
  REQUIRE_THROWS_AS(match_boxes(ctx, input, options), Error);
}
