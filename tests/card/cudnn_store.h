// cuDNN's backend descriptors as the emulated card keeps them: an attribute is an array of bytes or of descriptors.
// What an attribute must look like, and which a kind of descriptor cannot do without, is a table; the rest of the
// protocol (create, set, finalize, get) is the same for all.
#pragma once

#include <cudnn_graph.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/card/cudnn_plan.h"

namespace tailseg::card {

struct CudnnRefused {
  cudnnStatus_t status;
  std::string why;
};
[[noreturn]] inline void refuse_cudnn(const std::string& why, cudnnStatus_t status = CUDNN_STATUS_BAD_PARAM) {
  throw CudnnRefused{status, why};
}

struct Stored;
using StoredPointer = std::shared_ptr<Stored>;

struct Attribute {
  cudnnBackendAttributeType_t type;
  int64_t count = 0;
  std::vector<char> bytes;
  std::vector<StoredPointer> descriptors;
};

// What a program's descriptor stands for.
struct Stored {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes;
  std::shared_ptr<const ConvPlan> plan;  // of operation graphs, engines, configurations and plans

  bool has(cudnnBackendAttributeName_t name) const { return attributes.count(name) != 0; }
  const Attribute& at(cudnnBackendAttributeName_t name) const;
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name) const {
    const Attribute& found = at(name);
    std::vector<T> out(static_cast<size_t>(found.count));
    if (found.bytes.size() != out.size() * sizeof(T)) refuse_cudnn("an attribute of another type than is read");
    std::memcpy(out.data(), found.bytes.data(), found.bytes.size());
    return out;
  }
  template <class T>
  T value(cudnnBackendAttributeName_t name) const {
    const Attribute& found = at(name);
    T out;
    if (found.count != 1 || found.bytes.size() != sizeof(T)) refuse_cudnn("an attribute of another type than is read");
    std::memcpy(&out, found.bytes.data(), sizeof(T));
    return out;
  }
  const Stored& descriptor(cudnnBackendAttributeName_t name) const { return *at(name).descriptors.at(0); }
  std::string text(cudnnBackendAttributeName_t name) const { return {at(name).bytes.begin(), at(name).bytes.end()}; }
};

StoredPointer stored(cudnnBackendDescriptor_t raw);
StoredPointer finalized(cudnnBackendDescriptor_t raw, cudnnBackendDescriptorType_t type, const char* what);

// The table: refuses an attribute that this kind of descriptor does not have, or not like this.
void check_attribute(const Stored& descriptor, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     int64_t count);
void check_complete(const Stored& descriptor);
size_t element_bytes(cudnnBackendAttributeType_t type);

// Finalizing, which for some kinds makes attributes that can be read.
void finalize(Stored& descriptor);

void check_handle(cudnnHandle_t handle);  // refuses one that does not exist

}  // namespace tailseg::card
