// Element types. float32 everywhere, bfloat16 storage for mixed precision, float64 on the CPU for gradient checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tensor/error.h"
#include "tensor/math.h"

namespace tailseg {

// The upper half of a float32: same range, 8 bits of precision. Arithmetic happens in float.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  TS_HD explicit BFloat16(float value) {
    union {
      float f;
      uint32_t u;
    } pun;
    pun.f = value;
    const uint32_t nearest = pun.u + 0x7fffu + ((pun.u >> 16) & 1u);  // ties to even
    const uint32_t nan = pun.u | 0x00400000u;                         // stays one without its lower half
    bits = static_cast<uint16_t>((value == value ? nearest : nan) >> 16);
  }
  TS_HD operator float() const {
    union {
      uint32_t u;
      float f;
    } pun;
    pun.u = static_cast<uint32_t>(bits) << 16;
    return pun.f;
  }
};

enum class DType : uint8_t { float32, float64, bfloat16, int32, int64, uint8 };

// The type in which a kernel computes on elements of type Scalar.
template <class Scalar>
struct ComputeTypeOf {
  using type = Scalar;
};
template <>
struct ComputeTypeOf<BFloat16> {
  using type = float;
};
template <class Scalar>
using ComputeType = typename ComputeTypeOf<Scalar>::type;

// The same as a DType: sums, biases, gradients of weights and everything that must not be rounded have it.
constexpr DType compute_dtype(DType dtype) { return dtype == DType::bfloat16 ? DType::float32 : dtype; }

template <class T>
constexpr DType dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, float>)
    return DType::float32;
  else if constexpr (std::is_same_v<U, double>)
    return DType::float64;
  else if constexpr (std::is_same_v<U, BFloat16>)
    return DType::bfloat16;
  else if constexpr (std::is_same_v<U, int32_t>)
    return DType::int32;
  else if constexpr (std::is_same_v<U, int64_t>)
    return DType::int64;
  else {
    static_assert(std::is_same_v<U, uint8_t>, "not a tensor element type");
    return DType::uint8;
  }
}

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::bfloat16:
      return 2;
    case DType::uint8:
      return 1;
    default:
      return 4;
  }
}

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::bfloat16:
      return "bfloat16";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    default:
      return "uint8";
  }
}

// Calls f(Scalar{}) with the floating type that dtype names.
template <class F>
void dispatch_floating(DType dtype, const char* what, F&& f) {
  switch (dtype) {
    case DType::float32:
      f(float{});
      break;
    case DType::float64:
      f(double{});
      break;
    case DType::bfloat16:
      f(BFloat16{});
      break;
    default:
      fail(what, ": expected a floating-point tensor, got ", name_of(dtype));
  }
}

// As above for ops whose values stay in full precision (losses, boxes, normalisers).
template <class F>
void dispatch_full(DType dtype, const char* what, F&& f) {
  switch (dtype) {
    case DType::float32:
      f(float{});
      break;
    case DType::float64:
      f(double{});
      break;
    default:
      fail(what, ": expected float32 (or float64 on the CPU), got ", name_of(dtype));
  }
}

}  // namespace tailseg
