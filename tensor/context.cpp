#include "tensor/context.h"

#include <sched.h>

#include <cstdlib>

#include "tensor/device_calls.h"
#include "tensor/error.h"

namespace tailseg {

int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
  return 1;
}

Context::Context(Device device, const ContextOptions& options)
    : device_(device), math_(options.math), fixed_sizes_(options.fixed_sizes || device.is_cuda()) {
  threads_ = options.threads > 0 ? options.threads : available_cores();
  if (device.is_cuda()) {
    const std::string problem = cuda_problem();
    TS_CHECK(problem.empty(), "cannot use ", device.name(), ": ", problem);
    stream_ = device_calls::create_stream(device.index);
    allocator_ = make_cuda_allocator(device.index, stream_);
  } else {
    allocator_ = make_cpu_allocator();
  }
}

Context::~Context() {
  if (stream_) device_calls::drain(stream_);  // running kernels may still use what the states give back
  states_.clear();
  if (stream_) device_calls::destroy_stream(stream_);
}

void Context::synchronize() {
  TS_CHECK(!capture_, "the host waits for the device inside work that is captured");
  if (device_.is_cuda()) device_calls::synchronize(stream_);
}

}  // namespace tailseg
