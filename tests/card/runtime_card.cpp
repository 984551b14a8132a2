#include "tests/card/runtime_card.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tailseg::card {
namespace {

uint64_t number(const char* name, uint64_t otherwise) {
  const char* setting = std::getenv(name);
  return setting ? std::strtoull(setting, nullptr, 10) : otherwise;
}

bool is_set(const char* name) {
  const char* setting = std::getenv(name);
  return setting && std::strcmp(setting, "0") != 0;
}

void lose_the_card(cudaError_t status, const std::string& operation, const char* why) {
  tell(operation + ": " + why);
  if (card().sticky == cudaSuccess) card().sticky = status;
}

}  // namespace

Card::Card()
    : memory(number("TAILSEG_CARD_MEMORY_MB", 16384) << 20),
      eager(is_set("TAILSEG_CARD_EAGER")),
      operations_left(number("TAILSEG_CARD_LOSE_AFTER", UINT64_MAX)) {
  null_stream.null_stream = true;
}

Card& card() {
  static Card& only = *new Card;
  return only;
}

ThreadState& this_thread() {
  thread_local ThreadState state;
  return state;
}

void tell(const std::string& line) { std::fprintf(stderr, "emulated card: %s\n", line.c_str()); }

cudaError_t wrong(cudaError_t status, const std::string& line) {
  tell(line);
  return status;
}

Stream* stream_of(cudaStream_t handle, const char* call) {
  if (handle == nullptr || handle == cudaStreamLegacy || handle == cudaStreamPerThread) {
    tell(std::string(call) + " on the null stream");
    return &card().null_stream;
  }
  auto* stream = reinterpret_cast<Stream*>(handle);
  if (card().streams.count(stream)) return stream;
  tell(std::string(call) + " on a stream that does not exist");
  return nullptr;
}

Event* event_of(cudaEvent_t handle) {
  auto* event = reinterpret_cast<Event*>(handle);
  return card().events.count(event) ? event : nullptr;
}

cudaError_t enqueue(Stream& stream, Operation operation) {
  if (stream.capture) {
    if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    stream.capture->nodes.push_back(std::move(operation));
    return cudaSuccess;
  }
  if (operation.early) operation.early();
  stream.operations.push_back(std::move(operation));
  ++stream.queued;
  if (card().eager) run_all(stream);
  return card().sticky;
}

void run_until(Stream& stream, int64_t place) {
  while (stream.done < place && !stream.operations.empty()) {
    const Operation operation = std::move(stream.operations.front());
    stream.operations.pop_front();
    try {
      if (card().operations_left-- == 0) lose_the_card(cudaErrorUnknown, operation.what, "the card is lost");
      if (card().sticky == cudaSuccess) operation.run();
    } catch (const Fault& fault) {
      lose_the_card(cudaErrorIllegalAddress, operation.what, fault.what());
    } catch (const std::exception& error) {
      lose_the_card(cudaErrorLaunchFailure, operation.what, error.what());
    }
    ++stream.done;
  }
}

void run_everything() {
  for (Stream* stream : std::set<Stream*>(card().streams)) run_all(*stream);
  run_all(card().null_stream);
}

cudaError_t forbid_in_capture(const char* call) {
  const ThreadState& thread = this_thread();
  if (thread.mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  bool forbidden = false;
  for (const auto& capture : card().captures) {
    if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
    const bool mine = capture->thread == std::this_thread::get_id();
    const bool global = capture->mode == cudaStreamCaptureModeGlobal && thread.mode == cudaStreamCaptureModeGlobal;
    if (!mine && !global) continue;
    forbidden = capture->invalid = true;
  }
  if (!forbidden) return cudaSuccess;
  return wrong(cudaErrorStreamCaptureUnsupported, std::string(call) + " while a stream is being captured");
}

cudaError_t spoil(CaptureRun& capture, const std::string& why) {
  capture.invalid = true;
  return wrong(cudaErrorStreamCaptureUnsupported, why);
}

}  // namespace tailseg::card
