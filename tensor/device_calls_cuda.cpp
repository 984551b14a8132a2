// Streams, copies, events and pinned memory, and the questions that decide whether a GPU can be used at all.
#include "tensor/device_calls.h"

#include <atomic>

#include "tensor/context.h"
#include "tensor/cuda_check.h"
#include "tensor/cuda_facts.h"

namespace tailseg {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

std::atomic<int64_t> waits_so_far{0};

CudaFacts ask_driver() {
  CudaFacts facts;
  facts.architectures = TAILSEG_CUDA_ARCHITECTURES;
  facts.runtime_version = CUDART_VERSION;
  if (cudaDriverGetVersion(&facts.driver_version) != cudaSuccess) facts.driver_version = 0;
  if (facts.driver_version == 0) return facts;
  const cudaError_t counted = cudaGetDeviceCount(&facts.devices);
  if (counted != cudaSuccess) {
    facts.devices = 0;
    facts.device_error = cudaGetErrorString(counted);
    (void)cudaGetLastError();
  }
  if (facts.devices == 0) return facts;
  cudaDeviceProp card{};
  TS_CUDA_CHECK(cudaGetDeviceProperties(&card, 0));
  facts.name = card.name;
  facts.major = card.major;
  facts.minor = card.minor;
  return facts;
}

}  // namespace

AllowAllocation::AllowAllocation() { cudaThreadExchangeStreamCaptureMode(&before_); }

AllowAllocation::~AllowAllocation() { cudaThreadExchangeStreamCaptureMode(&before_); }

void throw_cuda_error(cudaError_t status, const char* call) {
  (void)cudaGetLastError();
  const char* hint = "";
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorMisalignedAddress:
    case cudaErrorAssert:
      hint = ". An earlier kernel failed: run again with TAILSEG_SYNC_LAUNCHES=1 to learn which";
      break;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      hint = ". This build has no code for the card: configure with -DCMAKE_CUDA_ARCHITECTURES=native";
      break;
    case cudaErrorDevicesUnavailable:
      hint = ". Another process holds the card exclusively, or it fell off the bus (see nvidia-smi)";
      break;
    case cudaErrorUnknown:
      hint = ". The card may have been lost (see nvidia-smi and the system's log)";
      break;
    default:
      break;
  }
  fail(call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status), hint);
}

bool cuda_is_built() { return true; }

std::string cuda_problem() {
  static const std::string problem = cuda_problem_in_words(ask_driver());
  return problem;
}

namespace device_calls {

void* create_stream(int index) {
  int devices = 0;
  TS_CUDA_CHECK(cudaGetDeviceCount(&devices));
  TS_CHECK(index >= 0 && index < devices, "cuda:", index, " does not exist: this machine shows ", devices, " GPU",
           devices == 1 ? "" : "s");
  TS_CUDA_CHECK(cudaSetDevice(index));
  cudaStream_t stream = nullptr;
  TS_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

void destroy_stream(void* stream) noexcept { cudaStreamDestroy(stream_of(stream)); }

void drain(void* stream) noexcept { cudaStreamSynchronize(stream_of(stream)); }

void synchronize(void* stream) {
  count_wait();
  TS_CUDA_CHECK(cudaStreamSynchronize(stream_of(stream)));
}

void copy_to_device(void* to, const void* from, size_t bytes, void* stream) {
  TS_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(stream)));
}

void copy_to_host(void* to, const void* from, size_t bytes, void* stream) {
  TS_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(stream)));
  synchronize(stream);
}

void copy_to_host_async(void* to, const void* from, size_t bytes, void* stream) {
  TS_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(stream)));
}

void copy_on_device(void* to, const void* from, size_t bytes, void* stream) {
  TS_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(stream)));
}

void fill_bytes(void* to, int value, size_t bytes, void* stream) {
  TS_CUDA_CHECK(cudaMemsetAsync(to, value, bytes, stream_of(stream)));
}

void* allocate_pinned(size_t bytes) {
  void* block = nullptr;
  const AllowAllocation during_capture;
  TS_CUDA_CHECK(cudaHostAlloc(&block, bytes ? bytes : 1, cudaHostAllocPortable));
  return block;
}

void free_pinned(void* block) noexcept {
  const AllowAllocation during_capture;
  cudaFreeHost(block);
}

void* create_event() {
  cudaEvent_t event = nullptr;
  TS_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

void destroy_event(void* event) noexcept { cudaEventDestroy(event_of(event)); }

void record_event(void* event, void* stream) { TS_CUDA_CHECK(cudaEventRecord(event_of(event), stream_of(stream))); }

bool event_done(void* event) {
  const cudaError_t status = cudaEventQuery(event_of(event));
  if (status == cudaErrorNotReady) return false;
  if (status != cudaSuccess) throw_cuda_error(status, "cudaEventQuery");
  return true;
}

void wait_for_event(void* event) {
  count_wait();
  TS_CUDA_CHECK(cudaEventSynchronize(event_of(event)));
}

void stream_waits(void* stream, void* event) {
  TS_CUDA_CHECK(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
}

void begin_capture(void* stream) {
  TS_CUDA_CHECK(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal));
}

void* end_capture(void* stream) {
  cudaGraph_t graph = nullptr;
  TS_CUDA_CHECK(cudaStreamEndCapture(stream_of(stream), &graph));
  cudaGraphExec_t ready = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  if (status != cudaSuccess) throw_cuda_error(status, "cudaGraphInstantiate");
  return ready;
}

void abandon_capture(void* stream) noexcept {
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream_of(stream), &graph);
  if (graph) cudaGraphDestroy(graph);
  (void)cudaGetLastError();
}

void launch_graph(void* graph, void* stream) {
  TS_CUDA_CHECK(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)));
}

void destroy_graph(void* graph) noexcept { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

int64_t waits() { return waits_so_far.load(std::memory_order_relaxed); }
void count_wait() { waits_so_far.fetch_add(1, std::memory_order_relaxed); }

}  // namespace device_calls
}  // namespace tailseg
