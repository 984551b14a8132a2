// Three bodies: coordinates side by side, overlap bits, and the walk that decides.
//
// The walk goes word by word (64 boxes). Inside a word it is serial; the survivors of a word then strike out boxes in
// all later words, which the lanes share. Row i of the overlap bits has bit j set when i overlaps j too much: it comes
// from memory (StoredRows) or is computed when needed (ComputedRows).
#pragma once

#include <cstring>

#include "detection/box.h"

namespace tailseg {

constexpr int64_t kWord = 64;

// A segment's boxes as five rows of padded length: x1, y1, x2, y2, area.
template <class Real>
struct BoxColumns {
  Real* columns;          // [S, 5, padded]
  const int32_t* labels;  // [S, K] or null
  int64_t capacity;       // K
  int64_t padded;         // K rounded up to whole words

  TS_HD Real* column(int64_t segment, int64_t i) const { return columns + (segment * 5 + i) * padded; }
  TS_HD int64_t words() const { return padded / kWord; }
};

// One item = one word of one segment; lanes walk its boxes. Writes the columns and the bits of boxes that are struck
// out from the start.
template <class Real>
struct NmsPrepare {
  static constexpr const char* name = "nms_prepare";
  static constexpr Lanes lanes = Lanes::warp;
  BoxColumns<Real> to;
  const Real* boxes;     // [S, K, 4]
  const uint8_t* valid;  // [S, K] or null
  const int32_t* count;  // [S] or null
  int64_t* struck;       // [S, words]

  TS_HD bool exists(int64_t segment, int64_t i) const {
    if (i >= (count ? math::min(int64_t(count[segment]), to.capacity) : to.capacity)) return false;
    return !valid || valid[segment * to.capacity + i];
  }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t segment = item / to.words(), begin = item % to.words() * kWord;
    for (int64_t t = group.rank(); t < kWord; t += group.size()) {
      const int64_t i = begin + t;
      const Box<Real> box = exists(segment, i) ? load_box(boxes + (segment * to.capacity + i) * 4) : no_box<Real>();
      to.column(segment, 0)[i] = box.x1;
      to.column(segment, 1)[i] = box.y1;
      to.column(segment, 2)[i] = box.x2;
      to.column(segment, 3)[i] = box.y2;
      to.column(segment, 4)[i] = box.area();
    }
    if (group.rank() != 0) return;
    uint64_t bits = 0;
    for (int64_t t = 0; t < kWord; ++t) bits |= uint64_t{!exists(segment, begin + t)} << t;
    struck[item] = static_cast<int64_t>(bits);
  }
  Cost cost(int64_t items) const { return {double(items) * kWord * 9 * sizeof(Real), double(items) * kWord * 4}; }
};

template <class Real>
struct ComputedRows {
  BoxColumns<Real> boxes;
  Real threshold;

  // Bits of the boxes of word w that box i overlaps by more than the threshold.
  template <class Group>
  TS_HD uint64_t word(Group, int64_t segment, int64_t i, int64_t w) const {
    const Real* x1 = boxes.column(segment, 0);
    const Real* y1 = boxes.column(segment, 1);
    const Real* x2 = boxes.column(segment, 2);
    const Real* y2 = boxes.column(segment, 3);
    const Real* area = boxes.column(segment, 4);
    const Box<Real> box{x1[i], y1[i], x2[i], y2[i]};
    const Real own = area[i];
    const int64_t begin = w * kWord;
    uint64_t bits = 0;
    if constexpr (Group::kSolo) {  // flags first: the compiler turns that loop into vector comparisons
      uint8_t flags[kWord];
      for (int64_t t = 0; t < kWord; ++t) {
        const int64_t j = begin + t;
        flags[t] = overlap(box, own, Box<Real>{x1[j], y1[j], x2[j], y2[j]}, area[j], Real(0)) > threshold;
      }
      for (int64_t byte = 0; byte < 8; ++byte) {
        uint64_t eight;
        std::memcpy(&eight, flags + byte * 8, 8);
        bits |= (eight * 0x0102040810204080u >> 56) << (byte * 8);  // gathers the lowest bit of each byte
      }
    } else {
      for (int64_t t = 0; t < kWord; ++t) {
        const int64_t j = begin + t;
        const Real shared = overlap(box, own, Box<Real>{x1[j], y1[j], x2[j], y2[j]}, area[j], Real(0));
        bits |= uint64_t{shared > threshold} << t;
      }
    }
    return boxes.labels ? bits & same_label(segment, i, begin, bits) : bits;
  }
  // Of the boxes in `bits`, those with i's label.
  TS_HD uint64_t same_label(int64_t segment, int64_t i, int64_t begin, uint64_t bits) const {
    const int32_t* labels = boxes.labels + segment * boxes.capacity;
    uint64_t same = 0;
    for (int64_t t = 0; t < kWord; ++t) {
      if (bits >> t & 1) same |= uint64_t{labels[begin + t] == labels[i]} << t;
    }
    return same;
  }
};

template <class Real>
struct StoredRows {
  const int64_t* bits;  // [S, words, padded]: bits of word w for row i
  int64_t padded;

  template <class Group>
  TS_HD uint64_t word(Group, int64_t segment, int64_t i, int64_t w) const {
    return static_cast<uint64_t>(bits[(segment * (padded / kWord) + w) * padded + i]);
  }
};

// One item = one word of one segment and kBitRows of the rows; lanes walk those that lie before the word's end.
template <class Real>
struct NmsBits {
  static constexpr const char* name = "nms_bits";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kBitRows = 256;
  ComputedRows<Real> rows;
  int64_t* bits;  // [S, words, padded]

  TS_HD static int64_t parts(int64_t padded) { return (padded + kBitRows - 1) / kBitRows; }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t padded = rows.boxes.padded, words = rows.boxes.words();
    const int64_t word = item / parts(padded), first = item % parts(padded) * kBitRows;
    const int64_t segment = word / words, w = word % words, end = math::min(first + kBitRows, (w + 1) * kWord);
    for (int64_t i = first + group.rank(); i < end; i += group.size()) {
      bits[word * padded + i] = static_cast<int64_t>(rows.word(group, segment, i, w));
    }
  }
  Cost cost(int64_t items) const {
    const double pairs = double(items) * double(kBitRows) / 2;
    return {pairs * 8, pairs * kWord * 15};
  }
};

// One item = one segment; lanes walk the words behind the current one. One warp walks alone, so what costs time is to
// wait for memory: rows are asked for many at once, before it is known whether each is needed.
template <class Real, class Rows>
struct NmsWalk {
  static constexpr const char* name = "nms_walk";
  static constexpr Lanes lanes = Lanes::warp;
  Rows rows;
  int64_t* struck;        // [S, words], from NmsPrepare; overwritten
  const int32_t* limits;  // [S] or null
  int32_t* survivors;     // [S, most]
  int32_t* count;         // [S]
  uint8_t* keep;          // [S, capacity]
  int64_t capacity, words, most;

  template <class Group>
  TS_HD void operator()(Group group, int64_t segment) const {
    uint64_t* gone = reinterpret_cast<uint64_t*>(struck) + segment * words;
    const int64_t limit = limits ? math::clamp(int64_t(limits[segment]), int64_t(0), most) : most;
    int64_t kept = 0;
    for (int64_t w = 0; w < words; ++w) {
      group.sync();  // the lane that owns this word has struck it for all earlier survivors
      const uint64_t alive = kept < limit ? decide(group, segment, w, gone[w]) : 0;
      const int64_t begin = w * kWord, here = math::min(kWord, capacity - begin);
      for (int64_t t = group.rank(); t < here; t += group.size()) {
        const int64_t place = kept + math::count_bits(alive & ((uint64_t{1} << t) - 1));
        const bool survives = (alive >> t & 1) && place < limit;
        keep[segment * capacity + begin + t] = survives;
        if (survives) survivors[segment * most + place] = static_cast<int32_t>(begin + t);
      }
      kept = math::min(kept + math::count_bits(alive), limit);
      if (kept < limit) strike(group, segment, gone, w, alive);
    }
    if (group.rank() == 0) count[segment] = static_cast<int32_t>(kept);
    for (int64_t i = kept + group.rank(); i < most; i += group.size()) survivors[segment * most + i] = -1;
  }

  // Which boxes of word w survive. Each lane reads one row.
  template <class Group>
  TS_HD uint64_t decide(Group group, int64_t segment, int64_t w, uint64_t gone) const {
    uint64_t open = ~gone, alive = 0;
    for (int64_t base = 0; base < kWord && open >> base != 0; base += group.size()) {
      const int64_t mine = base + group.rank(), end = math::min(kWord, base + group.size());
      const uint64_t part = ~uint64_t{0} >> (kWord - (end - base)) << base;
      const bool wanted = mine < end && (open >> mine & 1);
      const uint64_t row = wanted ? rows.word(group, segment, w * kWord + mine, w) : 0;
      while ((open & part) != 0) {
        const int t = math::lowest_bit(open & part);
        alive |= uint64_t{1} << t;
        open &= ~(group.broadcast(row, t - base) | uint64_t{1} << t);
      }
    }
    return alive;
  }

  // Strikes what the survivors of word w overlap out of all later words.
  template <class Group>
  TS_HD void strike(Group group, int64_t segment, uint64_t* gone, int64_t w, uint64_t alive) const {
    constexpr int64_t kAtOnce = Group::kSolo ? 1 : 8;
    for (int64_t later = w + 1 + group.rank(); later < words; later += group.size()) {
      uint64_t bits = gone[later];
      for (int64_t t = 0; t < kWord && ~bits != 0; t += kAtOnce) {
        uint64_t struck_by[kAtOnce];
        for (int64_t j = 0; j < kAtOnce; ++j) {
          struck_by[j] = alive >> (t + j) & 1 ? rows.word(group, segment, w * kWord + t + j, later) : 0;
        }
        for (int64_t j = 0; j < kAtOnce; ++j) bits |= struck_by[j];
      }
      gone[later] = bits;
    }
  }
  Cost cost(int64_t segments) const {
    const double pairs = double(segments) * double(words) * double(words) / 2 * kWord;
    return {pairs * 8, pairs * 8};
  }
};

}  // namespace tailseg
