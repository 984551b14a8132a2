// Kernels of a fat binary made here: registered as nvcc's code does it, launched, faulting. The fault stays, so it is
// the last test, in a process of its own where ctest runs file by file.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "tests/card/runtime_card.h"

extern "C" {
void** __cudaRegisterFatBinary(void* wrapped);
void __cudaRegisterFunction(void** binary, const char* stub, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*);
}

namespace {

constexpr const char* kPtx = R"(
.version 9.0
.target sm_90
.address_size 64
.visible .entry put_seven(.param .u64 put_seven_param_0)
.maxntid 64, 1, 1
{
.reg .b32 %r<4>;
.reg .b64 %rd<5>;
ld.param.u64 %rd1, [put_seven_param_0];
cvta.to.global.u64 %rd2, %rd1;
mov.u32 %r1, %tid.x;
mul.wide.u32 %rd3, %r1, 4;
add.s64 %rd4, %rd2, %rd3;
mov.u32 %r2, 7;
st.global.u32 [%rd4], %r2;
ret;
}
)";

// header, one entry of kind 1, the text
std::string fat_binary(const std::string& text) {
  std::string out;
  const auto put = [&](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(uint32_t{0xba55ed50});
  put(uint16_t{1});
  put(uint16_t{16});
  put(uint64_t{16} + text.size() + 1);
  put(uint16_t{1});
  put(uint16_t{0});
  put(uint32_t{16});
  put(uint64_t{text.size() + 1});
  return out + text + '\0';
}

const char kStub = 0, kStubWithoutCode = 0;

void register_once() {
  struct Wrapper {
    uint32_t magic, version;
    const char* image;
    void* unused;
  };
  static const std::string image = fat_binary(kPtx), empty = fat_binary("compressed");
  static Wrapper wrapper{0x466243b1, 1, image.data(), nullptr}, other{0x466243b1, 1, empty.data(), nullptr};
  static bool done = false;
  if (done) return;
  done = true;
  const auto add = [](Wrapper& binary, const char* stub) {
    __cudaRegisterFunction(__cudaRegisterFatBinary(&binary), stub, nullptr, "put_seven", -1, nullptr, nullptr, nullptr,
                           nullptr, nullptr);
  };
  add(wrapper, &kStub);
  add(other, &kStubWithoutCode);
}

cudaError_t launch(void* to, unsigned blocks, unsigned threads, cudaStream_t stream, const char* stub = &kStub) {
  void* arguments[] = {&to};
  return cudaLaunchKernel(stub, dim3(blocks), dim3(threads), arguments, 0, stream);
}

}  // namespace

TEST_CASE("kernels run late, shapes that no card takes are refused, and a fault stays") {
  register_once();
  cudaStream_t stream = nullptr;
  int* block = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudaMalloc(reinterpret_cast<void**>(&block), 32 * sizeof(int)) == cudaSuccess);
  CHECK(launch(block, 0, 32, stream) == cudaErrorInvalidConfiguration);
  CHECK(launch(block, 1, 2048, stream) == cudaErrorInvalidConfiguration);
  CHECK(launch(block, 1, 65, stream) == cudaErrorInvalidValue);
  CHECK(launch(block, 1, 32, stream, &kStubWithoutCode) == cudaErrorNoKernelImageForDevice);
  CHECK(cudaGetLastError() == cudaErrorNoKernelImageForDevice);
  REQUIRE(launch(block, 1, 31, stream) == cudaSuccess);
  std::vector<int> got(32);
  REQUIRE(cudaMemcpyAsync(got.data(), block, 32 * sizeof(int), cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  std::vector<int> expected(32, 7);
  expected[31] = -1;
  CHECK(got == expected);
  CHECK(launch(block, 1, 33, stream) == (tailseg::card::card().eager ? cudaErrorIllegalAddress : cudaSuccess));
  CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaMalloc(reinterpret_cast<void**>(&block), 1) == cudaErrorIllegalAddress);
  tailseg::card::card().sticky = cudaSuccess;  // which no program can do; the next test wants a card
}
