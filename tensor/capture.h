// A stretch of work that is written down once and run again with one call: on a GPU a CUDA graph, on the CPU a list of
// the same calls. What is written down are launches with their addresses and numbers, so the work must depend on
// nothing else that changes: inputs stay in place and are overwritten, counters are read from device memory, sets keep
// their capacity (Context::fixed_sizes), nothing is read back. The CPU's list makes that visible without a card: a step
// that breaks one of these rules gives other bits when it is replayed.
//
//   Capture step(ctx);
//   step.record([&] { y.copy_from(ctx, matmul(ctx, x, w)); });   // nothing runs
//   x.copy_from(ctx, other);
//   step.replay();
//
// Memory that is asked for while work is written down belongs to the captures of this context from then on
// (Allocator::begin_reserving): a replay writes to it again, and so may the replay of another capture. So a result is
// read before another capture is replayed, and what the work keeps beyond its end (caches, library plans) is not made
// while it is written down but before, by running the work once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/context.h"

namespace tailseg {

class PinnedBuffer;

class Capture {
 public:
  explicit Capture(Context& ctx);  // ctx must outlive it
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Writes down what `work` launches on ctx, in place of what was written down before. What work throws is passed on,
  // and nothing is written down; so is an Error when work waits for the device.
  void record(const std::function<void()>& work);
  bool recorded() const { return recorded_; }
  void replay();

  // For those who launch, while ctx.capture() is this one. On the CPU: a call, which owns what it needs beyond memory
  // of the device.
  void add(std::function<void()> call);
  using BodyCall = void (*)(Context& ctx, const void* body, int64_t items);
  void add_body(BodyCall call, const void* body, size_t bytes, int64_t items);
  // A copy of host bytes that every replay reads.
  const void* keep_bytes(const void* bytes, size_t size);
  // Whoever hands out device memory from a cache that may forget it lets the capture hold it.
  void hold(std::shared_ptr<const void> object) { held_.push_back(std::move(object)); }

 private:
  void forget() noexcept;

  Context& ctx_;
  std::shared_ptr<Allocator> allocator_;
  bool recorded_ = false;
  void* graph_ = nullptr;  // cudaGraphExec_t
  std::vector<std::function<void()>> calls_;
  std::vector<PinnedBuffer> kept_;
  std::vector<std::shared_ptr<const void>> held_;
};

// On a CPU context: runs `call` now, or in every replay of what is being written down. Tensors that it has copies of
// stay alive with the capture, which on a GPU they do not.
template <class Call>
void run_or_capture(Context& ctx, Call call) {
  if (Capture* capture = ctx.capture()) return capture->add(std::move(call));
  call();
}

}  // namespace tailseg
