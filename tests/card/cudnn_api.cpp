// cuDNN's calls. Every refusal is told on stderr and kept as the thread's last error in words.
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "tests/card/cudnn_store.h"
#include "tests/card/runtime_card.h"

using namespace tailseg::card;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

std::set<cudnnHandle_t>& handles() {
  static auto& all = *new std::set<cudnnHandle_t>;
  return all;
}
std::map<cudnnBackendDescriptor_t, StoredPointer>& descriptors() {
  static auto& all = *new std::map<cudnnBackendDescriptor_t, StoredPointer>;
  return all;
}
// No string: programs still call us when the main thread's objects have gone.
char (&last_words())[256] {
  thread_local char words[256] = "";
  return words;
}

template <class Body>
cudnnStatus_t guarded_dnn(const char* call, Body body) {
  const std::lock_guard lock(card().mutex);
  try {
    if (card().sticky != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED_CUDART;
    body();
    last_words()[0] = 0;
    return CUDNN_STATUS_SUCCESS;
  } catch (const CudnnRefused& refused) {
    std::snprintf(last_words(), sizeof(last_words()), "%s: %s", call, refused.why.c_str());
    const bool expected = CUDNN_STATUS_CATEGORY(refused.status) == CUDNN_STATUS_NOT_SUPPORTED;
    if (!expected) tell(last_words());
    return refused.status;
  }
}

// The pointers in the plan's order, each looked at.
std::vector<const void*> bind(const ConvPlan& plan, const Stored& pack) {
  const auto uids = pack.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto given = pack.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  std::vector<const void*> pointers;
  for (const PlanTensor& tensor : plan.bound()) {
    const auto found = std::find(uids.begin(), uids.end(), tensor.uid);
    std::ostringstream why;
    why << "tensor " << tensor.uid << ": ";
    if (found == uids.end()) refuse_cudnn(why.str() + "no pointer");
    const void* pointer = given[static_cast<size_t>(found - uids.begin())];
    const auto address = reinterpret_cast<uint64_t>(pointer);
    why << pointer << " ";
    if (address % static_cast<uint64_t>(tensor.alignment) != 0) {
      why << "is not aligned to the " << tensor.alignment << " bytes that the graph was promised";
      refuse_cudnn(why.str(), CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER);
    }
    if (!card().memory.find(address, tensor.bytes())) {
      why << "has not " << tensor.bytes() << " bytes of device memory: " << card().memory.describe(address);
      refuse_cudnn(why.str());
    }
    pointers.push_back(pointer);
  }
  if (uids.size() != pointers.size()) refuse_cudnn("pointers for tensors that the plan does not have");
  return pointers;
}

void check_apart(const ConvPlan& plan, const std::vector<const void*>& pointers, const void* workspace) {
  const std::vector<PlanTensor> tensors = plan.bound();
  const size_t out = plan.direction == Direction::forward ? 2 : plan.direction == Direction::backward_data ? 0 : 1;
  const auto begin = reinterpret_cast<uint64_t>(pointers[out]);
  const auto apart = [&](const void* other, size_t bytes) {
    const auto at = reinterpret_cast<uint64_t>(other);
    if (at < begin + tensors[out].bytes() && begin < at + bytes) refuse_cudnn("the result lies over an operand");
  };
  for (size_t i = 0; i < 3; ++i) {
    if (i != out) apart(pointers[i], tensors[i].bytes());
  }
  apart(workspace, static_cast<size_t>(plan.workspace));
}

}  // namespace

namespace tailseg::card {

void check_handle(cudnnHandle_t handle) {
  if (!handles().count(handle)) refuse_cudnn("no such handle", CUDNN_STATUS_NOT_INITIALIZED);
}

StoredPointer stored(cudnnBackendDescriptor_t raw) {
  const auto found = descriptors().find(raw);
  if (found == descriptors().end()) refuse_cudnn("no such descriptor", CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  return found->second;
}

StoredPointer finalized(cudnnBackendDescriptor_t raw, cudnnBackendDescriptorType_t type, const char* what) {
  StoredPointer found = stored(raw);
  if (found->type != type) refuse_cudnn(std::string("no ") + what, CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE);
  if (!found->finalized) refuse_cudnn(std::string(what) + " not finalized", CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  return found;
}

}  // namespace tailseg::card

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (CUDNN_STATUS_CATEGORY(status)) {
    case CUDNN_STATUS_SUCCESS:
      return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
      return "CUDNN_STATUS_INTERNAL_ERROR";
  }
}

void cudnnGetLastErrorString(char* message, size_t room) {
  if (room > 0) std::snprintf(message, room, "%s", last_words());
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return guarded_dnn("cudnnCreate", [&] {
    if (forbid_in_capture("cudnnCreate") != cudaSuccess) {
      refuse_cudnn("it asks for memory", CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
    }
    *handle = *handles().insert(new cudnnContext).first;
  });
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return guarded_dnn("cudnnDestroy", [&] {
    check_handle(handle);
    handles().erase(handle);
    delete handle;
  });
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return guarded_dnn("cudnnSetStream", [&] {
    check_handle(handle);
    if (!stream_of(stream, "cudnnSetStream")) refuse_cudnn("no such stream");
    handle->stream = stream;
  });
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  return guarded_dnn("cudnnBackendCreateDescriptor", [&] {
    auto fresh = std::make_shared<Stored>();
    fresh->type = type;
    *descriptor = new char;  // an address that nobody else has
    descriptors()[*descriptor] = std::move(fresh);
  });
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  return guarded_dnn("cudnnBackendDestroyDescriptor", [&] {
    (void)stored(descriptor);
    descriptors().erase(descriptor);
    delete static_cast<char*>(descriptor);
  });
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  return guarded_dnn("cudnnBackendFinalize", [&] {
    const StoredPointer it = stored(descriptor);
    if (it->finalized) refuse_cudnn("finalized twice");
    finalize(*it);
  });
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* elements) {
  return guarded_dnn("cudnnBackendSetAttribute", [&] {
    const StoredPointer it = stored(descriptor);
    if (it->finalized) refuse_cudnn("set after it was finalized");
    check_attribute(*it, name, type, count);
    if (!elements) refuse_cudnn("no elements", CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    Attribute kept{type, count, {}, {}};
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
      for (int64_t i = 0; i < count; ++i) {
        StoredPointer inner = stored(static_cast<const cudnnBackendDescriptor_t*>(elements)[i]);
        if (!inner->finalized) refuse_cudnn("not finalized", CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
        kept.descriptors.push_back(std::move(inner));
      }
    } else {
      const auto* begin = static_cast<const char*>(elements);
      kept.bytes.assign(begin, begin + static_cast<size_t>(count) * element_bytes(type));
    }
    it->attributes[name] = std::move(kept);
  });
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t wanted, int64_t* count,
                                       void* elements) {
  return guarded_dnn("cudnnBackendGetAttribute", [&] {
    const StoredPointer it = stored(descriptor);
    if (!it->finalized) refuse_cudnn("read before it is finalized", CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
    const Attribute& kept = it->at(name);
    if (kept.type != type) refuse_cudnn("another type", CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
    if (wanted < 0 || (wanted > 0 && !elements)) refuse_cudnn("no room", CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    if (count) *count = kept.count;
    const int64_t given = std::min(wanted, kept.count);
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
      std::memcpy(elements, kept.bytes.data(), static_cast<size_t>(given) * element_bytes(type));
      return;
    }
    for (int64_t i = 0; i < given; ++i) {
      const StoredPointer to = stored(static_cast<cudnnBackendDescriptor_t*>(elements)[i]);
      const StoredPointer& from = kept.descriptors[static_cast<size_t>(i)];
      if (to->type != from->type) refuse_cudnn("another kind", CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE);
      *to = *from;
    }
  });
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_descriptor,
                                  cudnnBackendDescriptor_t pack_descriptor) {
  return guarded_dnn("cudnnBackendExecute", [&] {
    check_handle(handle);
    const StoredPointer built = finalized(plan_descriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "plan");
    const StoredPointer pack = finalized(pack_descriptor, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "variant pack");
    if (!built->has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE)) refuse_cudnn("a plan for a device that is only described");
    const std::shared_ptr<const ConvPlan> plan = built->plan;
    if (plan->engine == kRandomEngine) tell("cudnnBackendExecute: an engine that is not repeatable");
    const std::vector<const void*> pointers = bind(*plan, *pack);
    const void* workspace =
        pack->has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE) ? pack->value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE) : nullptr;
    const auto bytes = static_cast<size_t>(plan->workspace);
    if (bytes > 0 && !card().memory.find(reinterpret_cast<uint64_t>(workspace), bytes)) {
      refuse_cudnn("the workspace is not " + std::to_string(bytes) + " bytes of device memory");
    }
    check_apart(*plan, pointers, workspace);
    Stream* stream = stream_of(handle->stream, "cudnnBackendExecute");
    if (!stream) refuse_cudnn("the handle's stream is gone");
    const auto run = [plan, pointers, workspace] { run_plan(*plan, pointers, workspace); };
    if (enqueue(*stream, {"cudnnBackendExecute", run}) != cudaSuccess) {
      refuse_cudnn("the stream does not take it", CUDNN_STATUS_EXECUTION_FAILED_CUDART);
    }
  });
}

}  // extern "C"
