// Numbers of each class that follow from the training set and never change: made on the host, copied to a device once
// for each dtype that asks. No state: a checkpoint does not hold them.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

// [n] of dtype float32 or float64 on ctx's device.
inline Tensor class_tensor(Context& ctx, DType dtype, const std::vector<double>& values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return dtype == DType::float64 ? Tensor::from(ctx, shape, values)
                                 : Tensor::from(ctx, shape, std::vector<float>(values.begin(), values.end()));
}

class ClassConstants {
 public:
  ClassConstants() = default;
  explicit ClassConstants(std::vector<double> values) : values_(std::move(values)) {}

  // [n] float32 or float64 on ctx's device.
  const Tensor& on(Context& ctx, DType dtype) {
    Tensor& tensor = dtype == DType::float64 ? wide_ : narrow_;
    if (!tensor.defined()) tensor = class_tensor(ctx, dtype, values_);
    return tensor;
  }

 private:
  std::vector<double> values_;
  Tensor narrow_, wide_;
};

}  // namespace tailseg
