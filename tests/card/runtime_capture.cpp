// Stream capture and graphs: what is written down, what spoils it, and its launch.
#include "tests/card/runtime_card.h"

using namespace tailseg::card;

namespace {

// Ends the capture of every stream that takes part in it.
void leave(const std::shared_ptr<CaptureRun>& capture) {
  for (Stream* stream : card().streams) {
    if (stream->capture == capture) stream->capture.reset();
  }
  card().captures.erase(capture);
}

cudaError_t begin(Stream& stream, cudaStreamCaptureMode mode) {
  if (stream.null_stream) return wrong(cudaErrorStreamCaptureUnsupported, "capture of the null stream");
  if (stream.capture) return wrong(cudaErrorIllegalState, "capture of a stream that is being captured");
  stream.capture = std::make_shared<CaptureRun>();
  stream.capture->thread = std::this_thread::get_id();
  stream.capture->mode = mode;
  stream.capture->origin = &stream;
  card().captures.insert(stream.capture);
  return cudaSuccess;
}

cudaError_t end(Stream& stream, cudaGraph_t* graph) {
  const std::shared_ptr<CaptureRun> capture = stream.capture;
  if (!capture) return wrong(cudaErrorIllegalState, "cudaStreamEndCapture of a stream that is not being captured");
  if (capture->origin != &stream) return wrong(cudaErrorStreamCaptureUnmatched, "a capture ends in another stream");
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    return wrong(cudaErrorStreamCaptureWrongThread, "a capture ends in another thread than it began in");
  }
  leave(capture);
  if (capture->invalid) return wrong(cudaErrorStreamCaptureInvalidated, "the capture that ends here was lost before");
  if (!capture->joined.empty()) {
    return wrong(cudaErrorStreamCaptureUnjoined, "a capture ends before all of its streams have been waited for");
  }
  auto* made = new Graph{std::move(capture->nodes)};
  card().graphs.insert(made);
  *graph = reinterpret_cast<cudaGraph_t>(made);
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return guarded([&] {
    Stream* stream = stream_of(handle, "cudaStreamBeginCapture");
    return stream ? begin(*stream, mode) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return guarded([&] {
    if (!graph) return cudaErrorInvalidValue;
    *graph = nullptr;
    Stream* stream = stream_of(handle, "cudaStreamEndCapture");
    return stream ? end(*stream, graph) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return guarded([&] {
    const Stream* stream = stream_of(handle, "cudaStreamIsCapturing");
    if (!stream || !status) return cudaErrorInvalidValue;
    *status = !stream->capture           ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  if (!mode || *mode < cudaStreamCaptureModeGlobal || *mode > cudaStreamCaptureModeRelaxed) {
    return guarded([] { return wrong(cudaErrorInvalidValue, "cudaThreadExchangeStreamCaptureMode: no such mode"); });
  }
  std::swap(*mode, this_thread().mode);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t handle, unsigned long long) {
  return guarded([&] {
    auto* graph = reinterpret_cast<Graph*>(handle);
    if (!ready || !card().graphs.count(graph)) return wrong(cudaErrorInvalidValue, "no such graph to instantiate");
    if (const cudaError_t status = forbid_in_capture("cudaGraphInstantiate"); status != cudaSuccess) return status;
    auto* made = new Graph(*graph);
    card().ready_graphs.insert(made);
    *ready = reinterpret_cast<cudaGraphExec_t>(made);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t at) {
  return guarded([&] {
    Stream* stream = stream_of(at, "cudaGraphLaunch");
    const auto* graph = reinterpret_cast<Graph*>(handle);
    if (!stream || !card().ready_graphs.count(const_cast<Graph*>(graph))) {
      return wrong(cudaErrorInvalidValue, "cudaGraphLaunch: no such stream or graph");
    }
    for (const Operation& node : graph->nodes) {
      Operation copy = node;
      copy.what += " (in a graph)";
      if (const cudaError_t status = enqueue(*stream, std::move(copy)); status != cudaSuccess) return status;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
  return guarded([&] {
    auto* graph = reinterpret_cast<Graph*>(handle);
    if (card().graphs.erase(graph) == 0) return wrong(cudaErrorInvalidValue, "no such graph to destroy");
    delete graph;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  return guarded([&] {
    auto* graph = reinterpret_cast<Graph*>(handle);
    if (card().ready_graphs.erase(graph) == 0) return wrong(cudaErrorInvalidValue, "no such ready graph to destroy");
    delete graph;  // what was queued of it has copies
    return cudaSuccess;
  });
}

}  // extern "C"
