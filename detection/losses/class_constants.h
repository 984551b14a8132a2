// Numbers of each class that follow from the training set and never change: made on the host, copied to a device once
// for each dtype that asks. No state: a checkpoint does not hold them.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

class ClassConstants {
 public:
  ClassConstants() = default;
  explicit ClassConstants(std::vector<double> values) : values_(std::move(values)) {}

  // [n] float32 or float64 on ctx's device.
  const Tensor& on(Context& ctx, DType dtype) {
    Tensor& tensor = dtype == DType::float64 ? wide_ : narrow_;
    if (tensor.defined()) return tensor;
    const Shape shape{static_cast<int64_t>(values_.size())};
    tensor = dtype == DType::float64 ? Tensor::from(ctx, shape, values_)
                                     : Tensor::from(ctx, shape, std::vector<float>(values_.begin(), values_.end()));
    return tensor;
  }

 private:
  std::vector<double> values_;
  Tensor narrow_, wide_;
};

}  // namespace tailseg
