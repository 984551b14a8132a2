// What the emulated card says of itself, and the names of the errors.
#include <cstdio>
#include <cstring>

#include "tests/card/runtime_card.h"

using namespace tailseg::card;

namespace {

constexpr int kMajor = 9, kMinor = 0, kMultiprocessors = 132;

struct Named {
  cudaError_t error;
  const char *name, *words;
};

#define TAILSEG_CARD_ERROR(error, words) \
  { error, #error, words }
constexpr Named kErrors[] = {
    TAILSEG_CARD_ERROR(cudaSuccess, "no error"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidValue, "invalid argument"),
    TAILSEG_CARD_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    TAILSEG_CARD_ERROR(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidPtx, "a PTX JIT compilation failed"),
    TAILSEG_CARD_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    TAILSEG_CARD_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    TAILSEG_CARD_ERROR(cudaErrorNotReady, "device not ready"),
    TAILSEG_CARD_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    TAILSEG_CARD_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    TAILSEG_CARD_ERROR(cudaErrorUnknown, "unknown error"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureUnmatched, "capture was not initiated in this stream"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    TAILSEG_CARD_ERROR(cudaErrorCapturedEvent,
                       "operation not permitted on an event last recorded in a capturing stream"),
    TAILSEG_CARD_ERROR(cudaErrorStreamCaptureWrongThread,
                       "attempt to terminate a thread-local capture sequence from another thread"),
};
#undef TAILSEG_CARD_ERROR

const Named* find_error(cudaError_t error) {
  for (const Named& named : kErrors) {
    if (named.error == error) return &named;
  }
  return nullptr;
}

void fill_limits(cudaDeviceProp& card_is) {
  card_is.sharedMemPerBlock = 48 << 10;
  card_is.sharedMemPerBlockOptin = 227 << 10;
  card_is.sharedMemPerMultiprocessor = 228 << 10;
  card_is.reservedSharedMemPerBlock = 1 << 10;
  card_is.regsPerBlock = card_is.regsPerMultiprocessor = 65536;
  card_is.warpSize = 32;
  card_is.maxThreadsPerBlock = 1024;
  card_is.maxThreadsDim[0] = card_is.maxThreadsDim[1] = 1024;
  card_is.maxThreadsDim[2] = 64;
  card_is.maxGridSize[0] = 2147483647;
  card_is.maxGridSize[1] = card_is.maxGridSize[2] = 65535;
  card_is.maxThreadsPerMultiProcessor = 2048;
  card_is.maxBlocksPerMultiProcessor = 32;
  card_is.totalConstMem = 64 << 10;
}

int attribute(cudaDeviceAttr name) {
  switch (name) {
    case cudaDevAttrComputeCapabilityMajor:
      return kMajor;
    case cudaDevAttrComputeCapabilityMinor:
      return kMinor;
    case cudaDevAttrMultiProcessorCount:
      return kMultiprocessors;
    case cudaDevAttrMaxThreadsPerBlock:
      return 1024;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return 2048;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return 48 << 10;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return 227 << 10;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return 228 << 10;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMaxGridDimX:
      return 2147483647;
    case cudaDevAttrMaxGridDimY:
      return 65535;
    case cudaDevAttrMaxGridDimZ:
      return 65535;
    case cudaDevAttrMaxBlockDimX:
      return 1024;
    default:
      return -1;
  }
}

}  // namespace

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  return guarded([&] {
    *version = CUDART_VERSION;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceCount(int* count) {
  return guarded([&] {
    *count = 1;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return guarded([&] {
    *device = 0;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return guarded([&] { return device == 0 ? cudaSuccess : wrong(cudaErrorInvalidDevice, "there is one device only"); });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return guarded([&] {
    if (!properties || device != 0) return cudaErrorInvalidDevice;
    std::memset(properties, 0, sizeof(*properties));
    std::snprintf(properties->name, sizeof(properties->name), "emulated card");
    properties->major = kMajor;
    properties->minor = kMinor;
    properties->multiProcessorCount = kMultiprocessors;
    properties->totalGlobalMem = card().memory.limit();
    properties->l2CacheSize = 50 << 20;
    properties->memoryBusWidth = 5120;
    properties->concurrentKernels = properties->unifiedAddressing = properties->canMapHostMemory = 1;
    properties->asyncEngineCount = 3;
    fill_limits(*properties);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr name, int device) {
  return guarded([&] {
    if (!value || device != 0) return cudaErrorInvalidDevice;
    *value = attribute(name);
    if (*value >= 0) return cudaSuccess;
    return wrong(cudaErrorInvalidValue, "the emulated card does not know device attribute " + std::to_string(name));
  });
}

// An error that stays is told again by every call; others once.
cudaError_t cudaGetLastError() {
  const std::lock_guard lock(card().mutex);
  const cudaError_t last = card().sticky != cudaSuccess ? card().sticky : this_thread().last;
  this_thread().last = cudaSuccess;
  return last;
}

cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(card().mutex);
  return card().sticky != cudaSuccess ? card().sticky : this_thread().last;
}

const char* cudaGetErrorName(cudaError_t error) {
  const Named* named = find_error(error);
  return named ? named->name : "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  const Named* named = find_error(error);
  return named ? named->words : "unrecognized error code";
}

}  // extern "C"
