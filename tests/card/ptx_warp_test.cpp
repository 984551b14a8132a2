// The interpreter's threads: divergence, and what warps and blocks do together.
#include <catch2/catch.hpp>
#include <numeric>

#include "tests/card/ptx_bench.h"

using namespace tailseg::card;

namespace {

std::vector<uint64_t> zeros(size_t threads) { return std::vector<uint64_t>(threads, 0); }

const std::string kShared =
    ".shared .align 8 .b8 room[1024];\nmov.u32 %r40, room;\nshl.b32 %r41, %r0, 2;\n"
    "add.s32 %r42, %r40, %r41;\n";

}  // namespace

TEST_CASE("lanes part in loops of their own length and meet again") {
  const auto output = Bench(R"(
mov.u32 %r10, 0;
mov.u32 %r11, 0;
LOOP:
setp.ge.u32 %p1, %r10, %r0;
@%p1 bra DONE;
and.b32 %r12, %r10, 1;
setp.eq.u32 %p2, %r12, 0;
@%p2 bra EVEN;
add.s32 %r11, %r11, 100;
bra.uni NEXT;
EVEN:
add.s32 %r11, %r11, 1;
NEXT:
add.s32 %r10, %r10, 1;
bra LOOP;
DONE:
activemask.b32 %r13;
st.global.v2.u32 [%rd3], {%r11, %r13};)")(zeros(70));
  for (uint64_t thread = 0; thread < 70; ++thread) {
    CHECK(static_cast<uint32_t>(output[thread]) == (thread + 1) / 2 + 100 * (thread / 2));
    CHECK(output[thread] >> 32 == (thread < 64 ? 0xffffffffu : 0x3fu));
  }
}

TEST_CASE("shuffles in their modes") {
  const auto shuffle = [](const std::string& how) {
    return Bench("add.s32 %r10, %r0, 100;\nshfl.sync." + how +
                 ", -1;\nselp.u32 %r12, 1, 0, %p1;\n"
                 "st.global.v2.u32 [%rd3], {%r11, %r12};")(zeros(32));
  };
  const auto up = shuffle("up.b32 %r11|%p1, %r10, 3, 0"), down = shuffle("down.b32 %r11|%p1, %r10, 3, 31"),
             swap = shuffle("bfly.b32 %r11|%p1, %r10, 5, 31"), index = shuffle("idx.b32 %r11|%p1, %r10, 7, 31"),
             part = shuffle("up.b32 %r11|%p1, %r10, 1, 0x1800");  // segments of 8
  for (uint64_t i = 0; i < 32; ++i) {
    const auto pair = [](uint64_t value, bool inside) { return value + 100 + (uint64_t{inside} << 32); };
    CHECK(up[i] == pair(i >= 3 ? i - 3 : i, i >= 3));
    CHECK(down[i] == pair(i + 3 < 32 ? i + 3 : i, i + 3 < 32));
    CHECK(swap[i] == pair(i ^ 5, true));
    CHECK(index[i] == pair(7, true));
    CHECK(part[i] == pair(i % 8 != 0 ? i - 1 : i, i % 8 != 0));
  }
}

TEST_CASE("lanes of a member mask wait for each other") {
  // Even and odd lanes take two ways, and sum among themselves there.
  const auto output = Bench(R"(
and.b32 %r10, %r0, 1;
setp.eq.u32 %p1, %r10, 0;
@%p1 bra EVEN;
vote.sync.ballot.b32 %r11, 1, 0xaaaaaaaa;
redux.sync.add.u32 %r12, %r0, 0xaaaaaaaa;
bra DONE;
EVEN:
setp.lt.u32 %p2, %r0, 10;
vote.sync.ballot.b32 %r11, %p2, 0x55555555;
redux.sync.max.u32 %r12, %r0, 0x55555555;
DONE:
bar.warp.sync -1;
st.global.v2.u32 [%rd3], {%r11, %r12};)")(zeros(32));
  for (uint64_t i = 0; i < 32; ++i) {
    CHECK(output[i] == (i % 2 == 1 ? 0xaaaaaaaau + (uint64_t{256} << 32) : 0x155u + (uint64_t{30} << 32)));
  }
}

TEST_CASE("votes and matches") {
  const auto output = Bench(R"(
setp.lt.u32 %p1, %r0, 40;
vote.sync.all.pred %p2, %p1, -1;
vote.sync.any.pred %p3, %p1, -1;
selp.u32 %r10, 1, 0, %p2;
selp.u32 %r11, 2, 0, %p3;
add.s32 %r10, %r10, %r11;
shr.u32 %r12, %r0, 2;
match.any.sync.b32 %r13, %r12, -1;
st.global.v2.u32 [%rd3], {%r10, %r13};)")(zeros(96));
  for (uint64_t i = 0; i < 96; ++i) {
    CHECK(static_cast<uint32_t>(output[i]) == (i < 32 ? 3u : i < 64 ? 2u : 0u));
    CHECK(output[i] >> 32 == uint64_t{0xf} << (i % 32 / 4 * 4));
  }
}

TEST_CASE("threads exchange through shared memory between barriers, in whatever order warps run") {
  Bench bench(kShared + R"(
st.shared.u32 [%r42], %r0;
bar.sync 0;
xor.b32 %r10, %r41, 508;
add.s32 %r10, %r40, %r10;
ld.shared.u32 %r11, [%r10];
st.global.u32 [%rd3], %r11;)");
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto output = bench(zeros(128), 0, {seed});
    for (uint64_t i = 0; i < 128; ++i) REQUIRE(output[i] == (i ^ 127));
  }
}

TEST_CASE("dynamic shared memory lies behind the static") {
  Bench bench(kShared + R"(
mov.u32 %r10, more;
add.s32 %r11, %r10, %r41;
st.shared.u32 [%r11], %r0;
st.shared.u32 [%r42], 77;
ld.shared.u32 %r12, [%r11];
ld.shared.u32 %r13, [more];
sub.s32 %r14, %r10, %r40;
st.global.v2.u32 [%rd3], {%r12, %r14};)",
              ".extern .shared .align 16 .b8 more[];");
  bench.dynamic_shared = 4;
  CHECK(bench({0})[0] == uint64_t{1024} << 32);
  CHECK_THROWS_WITH(bench(zeros(2)), Catch::Contains("shared address"));
}

TEST_CASE("atomics on shared and global memory, barriers that reduce") {
  Bench bench(kShared + R"(
setp.eq.u32 %p1, %r0, 0;
@%p1 st.shared.u32 [room], 0;
bar.sync 0;
atom.shared.add.u32 %r10, [room], %r0;
atom.global.max.u32 %r11, [%rd0], %r0;
setp.eq.u32 %p2, %r0, 77;
bar.red.or.pred %p3, 0, %p2;
bar.red.popc.u32 %r12, 0, !%p2;
ld.shared.u32 %r13, [room];
selp.u32 %r14, 1000, 0, %p3;
add.s32 %r12, %r12, %r14;
st.global.v2.u32 [%rd3], {%r13, %r12};)");
  for (const uint64_t value : bench(zeros(96))) CHECK(value == 95 * 96 / 2 + (uint64_t{1095} << 32));
  for (const uint64_t value : bench(zeros(40))) CHECK(value == 39 * 40 / 2 + (uint64_t{40} << 32));
}

TEST_CASE("generic addresses reach shared, local and global memory") {
  const auto output = Bench(kShared + R"(
.local .align 4 .b8 own[8];
cvt.u64.u32 %rd10, %r42;
cvta.shared.u64 %rd10, %rd10;
mov.u64 %rd11, own;
cvta.local.u64 %rd11, %rd11;
st.u32 [%rd10], %r0;
st.u32 [%rd11+4], 9;
ld.shared.u32 %r10, [%r42];
ld.local.u32 %r11, [own+4];
add.s32 %r10, %r10, %r11;
st.u32 [%rd3], %r10;)")(zeros(33));
  for (uint64_t i = 0; i < 33; ++i) CHECK(output[i] == i + 9);
}

TEST_CASE("a warp that waits in a loop lets the others run") {
  const std::string wait = kShared + R"(
setp.ne.u32 %p1, %r0, 0;
@%p1 bra REST;
WAIT:
ld.volatile.shared.u32 %r10, [room];
setp.ne.u32 %p2, %r10, 5;
@%p2 bra WAIT;
bra END;
REST:
setp.ne.u32 %p3, %r0, 32;
@%p3 bra END;
st.volatile.shared.u32 [room], )";
  CHECK(Bench(wait + "5;\nEND:\nst.global.u32 [%rd3], 1;")(zeros(64)) == std::vector<uint64_t>(64, 1));
  CHECK_THROWS_WITH(Bench(wait + "6;\nEND:\n")(zeros(64)),
                    Catch::Contains("wait in a loop") && Catch::Contains("warp 0, 1 threads from lane 0"));
}

TEST_CASE("threads that have ended are not waited for") {
  const auto output = Bench(R"(
setp.ge.u32 %p1, %r0, 40;
@%p1 exit;
bar.sync 0;
bar.warp.sync -1;
st.global.u32 [%rd3], 1;)")(zeros(64));
  CHECK(std::accumulate(output.begin(), output.end(), uint64_t{0}) == 40);
}

TEST_CASE("blocks and threads in three dimensions, and the facts of a kernel") {
  BenchMemory memory;
  const auto module = Module::parse(R"(
.version 9.0
.target sm_90
.address_size 64
.visible .entry where(.param .align 8 .b8 body[12], .param .u64 out)
.maxntid 64, 1, 1
{
.reg .b32 %r<20>; .reg .b64 %rd<5>; .shared .align 16 .b8 some[40];
ld.param.u64 %rd1, [out];
mov.u32 %r1, %ctaid.z; mov.u32 %r2, %nctaid.y; mov.u32 %r3, %ctaid.y; mad.lo.s32 %r1, %r1, %r2, %r3;
mov.u32 %r2, %ntid.y; mov.u32 %r3, %tid.y; mad.lo.s32 %r1, %r1, %r2, %r3;
mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.s32 %r1, %r1, %r2, %r3;
mul.wide.u32 %rd2, %r1, 4;
add.s64 %rd1, %rd1, %rd2;
ld.param.u32 %r4, [body+8];
add.s32 %r4, %r4, %r1;
st.global.u32 [%rd1], %r4;
ret;
})",
                                    memory);
  const Kernel* kernel = module->find_kernel("where");
  REQUIRE(kernel != nullptr);
  CHECK(facts_of(*kernel).parameter_sizes == std::vector<size_t>{12, 8});
  CHECK(facts_of(*kernel).static_shared == 40);
  CHECK(facts_of(*kernel).max_threads == 64);
  LaunchShape shape;
  shape.grid = {1, 2, 3};
  shape.block = {5, 7, 1};
  const uint64_t out = memory.allocate(6 * 35 * 4);
  const uint32_t body[3] = {0, 0, 1000};
  const void* arguments[] = {body, &out};
  run(*kernel, shape, arguments, memory);
  for (uint32_t i = 0; i < 6 * 35; ++i) {
    uint32_t value = 0;
    std::memcpy(&value, memory.find(out + 4 * i, 4), 4);
    REQUIRE(value == 1000 + i);
  }
  shape.block = {65, 1, 1};
  CHECK_THROWS_AS(run(*kernel, shape, arguments, memory), Fault);
}
