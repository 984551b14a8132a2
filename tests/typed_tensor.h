// Tensors of any floating type from float64 values and back, so that one test body serves every dtype.
#pragma once

#include <functional>
#include <vector>

#include "tensor/tensor.h"
#include "tests/devices.h"

namespace tailseg {

inline Tensor typed_tensor(Context& ctx, DType dtype, const Shape& shape, const std::vector<double>& values) {
  Tensor out;
  dispatch_floating(dtype, "typed_tensor", [&]<class T>(T) {
    std::vector<T> typed;
    typed.reserve(values.size());
    for (double v : values) typed.push_back(T(static_cast<ComputeType<T>>(v)));
    out = Tensor::from(ctx, shape, typed);
  });
  return out;
}

inline std::vector<double> to_doubles(Context& ctx, const Tensor& tensor) {
  std::vector<double> out;
  dispatch_floating(tensor.dtype(), "to_doubles", [&]<class T>(T) {
    for (const T& v : tensor.to_vector<T>(ctx)) out.push_back(static_cast<double>(static_cast<ComputeType<T>>(v)));
  });
  return out;
}

// What the values become when they are stored as dtype.
inline std::vector<double> rounded_to(Context& ctx, DType dtype, const std::vector<double>& values) {
  return to_doubles(ctx, typed_tensor(ctx, dtype, {static_cast<int64_t>(values.size())}, values));
}

constexpr DType kFloatingTypes[] = {DType::float64, DType::float32, DType::bfloat16};

// Calls f for every floating type on the CPU and, where a GPU is usable, for those that exist there.
inline void for_each_device_and_type(const std::function<void(Context& ctx, DType dtype)>& f) {
  for (Context* ctx : devices()) {
    for (DType dtype : kFloatingTypes) {
      if (!ctx->device().is_cuda() || dtype != DType::float64) f(*ctx, dtype);
    }
  }
}

}  // namespace tailseg
