// The bodies of autograd/ that a GPU runs on packs of channels: the same bits as on one lane, element by element.
#include <catch2/catch.hpp>

#include "autograd/columns_body.h"
#include "autograd/max_pool_body.h"
#include "autograd/relu_body.h"
#include "autograd/upsample_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

namespace {

template <class Scalar>
std::vector<Scalar> values(int64_t count, double phase) {
  std::vector<Scalar> out;
  for (float v : wave<float>(size_t(count), phase)) out.push_back(Scalar(v));
  return out;
}

template <class Scalar>
std::vector<float> floats(const std::vector<Scalar>& values) {
  return {values.begin(), values.end()};
}

template <class Scalar>
constexpr int64_t kPackOf = 16 / sizeof(Scalar);

}  // namespace

TEMPLATE_TEST_CASE("relu in packs", "", float, BFloat16) {
  constexpr int64_t kPack = kPackOf<TestType>, kItems = 6;
  const auto x = values<TestType>(kPack * kItems, 0), dy = values<TestType>(kPack * kItems, 1);
  std::vector<TestType> y(x.size()), y_packed(x.size()), dx(x.size()), dx_packed(x.size());
  run_solo(kPack * kItems, ReluForward<TestType>{x.data(), y.data()});
  run_solo(kPack * kItems, ReluBackward<TestType>{dy.data(), y.data(), dx.data()});
  crew::run(3, kItems, ReluForward<TestType, kPack>{x.data(), y_packed.data()});
  crew::run(3, kItems, ReluBackward<TestType, kPack>{dy.data(), y_packed.data(), dx_packed.data()});
  REQUIRE(floats(y) == floats(y_packed));
  REQUIRE(floats(dx) == floats(dx_packed));
}

// A card cuts rows into shorter chunks and columns into tiles, and adds the chunks group by group.
TEMPLATE_TEST_CASE("masked column sums in packs, tiles and groups of chunks", "", float, BFloat16) {
  constexpr int64_t kPack = kPackOf<TestType>, kRows = 37, kColumns = 9 * kPack, kTile = 4 * kPack, kChunk = 5;
  constexpr int64_t kChunks = 8, kTiles = 3, kGroup = 3, kGroups = 3;
  const auto dy = values<TestType>(kRows * kColumns, 0), y = values<TestType>(kRows * kColumns, 1);
  for (const TestType* kept : {y.data(), static_cast<const TestType*>(nullptr)}) {
    std::vector<TestType> masked(dy.size());
    std::vector<float> partial(size_t(kChunks * kColumns), NAN), groups(size_t(kGroups * kColumns), NAN),
        sums(size_t(kColumns), NAN);
    const MaskedColumnSums<TestType, kPack> body{
        dy.data(), kept, kept ? masked.data() : nullptr, partial.data(), kRows, kColumns, kChunk, kTile};
    crew::run(3, kChunks * kTiles, body);
    constexpr int64_t kAddTiles = (kColumns + 63) / 64;
    crew::run(3, kGroups * kAddTiles, AddChunks<float>{partial.data(), groups.data(), kChunks, kColumns, kGroup});
    crew::run(3, kAddTiles, AddChunks<float>{groups.data(), sums.data(), kGroups, kColumns});
    for (int64_t c = 0; c < kColumns; ++c) {
      double expected = 0, size = 0;
      for (int64_t row = 0; row < kRows; ++row) {
        const auto at = size_t(row * kColumns + c);
        const float g = !kept || float(y[at]) > 0 ? float(dy[at]) : 0.0f;
        expected += double(g);
        size += std::abs(double(g));
        if (kept) REQUIRE(float(masked[at]) == g);
      }
      REQUIRE(std::abs(double(sums[size_t(c)]) - expected) <= 1e-6 * size);
    }
    std::vector<TestType> masked_only(dy.size());
    if (!kept) continue;
    crew::run(3, kChunks * kTiles,
              MaskedColumnSums<TestType, kPack>{dy.data(), kept, masked_only.data(), nullptr, kRows, kColumns, kChunk,
                                                kTile});
    REQUIRE(floats(masked_only) == floats(masked));
  }
}

TEMPLATE_TEST_CASE("upsampling in packs", "", float, BFloat16) {
  constexpr int64_t kPack = kPackOf<TestType>, kChannels = 3 * kPack;
  const UpsampleSizes g{5, 7, kChannels, 3, 4};
  const auto lateral = values<TestType>(2 * 35 * kChannels, 0), top = values<TestType>(2 * 12 * kChannels, 1);
  std::vector<TestType> y(lateral.size()), y_packed(lateral.size()), dtop(top.size()), dtop_packed(top.size());
  run_solo(70, UpsampleAddForward<TestType>{g, lateral.data(), top.data(), y.data()});
  run_solo(24, UpsampleBackward<TestType>{g, lateral.data(), dtop.data()});
  crew::run(2, 70, UpsampleAddForward<TestType, kPack>{g, lateral.data(), top.data(), y_packed.data()});
  crew::run(2, 24, UpsampleBackward<TestType, kPack>{g, lateral.data(), dtop_packed.data()});
  REQUIRE(floats(y) == floats(y_packed));
  REQUIRE(floats(dtop) == floats(dtop_packed));
}

TEMPLATE_TEST_CASE("max pooling in packs", "", float, BFloat16) {
  constexpr int64_t kPack = kPackOf<TestType>, kChannels = 3 * kPack;
  const PoolSizes g{8, 7, kChannels, 4, 4, 3, 2, 1};
  auto x = values<TestType>(2 * 56 * kChannels, 0);
  x[5] = TestType(-INFINITY);
  const auto dy = values<TestType>(2 * 16 * kChannels, 1);
  std::vector<TestType> y(dy.size()), y_packed(dy.size()), dx(x.size()), dx_packed(x.size());
  std::vector<uint8_t> tap(dy.size(), 99), tap_packed(dy.size(), 98);
  run_solo(32, MaxPoolForward<TestType>{g, x.data(), y.data(), tap.data()});
  run_solo(112, MaxPoolBackward<TestType>{g, dy.data(), tap.data(), dx.data()});
  crew::run(2, 32 * 3, MaxPoolForward<TestType, kPack>{g, x.data(), y_packed.data(), tap_packed.data()});
  crew::run(2, 112 * 3, MaxPoolBackward<TestType, kPack>{g, dy.data(), tap_packed.data(), dx_packed.data()});
  REQUIRE(floats(y) == floats(y_packed));
  REQUIRE(tap == tap_packed);
  REQUIRE(floats(dx) == floats(dx_packed));
}
