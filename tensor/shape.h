// The sizes of a tensor's axes, outermost first. At most kMaxAxes of them, kept inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace tailseg {

class Shape {
 public:
  static constexpr int kMaxAxes = 6;
  static constexpr int64_t kMaxElements = int64_t{1} << 59;  // their bytes fit an int64_t

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    for (int64_t size : sizes) append(size);
  }
  explicit Shape(const std::vector<int64_t>& sizes) {
    for (int64_t size : sizes) append(size);
  }

  int axes() const { return axes_; }
  int64_t operator[](int axis) const {
    TS_CHECK(axis >= -axes_ && axis < axes_, "axis ", axis, " of shape ", str());
    return sizes_[static_cast<size_t>(axis < 0 ? axis + axes_ : axis)];
  }
  int64_t elements() const {
    int64_t product = 1;
    bool fits = true;
    for (int i = 0; i < axes_; ++i) {
      const int64_t size = sizes_[static_cast<size_t>(i)];
      if (size == 0) return 0;
      fits = fits && size <= kMaxElements / product;
      if (fits) product *= size;
    }
    TS_CHECK(fits, "a tensor of shape ", str(), " has more than 2^59 elements");
    return product;
  }
  bool operator==(const Shape& other) const {
    if (axes_ != other.axes_) return false;
    for (int i = 0; i < axes_; ++i) {
      if (sizes_[static_cast<size_t>(i)] != other.sizes_[static_cast<size_t>(i)]) return false;
    }
    return true;
  }
  Shape with(int axis, int64_t size) const {  // a copy with one axis resized
    Shape copy = *this;
    (void)(*this)[axis];
    copy.sizes_[static_cast<size_t>(axis < 0 ? axis + axes_ : axis)] = size;
    return copy;
  }
  void append(int64_t size) {
    TS_CHECK(axes_ < kMaxAxes, "a tensor has at most ", int{kMaxAxes}, " axes");
    TS_CHECK(size >= 0, "negative axis size ", size);
    sizes_[static_cast<size_t>(axes_++)] = size;
  }
  std::vector<int64_t> vector() const { return {sizes_.begin(), sizes_.begin() + axes_}; }
  std::string str() const {
    std::string out = "[";
    for (int i = 0; i < axes_; ++i) out += (i ? ", " : "") + std::to_string(sizes_[static_cast<size_t>(i)]);
    return out + "]";
  }

 private:
  std::array<int64_t, kMaxAxes> sizes_{};
  int axes_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

}  // namespace tailseg
