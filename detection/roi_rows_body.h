// Small kernels between the stages of the RoI heads: which image a row belongs to, which rows take part, probabilities.
#pragma once

#include "tensor/body.h"

namespace tailseg {

// One item = one output row; lanes walk its elements. Rows with index -1 become `absent`.
template <class T>
struct GatherRows {
  static constexpr const char* name = "gather_rows";
  static constexpr Lanes lanes = Lanes::warp;
  const T* x;            // [R, width]
  const int32_t* index;  // [K]
  T* out;                // [K, width]
  int64_t width;
  T absent;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t from = index[item];
    for (int64_t i = group.rank(); i < width; i += group.size()) {
      out[item * width + i] = from < 0 ? absent : x[from * width + i];
    }
  }
  Cost cost(int64_t items) const { return {2.0 * sizeof(T) * double(items * width), 0}; }
};

// One item = one row (thread). The image of a row of [N, S], -1 where the row is unused: by its label, or by the number
// of used rows of its image.
struct ImageOfRow {
  static constexpr const char* name = "image_of_row";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* label;  // [N * S] or null
  const int32_t* count;  // [N] or null
  int32_t* image;        // [N * S]
  int64_t per_image;

  template <class Group>
  TS_HD void operator()(Group, int64_t row) const {
    const int64_t n = row / per_image;
    const bool used = label ? label[row] >= 0 : row % per_image < count[n];
    image[row] = used ? static_cast<int32_t>(n) : -1;
  }
  Cost cost(int64_t rows) const { return {8.0 * double(rows), double(rows)}; }
};

// One item = one row (thread): image * per_image + matched, -1 where either is.
struct ObjectOfRow {
  static constexpr const char* name = "object_of_row";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* image;
  const int32_t* matched;
  int32_t* out;
  int32_t per_image;

  template <class Group>
  TS_HD void operator()(Group, int64_t row) const {
    out[row] = image[row] < 0 || matched[row] < 0 ? -1 : image[row] * per_image + matched[row];
  }
  Cost cost(int64_t rows) const { return {12.0 * double(rows), 2.0 * double(rows)}; }
};

// One item = one row (thread): labels of foreground rows, -1 for the background's and for unused rows.
struct ForegroundLabel {
  static constexpr const char* name = "foreground_label";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* label;
  int32_t* out;
  int32_t classes;

  template <class Group>
  TS_HD void operator()(Group, int64_t row) const {
    out[row] = label[row] < classes ? label[row] : -1;
  }
  Cost cost(int64_t rows) const { return {8.0 * double(rows), double(rows)}; }
};

// One item = one element (thread).
template <class Scalar>
struct SigmoidElement {
  static constexpr const char* name = "sigmoid_element";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* logits;
  Real* out;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    out[i] = math::sigmoid(Real(logits[i]));
  }
  Cost cost(int64_t n) const { return {8.0 * double(n), 20.0 * double(n)}; }
};

}  // namespace tailseg
