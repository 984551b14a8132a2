// The build without CUDA: a context on a GPU cannot be made, so none of these is ever reached.
#include "tensor/device_calls.h"

#include <memory>

#include "tensor/allocator.h"
#include "tensor/context.h"
#include "tensor/error.h"

#ifndef TAILSEG_CUDA

namespace tailseg {

bool cuda_is_built() { return false; }
std::string cuda_problem() { return "this build has no CUDA back end (build with -DTAILSEG_CUDA=ON)"; }
std::shared_ptr<Allocator> make_cuda_allocator(int, void*) { fail(cuda_problem()); }

namespace device_calls {

void* create_stream(int) { fail(cuda_problem()); }
void destroy_stream(void*) noexcept {}
void synchronize(void*) { fail(cuda_problem()); }
void drain(void*) noexcept {}
void copy_to_device(void*, const void*, size_t, void*) { fail(cuda_problem()); }
void copy_to_host(void*, const void*, size_t, void*) { fail(cuda_problem()); }
void copy_to_host_async(void*, const void*, size_t, void*) { fail(cuda_problem()); }
void copy_on_device(void*, const void*, size_t, void*) { fail(cuda_problem()); }
void fill_bytes(void*, int, size_t, void*) { fail(cuda_problem()); }
void* allocate_pinned(size_t) { fail(cuda_problem()); }
void free_pinned(void*) noexcept {}
void* create_event() { fail(cuda_problem()); }
void destroy_event(void*) noexcept {}
void record_event(void*, void*) { fail(cuda_problem()); }
bool event_done(void*) { fail(cuda_problem()); }
void wait_for_event(void*) { fail(cuda_problem()); }
void stream_waits(void*, void*) { fail(cuda_problem()); }
void begin_capture(void*) { fail(cuda_problem()); }
void* end_capture(void*) { fail(cuda_problem()); }
void abandon_capture(void*) noexcept {}
void launch_graph(void*, void*) { fail(cuda_problem()); }
void destroy_graph(void*) noexcept {}
int64_t waits() { return 0; }
void count_wait() {}

}  // namespace device_calls
}  // namespace tailseg

#endif
