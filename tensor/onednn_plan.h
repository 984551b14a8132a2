// What conv_onednn.cpp and matmul_onednn.cpp share: one library call with its layouts (a plan), and the bounded cache
// of plans that a Context keeps. Included by *_onednn.cpp only: it brings dnnl.hpp.
//
// Tailseg's tensors are [N, H, W, C] and [K, R, S, C]. Where the library wants another layout the plan holds the
// conversion. Its buffer is scratch memory, as the library's scratchpad is, so that the allocator's figures are the
// whole truth about memory.
#pragma once

#include <array>
#include <dnnl.hpp>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tensor/onednn_scratch.h"
#include "tensor/tensor.h"

namespace tailseg::onednn {

// What a plan was made for: which call, sizes, epilogue. Everything that the library sees besides pointers.
using Key = std::array<int64_t, 16>;

// Runs f and turns the library's exception into an Error that names the call and its shapes.
template <class F>
auto checked(const std::string& what, F&& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    fail("oneDNN, ", what, ": ", error.what(), " (status ", int(error.status), ")");
  }
}

// One argument of a library call: our layout, and the library's where that differs.
struct Operand {
  int argument = 0;  // DNNL_ARG_...
  dnnl::memory::desc ours;
  dnnl::memory::desc library;
  dnnl::reorder conversion;  // empty when the layouts are the same; of the direction that is_result says
  bool is_result = false;
};

struct Plan {
  std::string shapes;  // for messages
  dnnl::primitive primitive;
  std::vector<Operand> operands;
  dnnl::memory::desc scratchpad;
};

// The plans of one context, least recently used out first: with images of many sizes their number would grow without
// end. R50-FPN has about a hundred for an image size, and a few for each number of mask RoIs. A plan is mostly
// generated machine code: 80 KiB and 0.1 ms to make for a product, 330 KiB and 2 ms for a convolution (measured).
class Plans {
 public:
  static constexpr int64_t kCapacity = 512;

  explicit Plans(Context& ctx);
  template <class Make>
  Plan& find(const Key& key, Make&& make) {
    if (Plan* plan = look_up(key)) return *plan;
    return insert(key, make(engine_));
  }
  // Runs the plan: conversions in, the call, conversions out. pointers[i] belongs to plan.operands[i].
  void run(Context& ctx, const Plan& plan, const std::vector<void*>& pointers);
  // The call alone, of a plan without conversions; scratch has plan.scratchpad's size. Several threads may do so at
  // once.
  void execute(const Plan& plan, std::initializer_list<void*> pointers, void* scratch) const;

  Scratch& scratch() { return scratch_; }
  int64_t kept() const { return static_cast<int64_t>(order_.size()); }
  int64_t made() const { return made_; }

 private:
  using Entry = std::pair<Key, Plan>;
  Plan* look_up(const Key& key);
  Plan& insert(const Key& key, Plan plan);

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::list<Entry> order_;  // most recently used first
  std::map<Key, std::list<Entry>::iterator> index_;
  int64_t made_ = 0;
  Scratch scratch_;
};

// The library's word for a tensor's dtype.
dnnl::memory::data_type data_type_of(DType dtype);

// Makes an operand and, where layouts differ, its conversion.
Operand make_operand(const dnnl::engine& engine, int argument, const dnnl::memory::desc& ours,
                     const dnnl::memory::desc& library, bool is_result);

dnnl::primitive_attr make_attributes(bool residual, bool relu);

// The number of threads that the library's loops use while this object lives.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_ = 0;
};

}  // namespace tailseg::onednn
