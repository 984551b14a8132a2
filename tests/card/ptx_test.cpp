// The interpreter's arithmetic: every value is computed here by other means.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "tests/card/ptx_bench.h"

using namespace tailseg::card;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();

uint64_t bits(float x) { return std::bit_cast<uint32_t>(x); }
uint64_t bits(double x) { return std::bit_cast<uint64_t>(x); }

// Two 32-bit halves as one input, the lower first.
uint64_t halves(uint64_t low, uint64_t high) { return low | high << 32; }

std::vector<float> odd_floats() {
  std::vector<float> all = {0.0f,        -0.0f,       1.0f,          -1.0f,           0.5f,          2.5f,  -2.5f,
                            3.5f,        0x1p-149f,   -0x1p-130f,    0x1.fffffep127f, kInf,          -kInf, kNaN,
                            16777217.0f, 1.0f / 3,    2147483648.0f, -2147483904.0f,  4294967296.0f, 1e19f, -1e19f,
                            0x1p63f,     0.99999994f, -0.75f};
  return all;
}

// Every pair of odd floats, one for each of at most 1024 threads.
std::vector<uint64_t> pairs() {
  std::vector<uint64_t> result;
  for (const float a : odd_floats()) {
    for (const float b : odd_floats()) result.push_back(halves(bits(a), bits(b)));
  }
  return result;
}

float low(uint64_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x)); }
float high(uint64_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x >> 32)); }

const std::string kLoadPair = "ld.global.v2.u32 {%r10, %r11}, [%rd2];\nmov.b32 %f0, %r10;\nmov.b32 %f1, %r11;\n";

// What `instruction` leaves in %f2 for all pairs of odd floats, against `expected`.
template <class F>
void check_pairs(const std::string& instruction, F expected) {
  INFO(instruction);
  const std::vector<uint64_t> input = pairs();
  const std::vector<uint64_t> output = Bench(kLoadPair + instruction + "\nst.global.f32 [%rd3], %f2;")(input);
  size_t wrong = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    const float e = expected(low(input[i]), high(input[i]));
    const uint32_t want = e != e ? 0x7fffffffu : std::bit_cast<uint32_t>(e);
    if (static_cast<uint32_t>(output[i]) == want) continue;
    ++wrong;
    UNSCOPED_INFO(low(input[i]) << " and " << high(input[i]) << " give " << low(output[i]) << ", not " << e);
  }
  CHECK(wrong == 0);
}

uint64_t one(const std::string& body, uint64_t input = 0) { return Bench(body)({input})[0]; }

}  // namespace

TEST_CASE("32-bit floats: arithmetic to nearest, with canonical NaN and subnormals") {
  check_pairs("add.f32 %f2, %f0, %f1;", [](float a, float b) { return a + b; });
  check_pairs("sub.f32 %f2, %f0, %f1;", [](float a, float b) { return a - b; });
  check_pairs("mul.rn.f32 %f2, %f0, %f1;", [](float a, float b) { return a * b; });
  check_pairs("div.rn.f32 %f2, %f0, %f1;", [](float a, float b) { return a / b; });
  check_pairs("fma.rn.f32 %f2, %f0, %f1, %f0;", [](float a, float b) { return std::fma(a, b, a); });
  check_pairs("sqrt.rn.f32 %f2, %f0;", [](float a, float) { return std::sqrt(a); });
  check_pairs("rcp.rn.f32 %f2, %f0;", [](float a, float) { return 1 / a; });
  check_pairs("neg.f32 %f3, %f0;\nadd.f32 %f2, %f3, %f1;", [](float a, float b) { return b - a; });
}

TEST_CASE("fma rounds once") {
  const float a = 1.0f + 0x1p-12f;
  const double exact = double(a) * double(a) - 1.0;
  CHECK(static_cast<float>(exact) != a * a - 1.0f);
  check_pairs("mov.f32 %f0, 0f3F800800;\nmov.f32 %f1, 0fBF800000;\nfma.rn.f32 %f2, %f0, %f0, %f1;",
              [&](float, float) { return static_cast<float>(exact); });
}

TEST_CASE("min and max pass over one NaN and order the zeros") {
  check_pairs("max.f32 %f2, %f0, %f1;", [](float a, float b) {
    if (a == 0 && b == 0) return std::signbit(a) ? b : a;
    return std::fmax(a, b);
  });
  check_pairs("min.f32 %f2, %f0, %f1;", [](float a, float b) {
    if (a == 0 && b == 0) return std::signbit(a) ? a : b;
    return std::fmin(a, b);
  });
  check_pairs("max.NaN.f32 %f2, %f0, %f1;", [](float a, float b) {
    if (a != a || b != b) return kNaN;
    if (a == 0 && b == 0) return std::signbit(a) ? b : a;
    return std::fmax(a, b);
  });
}

TEST_CASE(".ftz and .sat") {
  const auto flush = [](float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; };
  check_pairs("add.ftz.f32 %f2, %f0, %f1;", [&](float a, float b) { return flush(flush(a) + flush(b)); });
  check_pairs("mul.ftz.f32 %f2, %f0, %f1;", [&](float a, float b) { return flush(flush(a) * flush(b)); });
  check_pairs("cvt.sat.f32.f32 %f2, %f0;",
              [](float a, float) { return a != a ? 0.0f : std::fmin(1.0f, a > 0 ? a : 0); });
  check_pairs("fma.rn.sat.f32 %f2, %f0, %f1, %f1;", [](float a, float b) {
    const float x = std::fma(a, b, b);
    return x > 0 ? std::fmin(x, 1.0f) : 0.0f;
  });
}

// A sum of two floats of like size is exact in double precision; from there the neighbours are looked at.
TEST_CASE("directed rounding") {
  std::mt19937 random(3);
  std::vector<uint64_t> input;
  for (int i = 0; i < 1000; ++i) {
    const auto draw = [&] { return std::ldexp(static_cast<float>(static_cast<int>(random() >> 8) - (1 << 23)), -20); };
    input.push_back(halves(bits(draw()), bits(draw() / 64)));
  }
  const auto check = [&](const std::string& mode, auto is_right) {
    const auto output = Bench(kLoadPair + "add." + mode + ".f32 %f2, %f0, %f1;\nst.global.f32 [%rd3], %f2;")(input);
    int wrong = 0;
    for (size_t i = 0; i < input.size(); ++i) {
      wrong += is_right(double(low(input[i])) + double(high(input[i])), low(output[i])) ? 0 : 1;
    }
    CHECK(wrong == 0);
  };
  check("rm", [](double exact, float x) { return x <= exact && std::nextafter(x, kInf) > exact; });
  check("rp", [](double exact, float x) { return x >= exact && std::nextafter(x, -kInf) < exact; });
  check("rz", [](double exact, float x) {
    return std::abs(x) <= std::abs(exact) && std::abs(std::nextafter(x, exact < 0 ? -kInf : kInf)) > std::abs(exact);
  });
  check("rn", [](double exact, float x) { return x == static_cast<float>(exact); });
  CHECK(low(one("mov.f32 %f0, 0f3F800001;\nfma.rm.f32 %f1, %f0, %f0, 0f00000000;\nst.global.f32 [%rd3], %f1;")) ==
        1.0f + 0x1p-22f);
  CHECK(low(one("mov.f32 %f0, 0f3F800001;\nfma.rp.f32 %f1, %f0, %f0, 0f00000000;\nst.global.f32 [%rd3], %f1;")) ==
        1.0f + 0x1p-22f + 0x1p-23f);
}

TEST_CASE("comparisons with NaN") {
  const auto check = [](const std::string& how, auto holds) {
    check_pairs("setp." + how + ".f32 %p0, %f0, %f1;\nselp.f32 %f2, 0f3F800000, 0f00000000, %p0;",
                [&](float a, float b) { return holds(a, b) ? 1.0f : 0.0f; });
  };
  const auto unordered = [](float a, float b) { return a != a || b != b; };
  check("lt", [](float a, float b) { return a < b; });
  check("ne", [&](float a, float b) { return !unordered(a, b) && a != b; });
  check("ltu", [&](float a, float b) { return unordered(a, b) || a < b; });
  check("leu", [&](float a, float b) { return unordered(a, b) || a <= b; });
  check("gtu", [&](float a, float b) { return unordered(a, b) || a > b; });
  check("geu", [&](float a, float b) { return unordered(a, b) || a >= b; });
  check("equ", [&](float a, float b) { return unordered(a, b) || a == b; });
  check("neu", [](float a, float b) { return a != b; });
  check("num", [&](float a, float b) { return !unordered(a, b); });
  check("nan", [&](float a, float b) { return unordered(a, b); });
}

TEST_CASE("floats to integers: rounding, limits, NaN") {
  const auto check = [](const std::string& opcode, int width, auto expected) {
    INFO(opcode);
    std::vector<uint64_t> input;
    for (const float x : odd_floats()) input.push_back(bits(x));
    const std::string to = width == 64 ? "%rd10" : "%r10";
    const auto output = Bench("ld.global.f32 %f0, [%rd2];\n" + opcode + " " + to + ", %f0;\nst.global.b" +
                              std::to_string(width) + " [%rd3], " + to + ";")(input);
    for (size_t i = 0; i < input.size(); ++i) {
      INFO(odd_floats()[i]);
      CHECK(output[i] == static_cast<uint64_t>(expected(odd_floats()[i])));
    }
  };
  const auto s32 = [](float x) {
    if (x != x) return uint32_t{0};
    return static_cast<uint32_t>(static_cast<int32_t>(std::clamp<double>(x, -2147483648.0, 2147483647.0)));
  };
  check("cvt.rzi.s32.f32", 32, s32);
  check("cvt.rni.s32.f32", 32, [&](float x) { return s32(std::nearbyint(x)); });
  check("cvt.rmi.s32.f32", 32, [&](float x) { return s32(std::floor(x)); });
  check("cvt.rzi.u32.f32", 32,
        [](float x) { return x != x ? 0u : static_cast<uint32_t>(std::clamp<double>(x, 0.0, 4294967295.0)); });
  check("cvt.rzi.s64.f32", 64, [](float x) {
    if (x != x || x <= -0x1p63f) return std::numeric_limits<int64_t>::min();
    return x >= 0x1p63f ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(x);
  });
}

TEST_CASE("integers to floats and floats to whole floats") {
  const auto convert = [](const std::string& opcode, uint64_t x) {
    return low(one("ld.global.u64 %rd10, [%rd2];\n" + opcode + " %f0, %rd10;\nst.global.f32 [%rd3], %f0;", x));
  };
  CHECK(convert("cvt.rn.f32.s64", 0x7fffffffffffffff) == 0x1p63f);
  CHECK(convert("cvt.rz.f32.s64", 0x7fffffffffffffff) == std::nextafter(0x1p63f, 0.0f));
  CHECK(convert("cvt.rn.f32.s64", ~uint64_t{0}) == -1.0f);
  CHECK(convert("cvt.rn.f32.u64", ~uint64_t{0}) == 0x1p64f);
  check_pairs("cvt.rni.f32.f32 %f2, %f0;", [](float a, float) { return std::nearbyint(a); });
  check_pairs("cvt.rmi.f32.f32 %f2, %f0;", [](float a, float) { return std::floor(a); });
  check_pairs("cvt.rpi.f32.f32 %f2, %f0;", [](float a, float) { return std::ceil(a); });
  check_pairs(
      "cvt.f64.f32 %fd0, %f0;\nmul.f64 %fd0, %fd0, 0d3FD5555555555555;\ncvt.rn.f32.f64 %f2, %fd0;",
      [](float a, float) { return static_cast<float>(double(a) * std::bit_cast<double>(0x3FD5555555555555u)); });
}

TEST_CASE("approximate functions") {
  const auto near = [](const std::string& opcode, float x, double expected) {
    const float result =
        low(one("ld.global.f32 %f0, [%rd2];\n" + opcode + " %f1, %f0;\nst.global.f32 [%rd3], %f1;", bits(x)));
    CHECK(result == Approx(expected).epsilon(1e-7));
  };
  near("ex2.approx.f32", 2.5f, std::pow(2.0, 2.5));
  near("lg2.approx.f32", 10.0f, std::log(10.0) / std::log(2.0));
  near("rcp.approx.ftz.f32", 3.0f, 1.0 / 3);
  near("rsqrt.approx.f32", 3.0f, 1 / std::sqrt(3.0));
  near("sin.approx.f32", 1.0f, 0.8414709848);
  CHECK(one("mov.f64 %fd0, 0d4008000000000000;\nrcp.approx.ftz.f64 %fd1, %fd0;\nst.global.f64 [%rd3], %fd1;") ==
        (bits(1.0 / 3) & 0xffffffff00000000u));
}
