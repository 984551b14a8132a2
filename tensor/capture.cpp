#include "tensor/capture.h"

#include <cstring>

#include "tensor/device_calls.h"
#include "tensor/staging.h"

namespace tailseg {
namespace {

// While one lives, launches go to the capture and memory comes from what captures have for themselves.
class WritingDown {
 public:
  WritingDown(Context& ctx, Capture& capture) : ctx_(ctx) {
    ctx_.allocator()->begin_reserving();
    ctx_.set_capture(&capture);
  }
  ~WritingDown() {
    ctx_.allocator()->end_reserving();
    ctx_.set_capture(nullptr);
  }
  WritingDown(const WritingDown&) = delete;
  WritingDown& operator=(const WritingDown&) = delete;

 private:
  Context& ctx_;
};

}  // namespace

Capture::Capture(Context& ctx) : ctx_(ctx), allocator_(ctx.allocator()) { allocator_->add_reserver(); }

Capture::~Capture() {
  forget();
  allocator_->remove_reserver();
}

void Capture::forget() noexcept {
  if (graph_) {
    device_calls::drain(ctx_.stream());  // the last replay may still read what was kept for it
    device_calls::destroy_graph(graph_);
  }
  graph_ = nullptr;
  recorded_ = false;
  calls_.clear();
  kept_.clear();
  held_.clear();
}

void Capture::record(const std::function<void()>& work) {
  TS_CHECK(!ctx_.capture(), "a capture inside another one");
  TS_CHECK(!ctx_.profiler(), "work is not captured while it is profiled: it would not run");
  forget();
  const bool cuda = ctx_.device().is_cuda();
  const WritingDown writing(ctx_, *this);
  if (cuda) device_calls::begin_capture(ctx_.stream());
  try {
    work();
  } catch (...) {
    if (cuda) device_calls::abandon_capture(ctx_.stream());
    forget();
    throw;
  }
  if (cuda) graph_ = device_calls::end_capture(ctx_.stream());
  recorded_ = true;
}

void Capture::replay() {
  TS_CHECK(recorded_, "replay of a capture that has nothing written down");
  TS_CHECK(!ctx_.capture(), "replay inside a capture");
  if (graph_) return device_calls::launch_graph(graph_, ctx_.stream());
  for (const std::function<void()>& call : calls_) call();
}

void Capture::add(std::function<void()> call) {
  TS_CHECK(!ctx_.device().is_cuda(), "a kernel that runs on the host only cannot be captured on ",
           ctx_.device().name());
  calls_.push_back(std::move(call));
}

void Capture::add_body(BodyCall call, const void* body, size_t bytes, int64_t items) {
  const char* begin = static_cast<const char*>(body);
  add([&ctx = ctx_, call, copy = std::vector<char>(begin, begin + bytes), items] { call(ctx, copy.data(), items); });
}

const void* Capture::keep_bytes(const void* bytes, size_t size) {
  kept_.emplace_back(ctx_, size);
  std::memcpy(kept_.back().data(), bytes, size);
  return kept_.back().data();
}

}  // namespace tailseg
