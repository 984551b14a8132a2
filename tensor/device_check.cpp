#include "tensor/device_check.h"

namespace tailseg {

void check_device(const Context& ctx, const char* op, const char* what, const Tensor& tensor) {
  if (!tensor.defined() || tensor.device() == ctx.device()) return;
  fail(op, ": ", what, " is on ", tensor.device().name(), ", but the context works on ", ctx.device().name(),
       "; copy it with to_device or to_host");
}

}  // namespace tailseg
