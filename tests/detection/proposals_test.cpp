// Proposals against the steps written one after the other in double, and torchvision's on the same numbers.
// torchvision's: RegionProposalNetwork (0.14.1) with sizes (16), (32), ratios 0.5, 1, 2, pre-NMS 100, post-NMS 30, NMS
// 0.7, two images of 60 x 75 and 64 x 80 in a batch of 64 x 80, feature maps 8 x 10 and 4 x 5. Element e of the packed
// output [2, H, W, 16] of level l is v = (1369 e + 11 l) mod 10007 / 10007 * 2 - 1; logits are 4 v, deltas v.
#include "detection/proposals.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "detection/proposals_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

const std::vector<LevelSize> kLevels = {{8, 10}, {4, 5}};
const std::vector<int32_t> kSizes = {60, 75, 64, 80};

AnchorOptions small_anchors() {
  AnchorOptions options;
  options.sizes = {{16}, {32}};
  options.strides = {8, 16};
  return options;
}

// Packed outputs by the formula above.
std::vector<std::vector<float>> packed_outputs() {
  std::vector<std::vector<float>> out;
  for (int64_t l = 0; l < 2; ++l) {
    std::vector<float> level(static_cast<size_t>(2 * kLevels[size_t(l)].height * kLevels[size_t(l)].width * 16));
    for (size_t e = 0; e < level.size(); ++e) {
      const double v = double((int64_t(e) * 1369 + 11 * l) % 10007) / 10007 * 2 - 1;
      level[e] = static_cast<float>(v);
      if (e % 16 < 3) level[e] *= 4;
    }
    out.push_back(level);
  }
  return out;
}

template <class Scalar>
std::vector<RpnLevel> levels_of(Context& ctx, const std::vector<std::vector<Scalar>>& outputs) {
  std::vector<RpnLevel> levels;
  for (size_t l = 0; l < 2; ++l) {
    levels.push_back(RpnLevel::packed(Tensor::from(ctx, {2, kLevels[l].height, kLevels[l].width, 16}, outputs[l]), 3));
  }
  return levels;
}

struct SlowBox {
  double score;
  std::array<double, 4> box;
};

double slow_iou(const std::array<double, 4>& p, const std::array<double, 4>& q) {
  const double w = std::min(p[2], q[2]) - std::max(p[0], q[0]), h = std::min(p[3], q[3]) - std::max(p[1], q[1]);
  if (!(w > 0) || !(h > 0)) return 0;
  return w * h / ((p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - w * h);
}

// One image by mmdet's rules; anchors as given.
std::vector<SlowBox> slow_proposals(const std::vector<std::vector<float>>& outputs, const std::vector<float>& anchors,
                                    size_t image, const ProposalOptions& options) {
  std::vector<SlowBox> all;
  size_t first = 0;
  for (size_t l = 0; l < 2; ++l) {
    const size_t cells = static_cast<size_t>(kLevels[l].height * kLevels[l].width);
    std::vector<std::pair<double, size_t>> order;
    for (size_t a = 0; a < cells * 3; ++a) {
      const double logit = outputs[l][(image * cells + a / 3) * 16 + a % 3];
      if (std::isfinite(logit)) order.push_back({1 / (1 + std::exp(-logit)), a});
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& p, const auto& q) { return p.first > q.first; });
    order.resize(std::min(order.size(), static_cast<size_t>(options.per_level)));
    std::vector<SlowBox> kept;
    for (const auto& [score, a] : order) {
      const float* d = &outputs[l][(image * cells + a / 3) * 16 + 3 + a % 3 * 4];
      const float* p = &anchors[(first + a) * 4];
      const double pw = p[2] - p[0], ph = p[3] - p[1], clamp = std::log(1000.0 / 16);
      const double cx = (p[0] + p[2]) / 2 + d[0] * pw, cy = (p[1] + p[3]) / 2 + d[1] * ph;
      const double w = pw * std::exp(std::clamp<double>(d[2], -clamp, clamp));
      const double h = ph * std::exp(std::clamp<double>(d[3], -clamp, clamp));
      const double limits[2] = {double(kSizes[image * 2 + 1]), double(kSizes[image * 2])};
      const std::array<double, 4> box = {std::clamp(cx - w / 2, 0.0, limits[0]), std::clamp(cy - h / 2, 0.0, limits[1]),
                                         std::clamp(cx + w / 2, 0.0, limits[0]),
                                         std::clamp(cy + h / 2, 0.0, limits[1])};
      if (!(box[2] - box[0] > options.smallest) || !(box[3] - box[1] > options.smallest)) continue;
      bool good = true;
      for (const SlowBox& other : kept) good = good && !(slow_iou(other.box, box) > options.nms_threshold);
      if (good) kept.push_back({score, box});
    }
    all.insert(all.end(), kept.begin(), kept.end());
    first += cells * 3;
  }
  std::stable_sort(all.begin(), all.end(), [](const SlowBox& p, const SlowBox& q) { return p.score > q.score; });
  all.resize(std::min(all.size(), static_cast<size_t>(options.most)));
  return all;
}

}  // namespace

TEST_CASE("proposals are torchvision's under its options") {
  AnchorOptions anchor_options = small_anchors();
  anchor_options.round_base = true;
  anchor_options.measured_strides = true;
  ProposalOptions options;
  options.score = RpnScore::logit_then_probability;
  options.per_level = 100;
  options.most = 30;
  options.smallest = 1e-3;
  options.smallest_counts = true;
  options.coder.clamp_both_sides = false;
  const std::vector<std::array<double, 6>> expected = {// row of both images, x1, y1, x2, y2, score
                                                       {0, 27.4352, 0.0, 39.4388, 24.4532, 0.9813380241394043},
                                                       {1, 14.5046, 33.7821, 21.4974, 42.9754, 0.9808035492897034},
                                                       {2, 36.0145, 13.718, 67.0553, 35.9776, 0.9802541136741638},
                                                       {14, 19.3896, 0.0, 47.8286, 9.9943, 0.9722050428390503},
                                                       {29, 0.0, 0.0, 3.8815, 15.5842, 0.9572797417640686},
                                                       {30, 0.0, 0.0, 11.8083, 20.4421, 0.981743574142456},
                                                       {31, 27.4124, 3.4925, 39.3705, 32.3149, 0.9810577630996704},
                                                       {32, 29.0642, 51.6143, 43.0804, 64.0, 0.9809684157371521},
                                                       {44, 10.8631, 0.0, 21.8189, 5.1811, 0.9733273386955261},
                                                       {59, 17.6629, 15.3828, 59.854, 22.8896, 0.9578321576118469}};
  for (Context* ctx : devices()) {
    const AnchorSet anchors = make_anchors(*ctx, anchor_options, 64, 80, kLevels);
    const BoxSet proposals =
        make_proposals(*ctx, levels_of(*ctx, packed_outputs()), anchors, Tensor::from(*ctx, {2, 2}, kSizes), options);
    REQUIRE(proposals.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{30, 30});
    const std::vector<float> boxes = proposals.boxes.to_vector<float>(*ctx);
    const std::vector<float> scores = proposals.scores.to_vector<float>(*ctx);
    for (const auto& row : expected) {
      const auto i = static_cast<size_t>(row[0]);
      INFO("row " << i);
      for (size_t k = 0; k < 4; ++k) REQUIRE(boxes[i * 4 + k] == Approx(row[k + 1]).margin(2e-4));
      REQUIRE(scores[i] == Approx(row[5]).margin(1e-6));
    }
    REQUIRE(std::accumulate(boxes.begin(), boxes.begin() + 120, 0.0) == Approx(3754.436192512512).margin(1e-2));
    REQUIRE(std::accumulate(boxes.begin() + 120, boxes.end(), 0.0) == Approx(3740.025438308716).margin(1e-2));
    REQUIRE(std::accumulate(scores.begin(), scores.begin() + 30, 0.0) == Approx(29.110679864883423).margin(1e-5));
    REQUIRE(std::accumulate(scores.begin() + 30, scores.end(), 0.0) == Approx(29.14173597097397).margin(1e-5));
  }
}

TEST_CASE("proposals equal the steps by mmdet's rules") {
  ProposalOptions options;
  options.per_level = GENERATE(40, 1000);
  options.most = GENERATE(25, 400);
  options.smallest = GENERATE(0.0, 8.0);
  std::vector<std::vector<float>> outputs = packed_outputs();
  outputs[0][16 * 7] = std::numeric_limits<float>::quiet_NaN();       // a logit
  outputs[0][16 * 9 + 1] = std::numeric_limits<float>::infinity();    // a logit
  outputs[1][16 * 3 + 4] = std::numeric_limits<float>::quiet_NaN();   // a delta
  outputs[1][16 * 23 + 5] = std::numeric_limits<float>::quiet_NaN();  // a delta of the second image
  for (Context* ctx : devices()) {
    const AnchorSet anchors = make_anchors(*ctx, small_anchors(), 64, 80, kLevels);
    const std::vector<float> anchor_boxes = anchors.boxes.to_vector<float>(*ctx);
    const BoxSet proposals =
        make_proposals(*ctx, levels_of(*ctx, outputs), anchors, Tensor::from(*ctx, {2, 2}, kSizes), options);
    const std::vector<int32_t> count = proposals.count.to_vector<int32_t>(*ctx);
    const std::vector<float> boxes = proposals.boxes.to_vector<float>(*ctx);
    const std::vector<float> scores = proposals.scores.to_vector<float>(*ctx);
    for (size_t n = 0; n < 2; ++n) {
      const std::vector<SlowBox> expected = slow_proposals(outputs, anchor_boxes, n, options);
      REQUIRE(count[n] == static_cast<int32_t>(expected.size()));
      REQUIRE(expected.size() > 20);
      for (size_t i = 0; i < static_cast<size_t>(options.most); ++i) {
        const size_t at = n * static_cast<size_t>(options.most) + i;
        INFO("image " << n << " row " << i);
        for (size_t k = 0; k < 4; ++k) {
          REQUIRE(boxes[at * 4 + k] == Approx(i < expected.size() ? expected[i].box[k] : 0).margin(1e-3));
        }
        REQUIRE(scores[at] == Approx(i < expected.size() ? expected[i].score : 0).margin(1e-6));
      }
    }
  }
}

TEST_CASE("scores and deltas may lie in two tensors, and in float64") {
  Context& ctx = cpu_context();
  const AnchorSet anchors = make_anchors(ctx, small_anchors(), 64, 80, kLevels);
  const Tensor sizes = Tensor::from(ctx, {2, 2}, kSizes);
  const std::vector<std::vector<float>> outputs = packed_outputs();
  const BoxSet expected = make_proposals(ctx, levels_of(ctx, outputs), anchors, sizes, {});
  std::vector<RpnLevel> apart;
  std::vector<std::vector<double>> wide;
  for (size_t l = 0; l < 2; ++l) {
    std::vector<float> scores, deltas;
    for (size_t e = 0; e < outputs[l].size(); ++e) {
      if (e % 16 < 3) scores.push_back(outputs[l][e]);
      if (e % 16 >= 3 && e % 16 < 15) deltas.push_back(outputs[l][e]);
    }
    apart.push_back({Tensor::from(ctx, {2, kLevels[l].height, kLevels[l].width, 3}, scores), 0,
                     Tensor::from(ctx, {2, kLevels[l].height, kLevels[l].width, 12}, deltas), 0});
    wide.push_back(widened(outputs[l]));
  }
  const BoxSet split = make_proposals(ctx, apart, anchors, sizes, {});
  REQUIRE(split.boxes.to_vector<float>(ctx) == expected.boxes.to_vector<float>(ctx));
  const BoxSet precise = make_proposals(ctx, levels_of(ctx, wide), anchors, sizes, {});
  const std::vector<double> got = precise.boxes.to_vector<double>(ctx);
  const std::vector<float> boxes = expected.boxes.to_vector<float>(ctx);
  for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(boxes[i]).margin(1e-3));
}

TEST_CASE("all logits equal: anchors come in their order; none finite: no proposals") {
  for (Context* ctx : devices()) {
    const AnchorSet anchors = make_anchors(*ctx, small_anchors(), 64, 80, kLevels);
    const Tensor sizes = Tensor::from(*ctx, {2, 2}, kSizes);
    std::vector<std::vector<float>> outputs = {std::vector<float>(2560, 0), std::vector<float>(640, 0)};
    ProposalOptions options;
    options.nms_threshold = 1;
    options.most = 3;
    const BoxSet tied = make_proposals(*ctx, levels_of(*ctx, outputs), anchors, sizes, options);
    const std::vector<float> boxes = tied.boxes.to_vector<float>(*ctx);
    const std::vector<float> anchor_boxes = anchors.boxes.to_vector<float>(*ctx);
    for (size_t i = 0; i < 12; ++i) REQUIRE(boxes[i] == Approx(std::max(anchor_boxes[i], 0.f)).margin(1e-4));
    for (auto& level : outputs) std::fill(level.begin(), level.end(), std::numeric_limits<float>::quiet_NaN());
    const BoxSet none = make_proposals(*ctx, levels_of(*ctx, outputs), anchors, sizes, options);
    REQUIRE(none.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0});
    REQUIRE(none.boxes.to_vector<float>(*ctx) == std::vector<float>(24, 0));
  }
}

TEST_CASE("proposal bodies give the same on a crew") {
  const int64_t images = 2, levels = 3, capacity = 40, in_level = 30, most = 50;
  std::vector<float> boxes = random_boxes(images * levels * capacity, 100, 31), scores(240);
  std::vector<int32_t> survivors(180, -1), counts = {30, 12, 0, 7, 30, 30};
  for (size_t s = 0; s < 6; ++s) {
    for (size_t i = 0; i < 40; ++i) scores[s * 40 + i] = 8 - std::floor(static_cast<float>(i) / 3) * 0.5f;  // ties
    for (size_t i = 0; i < static_cast<size_t>(counts[s]); ++i) survivors[s * 30 + i] = static_cast<int32_t>(i + i / 4);
  }
  std::vector<float> solo_boxes(400, -1), crew_boxes(400, -1), solo_scores(100, -1), crew_scores(100, -1);
  std::vector<int32_t> solo_count(2), crew_count(2);
  MergeLevels<float> merge{boxes.data(),
                           scores.data(),
                           survivors.data(),
                           counts.data(),
                           solo_boxes.data(),
                           solo_scores.data(),
                           solo_count.data(),
                           levels,
                           capacity,
                           in_level,
                           most,
                           false};
  for (int64_t n = 0; n < images; ++n) merge(Solo{}, n);
  merge.out_boxes = crew_boxes.data();
  merge.out_scores = crew_scores.data();
  merge.out_count = crew_count.data();
  crew::run(7, images, merge);
  REQUIRE(crew_boxes == solo_boxes);
  REQUIRE(crew_scores == solo_scores);
  REQUIRE(crew_count == std::vector<int32_t>{42, 50});
  REQUIRE(solo_count == crew_count);
  // The merged order is a stable sort by score, level by level.
  std::vector<std::pair<float, size_t>> order;
  for (size_t s = 3; s < 6; ++s) {
    for (size_t i = 0; i < static_cast<size_t>(counts[s]); ++i) {
      const size_t at = s * 40 + static_cast<size_t>(survivors[s * 30 + i]);
      order.push_back({scores[at], at});
    }
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& p, const auto& q) { return p.first > q.first; });
  for (size_t i = 0; i < 50; ++i) {
    REQUIRE(solo_scores[50 + i] == order[i].first);
    REQUIRE(solo_boxes[(50 + i) * 4] == boxes[order[i].second * 4]);
  }

  const std::vector<float> output = packed_outputs()[0];
  const RpnView<float> view{output.data(), output.data() + 3, 16, 16, 10, 3, 240};
  std::vector<float> keys(480), crew_keys(480);
  const RankAnchors<float> rank{view, keys.data(), true};
  for (int64_t row = 0; row < 16; ++row) rank(Solo{}, row);
  crew::run(4, 16, RankAnchors<float>{view, crew_keys.data(), true});
  REQUIRE(keys == crew_keys);
  std::vector<int32_t> ranked(20);
  for (size_t i = 0; i < 20; ++i) ranked[i] = static_cast<int32_t>(i * 11);
  const std::vector<float> anchors = random_boxes(240, 80, 32);
  std::vector<float> decoded(192), decoded_crew(192), out_scores(48), crew_out_scores(48);
  std::vector<uint8_t> valid(48), crew_valid(48);
  DecodeRanked<float> decode{view,
                             anchors.data(),
                             keys.data(),
                             ranked.data(),
                             kSizes.data(),
                             decoded.data(),
                             out_scores.data(),
                             valid.data(),
                             10,
                             12,
                             1,
                             2,
                             BoxCoder<float>::of({}),
                             0,
                             false};
  for (int64_t i = 0; i < 24; ++i) decode(Solo{}, i);
  decode.boxes = decoded_crew.data();
  decode.scores = crew_out_scores.data();
  decode.valid = crew_valid.data();
  crew::run(3, 24, decode);
  REQUIRE(decoded == decoded_crew);
  REQUIRE(out_scores == crew_out_scores);
  REQUIRE(valid == crew_valid);
}

TEST_CASE("proposal input is checked") {
  Context& ctx = cpu_context();
  const AnchorSet anchors = make_anchors(ctx, small_anchors(), 64, 80, kLevels);
  const Tensor sizes = Tensor::from(ctx, {2, 2}, kSizes);
  std::vector<RpnLevel> levels = levels_of(ctx, packed_outputs());
  levels[1].delta_channel = 5;
  REQUIRE_THROWS_AS(make_proposals(ctx, levels, anchors, sizes, {}), Error);
  levels.pop_back();
  REQUIRE_THROWS_AS(make_proposals(ctx, levels, anchors, sizes, {}), Error);
}
