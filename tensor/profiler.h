// The kernel table: what ran, how often, how long, and what it had to move and compute at the least.
// Also writes the timeline as a Chrome/Perfetto trace. On a GPU times are CUDA events (profiler_cuda.cpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/cost.h"

namespace tailseg {

class Context;

struct KernelRow {
  int64_t calls = 0;
  double seconds = 0;
  Cost cost;
};

class Profiler {
 public:
  virtual ~Profiler() = default;
  Profiler() = default;
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // Called around every launch and library call. begin returns a ticket for end.
  virtual int64_t begin(Context& ctx, const char* name);
  virtual void end(Context& ctx, int64_t ticket, Cost cost);
  // A named span of host code (step, forward/backbone ...) for the trace.
  virtual int64_t begin_span(const std::string& name);
  virtual void end_span(int64_t ticket);

  virtual void collect(Context&) {}  // fetches pending device times
  const std::map<std::string, KernelRow>& rows() const { return rows_; }
  virtual void clear();
  // Writes Chrome trace JSON (open at ui.perfetto.dev). Throws Error when the file cannot be written.
  void write_trace(const std::string& path) const;

 protected:
  struct Event {
    std::string name;
    double begin_us = 0;
    double duration_us = 0;
    Cost cost;
    bool span = false;
  };
  double now_us() const;
  int64_t add_event(const std::string& name, bool span);  // -> its ticket
  Event* event_of(int64_t ticket);                        // null: begun before clear()
  std::map<std::string, KernelRow> rows_;
  std::vector<Event> events_;
  int64_t first_ticket_ = 0;  // of events_[0]; tickets are never used again
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The profiler for ctx's device.
std::unique_ptr<Profiler> make_profiler(Context& ctx);

// Times one launch when somebody is watching, else does nothing.
class KernelScope {
 public:
  KernelScope(Context& ctx, const char* name, Cost cost);
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  Context& ctx_;
  Cost cost_;
  int64_t ticket_ = -1;
};

// Names a stretch of host code: "forward/backbone", "loss", "optimizer".
class SpanScope {
 public:
  SpanScope(Context& ctx, const std::string& name);
  ~SpanScope();
  SpanScope(const SpanScope&) = delete;
  SpanScope& operator=(const SpanScope&) = delete;

 private:
  Context& ctx_;
  int64_t ticket_ = -1;
};

}  // namespace tailseg
