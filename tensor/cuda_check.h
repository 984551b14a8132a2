// The one macro for CUDA runtime calls. Included by .cpp files of the CUDA build only.
#pragma once

#include <cuda_runtime_api.h>

#include "tensor/error.h"

namespace tailseg {

// Throws Error: what was called, CUDA's words, and a hint where the user can act. The error is also cleared where CUDA
// lets it be, so that the next call does not report it again.
[[noreturn]] void throw_cuda_error(cudaError_t status, const char* call);

}  // namespace tailseg

#define TS_CUDA_CHECK(call)                                                      \
  do {                                                                           \
    const cudaError_t ts_status = (call);                                        \
    if (ts_status != cudaSuccess) ::tailseg::throw_cuda_error(ts_status, #call); \
  } while (false)
