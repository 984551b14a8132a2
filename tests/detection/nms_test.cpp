// Suppression against the greedy rule written as two loops, and torchvision's answers.
// torchvision's: ops.nms and ops.batched_nms (0.14.1) on the ten boxes below, which are given best first here.
#include "detection/nms.h"

#include <catch2/catch.hpp>
#include <limits>

#include "detection/nms_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

// One segment, best first.
std::vector<int32_t> slow_nms(const float* boxes, size_t count, const int32_t* labels, const uint8_t* valid,
                              double threshold, size_t most) {
  std::vector<int32_t> kept;
  for (size_t i = 0; i < count && kept.size() < most; ++i) {
    bool good = !valid || valid[i];
    for (int32_t k : kept) {
      if (labels && labels[k] != labels[i]) continue;
      const float* p = boxes + k * 4;
      const float* q = boxes + i * 4;
      const float w = std::min(p[2], q[2]) - std::max(p[0], q[0]), h = std::min(p[3], q[3]) - std::max(p[1], q[1]);
      if (!(w > 0) || !(h > 0)) continue;
      const float inter = w * h, a = (p[2] - p[0]) * (p[3] - p[1]), b = (q[2] - q[0]) * (q[3] - q[1]);
      if (double(inter / (a + b - inter)) > threshold) good = false;
    }
    if (good) kept.push_back(static_cast<int32_t>(i));
  }
  return kept;
}

std::vector<int32_t> row(const std::vector<int32_t>& values, size_t r, size_t width) {
  return {values.begin() + static_cast<long>(r * width), values.begin() + static_cast<long>((r + 1) * width)};
}

std::vector<int32_t> survivors_of(Context& ctx, const std::vector<float>& boxes, double threshold,
                                  const std::vector<int32_t>& labels = {}) {
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  NmsInput input;
  input.boxes = Tensor::from(ctx, {1, count, 4}, boxes);
  Tensor label_tensor;
  if (!labels.empty()) {
    label_tensor = Tensor::from(ctx, {1, count}, labels);
    input.labels = &label_tensor;
  }
  const NmsResult result = nms_sorted(ctx, input, threshold, count);
  std::vector<int32_t> kept = result.survivors.to_vector<int32_t>(ctx);
  kept.resize(static_cast<size_t>(result.count.to_vector<int32_t>(ctx)[0]));
  return kept;
}

}  // namespace

TEST_CASE("suppression is torchvision's") {
  // In the order of their scores; the original numbers were 3 0 8 1 2 4 6 5 7 9.
  const std::vector<float> boxes = {10,  10,  50,  30,  10, 10, 50,  50,  10, 10, 50,  50.5f, 12,  12,
                                    52,  52,  30,  10,  70, 50, 11,  9,   49, 51, 100, 100,   140, 121,
                                    100, 100, 140, 120, 0,  0,  200, 200, 60, 60, 60,  60};
  const std::vector<int32_t> classes = {1, 0, 0, 1, 0, 0, 0, 1, 1, 1};
  for (Context* ctx : devices()) {
    REQUIRE(survivors_of(*ctx, boxes, .3) == std::vector<int32_t>{0, 4, 6, 8, 9});
    REQUIRE(survivors_of(*ctx, boxes, .5) == std::vector<int32_t>{0, 1, 4, 6, 8, 9});
    REQUIRE(survivors_of(*ctx, boxes, .7) == std::vector<int32_t>{0, 1, 4, 6, 8, 9});
    REQUIRE(survivors_of(*ctx, boxes, .5, classes) == std::vector<int32_t>{0, 1, 3, 4, 6, 7, 8, 9});
  }
}

TEST_CASE("suppression equals the two loops, in many segments at once") {
  const int64_t segments = 4;
  const auto capacity = GENERATE(1, 63, 64, 65, 300);
  const auto most = GENERATE(7, 400);
  const auto labelled = GENERATE(false, true);
  const auto threshold = GENERATE(0.0, 0.3, 0.7);
  const float step = capacity % 2 ? 0.f : 10.f;
  const auto total = static_cast<size_t>(segments * capacity);
  const std::vector<float> boxes = random_boxes(segments * capacity, 150, 11, step);
  std::vector<int32_t> labels(total), counts = {capacity, capacity / 2, 0, capacity}, limits = {400, 3, 5, 0};
  std::vector<uint8_t> valid(total);
  for (size_t i = 0; i < total; ++i) {
    labels[i] = static_cast<int32_t>(i * i % 5);
    valid[i] = i % 9 != 4;
  }
  for (Context* ctx : devices()) {
    const Tensor label_tensor = Tensor::from(*ctx, {segments, capacity}, labels);
    const Tensor valid_tensor = Tensor::from(*ctx, {segments, capacity}, valid);
    const Tensor count_tensor = Tensor::from(*ctx, {segments}, counts);
    const Tensor limit_tensor = Tensor::from(*ctx, {segments}, limits);
    NmsInput input;
    input.boxes = Tensor::from(*ctx, {segments, capacity, 4}, boxes);
    if (labelled) input.labels = &label_tensor;
    input.valid = &valid_tensor;
    input.count = &count_tensor;
    input.limit = &limit_tensor;
    const NmsResult result = nms_sorted(*ctx, input, threshold, most);
    const auto survivors = result.survivors.to_vector<int32_t>(*ctx), count = result.count.to_vector<int32_t>(*ctx);
    const auto keep = result.keep.to_vector<uint8_t>(*ctx);
    for (size_t s = 0; s < 4; ++s) {
      const size_t first = s * static_cast<size_t>(capacity);
      std::vector<int32_t> expected =
          slow_nms(&boxes[first * 4], static_cast<size_t>(counts[s]), labelled ? &labels[first] : nullptr,
                   &valid[first], threshold, static_cast<size_t>(std::min(most, limits[s])));
      REQUIRE(count[s] == static_cast<int32_t>(expected.size()));
      std::vector<uint8_t> flags(static_cast<size_t>(capacity));
      for (int32_t i : expected) flags[static_cast<size_t>(i)] = 1;
      REQUIRE(std::vector<uint8_t>(keep.begin() + static_cast<long>(first),
                                   keep.begin() + static_cast<long>(first + flags.size())) == flags);
      expected.resize(static_cast<size_t>(most), -1);
      REQUIRE(row(survivors, s, static_cast<size_t>(most)) == expected);
    }
  }
}

TEST_CASE("an overlap equal to the threshold survives") {
  // 10 x 10 against its left half: exactly 0.5.
  for (Context* ctx : devices()) {
    REQUIRE(survivors_of(*ctx, {0, 0, 10, 10, 0, 0, 5, 10}, 0.5) == std::vector<int32_t>{0, 1});
    REQUIRE(survivors_of(*ctx, {0, 0, 10, 10, 0, 0, 5, 10}, 0.499) == std::vector<int32_t>{0});
  }
}

TEST_CASE("an overlap that float32 rounds past the threshold is suppressed, as torchvision does") {
  // 10 x 10 against its upper k rows: k / 10 exactly. torchvision 0.14.1's nms on the CPU for thresholds 0.1 to 0.9:
  const bool survives[9] = {false, false, false, false, true, false, true, false, true};
  const double thresholds[9] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  for (Context* ctx : devices()) {
    for (int k = 1; k <= 9; ++k) {
      INFO("threshold " << thresholds[k - 1]);
      REQUIRE((survivors_of(*ctx, {0, 0, 10, 10, 0, 0, 10, float(k)}, thresholds[k - 1]).size() == 2) ==
              survives[k - 1]);
    }
  }
}

TEST_CASE("boxes without area, NaN boxes and no boxes") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (Context* ctx : devices()) {
    REQUIRE(survivors_of(*ctx, {5, 5, 5, 5, 5, 5, 5, 5, nan, 0, 9, 9, 0, 0, 9, 9, 0, 0, 9, 9}, 0.5) ==
            std::vector<int32_t>{0, 1, 2, 3});
    REQUIRE(survivors_of(*ctx, {}, 0.5).empty());
    NmsInput input;
    input.boxes = Tensor::zeros(*ctx, {0, 10, 4});
    REQUIRE(nms_sorted(*ctx, input, 0.5, 3).survivors.shape() == Shape{0, 3});
  }
}

TEST_CASE("suppression bodies give the same on a crew, from stored and from computed bits") {
  const int64_t segments = 2, capacity = 300, words = 5, padded = 320, most = 150;
  const std::vector<float> boxes = random_boxes(segments * capacity, 120, 12);
  std::vector<int32_t> labels(600), count = {300, 170};
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % 3);
  const int lanes = GENERATE(1, 3, 16);
  std::vector<float> columns(static_cast<size_t>(segments * 5 * padded));
  std::vector<int64_t> struck(10), bits(static_cast<size_t>(segments * words * padded));
  std::vector<int32_t> survivors(300), kept(2);
  std::vector<uint8_t> keep(600);
  const BoxColumns<float> to{columns.data(), labels.data(), capacity, padded};
  const ComputedRows<float> rows{to, 0.4f};
  crew::run(lanes, segments * words, NmsPrepare<float>{to, boxes.data(), nullptr, count.data(), struck.data()});
  REQUIRE(NmsBits<float>::parts(padded) == 2);
  crew::run(lanes, segments * words * 2, NmsBits<float>{rows, bits.data()});
  std::vector<int64_t> again = struck;
  crew::run(lanes, segments,
            NmsWalk<float, StoredRows<float>>{StoredRows<float>{bits.data(), padded}, again.data(), nullptr,
                                              survivors.data(), kept.data(), keep.data(), capacity, words, most});
  for (size_t s = 0; s < 2; ++s) {
    std::vector<int32_t> expected = slow_nms(&boxes[s * 1200], static_cast<size_t>(count[s]), &labels[s * 300], nullptr,
                                             0.4f, static_cast<size_t>(most));
    REQUIRE(kept[s] == static_cast<int32_t>(expected.size()));
    expected.resize(static_cast<size_t>(most), -1);
    REQUIRE(row(survivors, s, static_cast<size_t>(most)) == expected);
  }
  const std::vector<int32_t> from_stored = survivors;
  const std::vector<uint8_t> keep_stored = keep;
  crew::run(lanes, segments,
            NmsWalk<float, ComputedRows<float>>{rows, struck.data(), nullptr, survivors.data(), kept.data(),
                                                keep.data(), capacity, words, most});
  REQUIRE(survivors == from_stored);
  REQUIRE(keep == keep_stored);
}
