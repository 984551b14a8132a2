#include "tensor/staging.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tensor/capture.h"
#include "tensor/device_calls.h"

namespace tailseg {

PinnedBuffer::PinnedBuffer(const Context& ctx, size_t bytes) : bytes_(bytes), pinned_(ctx.device().is_cuda()) {
  data_ = pinned_ ? device_calls::allocate_pinned(bytes) : std::malloc(bytes ? bytes : 1);
  TS_CHECK(data_, "out of host memory: ", bytes, " bytes asked for");
}

PinnedBuffer::~PinnedBuffer() {
  if (pinned_)
    device_calls::free_pinned(data_);
  else
    std::free(data_);
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), pinned_(std::exchange(other.pinned_, false)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(pinned_, other.pinned_);
  return *this;
}

StreamEvent::StreamEvent(const Context& ctx) {
  if (ctx.device().is_cuda()) event_ = device_calls::create_event();
}

StreamEvent::~StreamEvent() {
  if (event_) device_calls::destroy_event(event_);
}

StreamEvent::StreamEvent(StreamEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

StreamEvent& StreamEvent::operator=(StreamEvent&& other) noexcept {
  std::swap(event_, other.event_);
  return *this;
}

void StreamEvent::record(const Context& ctx) {
  if (event_) device_calls::record_event(event_, ctx.stream());
}

bool StreamEvent::done() const { return !event_ || device_calls::event_done(event_); }

void StreamEvent::wait() const {
  if (!done()) device_calls::wait_for_event(event_);
}

Staging::~Staging() {
  try {
    for (const Slot& slot : slots_) slot.passed.wait();
  } catch (const Error&) {  // the card is lost: nothing reads the memory any more
  }
}

Staging::Slot& Staging::free_slot(size_t bytes) {
  const auto fits = [bytes](const Slot& slot) { return slot.memory.bytes() >= bytes; };
  auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return fits(s) && s.passed.done(); });
  if (slot == slots_.end() && total_ + bytes > kMostBytes) {
    slot = std::find_if(slots_.begin(), slots_.end(), fits);
    if (slot != slots_.end()) slot->passed.wait();
  }
  if (slot == slots_.end()) {
    const size_t size = std::bit_ceil(bytes);  // few sizes, so that slots are found again
    slots_.push_back({PinnedBuffer(ctx_, size), StreamEvent(ctx_)});
    total_ += size;
  } else {
    std::rotate(slot, slot + 1, slots_.end());
  }
  return slots_.back();
}

void Staging::copy_to_device(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  if (Capture* capture = ctx_.capture()) from = capture->keep_bytes(from, bytes);
  if (!ctx_.device().is_cuda()) return run_or_capture(ctx_, [=] { std::memcpy(to, from, bytes); });
  if (ctx_.capture()) return device_calls::copy_to_device(to, from, bytes, ctx_.stream());
  Slot& slot = free_slot(bytes);
  std::memcpy(slot.memory.data(), from, bytes);
  device_calls::copy_to_device(to, slot.memory.data(), bytes, ctx_.stream());
  slot.passed.record(ctx_);
}

Readback::Readback(Context& ctx, const Tensor& tensor) : memory_(ctx, tensor.bytes()), passed_(ctx) {
  start(ctx, tensor);
}

void Readback::start(Context& ctx, const Tensor& tensor) {
  TS_CHECK(!ctx.capture(), "a tensor is read back inside work that is captured");
  passed_.wait();
  if (tensor.bytes() > memory_.bytes()) memory_ = PinnedBuffer(ctx, tensor.bytes());
  dtype_ = tensor.dtype();
  elements_ = tensor.elements();
  if (tensor.bytes() == 0) return;
  if (ctx.device().is_cuda())
    device_calls::copy_to_host_async(memory_.data(), tensor.raw(), tensor.bytes(), ctx.stream());
  else
    std::memcpy(memory_.data(), tensor.raw(), tensor.bytes());
  passed_.record(ctx);
}

}  // namespace tailseg
