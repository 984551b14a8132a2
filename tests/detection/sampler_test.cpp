// Sampling against a sort of the same keys, the statistics of a fair draw, and target tables made by hand.
#include "detection/sampler.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "detection/sampler_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr RandomKey kKey{123456789012345u, random_purpose("sampler test")};

Matches matches_of(Context& ctx, int64_t images, const std::vector<int32_t>& index) {
  const auto candidates = static_cast<int64_t>(index.size()) / images;
  return {Tensor::from(ctx, {images, candidates}, index), Tensor::zeros(ctx, {images, candidates})};
}

// Positive where i % 5 is 0, no part where i % 5 is 1.
std::vector<int32_t> mixed_matches(size_t count) {
  std::vector<int32_t> match(count);
  for (size_t i = 0; i < count; ++i) match[i] = i % 5 == 0 ? static_cast<int32_t>(i % 3) : (i % 5 == 1 ? -2 : -1);
  return match;
}

// One image: the candidates of one kind, largest key first.
std::vector<int32_t> ranked(const std::vector<int32_t>& match, const std::vector<float>& keys, bool positive) {
  std::vector<int32_t> who;
  for (size_t i = 0; i < match.size(); ++i) {
    if (positive ? match[i] >= 0 : match[i] == kBackground) who.push_back(static_cast<int32_t>(i));
  }
  std::stable_sort(who.begin(), who.end(),
                   [&](int32_t a, int32_t b) { return keys[static_cast<size_t>(a)] > keys[static_cast<size_t>(b)]; });
  return who;
}

std::vector<int32_t> expected_sample(const std::vector<int32_t>& match, const std::vector<float>& keys, size_t total,
                                     size_t most_positives) {
  std::vector<int32_t> sample = ranked(match, keys, true);
  sample.resize(std::min(sample.size(), most_positives));
  for (int32_t i : ranked(match, keys, false)) {
    if (sample.size() < total) sample.push_back(i);
  }
  sample.resize(total, -1);
  return sample;
}

}  // namespace

TEST_CASE("the largest keys win, positives up to their share") {
  const size_t candidates = 2500;
  const std::vector<int32_t> match = mixed_matches(candidates);
  std::vector<float> keys(candidates);
  for (size_t i = 0; i < candidates; ++i) {
    keys[i] = uniform01(random_words(kKey, 7, static_cast<uint32_t>(i / 4), 3).word[i % 4]);
  }
  for (Context* ctx : devices()) {
    for (const double share : {0.25, 0.5, 1.0, 0.0}) {
      const SamplerOptions options{256, share, false};
      const Sample sample = subsample(*ctx, matches_of(*ctx, 1, match), options, {kKey, 7, nullptr, 3, nullptr});
      const auto most = static_cast<size_t>(256 * share);
      REQUIRE(sample.index.to_vector<int32_t>(*ctx) == expected_sample(match, keys, 256, most));
      REQUIRE(sample.positives.to_vector<int32_t>(*ctx)[0] == static_cast<int32_t>(most));
      REQUIRE(sample.count.to_vector<int32_t>(*ctx)[0] == 256);
      // The same draws given as a tensor.
      const Tensor given = Tensor::from(*ctx, {1, static_cast<int64_t>(candidates)}, keys);
      SamplerDraws replay;
      replay.keys = &given;
      REQUIRE(subsample(*ctx, matches_of(*ctx, 1, match), options, replay).index.to_vector<int32_t>(*ctx) ==
              sample.index.to_vector<int32_t>(*ctx));
    }
  }
}

TEST_CASE("scarce positives are filled up with negatives, scarce candidates leave rows unused") {
  for (Context* ctx : devices()) {
    // Image 0: one positive; image 1: no negative; image 2: nothing takes part.
    const std::vector<int32_t> match = {-1, 4, -1, -1, -2, -1, 0, 1, 2, -2, -2, -2, -2, -2, -2, -2, -2, -2};
    const Sample sample = subsample(*ctx, matches_of(*ctx, 3, match), {4, 0.5, false}, {kKey, 0, nullptr, 0, nullptr});
    REQUIRE(sample.positives.to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 2, 0});
    REQUIRE(sample.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{4, 2, 0});
    const std::vector<int32_t> index = sample.index.to_vector<int32_t>(*ctx);
    REQUIRE(index[0] == 1);
    REQUIRE(std::set<int32_t>(index.begin() + 1, index.begin() + 4).size() == 3);
    REQUIRE(std::vector<int32_t>(index.begin() + 6, index.end()) == std::vector<int32_t>(6, -1));
  }
}

TEST_CASE("nothing subsampled keeps everybody who takes part, in order") {
  for (Context* ctx : devices()) {
    const std::vector<int32_t> match = {-1, 2, -2, -1, 0, -1};
    const Sample sample = subsample(*ctx, matches_of(*ctx, 1, match), {4, 0.5, true}, {});
    REQUIRE(sample.index.to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 4, 0, 3, 5, -1});
    REQUIRE(sample.positives.to_vector<int32_t>(*ctx) == std::vector<int32_t>{2});
    REQUIRE(sample.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{5});
    REQUIRE(subsample(*ctx, matches_of(*ctx, 1, {}), {4, 0.5, false}, {}).index.to_vector<int32_t>(*ctx) ==
            std::vector<int32_t>(4, -1));
  }
}

TEST_CASE("a draw depends on step and image only, wherever the image stands in the batch") {
  const std::vector<int32_t> match = mixed_matches(1000);
  std::vector<int32_t> twice = match;
  twice.insert(twice.end(), match.begin(), match.end());
  const SamplerOptions options{64, 0.5, false};
  for (Context* ctx : devices()) {
    const auto draw = [&](int64_t images, uint32_t step, uint32_t first, const Tensor* steps = nullptr) {
      return subsample(*ctx, matches_of(*ctx, images, images == 1 ? match : twice), options,
                       {kKey, step, steps, first, nullptr})
          .index.to_vector<int32_t>(*ctx);
    };
    const auto both = draw(2, 5, 10), second = draw(1, 5, 11), later = draw(1, 6, 11);
    REQUIRE(std::vector<int32_t>(both.begin() + 64, both.end()) == second);
    REQUIRE(std::vector<int32_t>(both.begin(), both.begin() + 64) != second);
    REQUIRE(later != second);
    const Tensor two = Tensor::from(*ctx, {1}, std::vector<int32_t>{2});
    REQUIRE(draw(1, 4, 11, &two) == later);
  }
}

TEST_CASE("every candidate is equally likely to be drawn") {
  // 10 of 40 negatives, 4000 times: each is expected 1000 times with standard deviation 27.
  Context& ctx = cpu_context();
  const Matches matches = matches_of(ctx, 1, std::vector<int32_t>(40, -1));
  std::vector<int> drawn(40, 0);
  for (uint32_t step = 0; step < 4000; ++step) {
    const Sample sample = subsample(ctx, matches, {10, 0.5, false}, {kKey, step, nullptr, 0, nullptr});
    for (int32_t i : sample.index.to_vector<int32_t>(ctx)) ++drawn[static_cast<size_t>(i)];
  }
  for (int times : drawn) REQUIRE(std::abs(times - 1000) < 5 * 27.4);
}

TEST_CASE("anchor targets are labels and encoded offsets") {
  for (Context* ctx : devices()) {
    const std::vector<float> anchors = random_boxes(8, 100, 21), truth = random_boxes(6, 100, 22);
    const Tensor anchor_tensor = Tensor::from(*ctx, {8, 4}, anchors);
    const BoxSet truth_set = box_set(*ctx, 2, 3, truth, {3, 2});
    const Matches matches = matches_of(*ctx, 2, {-1, 2, -2, -1, 0, -1, -2, -2, -1, -1, 1, -2, -2, -2, -2, -2});
    const Sample sample = subsample(*ctx, matches, {4, 0.5, true}, {});
    const AnchorTargets targets = anchor_targets(*ctx, sample, matches, anchor_tensor, truth_set, {});
    REQUIRE(targets.label.to_vector<int32_t>(*ctx) ==
            std::vector<int32_t>{1, 1, 0, 0, 0, -1, -1, -1, 1, 0, 0, -1, -1, -1, -1, -1});
    const std::vector<float> deltas = targets.deltas.to_vector<float>(*ctx);
    const auto offsets = [&](size_t anchor, size_t goal) {
      const float* p = &anchors[anchor * 4];
      const float* g = &truth[goal * 4];
      return std::vector<double>{((g[0] + g[2]) / 2 - (p[0] + p[2]) / 2) / (p[2] - p[0]),
                                 ((g[1] + g[3]) / 2 - (p[1] + p[3]) / 2) / (p[3] - p[1]),
                                 std::log((g[2] - g[0]) / (p[2] - p[0])), std::log((g[3] - g[1]) / (p[3] - p[1]))};
    };
    const std::vector<std::pair<size_t, std::vector<double>>> rows = {
        {0, offsets(1, 2)}, {1, offsets(4, 0)}, {8, offsets(2, 3 + 1)}, {2, {0, 0, 0, 0}}, {5, {0, 0, 0, 0}}};
    for (const auto& [slot, expected] : rows) {
      for (size_t i = 0; i < 4; ++i) REQUIRE(deltas[slot * 4 + i] == Approx(expected[i]).margin(1e-5));
    }
  }
}

TEST_CASE("ground truth joins the proposals in front or behind") {
  for (Context* ctx : devices()) {
    const BoxSet proposals = box_set(*ctx, 2, 2, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 9, 9, 9, 9}, {2, 1});
    const BoxSet truth = box_set(*ctx, 2, 1, {10, 10, 20, 20, 30, 30, 40, 40}, {1, 0});
    const BoxSet first = with_truth(*ctx, proposals, truth, TruthPlace::first);
    REQUIRE(first.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{3, 1});
    REQUIRE(first.boxes.to_vector<float>(*ctx) == std::vector<float>{10, 10, 20, 20, 1, 1, 2, 2, 3, 3, 4, 4,  //
                                                                     5,  5,  6,  6,  0, 0, 0, 0, 0, 0, 0, 0});
    const BoxSet last = with_truth(*ctx, proposals, truth, TruthPlace::last);
    REQUIRE(last.boxes.to_vector<float>(*ctx) == std::vector<float>{1, 1, 2, 2, 3, 3, 4, 4, 10, 10, 20, 20,  //
                                                                    5, 5, 6, 6, 0, 0, 0, 0, 0,  0,  0,  0});
    const BoxSet without = with_truth(*ctx, proposals, truth, TruthPlace::nowhere);
    REQUIRE(without.capacity() == 2);
    REQUIRE(row_images(*ctx, last.count, 3).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0, 0, 1, -1, -1});
    const BoxSet small = trimmed(cpu_context(), box_set(cpu_context(), 2, 2, std::vector<float>(16, 7), {1, 0}));
    REQUIRE(small.boxes.shape() == Shape{2, 1, 4});
  }
}

TEST_CASE("a count beyond the capacity joins what there is room for, and reads no other image") {
  for (Context* ctx : devices()) {
    BoxSet proposals, truth;
    proposals.boxes = Tensor::from(*ctx, {2, 1, 4}, std::vector<float>{1, 1, 2, 2, 3, 3, 4, 4});
    proposals.count = Tensor::from(*ctx, {2}, std::vector<int32_t>{9, 1});
    truth.boxes = Tensor::from(*ctx, {2, 1, 4}, std::vector<float>{5, 5, 6, 6, 7, 7, 8, 8});
    truth.count = Tensor::from(*ctx, {2}, std::vector<int32_t>{1, 9});
    const BoxSet joint = with_truth(*ctx, proposals, truth, TruthPlace::first);
    REQUIRE(joint.boxes.to_vector<float>(*ctx) == std::vector<float>{5, 5, 6, 6, 1, 1, 2, 2, 7, 7, 8, 8, 3, 3, 4, 4});
    REQUIRE(joint.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{2, 2});
  }
}

TEST_CASE("RoI targets carry box, class, matched ground truth and offsets") {
  for (Context* ctx : devices()) {
    const std::vector<float> boxes = random_boxes(5, 100, 23);
    const BoxSet candidates = box_set(*ctx, 1, 5, boxes, {5});
    BoxSet truth = box_set(*ctx, 1, 2, random_boxes(2, 100, 24), {2});
    truth.labels = Tensor::from(*ctx, {1, 2}, std::vector<int32_t>{17, 4});
    const Matches matches = matches_of(*ctx, 1, {-1, 1, -2, 0, -1});
    const Sample sample = subsample(*ctx, matches, {9, 0.5, true}, {});
    BoxCoderOptions coder;
    coder.weights = {10, 10, 5, 5};
    const RoiTargets targets = roi_targets(*ctx, sample, matches, candidates, truth, 80, coder);
    REQUIRE(targets.label.to_vector<int32_t>(*ctx) == std::vector<int32_t>{4, 17, 80, 80, -1});
    REQUIRE(targets.truth.to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 0, -1, -1, -1});
    REQUIRE(targets.source.to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 3, 0, 4, -1});
    const std::vector<float> out = targets.boxes.to_vector<float>(*ctx);
    REQUIRE(std::vector<float>(out.begin(), out.begin() + 4) ==
            std::vector<float>(boxes.begin() + 4, boxes.begin() + 8));
    REQUIRE(std::vector<float>(out.begin() + 16, out.end()) == std::vector<float>(4, 0));
    const std::vector<float> deltas = targets.deltas.to_vector<float>(*ctx);
    REQUIRE(std::vector<float>(deltas.begin() + 8, deltas.end()) == std::vector<float>(12, 0));
    // Decoding the targets gives the ground truth back.
    const Tensor back = decode_boxes(*ctx, targets.boxes.reshape({5, 4}), targets.deltas.reshape({5, 4}), coder);
    const std::vector<float> got = back.to_vector<float>(*ctx), goal = truth.boxes.to_vector<float>(*ctx);
    for (size_t i = 0; i < 4; ++i) {
      REQUIRE(got[i] == Approx(goal[4 + i]).margin(1e-3));
      REQUIRE(got[4 + i] == Approx(goal[i]).margin(1e-3));
    }
    truth.labels = Tensor();
    REQUIRE_THROWS_AS(roi_targets(*ctx, sample, matches, candidates, truth, 80, coder), Error);
  }
}

TEST_CASE("sampler bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const std::vector<int32_t> match = mixed_matches(2600);  // two images of 1300: two items each
  const Matches matches = matches_of(ctx, 2, match);
  const Sample solo = subsample(ctx, matches, {32, 0.25, false}, {kKey, 9, nullptr, 4, nullptr});
  std::vector<float> keys(5200, -7), best(128);
  std::vector<int32_t> who(128), index(64, -7), positives(2), count(2);
  crew::run(3, 4, SampleKeys{match.data(), nullptr, nullptr, keys.data(), 2, 1300, 2, kKey, 9, 4, false});
  for (size_t row = 0; row < 4; ++row) {
    std::vector<int32_t> order(1300);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return keys[row * 1300 + static_cast<size_t>(a)] > keys[row * 1300 + static_cast<size_t>(b)];
    });
    for (size_t i = 0; i < 32; ++i) {
      who[row * 32 + i] = order[i];
      best[row * 32 + i] = keys[row * 1300 + static_cast<size_t>(order[i])];
    }
  }
  crew::run(5, 2, PackSample{best.data(), who.data(), index.data(), positives.data(), count.data(), 2, 32, 8});
  REQUIRE(index == solo.index.to_vector<int32_t>(ctx));
  REQUIRE(positives == solo.positives.to_vector<int32_t>(ctx));
  REQUIRE(count == solo.count.to_vector<int32_t>(ctx));

  const std::vector<float> boxes = random_boxes(1300, 200, 25), truth = random_boxes(6, 200, 26);
  const BoxSet truth_set = box_set(ctx, 2, 3, truth, {3, 3});
  const AnchorTargets expected = anchor_targets(ctx, solo, matches, Tensor::from(ctx, {1300, 4}, boxes), truth_set, {});
  std::vector<int32_t> label(64);
  std::vector<float> deltas(256);
  crew::run(3, 64,
            FillAnchorTargets<float>{index.data(), positives.data(), match.data(), boxes.data(), truth.data(),
                                     label.data(), deltas.data(), 32, 1300, 3, BoxCoder<float>::of({})});
  REQUIRE(label == expected.label.to_vector<int32_t>(ctx));
  REQUIRE(deltas == expected.deltas.to_vector<float>(ctx));

  const std::vector<int32_t> labels = {1, 2, 3, 4, 5, 6}, counts = {2, 3}, proposal_counts = {600, 650};
  std::vector<float> both_boxes = boxes, joint(653 * 8), roi_boxes(256);
  BoxSet proposals = box_set(ctx, 2, 650, both_boxes, proposal_counts);
  const BoxSet some_truth = box_set(ctx, 2, 3, truth, counts);
  std::vector<int32_t> joint_count(2), matched(64);
  crew::run(2, 1306,
            JoinTruth<float>{both_boxes.data(), truth.data(), proposal_counts.data(), counts.data(), joint.data(),
                             joint_count.data(), 650, 3, true});
  const BoxSet join = with_truth(ctx, proposals, some_truth, TruthPlace::first);
  REQUIRE(joint == join.boxes.to_vector<float>(ctx));
  REQUIRE(joint_count == join.count.to_vector<int32_t>(ctx));

  BoxSet everything;
  everything.boxes = Tensor::from(ctx, {2, 1300, 4}, random_boxes(2600, 200, 27));
  everything.count = Tensor::from(ctx, {2}, std::vector<int32_t>{1300, 1300});
  BoxSet labelled = truth_set;
  labelled.labels = Tensor::from(ctx, {2, 3}, labels);
  const RoiTargets rois = roi_targets(ctx, solo, matches, everything, labelled, 80, {});
  crew::run(3, 64,
            FillRoiTargets<float>{index.data(), positives.data(), match.data(), everything.boxes.data<float>(),
                                  truth.data(), labels.data(), roi_boxes.data(), label.data(), matched.data(),
                                  deltas.data(), 32, 1300, 3, 80, BoxCoder<float>::of({})});
  REQUIRE(roi_boxes == rois.boxes.to_vector<float>(ctx));
  REQUIRE(label == rois.label.to_vector<int32_t>(ctx));
  REQUIRE(matched == rois.truth.to_vector<int32_t>(ctx));
  REQUIRE(deltas == rois.deltas.to_vector<float>(ctx));
}
