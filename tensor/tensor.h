// A block of numbers with a shape. Always contiguous, last axis fastest; images and features are [N, H, W, C].
// Copying a Tensor copies the handle. The only views are reshape and slices of the leading axis.
#pragma once

#include <memory>
#include <vector>

#include "tensor/context.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tailseg {

class Tensor {
 public:
  Tensor() = default;  // undefined: no memory, defined() is false

  // Uninitialised / zeroed / filled memory on ctx's device.
  static Tensor empty(Context& ctx, const Shape& shape, DType dtype = DType::float32);
  static Tensor zeros(Context& ctx, const Shape& shape, DType dtype = DType::float32);
  static Tensor full(Context& ctx, const Shape& shape, double value, DType dtype = DType::float32);
  // Copies host values to ctx's device. values.size() must equal shape.elements().
  template <class T>
  static Tensor from(Context& ctx, const Shape& shape, const std::vector<T>& values) {
    TS_CHECK(static_cast<int64_t>(values.size()) == shape.elements(), "Tensor::from: ", values.size(),
             " values for shape ", shape);
    return from_host(ctx, shape, dtype_of<T>(), values.data());
  }
  static Tensor from_host(Context& ctx, const Shape& shape, DType dtype, const void* values);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int axes() const { return shape_.axes(); }
  int64_t size(int axis) const { return shape_[axis]; }
  int64_t elements() const { return elements_; }
  size_t bytes() const { return static_cast<size_t>(elements_) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const;

  void* raw() const { return data_; }
  // The elements as T; throws when the dtype is another. Device memory: only kernels may dereference it.
  template <class T>
  T* data() const {
    TS_CHECK(dtype_of<T>() == dtype_, "tensor of ", name_of(dtype_), " read as ", name_of(dtype_of<T>()));
    return static_cast<T*>(data_);
  }

  Tensor reshape(const Shape& shape) const;        // shares memory; same number of elements
  Tensor slice(int64_t begin, int64_t end) const;  // shares memory; rows [begin, end) of the leading axis
  Tensor clone(Context& ctx) const;                // new memory, same device
  Tensor to_device(Context& ctx) const;            // a copy on ctx's device (itself when it is there already)
  Tensor to_host(Context& ctx) const;              // a copy in CPU memory; waits for the device
  template <class T>
  std::vector<T> to_vector(Context& ctx) const {  // waits for the device
    (void)data<T>();
    std::vector<T> out(static_cast<size_t>(elements_));
    copy_to(ctx, out.data());
    return out;
  }
  void copy_from(Context& ctx, const Tensor& other) const;  // same shape, dtype and device
  void fill(Context& ctx, double value) const;
  void zero(Context& ctx) const;
  bool same_memory(const Tensor& other) const { return data_ == other.data_ && elements_ == other.elements_; }
  bool is_sole_owner() const { return storage_.use_count() == 1; }

 private:
  struct Storage;
  void copy_to(Context& ctx, void* host) const;

  std::shared_ptr<Storage> storage_;
  void* data_ = nullptr;
  Shape shape_;
  int64_t elements_ = 0;
  DType dtype_ = DType::float32;
};

// Throws unless the tensor is defined and has this shape (-1 matches any size) and dtype.
void check_shape(const char* what, const Tensor& tensor, std::initializer_list<int64_t> shape);

}  // namespace tailseg
