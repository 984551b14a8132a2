#include "tensor/profiler.h"

#include <fstream>

#include "tensor/context.h"
#include "tensor/error.h"

namespace tailseg {

double Profiler::now_us() const {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
}

int64_t Profiler::add_event(const std::string& name, bool span) {
  events_.push_back({name, now_us(), 0, {}, span});
  return first_ticket_ + static_cast<int64_t>(events_.size()) - 1;
}

Profiler::Event* Profiler::event_of(int64_t ticket) {
  return ticket < first_ticket_ ? nullptr : &events_[static_cast<size_t>(ticket - first_ticket_)];
}

int64_t Profiler::begin(Context&, const char* name) { return add_event(name, false); }

void Profiler::end(Context&, int64_t ticket, Cost cost) {
  Event* known = event_of(ticket);
  if (!known) return;
  Event& event = *known;
  event.duration_us = now_us() - event.begin_us;
  event.cost = cost;
  KernelRow& row = rows_[event.name];
  ++row.calls;
  row.seconds += event.duration_us * 1e-6;
  row.cost.bytes += cost.bytes;
  row.cost.operations += cost.operations;
}

int64_t Profiler::begin_span(const std::string& name) { return add_event(name, true); }

void Profiler::end_span(int64_t ticket) {
  if (Event* event = event_of(ticket)) event->duration_us = now_us() - event->begin_us;
}

void Profiler::clear() {
  rows_.clear();
  first_ticket_ += static_cast<int64_t>(events_.size());
  events_.clear();
  start_ = std::chrono::steady_clock::now();
}

void Profiler::write_trace(const std::string& path) const {
  std::ofstream out(path);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
         "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"phases\"}},\n"
         "{\"ph\":\"M\",\"pid\":1,\"tid\":2,\"name\":\"thread_name\",\"args\":{\"name\":\"kernels\"}}";
  out.precision(12);
  for (const Event& event : events_) {
    out << ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":" << (event.span ? 1 : 2) << ",\"name\":\"" << event.name
        << "\",\"cat\":\"" << (event.span ? "phase" : "kernel") << "\",\"ts\":" << event.begin_us
        << ",\"dur\":" << event.duration_us << ",\"args\":{\"bytes\":" << event.cost.bytes
        << ",\"operations\":" << event.cost.operations << "}}";
  }
  out << "\n]}\n";
  out.close();
  TS_CHECK(out, "cannot write the trace to ", path);
}

KernelScope::KernelScope(Context& ctx, const char* name, Cost cost) : ctx_(ctx), cost_(cost) {
  if (Profiler* profiler = ctx.profiler()) ticket_ = profiler->begin(ctx, name);
}

KernelScope::~KernelScope() {
  if (ticket_ >= 0 && ctx_.profiler()) ctx_.profiler()->end(ctx_, ticket_, cost_);
}

SpanScope::SpanScope(Context& ctx, const std::string& name) : ctx_(ctx) {
  if (Profiler* profiler = ctx.profiler()) ticket_ = profiler->begin_span(name);
}

SpanScope::~SpanScope() {
  if (ticket_ >= 0 && ctx_.profiler()) ctx_.profiler()->end_span(ticket_);
}

#ifndef TAILSEG_CUDA
std::unique_ptr<Profiler> make_profiler(Context&) { return std::make_unique<Profiler>(); }
#endif

}  // namespace tailseg
