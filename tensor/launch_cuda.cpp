// After every launch: did it start, and, when TAILSEG_SYNC_LAUNCHES=1, did it also end well. A kernel's fault comes
// back at some later call; only with the variable set does the error name the kernel that made it.
#include <cstdlib>
#include <cstring>

#include "tensor/cuda_check.h"

namespace tailseg {
namespace {

bool synchronize_launches() {
  static const bool on = [] {
    const char* setting = std::getenv("TAILSEG_SYNC_LAUNCHES");
    return setting && std::strcmp(setting, "0") != 0;
  }();
  return on;
}

bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(stream, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone;
}

}  // namespace

void check_launch(const char* kernel, void* stream) {
  cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw_cuda_error(status, text("launch of ", kernel).c_str());
  if (!synchronize_launches() || is_capturing(static_cast<cudaStream_t>(stream))) return;
  status = cudaStreamSynchronize(static_cast<cudaStream_t>(stream));
  if (status != cudaSuccess) throw_cuda_error(status, text("kernel ", kernel).c_str());
}

}  // namespace tailseg
