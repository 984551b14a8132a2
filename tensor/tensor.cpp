#include "tensor/tensor.h"

#include <cstring>

#include "tensor/capture.h"
#include "tensor/device_calls.h"
#include "tensor/fill.h"
#include "tensor/staging.h"

namespace tailseg {

struct Tensor::Storage {
  std::shared_ptr<Allocator> allocator;
  Device device;
  void* block;
  size_t bytes;

  Storage(Context& ctx, size_t size)
      : allocator(ctx.allocator()), device(ctx.device()), block(allocator->allocate(size)), bytes(size) {}
  ~Storage() { allocator->release(block, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

Tensor Tensor::empty(Context& ctx, const Shape& shape, DType dtype) {
  TS_CHECK(!(ctx.device().is_cuda() && dtype == DType::float64), "float64 tensors exist on the CPU only");
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.elements_ = shape.elements();
  tensor.dtype_ = dtype;
  try {
    tensor.storage_ = std::make_shared<Storage>(ctx, tensor.bytes());
  } catch (const Error& error) {
    fail(error.what(), "; for a tensor ", shape, " ", name_of(dtype));
  }
  tensor.data_ = tensor.storage_->block;
  return tensor;
}

Tensor Tensor::zeros(Context& ctx, const Shape& shape, DType dtype) {
  Tensor tensor = empty(ctx, shape, dtype);
  tensor.zero(ctx);
  return tensor;
}

Tensor Tensor::full(Context& ctx, const Shape& shape, double value, DType dtype) {
  Tensor tensor = empty(ctx, shape, dtype);
  tensor.fill(ctx, value);
  return tensor;
}

Tensor Tensor::from_host(Context& ctx, const Shape& shape, DType dtype, const void* values) {
  Tensor tensor = empty(ctx, shape, dtype);
  if (tensor.bytes() == 0) return tensor;
  ctx.state<Staging>().copy_to_device(tensor.data_, values, tensor.bytes());
  return tensor;
}

Device Tensor::device() const {
  TS_CHECK(storage_, "device of an undefined tensor");
  return storage_->device;
}

Tensor Tensor::reshape(const Shape& shape) const {
  TS_CHECK(shape.elements() == elements_, "reshape of ", shape_, " to ", shape, ": another number of elements");
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::slice(int64_t begin, int64_t end) const {
  TS_CHECK(axes() > 0 && begin >= 0 && begin <= end && end <= shape_[0], "slice [", begin, ", ", end, ") of ", shape_);
  Tensor view = *this;
  view.shape_ = shape_.with(0, end - begin);
  view.elements_ = view.shape_.elements();
  const int64_t row = shape_[0] == 0 ? 0 : elements_ / shape_[0];
  view.data_ = static_cast<char*>(data_) + static_cast<size_t>(begin * row) * size_of(dtype_);
  return view;
}

Tensor Tensor::clone(Context& ctx) const {
  Tensor copy = empty(ctx, shape_, dtype_);
  copy.copy_from(ctx, *this);
  return copy;
}

void Tensor::copy_from(Context& ctx, const Tensor& other) const {
  TS_CHECK(defined() && other.defined(), "copy of one tensor into another: one of them is undefined");
  TS_CHECK(shape_ == other.shape_ && dtype_ == other.dtype_ && device() == other.device(), "copy of ", other.shape_,
           " ", name_of(other.dtype_), " on ", other.device().name(), " into ", shape_, " ", name_of(dtype_), " on ",
           device().name());
  if (bytes() == 0) return;
  if (device().is_cuda()) return device_calls::copy_on_device(data_, other.data_, bytes(), ctx.stream());
  run_or_capture(ctx, [to = data_, from = other.data_, size = bytes()] { std::memcpy(to, from, size); });
}

Tensor Tensor::to_device(Context& ctx) const {
  if (device() == ctx.device()) return *this;
  TS_CHECK(!device().is_cuda(), "to_device from ", device().name(), " to ", ctx.device().name(), ": use to_host");
  return from_host(ctx, shape_, dtype_, data_);
}

Tensor Tensor::to_host(Context& ctx) const {
  if (!device().is_cuda()) return *this;
  static Context host;  // memory only; it launches nothing
  Tensor copy = empty(host, shape_, dtype_);
  copy_to(ctx, copy.data_);
  return copy;
}

void Tensor::copy_to(Context& ctx, void* host) const {
  if (bytes() == 0) return;
  TS_CHECK(!ctx.capture(), "a tensor ", shape_, " is read on the host inside work that is captured");
  if (device().is_cuda())
    device_calls::copy_to_host(host, data_, bytes(), ctx.stream());
  else
    std::memcpy(host, data_, bytes());
}

void Tensor::zero(Context& ctx) const {
  if (bytes() == 0) return;
  if (device().is_cuda()) return device_calls::fill_bytes(data_, 0, bytes(), ctx.stream());
  run_or_capture(ctx, [to = data_, size = bytes()] { std::memset(to, 0, size); });
}

void Tensor::fill(Context& ctx, double value) const {
  if (value == 0) return zero(ctx);
  fill_elements(ctx, *this, value);
}

void check_shape(const char* what, const Tensor& tensor, std::initializer_list<int64_t> shape) {
  TS_CHECK(tensor.defined(), what, ": the tensor is undefined");
  bool fits = tensor.axes() == static_cast<int>(shape.size());
  int axis = 0;
  for (int64_t size : shape) {
    if (!fits) break;
    fits = size == -1 || tensor.size(axis) == size;
    ++axis;
  }
  if (fits) return;
  std::string expected;
  for (int64_t size : shape) expected += (expected.empty() ? "" : ", ") + (size == -1 ? "any" : std::to_string(size));
  fail(what, ": expected shape [", expected, "], got ", tensor.shape());
}

}  // namespace tailseg
