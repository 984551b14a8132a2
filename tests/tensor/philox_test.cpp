#include "tensor/philox.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <vector>

using namespace tailseg;

TEST_CASE("Philox gives the published known answers") {  // Random123 1.14, kat_vectors, philox4x32 10
  struct Case {
    Philox4x32::Counter counter;
    Philox4x32::Key key;
    Philox4x32::Counter expected;
  };
  const Case cases[] = {
      {{{0, 0, 0, 0}}, {{0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{~0u, ~0u, ~0u, ~0u}}, {{~0u, ~0u}}, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       {{0xa4093822, 0x299f31d0}},
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const Case& c : cases) {
    const auto words = Philox4x32::generate(c.counter, c.key);
    for (int i = 0; i < 4; ++i) CHECK(words.word[i] == c.expected.word[i]);
  }
}

TEST_CASE("uniform01 covers [0, 1) and never reaches 1") {
  CHECK(uniform01(0) == 0.0f);
  CHECK(uniform01(0x80000000u) == 0.5f);
  CHECK(uniform01(0xffffffffu) == 1.0f - 0x1p-24f);
  CHECK(uniform01(0xffffffffu, 0xffffffffu) == 1.0 - 0x1p-53);
  CHECK(uniform01(0x80000000u, 0) == 0.5);
}

TEST_CASE("seed, purpose, step, index and block each change the draw") {
  const RandomKey key{0x0123456789abcdef, random_purpose("a")};
  std::set<uint32_t> seen;
  seen.insert(random_words(key, 1, 2, 3).word[0]);
  seen.insert(random_words({key.seed + 1, key.purpose}, 1, 2, 3).word[0]);
  seen.insert(random_words({key.seed + (uint64_t{1} << 40), key.purpose}, 1, 2, 3).word[0]);
  seen.insert(random_words({key.seed, random_purpose("b")}, 1, 2, 3).word[0]);
  seen.insert(random_words(key, 2, 2, 3).word[0]);
  seen.insert(random_words(key, 1, 3, 3).word[0]);
  seen.insert(random_words(key, 1, 2, 4).word[0]);
  CHECK(seen.size() == 7);
  CHECK(random_purpose("a") == 0xe40c292cu);  // FNV-1a's published value for "a"
}

TEST_CASE("a stream is the item's blocks laid end to end") {
  const RandomKey key{7, random_purpose("stream")};
  RandomStream stream(key, 5, 9);
  for (uint32_t block = 0; block < 3; ++block) {
    const auto words = random_words(key, 5, 9, block);
    for (int i = 0; i < 4; ++i) REQUIRE(stream.next() == words.word[i]);
  }
}

TEST_CASE("below(n) is uniform also where 2^32 is far from a multiple of n") {
  RandomStream stream({1, random_purpose("below")}, 0, 0);
  const int draws = 300000;
  int third[3] = {0, 0, 0};
  const uint32_t n = 3u << 30;  // a plain multiply-shift or modulo is wrong by a factor of 2 here
  for (int i = 0; i < draws; ++i) {
    const uint32_t value = stream.below(n);
    REQUIRE(value < n);
    ++third[value >> 30];
  }
  for (int count : third) CHECK(std::abs(count - draws / 3) < 1300);  // five standard deviations (258)
  for (int i = 0; i < 100; ++i) CHECK(stream.below(1) == 0);
}

TEST_CASE("normal deviates have mean 0 and variance 1") {
  RandomStream stream({1, random_purpose("normal")}, 0, 0);
  const int draws = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < draws; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / draws) < 5 / std::sqrt(double(draws)));
  CHECK(std::abs(squares / draws - 1) < 5 * std::sqrt(2.0 / draws));
}

TEST_CASE("shuffle permutes, and every order of three comes equally often") {
  std::vector<int> many(1000);
  std::iota(many.begin(), many.end(), 0);
  const std::vector<int> ordered = many;
  shuffle(many.data(), many.size(), RandomStream({3, 4}, 0, 0));
  CHECK(many != ordered);
  CHECK(std::is_permutation(many.begin(), many.end(), ordered.begin()));

  int counts[27] = {};
  const int runs = 60000;
  for (int run = 0; run < runs; ++run) {
    int order[3] = {0, 1, 2};
    shuffle(order, 3, RandomStream({3, 4}, 1, static_cast<uint32_t>(run)));
    ++counts[order[0] * 9 + order[1] * 3 + order[2]];
  }
  int orders = 0;
  for (int count : counts) {
    if (count == 0) continue;
    ++orders;
    CHECK(std::abs(count - runs / 6) < 460);  // five standard deviations (91)
  }
  CHECK(orders == 6);
}
