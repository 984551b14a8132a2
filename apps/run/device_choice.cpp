#include "apps/run/device_choice.h"

#include "tensor/context.h"
#include "tensor/error.h"

namespace tailseg {

Device device_of(const std::string& name) {
  if (name == "cpu") return {};
  if (name == "cuda") return {DeviceKind::cuda, 0};
  TS_CHECK(name == "auto", "device '", name, "': expected auto, cpu or cuda");
  return cuda_problem().empty() ? Device{DeviceKind::cuda, 0} : Device{};
}

}  // namespace tailseg
