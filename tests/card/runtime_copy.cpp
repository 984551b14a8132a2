// Allocation, copies and fills. Copies look at every pointer: is it of the kind that was said, is the whole range in
// one live block. What the card reads from pinned memory it reads late, what it has not written yet is visibly not
// there.
#include <cstring>
#include <sstream>

#include "tests/card/runtime_card.h"

using namespace tailseg::card;

namespace {

using Place = PinnedMemory::Place;

std::string hex(const void* pointer) {
  std::ostringstream out;
  out << pointer;
  return out.str();
}

uint64_t address_of(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// Device bytes when the work runs: they may have been freed since it was queued.
uint8_t* device_bytes(const void* pointer, size_t bytes) {
  uint8_t* at = card().memory.find(address_of(pointer), bytes);
  if (at) return at;
  throw Fault(std::to_string(bytes) + " bytes at " + hex(pointer) + ": " + card().memory.describe(address_of(pointer)));
}

void check_pinned(const void* pointer, size_t bytes) {
  if (card().pinned.place(pointer, bytes) == Place::outside) {
    throw Fault(std::to_string(bytes) + " bytes at " + hex(pointer) + ": " + card().pinned.describe(pointer));
  }
}

bool device_range(const char* call, const void* pointer, size_t bytes) {
  if (card().memory.find(address_of(pointer), bytes)) return true;
  tell(std::string(call) + ": " + std::to_string(bytes) + " bytes of device memory at " + hex(pointer) + ": " +
       card().memory.describe(address_of(pointer)));
  return false;
}

bool host_range(const char* call, const void* pointer, size_t bytes) {
  if (pointer && !card().memory.in_window(pointer) && card().pinned.place(pointer, bytes) != Place::outside)
    return true;
  tell(std::string(call) + ": " + std::to_string(bytes) + " bytes of host memory at " + hex(pointer) + ": " +
       (card().memory.in_window(pointer) ? "device memory" : card().pinned.describe(pointer)));
  return false;
}

cudaError_t refuse_pageable(const Stream& stream, const char* call) {
  return spoil(*stream.capture, std::string(call) + " of pageable host memory in a capture");
}

cudaError_t copy_to_device(Stream& stream, void* to, const void* from, size_t bytes) {
  const char* call = "copy to the device";
  if (!device_range(call, to, bytes) || !host_range(call, from, bytes)) return cudaErrorInvalidValue;
  if (card().pinned.place(from, bytes) == Place::inside) {
    return enqueue(stream, {call, [=] {
                              check_pinned(from, bytes);
                              std::memcpy(device_bytes(to, bytes), from, bytes);
                            }});
  }
  if (stream.capture) return refuse_pageable(stream, call);
  const auto* begin = static_cast<const char*>(from);
  return enqueue(stream, {call, [to, bytes, kept = std::vector<char>(begin, begin + bytes)] {
                            std::memcpy(device_bytes(to, bytes), kept.data(), bytes);
                          }});
}

cudaError_t copy_to_host(Stream& stream, void* to, const void* from, size_t bytes) {
  const char* call = "copy to the host";
  if (!host_range(call, to, bytes) || !device_range(call, from, bytes)) return cudaErrorInvalidValue;
  const bool pinned = card().pinned.place(to, bytes) == Place::inside;
  if (!pinned && stream.capture) return refuse_pageable(stream, call);
  const auto blank = [=] {
    if (pinned && card().pinned.place(to, bytes) == Place::inside) std::memset(to, 0xff, bytes);
  };
  const cudaError_t status = enqueue(stream, {call,
                                              [=] {
                                                check_pinned(to, bytes);
                                                std::memcpy(to, device_bytes(from, bytes), bytes);
                                              },
                                              blank});
  if (!pinned) run_all(stream);
  return status;
}

cudaError_t copy_on_device(Stream& stream, void* to, const void* from, size_t bytes) {
  const char* call = "copy on the device";
  if (!device_range(call, to, bytes) || !device_range(call, from, bytes)) return cudaErrorInvalidValue;
  if (address_of(to) < address_of(from) + bytes && address_of(from) < address_of(to) + bytes) {
    return wrong(cudaErrorInvalidValue, std::string(call) + ": the ranges overlap");
  }
  return enqueue(stream, {call, [=] { std::memcpy(device_bytes(to, bytes), device_bytes(from, bytes), bytes); }});
}

cudaError_t copy(Stream& stream, void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (stream.capture && stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (bytes == 0) return cudaSuccess;
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return copy_to_device(stream, to, from, bytes);
    case cudaMemcpyDeviceToHost:
      return copy_to_host(stream, to, from, bytes);
    case cudaMemcpyDeviceToDevice:
      return copy_on_device(stream, to, from, bytes);
    default:
      return wrong(cudaErrorInvalidMemcpyDirection, "a copy of a kind that the emulated card does not have");
  }
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return guarded([&] {
    if (!pointer) return cudaErrorInvalidValue;
    if (const cudaError_t status = forbid_in_capture("cudaMalloc"); status != cudaSuccess) return status;
    *pointer = nullptr;
    if (bytes == 0) return cudaSuccess;
    *pointer = reinterpret_cast<void*>(card().memory.take(bytes));
    return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFree(void* pointer) {
  return guarded([&] {
    if (const cudaError_t status = forbid_in_capture("cudaFree"); status != cudaSuccess) return status;
    run_everything();
    if (!pointer || card().memory.give_back(address_of(pointer))) return cudaSuccess;
    return wrong(cudaErrorInvalidValue,
                 "cudaFree of " + hex(pointer) + ": " + card().memory.describe(address_of(pointer)));
  });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  return guarded([&] {
    if (!pointer) return cudaErrorInvalidValue;
    if (const cudaError_t status = forbid_in_capture("cudaHostAlloc"); status != cudaSuccess) return status;
    *pointer = bytes == 0 ? nullptr : card().pinned.take(bytes);
    return *pointer || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFreeHost(void* pointer) {
  return guarded([&] {
    if (const cudaError_t status = forbid_in_capture("cudaFreeHost"); status != cudaSuccess) return status;
    run_everything();
    if (!pointer || card().pinned.give_back(pointer)) return cudaSuccess;
    return wrong(cudaErrorInvalidValue, "cudaFreeHost of " + hex(pointer) + ": " + card().pinned.describe(pointer));
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t at) {
  return guarded([&] {
    Stream* stream = stream_of(at, "cudaMemcpyAsync");
    return stream ? copy(*stream, to, from, bytes, kind) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return guarded([&] {
    if (const cudaError_t status = forbid_in_capture("cudaMemcpy"); status != cudaSuccess) return status;
    const cudaError_t status = copy(card().null_stream, to, from, bytes, kind);
    run_all(card().null_stream);
    return status;
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t at) {
  return guarded([&] {
    Stream* stream = stream_of(at, "cudaMemsetAsync");
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture && stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (bytes == 0) return cudaSuccess;
    if (!device_range("fill", to, bytes)) return cudaErrorInvalidValue;
    return enqueue(*stream, {"fill", [=] { std::memset(device_bytes(to, bytes), value, bytes); }});
  });
}

}  // extern "C"
