// Kernel times on a GPU: a CUDA event before and after every launch, read when collect() is called, so that watching
// does not make the host wait. Spans and kernels are also NVTX ranges of the domain "tailseg" for users of Nsight.
// While a stream is being captured into a CUDA graph nothing is timed. Without NVTX's headers, which some packages of
// the toolkit leave out, there are no ranges.
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define TAILSEG_NVTX
#endif

#include "tensor/context.h"
#include "tensor/cuda_check.h"
#include "tensor/device_calls.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

#ifdef TAILSEG_NVTX
class NvtxDomain {
 public:
  void push(const char* name) const {
    nvtxEventAttributes_t attributes{};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
    attributes.message.ascii = name;
    nvtxDomainRangePushEx(domain_, &attributes);
  }
  void pop() const { nvtxDomainRangePop(domain_); }

 private:
  nvtxDomainHandle_t domain_ = nvtxDomainCreateA("tailseg");
};
#else
struct NvtxDomain {
  void push(const char*) const {}
  void pop() const {}
};
#endif

const NvtxDomain& nvtx() {
  static const NvtxDomain domain;
  return domain;
}

class CudaProfiler final : public Profiler {
 public:
  explicit CudaProfiler(Context& ctx) : base_(new_event()) { set_base(ctx); }
  ~CudaProfiler() override {
    for (const Pending& pending : pending_) free_events_.insert(free_events_.end(), {pending.begin, pending.end});
    for (cudaEvent_t event : free_events_) cudaEventDestroy(event);
    cudaEventDestroy(base_);
  }

  int64_t begin(Context& ctx, const char* name) override {
    nvtx().push(name);
    const int64_t ticket = Profiler::begin(ctx, name);
    Pending pending;
    if (!capturing(ctx)) {
      pending.begin = take_event();
      pending.end = take_event();
      TS_CUDA_CHECK(cudaEventRecord(pending.begin, stream_of(ctx)));
    }
    open_.emplace(ticket, pending);
    return ticket;
  }

  void end(Context& ctx, int64_t ticket, Cost cost) override {
    nvtx().pop();
    const auto found = open_.find(ticket);
    if (found == open_.end()) return;  // begun before clear()
    Pending pending = found->second;
    open_.erase(found);
    pending.ticket = ticket;
    event_of(ticket)->cost = cost;  // clear() empties open_ too
    if (!pending.begin) return;
    TS_CUDA_CHECK(cudaEventRecord(pending.end, stream_of(ctx)));
    pending_.push_back(pending);
  }

  int64_t begin_span(const std::string& name) override {
    nvtx().push(name.c_str());
    return Profiler::begin_span(name);
  }
  void end_span(int64_t ticket) override {
    nvtx().pop();
    Profiler::end_span(ticket);
  }

  void collect(Context& ctx) override {
    ctx.synchronize();
    for (const Pending& pending : pending_) {
      float since_base = 0, lasted = 0;  // milliseconds
      TS_CUDA_CHECK(cudaEventElapsedTime(&since_base, base_, pending.begin));
      TS_CUDA_CHECK(cudaEventElapsedTime(&lasted, pending.begin, pending.end));
      Event& event = *event_of(pending.ticket);
      event.begin_us = base_us_ + 1e3 * static_cast<double>(since_base);
      event.duration_us = 1e3 * static_cast<double>(lasted);
      KernelRow& row = rows_[event.name];
      ++row.calls;
      row.seconds += event.duration_us * 1e-6;
      row.cost.bytes += event.cost.bytes;
      row.cost.operations += event.cost.operations;
      free_events_.insert(free_events_.end(), {pending.begin, pending.end});
    }
    pending_.clear();
  }

  void clear() override {
    for (const Pending& pending : pending_) free_events_.insert(free_events_.end(), {pending.begin, pending.end});
    pending_.clear();
    open_.clear();
    base_us_ -= now_us();  // the host clock starts anew, the base event stays where it was
    Profiler::clear();
  }

 private:
  struct Pending {
    int64_t ticket = -1;
    cudaEvent_t begin = nullptr, end = nullptr;
  };

  static cudaStream_t stream_of(const Context& ctx) { return static_cast<cudaStream_t>(ctx.stream()); }
  static bool capturing(const Context& ctx) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    TS_CUDA_CHECK(cudaStreamIsCapturing(stream_of(ctx), &status));
    return status != cudaStreamCaptureStatusNone;
  }
  static cudaEvent_t new_event() {
    cudaEvent_t event = nullptr;
    TS_CUDA_CHECK(cudaEventCreate(&event));
    return event;
  }
  cudaEvent_t take_event() {
    if (free_events_.empty()) return new_event();
    const cudaEvent_t event = free_events_.back();
    free_events_.pop_back();
    return event;
  }
  void set_base(Context& ctx) {  // the moment at which the host's and the device's clocks are laid side by side
    ctx.synchronize();
    TS_CUDA_CHECK(cudaEventRecord(base_, stream_of(ctx)));
    base_us_ = now_us();
    ctx.synchronize();
  }

  cudaEvent_t base_;
  double base_us_ = 0;
  std::map<int64_t, Pending> open_;
  std::vector<Pending> pending_;
  std::vector<cudaEvent_t> free_events_;
};

}  // namespace

std::unique_ptr<Profiler> make_profiler(Context& ctx) {
  if (ctx.device().is_cuda()) return std::make_unique<CudaProfiler>(ctx);
  return std::make_unique<Profiler>();
}

}  // namespace tailseg
