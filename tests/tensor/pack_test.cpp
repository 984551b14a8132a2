// Packs: when they are used, and that a body gives the same bits with packs as element by element.
#include "tensor/pack.h"

#include <catch2/catch.hpp>

#include "tensor/conv_epilogue_body.h"
#include "tensor/elementwise_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

namespace {

template <class Scalar>
int64_t chosen(bool cuda, int64_t elements, std::initializer_list<const void*> pointers) {
  int64_t pack = 0;
  dispatch_pack<Scalar>(cuda, elements, pointers, [&]<int64_t kPack>() { pack = kPack; });
  return pack;
}

template <class Scalar>
std::vector<Scalar> values(size_t count, double phase) {
  std::vector<Scalar> out;
  for (float v : wave<float>(count, phase)) out.push_back(Scalar(v));
  return out;
}

template <class Scalar>
std::vector<float> floats(const std::vector<Scalar>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("16 bytes a pack on a card, when size and every address allow it") {
  alignas(16) const unsigned char block[64] = {};
  REQUIRE(chosen<float>(true, 64, {block, block + 16, nullptr}) == 4);
  REQUIRE(chosen<BFloat16>(true, 64, {block}) == 8);
  REQUIRE(chosen<BFloat16>(true, 64, {}) == 8);
  REQUIRE(chosen<BFloat16>(true, 60, {block}) == 1);
  REQUIRE(chosen<float>(true, 60, {block}) == 4);
  REQUIRE(chosen<float>(true, 60, {block, block + 8}) == 1);
  REQUIRE(chosen<float>(false, 64, {block}) == 1);
  REQUIRE(chosen<double>(true, 64, {block}) == 1);
}

TEMPLATE_TEST_CASE("elementwise bodies give the same bits in packs", "", float, BFloat16) {
  constexpr int64_t kPack = 16 / sizeof(TestType), kItems = 5;
  constexpr size_t kCount = size_t(kPack * kItems);
  const auto a = values<TestType>(kCount, 0), b = values<TestType>(kCount, 1);
  std::vector<TestType> one(kCount), packed(kCount);
  const auto compare = [&](const auto& by_element, const auto& by_pack) {
    run_solo(int64_t(kCount), by_element);
    crew::run(3, kItems, by_pack);
    REQUIRE(floats(one) == floats(packed));
    REQUIRE(by_element.cost(int64_t(kCount)).bytes == by_pack.cost(kItems).bytes);
    REQUIRE(by_element.cost(int64_t(kCount)).operations == by_pack.cost(kItems).operations);
  };
  compare(Axpby<TestType>{a.data(), b.data(), one.data(), 0.3f, -2},
          Axpby<TestType, kPack>{a.data(), b.data(), packed.data(), 0.3f, -2});
  for (size_t i = 0; i < kCount; ++i) {
    const float exact = 0.3f * float(a[i]) - 2 * float(b[i]);
    REQUIRE(float(packed[i]) == Approx(exact).epsilon(0.004).margin(1e-6));  // a bfloat16 has 8 bits
  }
  compare(ScaleElements<TestType>{a.data(), one.data(), 1.7f},
          ScaleElements<TestType, kPack>{a.data(), packed.data(), 1.7f});
  compare(MultiplyElements<TestType>{a.data(), b.data(), one.data()},
          MultiplyElements<TestType, kPack>{a.data(), b.data(), packed.data()});
  // A cast's packs are 16 bytes of the wider type.
  const auto wide = values<float>(kCount, 2);
  run_solo(int64_t(kCount), CastElements<float, TestType>{wide.data(), one.data()});
  crew::run(3, int64_t(kCount) / 4, CastElements<float, TestType, 4>{wide.data(), packed.data()});
  REQUIRE(floats(one) == floats(packed));
}

TEMPLATE_TEST_CASE("the epilogue of a convolution gives the same bits in packs", "", float, BFloat16) {
  constexpr int64_t kPack = 16 / sizeof(TestType), kChannels = 3 * kPack, kPixels = 4;
  const auto y = values<TestType>(size_t(kChannels * kPixels), 0), residual = values<TestType>(y.size(), 1);
  const auto bias = values<float>(size_t(kChannels), 2);
  for (int parts = 0; parts < 8; ++parts) {
    const float* with_bias = parts & 1 ? bias.data() : nullptr;
    const TestType* with_residual = parts & 2 ? residual.data() : nullptr;
    std::vector<TestType> one = y, packed = y;
    run_solo(kPixels, ConvEpilogueBody<TestType>{one.data(), with_bias, with_residual, kChannels, parts >= 4});
    crew::run(2, kPixels,
              ConvEpilogueBody<TestType, kPack>{packed.data(), with_bias, with_residual, kChannels, parts >= 4});
    REQUIRE(floats(one) == floats(packed));
  }
}
