// cuDNN's backend API in C++ hands: a descriptor that destroys itself, and typed setters and getters. The protocol is
// always the same: create, set attributes, finalize, then read attributes or use it in another descriptor.
// Included by conv_cuda.cpp only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/cudnn_check.h"

namespace tailseg::cudnn {

template <class T>
struct AttributeType;  // the tag that goes with a C++ type
template <>
struct AttributeType<int64_t> {
  static constexpr auto tag = CUDNN_TYPE_INT64;
};
template <>
struct AttributeType<float> {
  static constexpr auto tag = CUDNN_TYPE_FLOAT;
};
template <>
struct AttributeType<bool> {
  static constexpr auto tag = CUDNN_TYPE_BOOLEAN;
};
template <>
struct AttributeType<char> {
  static constexpr auto tag = CUDNN_TYPE_CHAR;
};
template <>
struct AttributeType<void*> {
  static constexpr auto tag = CUDNN_TYPE_VOID_PTR;
};
template <>
struct AttributeType<cudnnHandle_t> {
  static constexpr auto tag = CUDNN_TYPE_HANDLE;
};
template <>
struct AttributeType<cudnnDataType_t> {
  static constexpr auto tag = CUDNN_TYPE_DATA_TYPE;
};
template <>
struct AttributeType<cudnnConvolutionMode_t> {
  static constexpr auto tag = CUDNN_TYPE_CONVOLUTION_MODE;
};
template <>
struct AttributeType<cudnnPointwiseMode_t> {
  static constexpr auto tag = CUDNN_TYPE_POINTWISE_MODE;
};
template <>
struct AttributeType<cudnnBackendHeurMode_t> {
  static constexpr auto tag = CUDNN_TYPE_HEUR_MODE;
};
template <>
struct AttributeType<cudnnBackendNumericalNote_t> {
  static constexpr auto tag = CUDNN_TYPE_NUMERICAL_NOTE;
};

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) { TS_CUDNN_CHECK(cudnnBackendCreateDescriptor(type, &raw_)); }
  ~Descriptor() {
    if (raw_) cudnnBackendDestroyDescriptor(raw_);
  }
  Descriptor(Descriptor&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }

  cudnnBackendDescriptor_t raw() const { return raw_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set_array(name, &value, 1);
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    return set_array(name, values.data(), static_cast<int64_t>(values.size()));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& other) {
    TS_CUDNN_CHECK(cudnnBackendSetAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other.raw_));
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& others) {
    std::vector<cudnnBackendDescriptor_t> raw;
    for (const Descriptor& other : others) raw.push_back(other.raw_);
    TS_CUDNN_CHECK(cudnnBackendSetAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()),
                                            raw.data()));
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const std::string& characters) {
    return set_array(name, characters.data(), static_cast<int64_t>(characters.size()));
  }

  void finalize() { TS_CUDNN_CHECK(cudnnBackendFinalize(raw_)); }
  // For descriptors that may be refused: the reason, or nothing when it is ready.
  std::string try_finalize() {
    const cudnnStatus_t status = cudnnBackendFinalize(raw_);
    return status == CUDNN_STATUS_SUCCESS ? std::string() : cudnn_words(status);
  }

  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name) const {
    int64_t count = 0;
    TS_CUDNN_CHECK(cudnnBackendGetAttribute(raw_, name, AttributeType<T>::tag, 0, &count, nullptr));
    std::vector<T> values(static_cast<size_t>(count));
    if (count > 0) {
      TS_CUDNN_CHECK(cudnnBackendGetAttribute(raw_, name, AttributeType<T>::tag, count, &count, values.data()));
      values.resize(static_cast<size_t>(count));
    }
    return values;
  }
  // A descriptor inside this one, copied into `out`.
  void get(cudnnBackendAttributeName_t name, Descriptor& out) const {
    int64_t count = 0;
    TS_CUDNN_CHECK(cudnnBackendGetAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &out.raw_));
    TS_CHECK(count == 1, "cuDNN gave ", count, " descriptors for attribute ", static_cast<int>(name));
  }
  // Up to all that are there, as descriptors of this type.
  std::vector<Descriptor> get_all(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const {
    int64_t count = 0;
    TS_CUDNN_CHECK(cudnnBackendGetAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr));
    std::vector<Descriptor> all;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < count; ++i) raw.push_back(all.emplace_back(type).raw_);
    if (count == 0) return all;
    TS_CUDNN_CHECK(cudnnBackendGetAttribute(raw_, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, raw.data()));
    all.erase(all.begin() + count, all.end());
    return all;
  }

 private:
  template <class T>
  Descriptor& set_array(cudnnBackendAttributeName_t name, const T* values, int64_t count) {
    TS_CUDNN_CHECK(cudnnBackendSetAttribute(raw_, name, AttributeType<T>::tag, count, values));
    return *this;
  }

  cudnnBackendDescriptor_t raw_ = nullptr;
};

}  // namespace tailseg::cudnn
