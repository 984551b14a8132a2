#pragma once

#include "detection/box_coder_body.h"
#include "detection/sampler.h"

namespace tailseg {

// One item = kQuads groups of four neighbouring candidates of one image; lanes walk the groups. Four candidates share
// one Philox block. Keys of the positives go to one row, of the negatives to another; -1 marks who is neither.
struct SampleKeys {
  static constexpr const char* name = "sample_keys";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kQuads = 256;
  const int32_t* match;  // [N, A]
  const float* given;    // [N, A] or null
  const int32_t* steps;  // [1] or null
  float* keys;           // [2, N, A]: positives, negatives
  int64_t images, candidates, chunks;
  RandomKey key;
  uint32_t step, first_image;
  bool constant;  // all keys equal: the order is that of the candidates

  TS_HD float key_of(int64_t at, uint32_t word) const {
    return constant ? 0.5f : (given ? given[at] : uniform01(word));
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t n = item / chunks, first = item % chunks * kQuads;
    const uint32_t now = step + (steps ? static_cast<uint32_t>(steps[0]) : 0u);
    const auto image = first_image + static_cast<uint32_t>(n);
    for (int64_t quad = first + group.rank(); quad < first + kQuads; quad += group.size()) {
      Philox4x32::Counter words{};
      if (!given && !constant) words = random_words(key, now, static_cast<uint32_t>(quad), image);
      for (int64_t j = 0; j < 4 && quad * 4 + j < candidates; ++j) {
        const int64_t at = n * candidates + quad * 4 + j;
        const float mine = key_of(at, words.word[j]);
        keys[at] = match[at] >= 0 ? mine : -1.f;
        keys[images * candidates + at] = match[at] == kBackground ? mine : -1.f;
      }
    }
  }
  Cost cost(int64_t items) const { return {double(items) * kQuads * 4 * 12, double(items) * kQuads * 120}; }
};

// One item = one image; lanes walk the sample.
struct PackSample {
  static constexpr const char* name = "pack_sample";
  static constexpr Lanes lanes = Lanes::block;
  const float* keys;      // [2, N, S]: the best of the positives and of the negatives
  const int32_t* ranked;  // [2, N, S] who they are
  int32_t* index;         // [N, S]
  int32_t* positives;     // [N]
  int32_t* count;         // [N]
  int64_t images, capacity, most_positives;

  template <class Group>
  TS_HD int64_t available(Group group, const float* row, int64_t most) const {
    int64_t total = 0;
    for (int64_t i = group.rank(); i < most; i += group.size()) total += row[i] >= 0;
    return group.sum(total);
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t n) const {
    const int64_t negative_row = (images + n) * capacity;
    const int64_t chosen = available(group, keys + n * capacity, most_positives);
    const int64_t total = math::min(capacity, chosen + available(group, keys + negative_row, capacity));
    for (int64_t s = group.rank(); s < capacity; s += group.size()) {
      const int32_t who = s < chosen ? ranked[n * capacity + s] : ranked[negative_row + s - chosen];
      index[n * capacity + s] = s < total ? who : -1;
    }
    if (group.rank() != 0) return;
    positives[n] = static_cast<int32_t>(chosen);
    count[n] = static_cast<int32_t>(total);
  }
  Cost cost(int64_t n) const { return {double(n) * double(capacity) * 20, double(n) * double(capacity) * 6}; }
};

// One item = one row of the sample (thread).
template <class Real>
struct FillAnchorTargets {
  static constexpr const char* name = "anchor_targets";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* index;      // [N, S]
  const int32_t* positives;  // [N]
  const int32_t* match;      // [N, A]
  const Real* anchors;       // [A, 4]
  const Real* truth;         // [N, G, 4]
  int32_t* label;            // [N, S]
  Real* deltas;              // [N, S, 4]
  int64_t capacity, candidates, truth_capacity;
  BoxCoder<Real> coder;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (group.rank() != 0) return;
    const int64_t n = row / capacity, anchor = index[row];
    const bool positive = row % capacity < positives[n];
    label[row] = positive ? 1 : (anchor >= 0 ? 0 : -1);
    store_box(deltas + row * 4, Box<Real>{});
    if (!positive) return;
    const int64_t matched = n * truth_capacity + match[n * candidates + anchor];
    coder.encode(load_box(anchors + anchor * 4), load_box(truth + matched * 4), deltas + row * 4);
  }
  Cost cost(int64_t rows) const { return {double(rows) * 8 * sizeof(Real), double(rows) * 10}; }
};

// One item = one row of the joint set (thread).
template <class Real>
struct JoinTruth {
  static constexpr const char* name = "join_truth";
  static constexpr Lanes lanes = Lanes::one;
  const Real* proposals;          // [N, P, 4]
  const Real* truth;              // [N, G, 4]
  const int32_t* proposal_count;  // [N]
  const int32_t* truth_count;     // [N]
  Real* boxes;                    // [N, P + G, 4]
  int32_t* count;                 // [N]
  int64_t proposal_capacity, truth_capacity;
  bool truth_first;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (group.rank() != 0) return;
    const int64_t capacity = proposal_capacity + truth_capacity, n = row / capacity, i = row % capacity;
    const int64_t truths = math::clamp(int64_t(truth_count[n]), int64_t(0), truth_capacity);
    const int64_t proposed = math::clamp(int64_t(proposal_count[n]), int64_t(0), proposal_capacity);
    const int64_t total = truths + proposed;
    const int64_t truth_begin = truth_first ? 0 : proposed, proposal_begin = truth_first ? truths : 0;
    Box<Real> box{};
    if (i >= truth_begin && i < truth_begin + truths) {
      box = load_box(truth + (n * truth_capacity + i - truth_begin) * 4);
    } else if (i < total) {
      box = load_box(proposals + (n * proposal_capacity + i - proposal_begin) * 4);
    }
    store_box(boxes + row * 4, box);
    if (i == 0) count[n] = static_cast<int32_t>(total);
  }
  Cost cost(int64_t rows) const { return {double(rows) * 8 * sizeof(Real), double(rows) * 10}; }
};

// One item = one row of the sample (thread).
template <class Real>
struct FillRoiTargets {
  static constexpr const char* name = "roi_targets";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* index;         // [N, S]
  const int32_t* positives;     // [N]
  const int32_t* match;         // [N, P]
  const Real* candidates;       // [N, P, 4]
  const Real* truth;            // [N, G, 4]
  const int32_t* truth_labels;  // [N, G]
  Real* boxes;                  // [N, S, 4]
  int32_t* label;               // [N, S]
  int32_t* matched;             // [N, S]
  Real* deltas;                 // [N, S, 4]
  int64_t capacity, candidate_capacity, truth_capacity;
  int32_t background;
  BoxCoder<Real> coder;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (group.rank() != 0) return;
    const int64_t n = row / capacity;
    const int32_t who = index[row];
    const bool positive = row % capacity < positives[n];
    const Box<Real> box = who >= 0 ? load_box(candidates + (n * candidate_capacity + who) * 4) : Box<Real>{};
    store_box(boxes + row * 4, box);
    matched[row] = positive ? match[n * candidate_capacity + who] : -1;
    const int64_t goal = n * truth_capacity + matched[row];
    label[row] = positive ? truth_labels[goal] : (who >= 0 ? background : -1);
    store_box(deltas + row * 4, Box<Real>{});
    if (positive) coder.encode(box, load_box(truth + goal * 4), deltas + row * 4);
  }
  Cost cost(int64_t rows) const { return {double(rows) * 16 * sizeof(Real), double(rows) * 20}; }
};

}  // namespace tailseg
