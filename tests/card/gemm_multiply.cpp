#include "tests/card/gemm_multiply.h"

#include <dnnl.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace tailseg::card {
namespace {

// Keeps `bits` of the 23 bits behind the point, to the nearest, ties to even.
float round_to(float value, int bits) {
  if (!std::isfinite(value)) return value;
  const auto all = std::bit_cast<uint32_t>(value);
  const int cut = 23 - bits;
  const uint32_t half = (1u << (cut - 1)) - 1 + (all >> cut & 1);
  return std::bit_cast<float>((all + half) >> cut << cut);
}

}  // namespace

float round_factor(float value, Factors factors) {
  if (factors == Factors::as_they_are) return value;
  return round_to(value, factors == Factors::tf32 ? 10 : 7);
}

float load(const uint8_t* from, Number type, Factors factors) {
  if (type == Number::bfloat16) {
    uint16_t upper;
    std::memcpy(&upper, from, 2);
    return std::bit_cast<float>(static_cast<uint32_t>(upper) << 16);
  }
  float value;
  std::memcpy(&value, from, 4);
  return round_factor(value, factors);
}

void store(uint8_t* to, Number type, float value) {
  if (type == Number::float32) {
    std::memcpy(to, &value, 4);
    return;
  }
  uint16_t upper = static_cast<uint16_t>(std::bit_cast<uint32_t>(round_to(value, 7)) >> 16);
  if (std::isnan(value)) upper |= 0x40;
  std::memcpy(to, &upper, 2);
}

void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
              bool add, float* c) {
  if (k == 0 && !add) std::fill(c, c + m * n, 0.f);
  if (m == 0 || n == 0 || k == 0) return;
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.f, a,
                                          transpose_a ? m : k, b, transpose_b ? k : n, add ? 1.f : 0.f, c, n);
  if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm refused a product");
}

}  // namespace tailseg::card
