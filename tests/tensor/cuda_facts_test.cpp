// What a user reads when the GPU cannot be used, for every reason there is.
#include "tensor/cuda_facts.h"

#include <catch2/catch.hpp>

#include "tensor/context.h"

using namespace tailseg;
using Catch::Contains;

namespace {

CudaFacts working() {
  CudaFacts facts;
  facts.runtime_version = 13000;
  facts.driver_version = 13010;
  facts.devices = 1;
  facts.name = "NVIDIA H200";
  facts.major = 9;
  facts.minor = 0;
  facts.architectures = "75-real,80-real,90-real,90-virtual";
  return facts;
}

}  // namespace

TEST_CASE("a card that fits has no problem") { REQUIRE(cuda_problem_in_words(working()).empty()); }

TEST_CASE("no driver, an old driver and no card are told apart") {
  CudaFacts facts = working();
  facts.driver_version = 0;
  REQUIRE_THAT(cuda_problem_in_words(facts), Contains("no NVIDIA driver") && Contains("--device cpu"));
  facts.driver_version = 12040;
  REQUIRE_THAT(cuda_problem_in_words(facts), Contains("too old: it speaks CUDA 12.4, this build needs 13.0"));
  facts.driver_version = 13000;
  facts.devices = 0;
  facts.device_error = "no CUDA-capable device is detected";
  REQUIRE_THAT(cuda_problem_in_words(facts), Contains("no CUDA-capable device") && Contains("CUDA_VISIBLE_DEVICES"));
}

TEST_CASE("a card without code names the cmake line") {
  CudaFacts facts = working();
  facts.name = "Some old card";
  facts.major = 6;
  facts.minor = 1;
  REQUIRE_THAT(cuda_problem_in_words(facts),
               Contains("Some old card") && Contains("6.1") && Contains("-DCMAKE_CUDA_ARCHITECTURES=61"));
}

TEST_CASE("which architectures a build covers") {
  REQUIRE(architectures_cover("75-real,80-real", 8, 6));    // machine code: same major, newer minor
  REQUIRE(!architectures_cover("86-real", 8, 0));           // never an older minor
  REQUIRE(!architectures_cover("80-real,90-real", 12, 0));  // never another major
  REQUIRE(architectures_cover("80-real,90-virtual", 12, 0));
  REQUIRE(!architectures_cover("90-virtual", 8, 9));
  REQUIRE(architectures_cover("80", 9, 0));  // without a suffix: both
  REQUIRE(!architectures_cover("90a-real", 10, 0));
  REQUIRE(architectures_cover("90a-real", 9, 0));
  REQUIRE(architectures_cover("native", 9, 0));
  REQUIRE(architectures_cover("120-real", 12, 1));
  REQUIRE(!architectures_cover("", 9, 0));
}

TEST_CASE("asking for a GPU where there is none says why, with what to do") {
  if (cuda_problem().empty()) return;  // this machine has one
  REQUIRE_THROWS_WITH(Context(Device{DeviceKind::cuda, 0}),
                      Contains("cannot use cuda:0: ") && Contains(cuda_problem()));
  REQUIRE_THAT(cuda_problem(), cuda_is_built() ? Contains("driver") : Contains("-DTAILSEG_CUDA=ON"));
}
