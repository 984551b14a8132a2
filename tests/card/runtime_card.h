// The state of the emulated card: streams whose work is put off until somebody must wait for it, events, captures, and
// the errors of the process and of each thread. One mutex guards all of it; the functions here expect it to be held.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/card/runtime_memory.h"

namespace tailseg::card {

// One thing that a stream does. `run` throws Fault when it cannot be done.
struct Operation {
  std::string what;
  std::function<void()> run;
  std::function<void()> early = {};  // done when it is queued: makes reading a result too soon visible
};

struct Stream;

// Work that is written down instead of being queued.
struct CaptureRun {
  std::thread::id thread;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  Stream* origin = nullptr;
  bool invalid = false;
  std::vector<Operation> nodes;
  std::set<Stream*> joined;  // streams that came in by waiting for an event of the capture and have not been waited for
};

struct Stream {
  bool null_stream = false;
  int64_t queued = 0, done = 0;  // operations so far
  std::deque<Operation> operations;
  std::shared_ptr<CaptureRun> capture;
};

struct Event {
  bool timed = true, recorded = false, asked = false;
  Stream* stream = nullptr;  // of the last record; null when that stream is gone, its work done
  int64_t place = 0;         // passed when the stream has done so many operations
  std::shared_ptr<std::chrono::steady_clock::time_point> time;  // when it was passed
  std::weak_ptr<CaptureRun> capture;                            // recorded in a stream that was being captured
};

struct Graph {
  std::vector<Operation> nodes;
};

struct Card {
  Card();
  std::recursive_mutex mutex;
  DeviceMemory memory;
  PinnedMemory pinned;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Graph*> graphs, ready_graphs;
  std::set<std::shared_ptr<CaptureRun>> captures;
  Stream null_stream;
  cudaError_t sticky = cudaSuccess;  // once a kernel has faulted every call fails
  bool eager = false;
  uint64_t operations_left;  // then it falls off the bus
};

Card& card();  // never destroyed: programs call us from their own destructors

struct ThreadState {
  cudaError_t last = cudaSuccess;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
};
ThreadState& this_thread();

// One line on stderr.
void tell(const std::string& line);
// Tells what was wrong with a call and returns its error.
cudaError_t wrong(cudaError_t status, const std::string& line);

// The frame of every call: the lock, the error that stays, the error of the thread. "Not ready" is an answer and no
// error (CUDA programming guide, error checking): cudaGetLastError does not tell it.
template <class Body>
cudaError_t guarded(Body body) {
  const std::lock_guard lock(card().mutex);
  cudaError_t status = card().sticky;
  if (status == cudaSuccess) status = body();
  if (status == cudaSuccess) status = card().sticky;  // of work that this call waited for
  if (status != cudaSuccess && status != cudaErrorNotReady) this_thread().last = status;
  return status;
}

// The stream behind a handle, null when there is none such. The null stream is told: Tailseg never means it.
Stream* stream_of(cudaStream_t handle, const char* call);
Event* event_of(cudaEvent_t handle);

// Queues, or writes down when the stream is being captured.
cudaError_t enqueue(Stream& stream, Operation operation);
void run_until(Stream& stream, int64_t place);
inline void run_all(Stream& stream) { run_until(stream, stream.queued); }
void run_everything();

// For calls that CUDA calls unsafe during a capture: an error, and the captures that forbid it are lost.
cudaError_t forbid_in_capture(const char* call);
// For calls that no mode permits on a stream that is being captured.
cudaError_t spoil(CaptureRun& capture, const std::string& why);

}  // namespace tailseg::card
