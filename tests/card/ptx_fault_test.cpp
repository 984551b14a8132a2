// The faults that the interpreter tells: wrong addresses, deadlocks, races, and PTX that it does not know.
#include <catch2/catch.hpp>

#include "tests/card/ptx_bench.h"

using namespace tailseg::card;

namespace {

std::vector<uint64_t> zeros(size_t threads) { return std::vector<uint64_t>(threads, 0); }

std::string fault_of(Bench& bench, size_t threads, RunOptions options = {}) {
  try {
    bench(zeros(threads), 0, options);
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "no fault";
}
std::string fault_of(const std::string& body, size_t threads, const std::string& outside = "") {
  Bench bench(body, outside);
  return fault_of(bench, threads);
}

using Catch::Contains;

const std::string kShared =
    ".shared .align 8 .b8 room[1024];\nmov.u32 %r40, room;\nshl.b32 %r41, %r0, 2;\n"
    "add.s32 %r42, %r40, %r41;\n";

}  // namespace

TEST_CASE("fault: out of bounds, freed, misaligned") {
  Bench bench("ld.global.u32 %r10, [%rd0+-4];");
  CHECK_THAT(fault_of(bench, 1), Contains("4 bytes at global address 0x") && Contains("not allocated") &&
                                     Contains("kernel k, block (0, 0, 0), thread (0, 0, 0)") &&
                                     Contains("ld.global.u32 %r10, [%rd0+-4];"));
  CHECK_THAT(fault_of("st.global.u32 [%rd0+640], %r10;", 40), Contains("not allocated"));
  CHECK_THAT(fault_of("add.s64 %rd10, %rd2, 4;\nld.global.u64 %rd11, [%rd10];", 40), Contains("misaligned: 8 bytes"));
  CHECK_THAT(fault_of("ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd2];", 8),
             Contains("misaligned: 16 bytes") && Contains("thread (1, 0, 0)"));
  Bench stale("ld.global.u32 %r10, [%rd1];");
  const uint64_t a = stale.memory.allocate(64), b = stale.memory.allocate(64);
  stale.launch(a, b, 0, 1);
  stale.memory.free(b);
  CHECK_THROWS_WITH(stale.launch(a, b, 0, 1), Contains("freed"));
}

TEST_CASE("fault: beyond shared, local and parameter memory") {
  CHECK_THAT(fault_of(kShared + "st.shared.u32 [%r42], 1;", 257),
             Contains("shared address") && Contains("thread (256, 0, 0)"));
  CHECK_THAT(fault_of(".local .align 4 .b8 own[8];\nmov.u64 %rd10, own;\nst.local.u32 [%rd10+8], 1;", 1),
             Contains("local address"));
  CHECK_THAT(fault_of("mov.u64 %rd10, a;\nld.param.u64 %rd11, [%rd10+24];", 1), Contains("parameter address"));
  CHECK_THAT(fault_of("st.shared.u32 [%r0], 1;", 1), Contains("shared address 0x0"));
}

TEST_CASE("what was never written is poison") {
  CHECK(Bench(kShared + "ld.shared.u32 %r10, [%r42];\nst.global.u32 [%rd3], %r10;")({0})[0] == 0xffffffffu);
  CHECK(Bench("st.global.u32 [%rd3], %r33;")({0})[0] == 0xffffffffu);
  CHECK(Bench("setp.gt.u32 %p1, %r0, 5;\n@%p1 mov.u32 %r33, 1;\nst.global.u32 [%rd3], %r33;")({0})[0] == 0xffffffffu);
}

TEST_CASE("fault: deadlock") {
  CHECK_THAT(fault_of("setp.eq.u32 %p1, %r0, 0;\n@%p1 bra L;\nbar.sync 0;\nret;\nL:\nbar.sync 1;", 64),
             Contains("deadlock") && Contains("warp 0, 1 threads from lane 0 on, at line") && Contains("bar.sync 1"));
  CHECK_THAT(fault_of("setp.eq.u32 %p1, %r0, 0;\n@%p1 bra L;\nbar.warp.sync -1;\nret;\nL:\nbar.sync 0;", 32),
             Contains("deadlock"));
  CHECK_THAT(fault_of("setp.eq.u32 %p1, %r0, 0;\n@%p1 bra L;\nbar.sync 0;\nret;\nL:\nbar.sync 0;", 32),
             Contains("different barriers"));
  CHECK_THAT(fault_of("vote.sync.ballot.b32 %r10, 1, 1;", 2), Contains("own member mask"));
}

TEST_CASE("fault: races on shared memory") {
  const std::string neighbour = "xor.b32 %r10, %r41, ";
  const std::string read = ";\nadd.s32 %r10, %r40, %r10;\nld.shared.u32 %r11, [%r10];";
  const std::string write = "st.shared.u32 [%r42], %r0;\n";
  SECTION("a barrier is missing between warps") {
    CHECK_THAT(fault_of(kShared + write + neighbour + "128" + read, 64), Contains("race on shared memory"));
    CHECK(fault_of(kShared + write + "bar.sync 0;\n" + neighbour + "128" + read, 64) == "no fault");
  }
  SECTION("bar.warp.sync orders one warp only") {
    CHECK_THAT(fault_of(kShared + write + neighbour + "4" + read, 32), Contains("race on shared memory"));
    CHECK(fault_of(kShared + write + "bar.warp.sync -1;\n" + neighbour + "4" + read, 32) == "no fault");
    CHECK_THAT(fault_of(kShared + write + "bar.warp.sync -1;\n" + neighbour + "128" + read, 64),
               Contains("race on shared memory"));
  }
  SECTION("a write after reads of others") {
    const std::string body = kShared + write + "bar.sync 0;\nld.shared.u32 %r11, [room+4];\n";
    CHECK_THAT(fault_of(body + "st.shared.u32 [%r42], 9;", 32),
               Contains("race on shared memory") && Contains("writes address 0x404") && Contains("thread (1, 0, 0)"));
    CHECK(fault_of(body + "bar.warp.sync -1;\nst.shared.u32 [%r42], 9;", 32) == "no fault");
    CHECK_THAT(fault_of(body + "bar.warp.sync -1;\nst.shared.u32 [%r42], 9;", 64),
               Contains("reads address 0x404") && Contains("thread (32, 0, 0)"));
    CHECK(fault_of(body + "bar.sync 0;\nst.shared.u32 [%r42], 9;", 64) == "no fault");
  }
  SECTION("two writes of one place, of different and of equal values") {
    CHECK_THAT(fault_of(kShared + "st.shared.u32 [room], %r0;", 2), Contains("race on shared memory"));
    CHECK(fault_of(kShared + "st.shared.u32 [room], 3;", 64) == "no fault");
  }
  SECTION("atomics do not race with each other, but with a plain read") {
    const std::string body = kShared +
                             "setp.eq.u32 %p1, %r0, 0;\n@%p1 st.shared.u32 [room], 0;\nbar.sync 0;\n"
                             "atom.shared.add.u32 %r10, [room], 1;\n";
    CHECK(fault_of(body, 64) == "no fault");
    CHECK_THAT(fault_of(body + "ld.shared.u32 %r11, [room];", 64), Contains("race on shared memory"));
  }
  SECTION("neighbouring bytes of one word are not one place") {
    CHECK(fault_of(kShared + "mov.u16 %rs1, 7;\nadd.s32 %r43, %r40, %r0;\nst.shared.u8 [%r43], %rs1;", 64) ==
          "no fault");
  }
}

TEST_CASE("what is not known is refused with its line") {
  CHECK_THROWS_WITH(Bench("frobnicate.b32 %r1, %r2;"), Contains("PTX line") && Contains("frobnicate.b32"));
  CHECK_THROWS_WITH(Bench("add.s32 %r1, %r2, %rd1;"), Contains("64 bits where 32 belong"));
  CHECK_THROWS_WITH(Bench("add.s32 %r1, %r2, %r77;"), Contains("%r77"));
  CHECK_THROWS_WITH(Bench("bra NOWHERE;"), Contains("NOWHERE"));
  CHECK_THROWS_WITH(Bench("ld.global.v3.u32 {%r1, %r2, %r3}, [%rd0];"), Contains("v3"));
  CHECK_THROWS_WITH(Bench("mov.u32 %r1, %made_up;"), Contains("%made_up"));
  CHECK_THROWS_WITH(Bench(".local .align 4 .b8 own[8];\nld.local.u32 %r1, [own+8];"), Contains("leaves 'own'"));
}
