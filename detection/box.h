// A box and the arithmetic that every kernel of this room shares. Corners (x1, y1, x2, y2) in pixels, the right and the
// lower edge exclusive: width = x2 - x1, without the +1 of the oldest references.
//
// The intersection over union is compared for equality (low-quality matches) and against thresholds (suppression), so
// its operations have one fixed order on every device: products are rounded one by one (METHODS 11.8). A box with a NaN
// coordinate has a NaN area and overlaps nothing: its intersection over union is 0 with every box.
#pragma once

#include <cmath>

#include "tensor/body.h"

namespace tailseg {

template <class Real>
struct Box {
  Real x1, y1, x2, y2;

  TS_HD Real width() const { return x2 - x1; }
  TS_HD Real height() const { return y2 - y1; }
  TS_HD Real area() const { return math::mul_rounded(width(), height()); }
  TS_HD bool is_number() const { return x1 == x1 && y1 == y1 && x2 == x2 && y2 == y2; }
};

template <class Real>
TS_HD inline Box<Real> load_box(const Real* from) {
  return {from[0], from[1], from[2], from[3]};
}

template <class Real>
TS_HD inline void store_box(Real* to, const Box<Real>& box) {
  to[0] = box.x1;
  to[1] = box.y1;
  to[2] = box.x2;
  to[3] = box.y2;
}

// A box that overlaps nothing.
template <class Real>
TS_HD inline Box<Real> no_box() {
  constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();
  return {kNan, kNan, kNan, kNan};
}

// NaN coordinates stay NaN. Limits are the image's height and width.
template <class Real>
TS_HD inline Box<Real> clip_box(const Box<Real>& box, Real height, Real width) {
  return {math::clamp(box.x1, Real(0), width), math::clamp(box.y1, Real(0), height),
          math::clamp(box.x2, Real(0), width), math::clamp(box.y2, Real(0), height)};
}

// Of two boxes of numbers: a NaN of the second is passed over.
template <class Real>
TS_HD inline Real shared_area(const Box<Real>& a, const Box<Real>& b) {
  const Real width = math::max(math::min(a.x2, b.x2) - math::max(a.x1, b.x1), Real(0));
  const Real height = math::max(math::min(a.y2, b.y2) - math::max(a.y1, b.y1), Real(0));
  return math::mul_rounded(width, height);
}

// 0 for whatever shares nothing.
template <class Real>
TS_HD inline Real intersection_area(const Box<Real>& a, const Box<Real>& b) {
  return a.is_number() && b.is_number() ? shared_area(a, b) : Real(0);
}

// Intersection over union, or 0 for whatever has none. min_union: mmdet divides by no less than 1e-6, the other
// references by the union itself (METHODS 5.3).
template <class Real>
TS_HD inline Real overlap(const Box<Real>& a, Real area_a, const Box<Real>& b, Real area_b, Real min_union) {
  const Real shared = shared_area(a, b);  // a NaN of either is in its area, and so in the ratio
  const Real ratio = shared / math::max(area_a + area_b - shared, min_union);
  return ratio > Real(0) ? ratio : Real(0);
}

// For every Real x,  x > bound_of(threshold)  says whether x exceeds the threshold itself: its rounding down.
template <class Real>
inline Real bound_of(double threshold) {
  const Real nearest = static_cast<Real>(threshold);
  return double(nearest) > threshold ? std::nextafter(nearest, -std::numeric_limits<Real>::infinity()) : nearest;
}

}  // namespace tailseg
