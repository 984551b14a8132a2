// The handful of calls that differ between a build with CUDA and one without. device_calls_cuda.cpp has them for real;
// device_calls.cpp is linked instead when there is no CUDA toolkit, so that no caller needs an #ifdef.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tailseg::device_calls {

// A stream on card `index`, which also becomes the calling thread's current card.
void* create_stream(int index);
void destroy_stream(void* stream) noexcept;
void synchronize(void* stream);
void drain(void* stream) noexcept;  // waits, whatever state the card is in: for destructors
// Pinned source: returns at once, the source must stay until the stream has passed. Other memory: returns when the
// source may be reused, which waits for the stream (stage_to_device does not).
void copy_to_device(void* to, const void* from, size_t bytes, void* stream);
void copy_to_host(void* to, const void* from, size_t bytes, void* stream);        // waits
void copy_to_host_async(void* to, const void* from, size_t bytes, void* stream);  // `to` must be pinned
void copy_on_device(void* to, const void* from, size_t bytes, void* stream);
void fill_bytes(void* to, int value, size_t bytes, void* stream);

// Host memory that the card can reach by itself, for copies that run beside the host.
void* allocate_pinned(size_t bytes);
void free_pinned(void* block) noexcept;

void* create_event();  // without timing
void destroy_event(void* event) noexcept;
void record_event(void* event, void* stream);
bool event_done(void* event);                  // has the stream passed the last record? Never waits
void wait_for_event(void* event);              // the host waits
void stream_waits(void* stream, void* event);  // the stream waits, the host does not

// What is launched on `stream` from here on is written down and does not run. Only this thread's calls are restricted
// meanwhile; memory may be asked for.
void begin_capture(void* stream);
void* end_capture(void* stream);  // a graph that is ready to be launched; throws when the work waited for the device
void abandon_capture(void* stream) noexcept;
void launch_graph(void* graph, void* stream);
void destroy_graph(void* graph) noexcept;

// Calls of this process so far that made the host wait for a device. A training step adds none.
int64_t waits();
void count_wait();

}  // namespace tailseg::device_calls
