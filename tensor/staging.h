// Host memory on its way to and from a GPU without making anybody wait. The card copies pinned memory by itself, beside
// the host; an event tells when it has done so. On a CPU context the same code works on plain memory, at once.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

// A block of host memory, pinned when ctx is a GPU's.
class PinnedBuffer {
 public:
  PinnedBuffer(const Context& ctx, size_t bytes);
  ~PinnedBuffer();
  PinnedBuffer(PinnedBuffer&& other) noexcept;
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  bool pinned_ = false;
};

// A point in a context's stream; on the CPU it is always passed.
class StreamEvent {
 public:
  explicit StreamEvent(const Context& ctx);
  ~StreamEvent();
  StreamEvent(StreamEvent&& other) noexcept;
  StreamEvent& operator=(StreamEvent&& other) noexcept;
  void record(const Context& ctx);
  bool done() const;  // never waits
  void wait() const;

 private:
  void* event_ = nullptr;
};

// Copies through pinned blocks that are kept and used again: the source may be reused as soon as copy returns, and
// neither the stream nor the host waits. Past kMostBytes in flight the host waits for the oldest.
class Staging {
 public:
  static constexpr size_t kMostBytes = size_t{256} << 20;

  explicit Staging(Context& ctx) : ctx_(ctx) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  void copy_to_device(void* to, const void* from, size_t bytes);
  size_t pinned_bytes() const { return total_; }

 private:
  struct Slot {
    PinnedBuffer memory;
    StreamEvent passed;
  };
  Slot& free_slot(size_t bytes);

  Context& ctx_;
  std::vector<Slot> slots_;  // oldest use first
  size_t total_ = 0;
};

// A copy of a tensor that is travelling to the host: losses that are looked at some steps later.
class Readback {
 public:
  Readback(Context& ctx, const Tensor& tensor);    // starts the copy; the tensor may be released
  void start(Context& ctx, const Tensor& tensor);  // of another tensor, in the same memory where it is large enough
  bool ready() const { return passed_.done(); }
  template <class T>
  std::vector<T> values() const {  // waits when it is not ready
    TS_CHECK(dtype_of<T>() == dtype_, "read back as ", name_of(dtype_of<T>()), ", the tensor is ", name_of(dtype_));
    passed_.wait();
    const T* begin = static_cast<const T*>(memory_.data());
    return std::vector<T>(begin, begin + elements_);
  }

 private:
  PinnedBuffer memory_;
  StreamEvent passed_;
  DType dtype_ = DType::float32;
  int64_t elements_ = 0;
};

}  // namespace tailseg
