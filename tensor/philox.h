// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// A draw is a pure function of a 64-bit key and a 128-bit counter; there is no state that threads could share or a
// resumed run could lose. Tailseg fixes the meaning of the bits once, here:
//
//     key     = seed                                    (64 bits, the run's seed)
//     counter = { block, index, step, purpose }         (4 x 32 bits)
//
// purpose says what the number is for ("image flip"), step which iteration or epoch, index which item (image, anchor,
// weight), block which group of four words when one item needs more than four. The same draw comes out on every device,
// at any thread count, after any resume. Ten rounds of: two 32x32->64 multiplications, a swap, two xors.
//
// Usable in host and device code. Not for secrets.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tensor/math.h"

namespace tailseg {

struct Philox4x32 {
  struct Counter {
    uint32_t word[4];
  };
  struct Key {
    uint32_t word[2];
  };

  // Four independent, uniformly distributed 32-bit words.
  static TS_HD constexpr Counter generate(Counter counter, Key key) {
    for (int round = 0; round < 10; ++round) {
      const uint64_t left = uint64_t{0xD2511F53} * counter.word[0];
      const uint64_t right = uint64_t{0xCD9E8D57} * counter.word[2];
      counter = {{static_cast<uint32_t>(right >> 32) ^ counter.word[1] ^ key.word[0], static_cast<uint32_t>(right),
                  static_cast<uint32_t>(left >> 32) ^ counter.word[3] ^ key.word[1], static_cast<uint32_t>(left)}};
      key.word[0] += 0x9E3779B9;  // golden ratio
      key.word[1] += 0xBB67AE85;  // sqrt(3) - 1
    }
    return counter;
  }
};

// [0, 1) in steps of 2^-24: every value is exact in float32.
TS_HD constexpr float uniform01(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// [0, 1) in steps of 2^-53, from two words.
TS_HD constexpr double uniform01(uint32_t high, uint32_t low) {
  return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

// A number for a purpose's name (FNV-1a), so that purposes need no central list: random_purpose("image flip").
constexpr uint32_t random_purpose(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619u;
  return hash;
}

// What stays the same for all draws of one kind in a run.
struct RandomKey {
  uint64_t seed = 0;
  uint32_t purpose = 0;
};

// The four words number `block` of item `index` at `step`.
TS_HD constexpr Philox4x32::Counter random_words(RandomKey key, uint32_t step, uint32_t index, uint32_t block = 0) {
  return Philox4x32::generate({{block, index, step, key.purpose}},
                              {{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)}});
}

// One draw of item `index` at `step`, [0, 1).
TS_HD constexpr float random_uniform(RandomKey key, uint32_t step, uint32_t index) {
  return uniform01(random_words(key, step, index).word[0]);
}

// The words of one (step, index), one after the other, block after block. For items that need many draws, or a number
// of draws that depends on the draws (rejection): such an item never disturbs its neighbours.
class RandomStream {
 public:
  TS_HD constexpr RandomStream(RandomKey key, uint32_t step, uint32_t index) : key_(key), step_(step), index_(index) {}

  TS_HD constexpr uint32_t next() {
    if (used_ == 4) {
      words_ = random_words(key_, step_, index_, block_++);
      used_ = 0;
    }
    return words_.word[used_++];
  }

  TS_HD constexpr float uniform() { return uniform01(next()); }
  TS_HD constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }

  TS_HD constexpr double uniform_double() {
    const uint32_t high = next();
    return uniform01(high, next());
  }

  // Each of 0 .. n-1 with exactly equal probability; n >= 1. Multiply-shift with rejection (Lemire 2019): the low half
  // of word * n must not fall below 2^32 mod n.
  TS_HD constexpr uint32_t below(uint32_t n) {
    uint64_t product = uint64_t{next()} * n;
    if (static_cast<uint32_t>(product) < n) {
      const uint32_t threshold = (0u - n) % n;  // 2^32 mod n
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * n;
    }
    return static_cast<uint32_t>(product >> 32);
  }

  // Standard normal deviate (Box-Muller, cosine branch).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform_double()));  // 1 - u > 0
    return radius * std::cos(6.283185307179586 * uniform_double());
  }

 private:
  RandomKey key_;
  uint32_t step_;
  uint32_t index_;
  uint32_t block_ = 0;
  uint32_t used_ = 4;
  Philox4x32::Counter words_{};
};

// Fisher-Yates: every order of the `count` values is equally likely. count < 2^32.
template <class Value>
TS_HD constexpr void shuffle(Value* values, size_t count, RandomStream stream) {
  for (size_t last = count; last > 1; --last) {
    const size_t chosen = stream.below(static_cast<uint32_t>(last));
    Value kept = values[last - 1];
    values[last - 1] = values[chosen];
    values[chosen] = kept;
  }
}

}  // namespace tailseg
