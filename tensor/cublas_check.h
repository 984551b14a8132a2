// The one macro for cuBLASLt calls. Included by .cpp files of the CUDA build only.
#pragma once

#include <cublasLt.h>

#include "tensor/error.h"

#define TS_CUBLAS_CHECK(call)                                                                                   \
  do {                                                                                                          \
    const cublasStatus_t ts_status = (call);                                                                    \
    if (ts_status != CUBLAS_STATUS_SUCCESS)                                                                     \
      ::tailseg::fail(#call, ": ", cublasLtGetStatusName(ts_status), ", ", cublasLtGetStatusString(ts_status)); \
  } while (false)
