// The arithmetic that the emulated libraries share: numbers of the card's types as floats and back, and the product of
// float matrices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tailseg::card {

enum class Number { float32, bfloat16 };
inline size_t bytes_of(Number type) { return type == Number::float32 ? 4 : 2; }

// What the library rounds its factors to before it multiplies them.
enum class Factors { as_they_are, tf32, bfloat16 };

float load(const uint8_t* from, Number type, Factors factors = Factors::as_they_are);
void store(uint8_t* to, Number type, float value);
float round_factor(float value, Factors factors);

// c [m, n] = (add ? c : 0) + op(a) op(b), all in rows without gaps: a [m, k] or, transposed, [k, m]; b [k, n] or [n,
// k].
void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
              bool add, float* c);

}  // namespace tailseg::card
