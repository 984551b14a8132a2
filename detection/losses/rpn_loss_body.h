// The region proposal network's two losses on its packed outputs. Only sampled anchors are looked at; their gradients
// (one score, four offsets) are kept compact and put into the packed layout on the way back.
#pragma once

#include "detection/losses/elementary.h"
#include "detection/losses/rpn_loss.h"

namespace tailseg {

constexpr int kMaxRpnLevels = 8;

// Where an anchor's numbers are. Anchors count level by level, then row, column, base anchor.
template <class Scalar>
struct RpnPacked {
  Scalar* data[kMaxRpnLevels];         // [N, H, W, channels]: A scores, 4 A offsets anchor by anchor, padding
  int64_t cells[kMaxRpnLevels];        // H * W
  int64_t first[kMaxRpnLevels + 1];    // anchors of one image in the levels before; the last entry: all of them
  int64_t levels, channels, per_cell;  // per_cell: A

  TS_HD bool has(int64_t anchor) const { return anchor >= 0 && anchor < first[levels]; }
  TS_HD int64_t level_of(int64_t anchor) const {
    int64_t level = 0;
    while (anchor >= first[level + 1]) ++level;
    return level;
  }
  TS_HD Scalar* cell(int64_t image, int64_t anchor, int64_t level) const {
    return data[level] + (image * cells[level] + (anchor - first[level]) / per_cell) * channels;
  }
  TS_HD int64_t score_channel(int64_t anchor, int64_t level) const { return (anchor - first[level]) % per_cell; }
  TS_HD int64_t offset_channel(int64_t score_channel) const { return per_cell + 4 * score_channel; }
};

// One item = one sampled anchor (thread).
template <class Scalar>
struct RpnLossSample {
  static constexpr const char* name = "rpn_loss_sample";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  RpnPacked<const Scalar> packed;
  const int32_t* index;    // [N, S] anchor
  const int32_t* labels;   // [N, S]: 1 object, 0 background, -1 unused
  const Real* targets;     // [N, S, 4]
  Real* values;            // [2, N * S]: objectness, box
  Real* slopes;            // [N, S, 5]: of the score and the four offsets
  int64_t samples, total;  // S, N * S
  Real beta;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t anchor = index[item];
    Real* slope = slopes + item * 5;
    for (int i = 0; i < 5; ++i) slope[i] = Real(0);
    values[item] = values[total + item] = Real(0);
    if (labels[item] < 0) return;
    if (!packed.has(anchor)) {  // must not pass unseen
      values[item] = std::numeric_limits<Real>::quiet_NaN();
      return;
    }
    const int64_t level = packed.level_of(anchor), channel = packed.score_channel(anchor, level);
    const Scalar* cell = packed.cell(item / samples, anchor, level);
    const bool object = labels[item] > 0;
    const ValueAndSlope<Real> score = binary_cross_entropy_at(Real(cell[channel]), object ? Real(1) : Real(0));
    values[item] = score.value;
    slope[0] = score.slope;
    if (!object) return;
    Real box = Real(0);
    for (int64_t i = 0; i < 4; ++i) {
      const Real delta = Real(cell[packed.offset_channel(channel) + i]);
      const ValueAndSlope<Real> at = smooth_l1_at(delta - targets[item * 4 + i], beta);
      box += at.value;
      slope[i + 1] = at.slope;
    }
    values[total + item] = box;
  }
  Cost cost(int64_t items) const { return {double(items) * 100, double(items) * 120}; }
};

// losses = sums / divisor. One item; lanes walk the samples.
template <class Real>
struct RpnLossTotal {
  static constexpr const char* name = "rpn_loss_total";
  static constexpr Lanes lanes = Lanes::block;
  const Real* values;     // [2, N * S]
  const int32_t* labels;  // [N, S]
  Real* losses;           // [2]
  Real* inverse;          // [1] 1 / divisor
  int32_t* counts;        // [2]: positives, negatives
  int64_t images, samples;
  RpnNormaliser normaliser;
  Real per_image;

  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const Real objectness = sum_over<Real>(group, images * samples, [&](int64_t i) { return values[i]; });
    const Real box = sum_over<Real>(group, images * samples, [&](int64_t i) { return values[images * samples + i]; });
    const int64_t one = 1;
    int64_t positives = 0, negatives = 0, at_least_one = 0;
    for (int64_t n = 0; n < images; ++n) {
      const int32_t* mine = labels + n * samples;
      const int64_t p = sum_over<int64_t>(group, samples, [&](int64_t i) { return int64_t(mine[i] > 0); });
      const int64_t q = sum_over<int64_t>(group, samples, [&](int64_t i) { return int64_t(mine[i] == 0); });
      positives += p;
      negatives += q;
      at_least_one += math::max(p, one) + math::max(q, one);
    }
    if (group.rank() != 0) return;
    const int64_t sampled = math::max(positives + negatives, one);
    Real by = Real(normaliser == RpnNormaliser::mmdet ? at_least_one : sampled);
    if (normaliser == RpnNormaliser::detectron2) by = per_image * Real(images);
    if (images == 0) by = Real(1);
    inverse[0] = Real(1) / by;
    losses[0] = objectness * inverse[0];
    losses[1] = box * inverse[0];
    counts[0] = static_cast<int32_t>(positives);
    counts[1] = static_cast<int32_t>(negatives);
  }
  Cost cost(int64_t) const {
    const double count = double(images) * double(samples);
    return {count * (2 * sizeof(Real) + 8), count * 6};
  }
};

// Puts the gradients of sampled anchors into zeroed packed tensors. One item = one sampled anchor (thread); no anchor
// is sampled twice, so no two items write to one place.
template <class Scalar>
struct RpnLossSpread {
  static constexpr const char* name = "rpn_loss_spread";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  RpnPacked<Scalar> packed;  // data null: no gradient wanted
  const int32_t* index;
  const int32_t* labels;
  const Real* slopes;    // [N, S, 5]
  const Real* upstream;  // [2]
  const Real* inverse;   // [1]
  int64_t samples;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t anchor = index[item];
    if (labels[item] < 0 || !packed.has(anchor)) return;
    const int64_t level = packed.level_of(anchor), channel = packed.score_channel(anchor, level);
    if (!packed.data[level]) return;
    Scalar* cell = packed.cell(item / samples, anchor, level);
    cell[channel] = Scalar(slopes[item * 5] * upstream[0] * inverse[0]);
    for (int64_t i = 0; i < 4; ++i) {
      cell[packed.offset_channel(channel) + i] = Scalar(slopes[item * 5 + 1 + i] * upstream[1] * inverse[0]);
    }
  }
  Cost cost(int64_t items) const { return {double(items) * 80, double(items) * 30}; }
};

}  // namespace tailseg
