#pragma once

#include "tensor/body.h"
#include "tensor/philox.h"

namespace tailseg {

// One item = four neighbouring rows of one photo (thread), which share one Philox block. The first row of keys is for
// positives (all alike: they keep their order), the second for the background; -1 marks who is neither.
struct ClassProposalKeys {
  static constexpr const char* name = "class_proposal_keys";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* label;      // [N, S]
  const int32_t* drawn_for;  // [N]
  const float* given;        // [N, S] or null
  const int32_t* steps;      // [1] or null
  float* keys;               // [2, N * S]
  int64_t photos, per_photo, quads;
  int32_t background;
  RandomKey key;
  uint32_t step, first_image;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t n = item / quads, quad = item % quads;
    const uint32_t now = step + (steps ? static_cast<uint32_t>(steps[0]) : 0u);
    Philox4x32::Counter words{};
    if (!given) {
      words = random_words(key, now, static_cast<uint32_t>(quad), first_image + static_cast<uint32_t>(n));
    }
    for (int64_t j = 0; j < 4 && quad * 4 + j < per_photo; ++j) {
      const int64_t at = n * per_photo + quad * 4 + j;
      const bool positive = label[at] >= 0 && label[at] != background && label[at] == drawn_for[n];
      keys[at] = positive ? 0.5f : -1.f;
      keys[photos * per_photo + at] = label[at] != background ? -1.f : (given ? given[at] : uniform01(words.word[j]));
    }
  }
  Cost cost(int64_t items) const { return {double(items) * 4 * 16, double(items) * 130}; }
};

// One item = the batch; lanes walk the result.
struct PackClassProposals {
  static constexpr const char* name = "pack_class_proposals";
  static constexpr Lanes lanes = Lanes::block;
  const float* keys;      // [2, K] the best of both rows of keys
  const int32_t* ranked;  // [2, K] who they are
  const int32_t* label;   // [N * S]
  int32_t* rows;          // [K]
  int32_t* out_label;     // [K]
  int32_t* count;         // [2]
  int64_t capacity;

  template <class Group>
  TS_HD int64_t available(Group group, const float* row) const {
    int64_t total = 0;
    for (int64_t i = group.rank(); i < capacity / 2; i += group.size()) total += row[i] >= 0;
    return group.sum(total);
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t) const {
    const int64_t positives = available(group, keys);
    const int64_t total = positives + math::min(positives, available(group, keys + capacity));
    for (int64_t i = group.rank(); i < capacity; i += group.size()) {
      const int32_t who = i < positives ? ranked[i] : (i < total ? ranked[capacity + i - positives] : -1);
      rows[i] = who;
      out_label[i] = who < 0 ? -1 : label[who];
    }
    if (group.rank() != 0) return;
    count[0] = static_cast<int32_t>(positives);
    count[1] = static_cast<int32_t>(total);
  }
  Cost cost(int64_t n) const { return {double(n) * double(capacity) * 24, double(n) * double(capacity) * 6}; }
};

}  // namespace tailseg
