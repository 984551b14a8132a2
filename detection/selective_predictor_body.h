// The last layer of a head, of which only one class's outputs are wanted for each RoI. P positions a RoI (28 x 28 mask
// pixels, or 1), J outputs a class and position (1 mask logit, or 4 box offsets), F features:
//   y[r, p, j] = b[k J + j] + sum over f of  w[k J + j, f] * x[r, p, f]      with k the filters of RoI r's class.
// Normalised (J = 1), with the terms of autograd/normalized_linear_body.h for x[r, p]:
//   y = b + factor * (w . x)      dx = dy * (factor * w - pull * (w . x) * x)      dw = dy * factor * x
#pragma once

#include "autograd/normalized_linear_body.h"
#include "tensor/channel_run.h"

namespace tailseg {

struct SelectiveShape {
  int64_t rois, positions, outputs, features, filters;
  int64_t tile;                        // positions that one item does
  int64_t tiles;                       // of one RoI
  const int32_t* filter_of = nullptr;  // [classes] the filters that serve a class, or null: one each, or one for all
  int64_t classes = 0;                 // of filter_of

  // The filters that a RoI uses, -1 for none. Without filter_of a single one serves every label that is in use.
  TS_HD int64_t filter(int32_t label) const {
    if (label < 0) return -1;
    if (filter_of) return label < classes ? filter_of[label] : -1;
    return filters == 1 ? 0 : (label < filters ? label : -1);
  }
};

// One item = one tile of positions of one RoI; lanes walk the features (contiguous).
template <class Scalar>
struct SelectiveForward {
  static constexpr const char* name = "selective_forward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  SelectiveShape shape;
  const Scalar* x;         // [R, P, F]
  const Scalar* w;         // [K * J, F]
  const Real* b;           // [K * J]
  const int32_t* labels;   // [R]
  Real* y;                 // [R, P, J]
  Real* factor = nullptr;  // [R, P] or null: not normalised
  Real* bend = nullptr;    // [R, P] pull * (w . x), likewise
  RowNormValues<Real> norm = {};

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / shape.tiles, begin = item % shape.tiles * shape.tile;
    const int64_t end = math::min(begin + shape.tile, shape.positions), k = shape.filter(labels[roi]);
    const Scalar* rows = x + roi * shape.positions * shape.features;
    Real* out = y + roi * shape.positions * shape.outputs;
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t j = 0; j < shape.outputs; ++j) {
        Real total = Real(0);
        if (k >= 0) {
          const Scalar* row = rows + p * shape.features;
          const Scalar* filter = w + (k * shape.outputs + j) * shape.features;
          total = sum_over<Real>(group, shape.features, [&](int64_t f) { return Real(filter[f]) * Real(row[f]); });
          if (factor) total = normalized(group, roi * shape.positions + p, row, total);
          total += b[k * shape.outputs + j];
        }
        if (group.rank() == 0) out[p * shape.outputs + j] = total;
      }
    }
  }
  Cost cost(int64_t) const {
    const double elements = double(shape.rois) * double(shape.positions) * double(shape.features);
    return {elements * sizeof(Scalar), (factor ? 4.0 : 2.0) * elements * double(shape.outputs)};
  }

 private:
  template <class Group>
  TS_HD Real normalized(Group group, int64_t position, const Scalar* row, Real product) const {
    const Real squares = sum_over<Real>(group, shape.features, [&](int64_t f) { return Real(row[f]) * Real(row[f]); });
    const RowTerms<Real> terms = norm.at(squares);
    if (group.rank() == 0) {
      factor[position] = terms.factor;
      bend[position] = terms.pull * product;
    }
    return terms.factor * product;
  }
};

// dx, and each tile's share of its class's dw and db. One item = one tile; lanes walk packs of features.
template <class Scalar, int64_t kPack = 1>
struct SelectiveBackward {
  static constexpr const char* name = "selective_backward";
  static constexpr Lanes lanes = kPack > 1 ? Lanes::warp : Lanes::block;
  using Real = ComputeType<Scalar>;
  SelectiveShape shape;
  const Scalar* x;
  const Scalar* w;
  const Real* dy;  // [R, P, J]
  const int32_t* labels;
  Scalar* dx;                    // [R, P, F] or null
  Real* dw_tiles;                // [R * tiles, J, F] or null
  Real* db_tiles;                // [R * tiles, J] or null
  const Real* factor = nullptr;  // as the forward pass left them
  const Real* bend = nullptr;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / shape.tiles, begin = item % shape.tiles * shape.tile;
    const int64_t end = math::min(begin + shape.tile, shape.positions), k = shape.filter(labels[roi]);
    constexpr int64_t kRun = kChannelRun<Group, 128, kPack>;
    for (int64_t f = group.rank() * kRun; f < shape.features; f += group.size() * kRun) {
      const int64_t count = math::min(kRun, shape.features - f);
      if (dx && k < 0) clear<kRun>(dx + (roi * shape.positions + begin) * shape.features + f, end - begin, count);
      if (dx && k >= 0) input_gradient<kRun>(roi, begin, end, k, f, count);
      if (dw_tiles && k >= 0) filter_gradient<kRun>(item, roi, begin, end, f, count);
      if (dw_tiles && k < 0) clear<kRun>(dw_tiles + item * shape.outputs * shape.features + f, shape.outputs, count);
    }
    if (db_tiles && k < 0) {
      for (int64_t j = group.rank(); j < shape.outputs; j += group.size()) db_tiles[item * shape.outputs + j] = Real(0);
    }
    if (db_tiles && k >= 0) {
      for (int64_t j = 0; j < shape.outputs; ++j) {
        const Real* column = dy + (roi * shape.positions + begin) * shape.outputs + j;
        const Real total = sum_over<Real>(group, end - begin, [&](int64_t p) { return column[p * shape.outputs]; });
        if (group.rank() == 0) db_tiles[item * shape.outputs + j] = total;
      }
    }
  }
  Cost cost(int64_t) const {
    const double elements = double(shape.rois) * double(shape.positions) * double(shape.features);
    return {elements * sizeof(Scalar) * 2, 4.0 * elements * double(shape.outputs)};
  }

 private:
  TS_HD Real scaled(Real seed, int64_t roi, int64_t p) const {
    return factor ? seed * factor[roi * shape.positions + p] : seed;
  }
  template <int64_t kRun, class To>
  TS_HD void clear(To* to, int64_t rows, int64_t count) const {
    const Real zeros[kRun] = {};
    for (int64_t p = 0; p < rows; ++p) write_run<kRun, kPack>(to + p * shape.features, zeros, count);
  }
  template <int64_t kRun>
  TS_HD void input_gradient(int64_t roi, int64_t begin, int64_t end, int64_t k, int64_t f, int64_t count) const {
    for (int64_t p = begin; p < end; ++p) {
      const Real* seed = dy + (roi * shape.positions + p) * shape.outputs;
      Real sums[kRun] = {};
      for (int64_t j = 0; j < shape.outputs; ++j) {
        add_scaled<kRun, kPack>(sums, scaled(seed[j], roi, p), w + (k * shape.outputs + j) * shape.features + f, count);
      }
      if (bend) {
        const Real back = -seed[0] * bend[roi * shape.positions + p];
        add_scaled<kRun, kPack>(sums, back, x + (roi * shape.positions + p) * shape.features + f, count);
      }
      write_run<kRun, kPack>(dx + (roi * shape.positions + p) * shape.features + f, sums, count);
    }
  }
  template <int64_t kRun>
  TS_HD void filter_gradient(int64_t item, int64_t roi, int64_t begin, int64_t end, int64_t f, int64_t count) const {
    for (int64_t j = 0; j < shape.outputs; ++j) {
      Real sums[kRun] = {};
      for (int64_t p = begin; p < end; ++p) {
        add_scaled<kRun, kPack>(sums, scaled(dy[(roi * shape.positions + p) * shape.outputs + j], roi, p),
                                x + (roi * shape.positions + p) * shape.features + f, count);
      }
      write_run<kRun, kPack>(dw_tiles + (item * shape.outputs + j) * shape.features + f, sums, count);
    }
  }
};

// Adds the tiles of each class's RoIs, in their order. One item = one part of one class's filters; lanes walk its
// features. A CPU has one part a class, a card many: whoever looks for a class's RoIs does so for one output and kPart
// features.
template <class Real, int64_t kPack = 1>
struct SelectiveFilterGradient {
  static constexpr const char* name = "selective_filter_gradient";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kPart = 128;
  SelectiveShape shape;
  const int32_t* labels;
  const Real* dw_tiles;
  const Real* db_tiles;
  Real* dw;  // [K * J, F] or null
  Real* db;  // [K * J] or null
  int64_t parts = 1;

  TS_HD int64_t parts_of_output() const { return (shape.features + kPart - 1) / kPart; }
  int64_t most_parts() const { return shape.outputs * parts_of_output(); }

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t k = item / parts;
    // Most of a thousand classes have no RoI in a batch: look for the first one before anything else.
    const int64_t first = -max_over<int64_t>(group, shape.rois, -shape.rois, [&](int64_t roi) {
      return shape.filter(labels[roi]) == k ? -roi : -shape.rois;
    });
    constexpr int64_t kRun = kChannelRun<Group, kPart, kPack>;
    const int64_t whole = shape.outputs * parts_of_output();
    for (int64_t part = item % parts; dw && part < whole; part += parts) {
      const int64_t j = part / parts_of_output(), begin = part % parts_of_output() * kPart;
      const int64_t end = math::min(begin + kPart, shape.features);
      // Every lane looks for RoIs, also one that has no features left.
      for (int64_t f = begin + group.rank() * kRun; f - group.rank() * kRun < end; f += group.size() * kRun) {
        add_filters<kRun>(group, k, j, first, f, math::min(kRun, end - f));
      }
    }
    if (!db || item % parts != 0) return;
    for (int64_t j = 0; j < shape.outputs; ++j) {
      Real total = Real(0);
      for_each_roi(group, k, first, [&](int64_t roi) {
        for (int64_t tile = roi * shape.tiles; tile < (roi + 1) * shape.tiles; ++tile) {
          total += db_tiles[tile * shape.outputs + j];
        }
      });
      if (group.rank() == 0) db[k * shape.outputs + j] = total;
    }
  }
  Cost cost(int64_t items) const {
    const double tiles = double(shape.rois) * double(shape.tiles) * double(shape.outputs);
    const double classes = double(items) / double(parts);
    return {(sizeof(Real) * (tiles + classes * double(shape.outputs))) * double(shape.features),
            tiles * double(shape.features) + double(items) * double(shape.rois) * 3};
  }

 private:
  // Class k's RoIs in their order, from the first one on. Many lanes look at as many RoIs at once, where most RoIs are
  // of other classes.
  template <class Group, class Visit>
  TS_HD void for_each_roi(Group group, int64_t k, int64_t first, Visit visit) const {
    if (Group::kSolo || shape.filters == 1) {
      for (int64_t roi = first; roi < shape.rois; ++roi) {
        if (shape.filter(labels[roi]) == k) visit(roi);
      }
    } else {
      for (int64_t begin = first; begin < shape.rois; begin += group.size()) {
        const int64_t mine = begin + group.rank();
        bool waits = mine < shape.rois && shape.filter(labels[mine]) == k;
        for (;;) {
          const int64_t next = -group.max(waits ? -mine : -shape.rois);
          if (next == shape.rois) break;
          visit(next);
          waits = waits && mine != next;
        }
      }
    }
  }

  template <int64_t kRun, class Group>
  TS_HD void add_filters(Group group, int64_t k, int64_t j, int64_t first, int64_t f, int64_t count) const {
    Real sums[kRun] = {};
    for_each_roi(group, k, first, [&](int64_t roi) {
      if (count <= 0) return;
      for (int64_t tile = roi * shape.tiles; tile < (roi + 1) * shape.tiles; ++tile) {
        add_scaled<kRun, kPack>(sums, Real(1), dw_tiles + (tile * shape.outputs + j) * shape.features + f, count);
      }
    });
    if (count > 0) write_run<kRun, kPack>(dw + (k * shape.outputs + j) * shape.features + f, sums, count);
  }
};

}  // namespace tailseg
