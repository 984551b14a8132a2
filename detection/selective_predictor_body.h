// The last layer of a head, of which only one class's outputs are wanted for each RoI. P positions a RoI (28 x 28 mask
// pixels, or 1), J outputs a class and position (1 mask logit, or 4 box offsets), F features:
//   y[r, p, j] = b[k J + j] + sum over f of  w[k J + j, f] * x[r, p, f]      with k the class of RoI r.
#pragma once

#include "tensor/channel_run.h"

namespace tailseg {

struct SelectiveShape {
  int64_t rois, positions, outputs, features, classes;
  int64_t tile;   // positions that one item does
  int64_t tiles;  // of one RoI

  // The class whose filters a RoI uses, -1 for none. A single class serves every label that is in use.
  TS_HD int64_t class_of(int32_t label) const {
    if (label < 0) return -1;
    return classes == 1 ? 0 : (label < classes ? label : -1);
  }
};

// One item = one tile of positions of one RoI; lanes walk the features (contiguous).
template <class Scalar>
struct SelectiveForward {
  static constexpr const char* name = "selective_forward";
  static constexpr Lanes lanes = Lanes::warp;
  using Real = ComputeType<Scalar>;
  SelectiveShape shape;
  const Scalar* x;        // [R, P, F]
  const Scalar* w;        // [K * J, F]
  const Scalar* b;        // [K * J]
  const int32_t* labels;  // [R]
  Scalar* y;              // [R, P, J]

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / shape.tiles, begin = item % shape.tiles * shape.tile;
    const int64_t end = math::min(begin + shape.tile, shape.positions), k = shape.class_of(labels[roi]);
    const Scalar* rows = x + roi * shape.positions * shape.features;
    Scalar* out = y + roi * shape.positions * shape.outputs;
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t j = 0; j < shape.outputs; ++j) {
        Real total = Real(0);
        if (k >= 0) {
          const Scalar* row = rows + p * shape.features;
          const Scalar* filter = w + (k * shape.outputs + j) * shape.features;
          total = sum_over<Real>(group, shape.features, [&](int64_t f) { return Real(filter[f]) * Real(row[f]); });
          total += Real(b[k * shape.outputs + j]);
        }
        if (group.rank() == 0) out[p * shape.outputs + j] = Scalar(total);
      }
    }
  }
  Cost cost(int64_t) const {
    const double elements = double(shape.rois) * double(shape.positions) * double(shape.features);
    return {elements * sizeof(Scalar), 2.0 * elements * double(shape.outputs)};
  }
};

// dx, and each tile's share of its class's dw and db. One item = one tile; lanes walk the features.
template <class Scalar>
struct SelectiveBackward {
  static constexpr const char* name = "selective_backward";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  SelectiveShape shape;
  const Scalar* x;
  const Scalar* w;
  const Scalar* dy;  // [R, P, J]
  const int32_t* labels;
  Scalar* dx;      // [R, P, F] or null
  Real* dw_tiles;  // [R * tiles, J, F] or null
  Real* db_tiles;  // [R * tiles, J] or null

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t roi = item / shape.tiles, begin = item % shape.tiles * shape.tile;
    const int64_t end = math::min(begin + shape.tile, shape.positions), k = shape.class_of(labels[roi]);
    constexpr int64_t kRun = kChannelRun<Group, 128>;
    for (int64_t f = group.rank() * kRun; f < shape.features; f += group.size() * kRun) {
      const int64_t count = math::min(kRun, shape.features - f);
      if (dx && k < 0) clear(dx + (roi * shape.positions + begin) * shape.features + f, end - begin, count);
      if (dx && k >= 0) input_gradient<kRun>(roi, begin, end, k, f, count);
      if (dw_tiles && k >= 0) filter_gradient<kRun>(item, roi, begin, end, f, count);
    }
    if (db_tiles && k >= 0) {
      for (int64_t j = 0; j < shape.outputs; ++j) {
        const Scalar* column = dy + (roi * shape.positions + begin) * shape.outputs + j;
        const Real total =
            sum_over<Real>(group, end - begin, [&](int64_t p) { return Real(column[p * shape.outputs]); });
        if (group.rank() == 0) db_tiles[item * shape.outputs + j] = total;
      }
    }
  }
  Cost cost(int64_t) const {
    const double elements = double(shape.rois) * double(shape.positions) * double(shape.features);
    return {elements * sizeof(Scalar) * 2, 4.0 * elements * double(shape.outputs)};
  }

 private:
  TS_HD void clear(Scalar* to, int64_t rows, int64_t count) const {
    for (int64_t p = 0; p < rows; ++p) {
      for (int64_t v = 0; v < count; ++v) to[p * shape.features + v] = Scalar(Real(0));
    }
  }
  template <int64_t kRun>
  TS_HD void input_gradient(int64_t roi, int64_t begin, int64_t end, int64_t k, int64_t f, int64_t count) const {
    for (int64_t p = begin; p < end; ++p) {
      const Scalar* seed = dy + (roi * shape.positions + p) * shape.outputs;
      Real sums[kRun] = {};
      for (int64_t j = 0; j < shape.outputs; ++j) {
        add_scaled<kRun>(sums, Real(seed[j]), w + (k * shape.outputs + j) * shape.features + f, count);
      }
      Scalar* to = dx + (roi * shape.positions + p) * shape.features + f;
      for (int64_t v = 0; v < count; ++v) to[v] = Scalar(sums[v]);
    }
  }
  template <int64_t kRun>
  TS_HD void filter_gradient(int64_t item, int64_t roi, int64_t begin, int64_t end, int64_t f, int64_t count) const {
    for (int64_t j = 0; j < shape.outputs; ++j) {
      Real sums[kRun] = {};
      for (int64_t p = begin; p < end; ++p) {
        add_scaled<kRun>(sums, Real(dy[(roi * shape.positions + p) * shape.outputs + j]),
                         x + (roi * shape.positions + p) * shape.features + f, count);
      }
      Real* to = dw_tiles + (item * shape.outputs + j) * shape.features + f;
      for (int64_t v = 0; v < count; ++v) to[v] = sums[v];
    }
  }
};

// Adds the tiles of each class's RoIs, in their order. One item = one class; lanes walk the features.
template <class Scalar>
struct SelectiveFilterGradient {
  static constexpr const char* name = "selective_filter_gradient";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  SelectiveShape shape;
  const int32_t* labels;
  const Real* dw_tiles;
  const Real* db_tiles;
  Scalar* dw;  // [K * J, F] or null
  Scalar* db;  // [K * J] or null

  template <class Group>
  TS_HD void operator()(Group group, int64_t k) const {
    // Most of a thousand classes have no RoI in a batch: look for the first one before anything else.
    const int64_t first = -max_over<int64_t>(group, shape.rois, -shape.rois, [&](int64_t roi) {
      return shape.class_of(labels[roi]) == k ? -roi : -shape.rois;
    });
    constexpr int64_t kRun = kChannelRun<Group, 128>;
    for (int64_t j = 0; dw && j < shape.outputs; ++j) {
      for (int64_t f = group.rank() * kRun; f < shape.features; f += group.size() * kRun) {
        add_filters<kRun>(k, j, first, f, math::min(kRun, shape.features - f));
      }
    }
    for (int64_t j = group.rank(); db && j < shape.outputs; j += group.size()) {
      Real total = Real(0);
      for (int64_t roi = first; roi < shape.rois; ++roi) {
        if (shape.class_of(labels[roi]) != k) continue;
        for (int64_t tile = roi * shape.tiles; tile < (roi + 1) * shape.tiles; ++tile) {
          total += db_tiles[tile * shape.outputs + j];
        }
      }
      db[k * shape.outputs + j] = Scalar(total);
    }
  }
  Cost cost(int64_t items) const {
    const double tiles = double(shape.rois) * double(shape.tiles) * double(shape.outputs);
    return {(sizeof(Real) * tiles + sizeof(Scalar) * double(items * shape.outputs)) * double(shape.features),
            tiles * double(shape.features) + double(items) * double(shape.rois) * 3};
  }

 private:
  template <int64_t kRun>
  TS_HD void add_filters(int64_t k, int64_t j, int64_t first, int64_t f, int64_t count) const {
    Real sums[kRun] = {};
    for (int64_t roi = first; roi < shape.rois; ++roi) {
      if (shape.class_of(labels[roi]) != k) continue;
      for (int64_t tile = roi * shape.tiles; tile < (roi + 1) * shape.tiles; ++tile) {
        const Real* part = dw_tiles + (tile * shape.outputs + j) * shape.features + f;
        for (int64_t v = 0; v < count; ++v) sums[v] += part[v];
      }
    }
    Scalar* to = dw + (k * shape.outputs + j) * shape.features + f;
    for (int64_t v = 0; v < count; ++v) to[v] = Scalar(sums[v]);
  }
};

}  // namespace tailseg
