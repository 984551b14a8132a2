// The emulated card keeps the rules that it is there to check others by. Linked to it, not to CUDA.
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "tests/card/runtime_card.h"

namespace {

constexpr size_t kBytes = 4096;

struct Bench {  // one stream, a device block, a pinned block
  cudaStream_t stream = nullptr;
  char *device = nullptr, *pinned = nullptr;
  Bench() {
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaMalloc(reinterpret_cast<void**>(&device), kBytes) == cudaSuccess);
    REQUIRE(cudaHostAlloc(reinterpret_cast<void**>(&pinned), kBytes, 0) == cudaSuccess);
  }
  ~Bench() {
    cudaFree(device);
    cudaFreeHost(pinned);
    cudaStreamDestroy(stream);
    (void)cudaGetLastError();
  }
  cudaError_t send(const void* from, size_t bytes = kBytes) const {
    return cudaMemcpyAsync(device, from, bytes, cudaMemcpyHostToDevice, stream);
  }
  std::vector<char> fetch() const {
    std::vector<char> out(kBytes);
    REQUIRE(cudaMemcpyAsync(out.data(), device, kBytes, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
    return out;
  }
};

bool eager() { return tailseg::card::card().eager; }

}  // namespace

TEST_CASE("fresh memory of the card is all ones, and only the card reaches it") {
  const Bench bench;
  CHECK(bench.fetch() == std::vector<char>(kBytes, '\xff'));
  CHECK(reinterpret_cast<uintptr_t>(bench.device) % 256 == 0);
  CHECK(cudaMemcpyAsync(bench.pinned, bench.device, kBytes + 1, cudaMemcpyDeviceToHost, bench.stream) ==
        cudaErrorInvalidValue);
  CHECK(bench.send(bench.device) == cudaErrorInvalidValue);  // no host memory
  CHECK(cudaMemsetAsync(bench.pinned, 0, 1, bench.stream) == cudaErrorInvalidValue);
  CHECK(cudaFree(bench.device + 1) == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("pinned memory is read when the stream comes to it, other memory at the call") {
  if (eager()) return;
  const Bench bench;
  std::vector<char> source(kBytes, 1);
  std::memset(bench.pinned, 2, kBytes);
  REQUIRE(bench.send(source.data()) == cudaSuccess);
  source.assign(kBytes, 3);
  CHECK(bench.fetch() == std::vector<char>(kBytes, 1));
  REQUIRE(bench.send(bench.pinned) == cudaSuccess);
  std::memset(bench.pinned, 4, kBytes);
  CHECK(bench.fetch() == std::vector<char>(kBytes, 4));
}

TEST_CASE("what a copy to pinned memory has not written yet is all ones") {
  if (eager()) return;
  const Bench bench;
  std::memset(bench.pinned, 2, kBytes);
  REQUIRE(cudaMemsetAsync(bench.device, 5, kBytes, bench.stream) == cudaSuccess);
  REQUIRE(cudaMemcpyAsync(bench.pinned, bench.device, kBytes, cudaMemcpyDeviceToHost, bench.stream) == cudaSuccess);
  CHECK(bench.pinned[0] == '\xff');
  REQUIRE(cudaStreamSynchronize(bench.stream) == cudaSuccess);
  CHECK(bench.pinned[kBytes - 1] == 5);
}

TEST_CASE("an event is not ready at first, and another stream waits for it only when it is told to") {
  if (eager()) return;
  const Bench first, second;
  cudaEvent_t event = nullptr;
  REQUIRE(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaSuccess);  // never recorded
  REQUIRE(cudaMemsetAsync(first.device, 1, kBytes, first.stream) == cudaSuccess);
  REQUIRE(cudaEventRecord(event, first.stream) == cudaSuccess);
  const auto carry = [&] {
    REQUIRE(cudaMemcpyAsync(second.device, first.device, kBytes, cudaMemcpyDeviceToDevice, second.stream) ==
            cudaSuccess);
    return second.fetch()[0];
  };
  CHECK(carry() == '\xff');
  REQUIRE(cudaStreamWaitEvent(second.stream, event, 0) == cudaSuccess);
  CHECK(carry() == 1);
  REQUIRE(cudaEventRecord(event, first.stream) == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaErrorNotReady);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(cudaEventQuery(event) == cudaSuccess);
  CHECK(cudaEventDestroy(event) == cudaSuccess);
}

TEST_CASE("a graph runs what was written down, and only that") {
  const Bench bench;
  std::memset(bench.pinned, 7, kBytes);
  REQUIRE(cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  REQUIRE(bench.send(bench.pinned) == cudaSuccess);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(bench.stream, &graph) == cudaSuccess);
  cudaGraphExec_t ready = nullptr;
  REQUIRE(cudaGraphInstantiate(&ready, graph, 0) == cudaSuccess);
  REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
  CHECK(bench.fetch()[0] == '\xff');
  REQUIRE(cudaGraphLaunch(ready, bench.stream) == cudaSuccess);
  CHECK(bench.fetch()[0] == 7);
  std::memset(bench.pinned, 8, kBytes);
  REQUIRE(cudaGraphLaunch(ready, bench.stream) == cudaSuccess);
  CHECK(bench.fetch()[0] == 8);
  CHECK(cudaGraphExecDestroy(ready) == cudaSuccess);
  CHECK(cudaGraphExecDestroy(ready) == cudaErrorInvalidValue);
}

TEST_CASE("what is forbidden in a capture fails and spoils it, unless the thread says relaxed") {
  const Bench bench;
  void* block = nullptr;
  char pageable[16];
  cudaEvent_t event = nullptr;
  REQUIRE(cudaEventCreate(&event) == cudaSuccess);
  const auto spoils = [&](auto call) {
    REQUIRE(cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    const bool refused = call() != cudaSuccess;
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(bench.stream, &graph);
    if (graph) cudaGraphDestroy(graph);
    (void)cudaGetLastError();
    CHECK((ended == cudaErrorStreamCaptureInvalidated) == refused);
    return refused;
  };
  CHECK(spoils([&] { return cudaMalloc(&block, 16); }));
  CHECK(spoils([&] { return cudaStreamSynchronize(bench.stream); }));
  CHECK(spoils([&] { return cudaDeviceSynchronize(); }));
  CHECK(spoils([&] { return cudaEventQuery(event); }));
  CHECK(spoils([&] { return bench.send(pageable, 16); }));
  CHECK_FALSE(spoils([&] { return bench.send(bench.pinned); }));
  CHECK_FALSE(spoils([&] {
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    cudaThreadExchangeStreamCaptureMode(&mode);
    const cudaError_t status = cudaMalloc(&block, 16);
    cudaThreadExchangeStreamCaptureMode(&mode);
    return status;
  }));
  CHECK(cudaFree(block) == cudaSuccess);
  CHECK(cudaEventDestroy(event) == cudaSuccess);
}
