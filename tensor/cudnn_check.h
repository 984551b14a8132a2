// The one macro for cuDNN calls. Included by .cpp files of the CUDA build only.
#pragma once

#include <cudnn_graph.h>

#include <string>

#include "tensor/error.h"

namespace tailseg {

inline std::string cudnn_words(cudnnStatus_t status) {  // the status and cuDNN's own explanation of this thread's last
  char detail[1024] = "";
  cudnnGetLastErrorString(detail, sizeof(detail));
  return text(cudnnGetErrorString(status), detail[0] ? ": " : "", detail);
}

}  // namespace tailseg

#define TS_CUDNN_CHECK(call)                                                                                \
  do {                                                                                                      \
    const cudnnStatus_t ts_status = (call);                                                                 \
    if (ts_status != CUDNN_STATUS_SUCCESS) ::tailseg::fail(#call, ": ", ::tailseg::cudnn_words(ts_status)); \
  } while (false)
