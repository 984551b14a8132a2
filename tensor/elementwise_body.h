// The arithmetic that the tape itself needs. One item = one pack of elements (thread).
#pragma once

#include "tensor/body.h"
#include "tensor/pack.h"

namespace tailseg {

template <class Scalar, int64_t kPack = 1>
struct Axpby {  // out = alpha * a + beta * b
  static constexpr const char* name = "axpby";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* a;
  const Scalar* b;
  Scalar* out;
  Real alpha, beta;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    const auto f = [this](Scalar x, Scalar y) { return Scalar(alpha * Real(x) + beta * Real(y)); };
    map_pack<kPack>(i, out, f, a, b);
  }
  Cost cost(int64_t n) const { return {3.0 * sizeof(Scalar) * kPack * n, 3.0 * kPack * n}; }
};

template <class Scalar, int64_t kPack = 1>
struct ScaleElements {  // out = alpha * a
  static constexpr const char* name = "scale_elements";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* a;
  Scalar* out;
  Real alpha;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    map_pack<kPack>(
        i, out, [this](Scalar x) { return Scalar(alpha * Real(x)); }, a);
  }
  Cost cost(int64_t n) const { return {2.0 * sizeof(Scalar) * kPack * n, 1.0 * kPack * n}; }
};

template <class Scalar, int64_t kPack = 1>
struct MultiplyElements {  // out = a * b
  static constexpr const char* name = "multiply_elements";
  static constexpr Lanes lanes = Lanes::one;
  using Real = ComputeType<Scalar>;
  const Scalar* a;
  const Scalar* b;
  Scalar* out;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    map_pack<kPack>(
        i, out, [](Scalar x, Scalar y) { return Scalar(Real(x) * Real(y)); }, a, b);
  }
  Cost cost(int64_t n) const { return {3.0 * sizeof(Scalar) * kPack * n, 1.0 * kPack * n}; }
};

template <class From, class To, int64_t kPack = 1>
struct CastElements {
  static constexpr const char* name = "cast_elements";
  static constexpr Lanes lanes = Lanes::one;
  const From* from;
  To* to;

  template <class Group>
  TS_HD void operator()(Group, int64_t i) const {
    map_pack<kPack>(
        i, to, [](From x) { return To(ComputeType<To>(ComputeType<From>(x))); }, from);
  }
  Cost cost(int64_t n) const { return {double(sizeof(From) + sizeof(To)) * kPack * n, 1.0 * kPack * n}; }
};

// One item = one chunk of kChunk elements; lanes walk the chunk. The chunks' sums are added by SumRow.
template <class Scalar>
struct SumChunk {
  static constexpr const char* name = "sum_chunk";
  static constexpr Lanes lanes = Lanes::block;
  static constexpr int64_t kChunk = 16384;
  using Real = ComputeType<Scalar>;
  const Scalar* x;
  Real* partial;
  int64_t n;

  template <class Group>
  TS_HD void operator()(Group group, int64_t chunk) const {
    const int64_t begin = chunk * kChunk;
    const int64_t count = math::min(kChunk, n - begin);
    const Real total = sum_over<Real>(group, count, [&](int64_t i) { return Real(x[begin + i]); });
    if (group.rank() == 0) partial[chunk] = total;
  }
  Cost cost(int64_t) const { return {double(sizeof(Scalar)) * n, 1.0 * n}; }
};

// One item = one row; lanes walk the columns (contiguous).
template <class Scalar>
struct SumRow {
  static constexpr const char* name = "sum_row";
  static constexpr Lanes lanes = Lanes::block;
  using Real = ComputeType<Scalar>;
  const Scalar* x;  // [rows, n]
  Scalar* sums;     // [rows]
  int64_t n;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    const Scalar* mine = x + row * n;
    const Real total = sum_over<Real>(group, n, [&](int64_t i) { return Real(mine[i]); });
    if (group.rank() == 0) sums[row] = Scalar(total);
  }
  Cost cost(int64_t rows) const { return {double(sizeof(Scalar)) * rows * n, 1.0 * rows * n}; }
};

}  // namespace tailseg
