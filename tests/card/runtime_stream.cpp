// Streams and events as programs call them.
#include <algorithm>

#include "tests/card/runtime_card.h"

using namespace tailseg::card;

namespace {

// Streams whose capture goes on are not waited for.
cudaError_t synchronize(Stream& stream, const char* call) {
  if (stream.capture) return spoil(*stream.capture, std::string(call) + " of a stream that is being captured");
  if (const cudaError_t status = forbid_in_capture(call); status != cudaSuccess) return status;
  run_all(stream);
  return cudaSuccess;
}

cudaError_t refuse_captured(Event& event, const char* call) {
  const auto capture = event.capture.lock();
  if (!capture) return cudaSuccess;
  spoil(*capture, std::string(call) + " of an event that was recorded in a capture");
  return cudaErrorCapturedEvent;
}

bool passed(const Event& event) { return !event.recorded || !event.stream || event.stream->done >= event.place; }

cudaError_t create_event(cudaEvent_t* event, unsigned flags) {
  auto* made = new Event;
  made->timed = (flags & cudaEventDisableTiming) == 0;
  card().events.insert(made);
  *event = reinterpret_cast<cudaEvent_t>(made);
  return cudaSuccess;
}

cudaError_t record(Event& event, Stream& stream) {
  if (stream.capture) {
    event.capture = stream.capture;
    stream.capture->joined.erase(&stream);
    return stream.capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  }
  event.capture.reset();
  event.time = std::make_shared<std::chrono::steady_clock::time_point>();
  event.recorded = true;
  event.asked = false;
  event.stream = &stream;
  event.place = stream.queued + 1;
  return enqueue(stream, {"event record", [time = event.time] { *time = std::chrono::steady_clock::now(); }});
}

cudaError_t wait_in_stream(Stream& stream, Event& event) {
  if (const auto capture = event.capture.lock()) {
    if (stream.capture == capture) return cudaSuccess;  // nodes are written down in an order that has it so already
    if (stream.capture) return spoil(*stream.capture, "an event of another capture is waited for");
    stream.capture = capture;
    if (&stream != capture->origin) capture->joined.insert(&stream);
    return cudaSuccess;
  }
  if (stream.capture) {
    spoil(*stream.capture, "a captured stream waits for an event from outside of the capture");
    return cudaErrorStreamCaptureIsolation;
  }
  if (passed(event)) return cudaSuccess;
  return enqueue(stream, {"event wait", [other = event.stream, place = event.place] {
                            if (card().streams.count(other) || other->null_stream) run_until(*other, place);
                          }});
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return guarded([&] {
    if (!stream || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    if (flags != cudaStreamNonBlocking) tell("a stream that waits for the null stream was made");
    auto* made = new Stream;
    card().streams.insert(made);
    *stream = reinterpret_cast<cudaStream_t>(made);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return guarded([&] {
    Stream* stream = stream_of(handle, "cudaStreamDestroy");
    if (!stream || stream->null_stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) return spoil(*stream->capture, "a stream is destroyed while it is captured");
    run_all(*stream);
    for (Event* event : card().events) {
      if (event->stream == stream) event->stream = nullptr;
    }
    card().streams.erase(stream);
    delete stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return guarded([&] {
    Stream* stream = stream_of(handle, "cudaStreamSynchronize");
    return stream ? synchronize(*stream, "cudaStreamSynchronize") : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return guarded([&] {
    if (const cudaError_t status = forbid_in_capture("cudaDeviceSynchronize"); status != cudaSuccess) return status;
    run_everything();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t awaited, unsigned) {
  return guarded([&] {
    Stream* stream = stream_of(handle, "cudaStreamWaitEvent");
    Event* event = event_of(awaited);
    return stream && event ? wait_in_stream(*stream, *event) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return guarded([&] { return event ? create_event(event, flags) : cudaErrorInvalidValue; });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return guarded([&] {
    Event* event = event_of(handle);
    if (!event) return wrong(cudaErrorInvalidResourceHandle, "cudaEventDestroy of an event that does not exist");
    card().events.erase(event);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t at) {
  return guarded([&] {
    Stream* stream = stream_of(at, "cudaEventRecord");
    Event* event = event_of(handle);
    return stream && event ? record(*event, *stream) : cudaErrorInvalidResourceHandle;
  });
}

// The first question finds the work under way, whatever it is; at the second it is done.
cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return guarded([&] {
    Event* event = event_of(handle);
    if (!event) return wrong(cudaErrorInvalidResourceHandle, "cudaEventQuery of an event that does not exist");
    if (const cudaError_t status = refuse_captured(*event, "cudaEventQuery"); status != cudaSuccess) return status;
    if (const cudaError_t status = forbid_in_capture("cudaEventQuery"); status != cudaSuccess) return status;
    if (passed(*event)) return cudaSuccess;
    if (!event->asked) {
      event->asked = true;
      return cudaErrorNotReady;
    }
    run_until(*event->stream, event->place);
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return guarded([&] {
    Event* event = event_of(handle);
    if (!event) return wrong(cudaErrorInvalidResourceHandle, "cudaEventSynchronize of an event that does not exist");
    if (const cudaError_t status = refuse_captured(*event, "cudaEventSynchronize"); status != cudaSuccess)
      return status;
    if (const cudaError_t status = forbid_in_capture("cudaEventSynchronize"); status != cudaSuccess) return status;
    if (!passed(*event)) run_until(*event->stream, event->place);
    return cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return guarded([&] {
    const Event *begin = event_of(from), *end = event_of(to);
    if (!milliseconds) return cudaErrorInvalidValue;
    if (!begin || !end || !begin->timed || !end->timed || !begin->recorded || !end->recorded) {
      return wrong(cudaErrorInvalidResourceHandle, "cudaEventElapsedTime of events without timing or never recorded");
    }
    if (!passed(*begin) || !passed(*end)) return cudaErrorNotReady;
    const std::chrono::duration<float, std::milli> lasted = *end->time - *begin->time;
    *milliseconds = begin == end ? 0 : std::max(lasted.count(), 0.0005f);  // the card's clock has steps of 0.5 us
    return cudaSuccess;
  });
}

}  // extern "C"
