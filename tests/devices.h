// The devices that a test can use here: the CPU always, the first GPU when one is usable. A test that loops over them
// covers the GPU wherever there is one:
//
//   for (Context* ctx : devices()) { ... DYNAMIC_SECTION(ctx->device().name()) ... }
//
// A test that needs a GPU asks `Context* gpu = cuda_or_skip("conv2d on CUDA")` and returns when that is null; the skip
// and its reason are printed.
#pragma once

#include <iostream>
#include <string>
#include <vector>

#include "tensor/context.h"
#include "tensor/tensor.h"

namespace tailseg {

inline Context& cpu_context() {
  static Context context;
  return context;
}

// A context on the first GPU with this arithmetic, made once for each mode; null when no GPU is usable.
inline Context* cuda_context(MathMode math = MathMode::float32) {
  static const std::string problem = cuda_problem();
  if (!problem.empty()) return nullptr;
  static Context* contexts[3] = {};  // never destroyed: at exit() the libraries that they close may be gone already
  Context*& context = contexts[static_cast<size_t>(math)];
  if (!context) context = new Context(Device{DeviceKind::cuda, 0}, ContextOptions{0, math});
  return context;
}

inline std::vector<Context*> devices() {
  std::vector<Context*> all{&cpu_context()};
  if (Context* gpu = cuda_context()) all.push_back(gpu);
  return all;
}

inline Context* cuda_or_skip(const char* what, MathMode math = MathMode::float32) {
  Context* gpu = cuda_context(math);
  if (!gpu) std::cout << "SKIP " << what << ": " << cuda_problem() << "\n";
  return gpu;
}

}  // namespace tailseg
