#pragma once

#include "tensor/body.h"
#include "tensor/philox.h"

namespace tailseg {

// One item = one class (thread): its tickets in the lottery of classes.
struct ClassTickets {
  static constexpr const char* name = "class_tickets";
  static constexpr Lanes lanes = Lanes::one;
  static constexpr double kMost = 1 << 30;
  const int32_t* begin;  // [C + 1]
  int64_t* tickets;      // [C]
  int64_t cap;
  double power;

  template <class Group>
  TS_HD void operator()(Group, int64_t c) const {
    const int64_t n = begin[c + 1] - begin[c];
    const double weight = math::pow(double(math::min(n, cap)) / double(cap), power);  // in (0, 1]
    tickets[c] = n == 0 ? 0 : math::max<int64_t>(1, static_cast<int64_t>(math::floor(weight * kMost + 0.5)));
  }
  Cost cost(int64_t n) const { return {16.0 * double(n), 100.0 * double(n)}; }
};

// One item = one draw of one class of one batch (thread): 53 random bits.
struct BilevelWord {
  static constexpr const char* name = "bilevel_word";
  static constexpr Lanes lanes = Lanes::one;
  int64_t* words;  // [batches, per_batch]
  int64_t per_batch, first_batch;
  RandomKey key;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const auto draw = random_words(key, static_cast<uint32_t>(first_batch + item / per_batch),
                                   static_cast<uint32_t>(item % per_batch));
    words[item] = static_cast<int64_t>((uint64_t{draw.word[0]} << 32 | draw.word[1]) >> 11);
  }
  Cost cost(int64_t n) const { return {8.0 * double(n), 120.0 * double(n)}; }
};

// One item = one class of one batch (thread): the class that owns the drawn ticket, then its photos.
struct BilevelDraw {
  static constexpr const char* name = "bilevel_draw";
  static constexpr Lanes lanes = Lanes::one;
  const int64_t* words;   // [items, 1 + per_class]
  const int32_t* photos;  // of the class index
  const int32_t* begin;   // [C + 1]
  const int64_t* upto;    // [C + 1] prefix sum of the tickets
  int32_t* photo;         // [items, per_class]
  int32_t* label;         // [items, per_class]
  int64_t classes, per_class;

  // One of 0 .. n - 1, n < 2^53: the product is below n for every word.
  TS_HD static int64_t below(int64_t word, int64_t n) {
    return static_cast<int64_t>(double(word) * 0x1p-53 * double(n));
  }
  TS_HD int64_t owner(int64_t ticket) const {  // the class c with upto[c] <= ticket < upto[c + 1]
    int64_t low = 0, high = classes - 1;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (upto[middle + 1] > ticket) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t* mine = words + item * (1 + per_class);
    const int64_t c = owner(below(mine[0], upto[classes]));
    for (int64_t i = 0; i < per_class; ++i) {
      photo[item * per_class + i] = photos[begin[c] + below(mine[1 + i], begin[c + 1] - begin[c])];
      label[item * per_class + i] = static_cast<int32_t>(c);
    }
  }
  Cost cost(int64_t n) const { return {200.0 * double(n), 100.0 * double(n)}; }
};

}  // namespace tailseg
