// The handful of calls that differ between a build with CUDA and one without. device_calls_cuda.cpp has them for real;
// device_calls.cpp is linked instead when there is no CUDA toolkit, so that no caller needs an #ifdef.
#pragma once

#include <cstddef>

namespace tailseg::device_calls {

void* create_stream(int index);
void destroy_stream(void* stream) noexcept;
void synchronize(void* stream);
void copy_to_device(void* to, const void* from, size_t bytes, void* stream);  // asynchronous for pinned memory
void copy_to_host(void* to, const void* from, size_t bytes, void* stream);    // waits
void copy_on_device(void* to, const void* from, size_t bytes, void* stream);
void fill_bytes(void* to, int value, size_t bytes, void* stream);

}  // namespace tailseg::device_calls
