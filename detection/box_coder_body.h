// The coder's arithmetic, shared by every kernel that encodes or decodes, and the three kernels that do nothing else.
#pragma once

#include "detection/box.h"
#include "detection/box_coder.h"

namespace tailseg {

template <class Real>
struct BoxCoder {
  Real weight[4];
  Real largest_log, smallest_log;

  static BoxCoder of(const BoxCoderOptions& options) {
    BoxCoder coder{};
    for (size_t i = 0; i < 4; ++i) {
      TS_CHECK(options.weights[i] > 0, "box coder: weight ", i, " is ", options.weights[i], "; expected above 0");
      coder.weight[i] = static_cast<Real>(options.weights[i]);
    }
    coder.largest_log = static_cast<Real>(options.largest_log);
    coder.smallest_log = options.clamp_both_sides ? -coder.largest_log : -std::numeric_limits<Real>::infinity();
    return coder;
  }

  TS_HD void encode(const Box<Real>& reference, const Box<Real>& target, Real* deltas) const {
    const Real width = reference.width(), height = reference.height();
    const Real goal_width = target.width(), goal_height = target.height();
    deltas[0] = weight[0] * ((target.x1 + goal_width / 2) - (reference.x1 + width / 2)) / width;
    deltas[1] = weight[1] * ((target.y1 + goal_height / 2) - (reference.y1 + height / 2)) / height;
    deltas[2] = weight[2] * math::log(goal_width / width);
    deltas[3] = weight[3] * math::log(goal_height / height);
  }

  TS_HD Box<Real> decode(const Box<Real>& reference, Real dx, Real dy, Real dw, Real dh) const {
    const Real width = reference.width(), height = reference.height();
    const Real x = reference.x1 + width / 2 + dx / weight[0] * width;
    const Real y = reference.y1 + height / 2 + dy / weight[1] * height;
    const Real half_width = width * math::exp(math::clamp(dw / weight[2], smallest_log, largest_log)) / 2;
    const Real half_height = height * math::exp(math::clamp(dh / weight[3], smallest_log, largest_log)) / 2;
    return {x - half_width, y - half_height, x + half_width, y + half_height};
  }
};

// Clips to the image of a row when there are sizes.
template <class Real>
struct Clipper {
  const int32_t* sizes;    // [N, 2] height, width; or null
  int64_t rows_per_image;  // at least 1

  TS_HD Box<Real> operator()(const Box<Real>& box, int64_t row) const {
    if (!sizes) return box;
    const int32_t* size = sizes + row / rows_per_image * 2;
    return clip_box(box, Real(size[0]), Real(size[1]));
  }
};

// One item = one box (thread).
template <class Real>
struct EncodeBoxes {
  static constexpr const char* name = "encode_boxes";
  static constexpr Lanes lanes = Lanes::one;
  const Real* references;  // [R, 4]
  const Real* targets;     // [R, 4]
  Real* deltas;            // [R, 4]
  BoxCoder<Real> coder;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    if (group.rank() == 0) {
      coder.encode(load_box(references + row * 4), load_box(targets + row * 4), deltas + row * 4);
    }
  }
  Cost cost(int64_t rows) const { return {12.0 * sizeof(Real) * double(rows), 60.0 * double(rows)}; }
};

// One item = one row of offsets; lanes walk its classes.
template <class Real>
struct DecodeBoxes {
  static constexpr const char* name = "decode_boxes";
  static constexpr Lanes lanes = Lanes::one;
  const Real* references;  // [R, 4]
  const Real* deltas;      // [R, K, 4]
  Real* boxes;             // [R, K, 4]
  int64_t classes;         // K
  BoxCoder<Real> coder;
  Clipper<Real> clip;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    for (int64_t i = group.rank(); i < classes; i += group.size()) {
      const Real* delta = deltas + (item * classes + i) * 4;
      const Box<Real> box = coder.decode(load_box(references + item * 4), delta[0], delta[1], delta[2], delta[3]);
      store_box(boxes + (item * classes + i) * 4, clip(box, item));
    }
  }
  Cost cost(int64_t rows) const {
    return {4.0 * sizeof(Real) * double(rows) * double(1 + 2 * classes), 70.0 * double(rows) * double(classes)};
  }
};

}  // namespace tailseg
