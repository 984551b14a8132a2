// Scratch memory for the libraries' kernels: one block for each context, shared because everything runs on its one
// stream. It only grows, and outgrown blocks are kept until the context ends, so that an address that was captured into
// a CUDA graph stays valid.
#pragma once

#include <algorithm>
#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

class Workspace {
 public:
  explicit Workspace(Context& ctx) : ctx_(ctx) {}

  // At least `bytes` of device memory, valid until the context ends; its content until the next call.
  void* reserve(size_t bytes) {
    if (bytes == 0) return nullptr;
    if (blocks_.empty() || blocks_.back().bytes() < bytes) {
      const size_t grown = blocks_.empty() ? bytes : std::max(bytes, 2 * blocks_.back().bytes());
      blocks_.push_back(Tensor::empty(ctx_, {static_cast<int64_t>(grown)}, DType::uint8));
    }
    return blocks_.back().raw();
  }

 private:
  Context& ctx_;
  std::vector<Tensor> blocks_;
};

}  // namespace tailseg
