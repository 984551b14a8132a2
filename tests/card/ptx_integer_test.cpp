// The interpreter's integers, bits and moves.
#include <catch2/catch.hpp>
#include <random>

#include "tests/card/ptx_bench.h"

using namespace tailseg::card;

namespace {

uint64_t halves(uint64_t low, uint64_t high) { return low | high << 32; }

// `instruction` on %r10 and %r11, the halves of the input, into %rd10.
uint64_t on_halves(const std::string& instruction, uint32_t a, uint32_t b) {
  INFO(instruction);
  return Bench("ld.global.v2.u32 {%r10, %r11}, [%rd2];\nmov.u64 %rd10, 0;\nmov.u32 %r12, 0;\n" + instruction +
               "\nst.global.u64 [%rd3], %rd10;")({halves(a, b)})[0];
}

uint64_t result32(const std::string& opcode, uint32_t a, uint32_t b, const std::string& more = "") {
  return on_halves(opcode + " %r12, %r10, %r11" + more + ";\ncvt.u64.u32 %rd10, %r12;", a, b);
}

}  // namespace

TEST_CASE("products at their widths") {
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    const auto a = static_cast<uint32_t>(random()), b = static_cast<uint32_t>(random());
    const int64_t sa = static_cast<int32_t>(a), sb = static_cast<int32_t>(b);
    CHECK(on_halves("mul.wide.u32 %rd10, %r10, %r11;", a, b) == uint64_t{a} * b);
    CHECK(on_halves("mul.wide.s32 %rd10, %r10, %r11;", a, b) == static_cast<uint64_t>(sa * sb));
    CHECK(result32("mul.lo.s32", a, b) == a * b);
    CHECK(result32("mul.hi.u32", a, b) == (uint64_t{a} * b) >> 32);
    CHECK(result32("mul.hi.s32", a, b) == static_cast<uint32_t>((sa * sb) >> 32));
    CHECK(result32("mad.lo.s32", a, b, ", %r10") == static_cast<uint32_t>(a * b + a));
  }
}

TEST_CASE("divisions, by zero too") {
  CHECK(result32("div.u32", 100, 7) == 14);
  CHECK(result32("rem.u32", 100, 7) == 2);
  CHECK(result32("div.s32", static_cast<uint32_t>(-100), 7) == static_cast<uint32_t>(-14));
  CHECK(result32("rem.s32", static_cast<uint32_t>(-100), 7) == static_cast<uint32_t>(-2));
  CHECK(result32("div.u32", 5, 0) == 0xffffffffu);
  CHECK(result32("rem.s32", 5, 0) == 0xffffffffu);
  CHECK(result32("div.s32", 0x80000000u, 0xffffffffu) == 0x80000000u);
  CHECK(result32("rem.s32", 0x80000000u, 0xffffffffu) == 0);
}

TEST_CASE("shifts stop at the width") {
  CHECK(result32("shl.b32", 5, 31) == 0x80000000u);
  CHECK(result32("shl.b32", 5, 32) == 0);
  CHECK(result32("shr.u32", 0x80000000u, 40) == 0);
  CHECK(result32("shr.s32", 0x80000000u, 40) == 0xffffffffu);
  CHECK(result32("shr.s32", 0x80000000u, 4) == 0xf8000000u);
  CHECK(on_halves("mov.b64 %rd11, {%r10, %r11};\nshl.b64 %rd10, %rd11, 64;", 1, 2) == 0);
  CHECK(on_halves("mov.b64 %rd11, {%r10, %r11};\nshr.u64 %rd10, %rd11, 33;", 1, 2) == 1);
  CHECK(result32("shf.l.wrap.b32", 0x80000001u, 0x12345678u, ", 36") == 0x23456788u);
  CHECK(result32("shf.r.clamp.b32", 0x80000001u, 0x12345678u, ", 36") == 0x12345678u);
}

TEST_CASE("single bits") {
  CHECK(result32("prmt.b32", 0x33221100, 0x77665544, ", 0x7531") == 0x77553311u);
  CHECK(result32("prmt.b32", 0x80221100, 0x77665544, ", 0xb012") == 0xff001122u);
  CHECK(result32("lop3.b32", 0xf0f0f0f0u, 0xccccccccu, ", 0xaaaaaaaa, 0x96") ==
        (0xf0f0f0f0u ^ 0xccccccccu ^ 0xaaaaaaaau));
  CHECK(on_halves("clz.b32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0x00010000, 0) == 15);
  CHECK(on_halves("popc.b32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0xf0f00001, 0) == 9);
  CHECK(on_halves("brev.b32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0x00000006, 0) == 0x60000000u);
  CHECK(on_halves("bfind.u32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0x00010000, 0) == 16);
  CHECK(on_halves("bfind.shiftamt.u32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0x00010000, 0) == 15);
  CHECK(on_halves("bfind.s32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0xfffffffe, 0) == 0);
  CHECK(on_halves("bfind.u32 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0, 0) == 0xffffffffu);
  CHECK(on_halves("bfe.u32 %r12, %r10, 4, 8;\ncvt.u64.u32 %rd10, %r12;", 0x00000ff3, 0) == 0xff);
  CHECK(on_halves("bfe.s32 %r12, %r10, 4, 8;\ncvt.u64.u32 %rd10, %r12;", 0x00000ff3, 0) == 0xffffffffu);
  CHECK(on_halves("bfe.s32 %r12, %r10, 28, 8;\ncvt.u64.u32 %rd10, %r12;", 0x80000000u, 0) == 0xfffffff8u);
  CHECK(result32("bfi.b32", 0xab, 0x11111111, ", 8, 8") == 0x1111ab11u);
}

TEST_CASE("conversions cut and extend, in wider registers too") {
  CHECK(on_halves("cvt.s64.s32 %rd10, %r10;", 0x80000000u, 0) == 0xffffffff80000000u);
  CHECK(on_halves("cvt.u64.u32 %rd10, %r10;", 0x80000000u, 0) == 0x80000000u);
  CHECK(on_halves("cvt.s32.s8 %r12, %r10;\ncvt.u64.u32 %rd10, %r12;", 0x1234abf0u, 0) == 0xfffffff0u);
  CHECK(on_halves("cvt.u16.u32 %rs1, %r10;\ncvt.u32.u16 %r12, %rs1;\ncvt.u64.u32 %rd10, %r12;", 0x1234abf0u, 0) ==
        0xabf0);
  CHECK(on_halves("cvt.sat.s16.s32 %rs1, %r10;\ncvt.u64.u16 %rd10, %rs1;", 0x80000000u, 0) == 0x8000);
  CHECK(on_halves("cvt.sat.u8.s32 %rs1, %r10;\ncvt.u64.u16 %rd10, %rs1;", 300, 0) == 255);
}

TEST_CASE("packing, sinks, blocks with names of their own") {
  CHECK(on_halves("mov.b64 %rd11, {%r11, %r10};\nmov.b64 {_, %r12}, %rd11;\ncvt.u64.u32 %rd10, %r12;", 3, 4) == 3);
  CHECK(on_halves(
            "{\n.reg .b32 %r10; .reg .pred p; mov.u32 %r10, 9;\nsetp.eq.u32 p, %r10, 9;\n@p mov.u32 %r12, %r10;\n}\n"
            "add.s32 %r12, %r12, %r10;\ncvt.u64.u32 %rd10, %r12;",
            3, 4) == 12);
  CHECK(on_halves("setp.ne.u32 %p1, %r10, %r11;\nsetp.lt.and.u32 %p2, %r10, %r11, !%p1;\nselp.u64 %rd10, 1, 2, %p2;", 3,
                  4) == 2);
}

TEST_CASE("variables of a module and calls of its functions") {
  Bench bench(R"(
ld.const.u32 %r10, [table+4];
mov.u64 %rd10, counter;
atom.global.add.u64 %rd11, [%rd10], 5;
{
.param .b32 argument; .param .b32 answer;
st.param.b32 [argument], %r10;
call.uni (answer), twice, (argument);
ld.param.b32 %r11, [answer];
}
st.global.u32 [%rd3], %r11;)",
              R"(.const .align 4 .u32 table[2] = {11, 22};
.global .align 8 .u64 counter = 7;
.func (.param .b32 result) twice(.param .b32 x)
{
.reg .b32 %r<3>; .reg .pred %p<2>;
ld.param.b32 %r1, [x];
shl.b32 %r2, %r1, 1;
st.param.b32 [result], %r2;
setp.eq.s32 %p1, %r1, 22;
@%p1 ret;
st.param.b32 [result], 0;
ret;
})");
  CHECK(bench({0, 0, 0})[2] == 44);
  uint64_t counter = 0;
  std::memcpy(&counter, bench.memory.find(bench.module().find_variable("counter"), 8), 8);
  CHECK(counter == 7 + 3 * 5);
}
