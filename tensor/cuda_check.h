// The one macro for CUDA runtime calls. Included by .cpp files of the CUDA build only.
#pragma once

#include <cuda_runtime_api.h>

#include "tensor/error.h"

namespace tailseg {

// Throws Error: what was called, CUDA's words, and a hint where the user can act. The error is also cleared where CUDA
// lets it be, so that the next call does not report it again.
[[noreturn]] void throw_cuda_error(cudaError_t status, const char* call);

// While one lives, this thread may ask for memory although it captures a stream (which it otherwise may not).
class AllowAllocation {
 public:
  AllowAllocation();
  ~AllowAllocation();
  AllowAllocation(const AllowAllocation&) = delete;
  AllowAllocation& operator=(const AllowAllocation&) = delete;

 private:
  cudaStreamCaptureMode before_ = cudaStreamCaptureModeRelaxed;  // the other mode, exchanged twice
};

}  // namespace tailseg

#define TS_CUDA_CHECK(call)                                                      \
  do {                                                                           \
    const cudaError_t ts_status = (call);                                        \
    if (ts_status != cudaSuccess) ::tailseg::throw_cuda_error(ts_status, #call); \
  } while (false)
