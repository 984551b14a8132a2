// FPN's top-down step: y = lateral + nearest(top), top stretched to lateral's exact size.
// Destination row i reads source row floor(i * (source / destination)), computed in float as the references do.
#pragma once

#include "tensor/channel_run.h"

namespace tailseg {

struct UpsampleSizes {
  int64_t h, w, c;       // destination
  int64_t top_h, top_w;  // source
  TS_HD static int64_t source(int64_t i, int64_t from, int64_t to) {
    const float ratio = static_cast<float>(from) / static_cast<float>(to);
    return math::min(static_cast<int64_t>(math::floor(static_cast<float>(i) * ratio)), from - 1);
  }
  // The first destination row that reads source row `at`; `to` when at == from.
  TS_HD static int64_t first_reader(int64_t at, int64_t from, int64_t to) {
    if (at >= from) return to;
    int64_t i = math::max<int64_t>(at * to / from - 2, 0);
    while (i < to && source(i, from, to) < at) ++i;
    return i;
  }
};

// One item = one destination pixel; lanes walk its packs of channels.
template <class Scalar, int64_t kPack = 1>
struct UpsampleAddForward {
  static constexpr const char* name = "upsample_add_forward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  UpsampleSizes g;
  const Scalar* lateral;
  const Scalar* top;
  Scalar* y;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t column = item % g.w, row = item / g.w % g.h, n = item / (g.w * g.h);
    const Scalar* from =
        top + ((n * g.top_h + g.source(row, g.top_h, g.h)) * g.top_w + g.source(column, g.top_w, g.w)) * g.c;
    const auto add = [](Scalar a, Scalar b) { return Scalar(Real(a) + Real(b)); };
    for (int64_t c = group.rank(); c < g.c / kPack; c += group.size()) {
      map_pack<kPack>(c, y + item * g.c, add, lateral + item * g.c, from);
    }
  }
  Cost cost(int64_t items) const {  // the source is read once, however often it is stretched
    const double source = double(g.top_h * g.top_w) / double(g.h * g.w);
    return {(2 + source) * sizeof(Scalar) * double(items * g.c), double(items * g.c)};
  }
};

// One item = one source pixel; lanes walk the channels, a pack or a run at a time, and gather from the pixels that read
// it.
template <class Scalar, int64_t kPack = 1>
struct UpsampleBackward {
  static constexpr const char* name = "upsample_backward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  UpsampleSizes g;
  const Scalar* dy;
  Scalar* dtop;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t column = item % g.top_w, row = item / g.top_w % g.top_h, n = item / (g.top_w * g.top_h);
    const int64_t row_begin = g.first_reader(row, g.top_h, g.h), row_end = g.first_reader(row + 1, g.top_h, g.h);
    const int64_t begin = g.first_reader(column, g.top_w, g.w), end = g.first_reader(column + 1, g.top_w, g.w);
    constexpr int64_t kRun = kChannelRun<Group, 64, kPack>;
    for (int64_t c = group.rank() * kRun; c < g.c; c += group.size() * kRun) {
      const int64_t count = math::min(kRun, g.c - c);
      Real sums[kRun] = {};
      for (int64_t i = row_begin; i < row_end; ++i) {
        for (int64_t j = begin; j < end; ++j) {
          add_scaled<kRun, kPack>(sums, Real(1), dy + ((n * g.h + i) * g.w + j) * g.c + c, count);
        }
      }
      write_run<kRun, kPack>(dtop + item * g.c + c, sums, count);
    }
  }
  Cost cost(int64_t items) const {
    const double readers = double(g.h * g.w) / double(g.top_h * g.top_w);
    return {(1 + readers) * sizeof(Scalar) * double(items * g.c), readers * double(items * g.c)};
  }
};

}  // namespace tailseg
