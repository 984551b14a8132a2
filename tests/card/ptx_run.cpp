// Runs a grid: blocks one after another in the order of their numbers, in each the warps in turns from barrier to
// barrier.
#include <algorithm>
#include <cfenv>
#include <map>
#include <numeric>

#include "tests/card/ptx_warp.h"

namespace tailseg::card {
namespace {

// Turns of all warps in which nothing was written and nobody came further: then they wait for ever.
constexpr int kIdleRounds = 1000;

// The storage of launches, kept from one to the next: registers of large kernels are megabytes.
struct Storage {
  LaunchState launch;
  std::vector<WarpState> warps;
};

class Launch {
 public:
  Launch(Storage& storage, const Kernel& kernel, const LaunchShape& shape, Memory& memory, const RunOptions& options)
      : state_(storage.launch), warps_(storage.warps), random_(options.seed), options_(options) {
    state_.kernel = &kernel;
    state_.shape = shape;
    state_.counts = {};
    state_.counts_sectors = options.counts_sectors;
    threads_ = shape.block.x * shape.block.y * shape.block.z;
    count_ = (threads_ + kLanes - 1) / kLanes;
    state_.global.begin(memory, kernel.sites);
    state_.shared.begin_launch(kernel.facts.static_shared + shape.dynamic_shared, kernel.shared_grain, count_);
    if (warps_.size() < count_) warps_.resize(count_);
    order_.resize(count_);
    std::iota(order_.begin(), order_.end(), 0u);
    for (uint32_t w = 0; w < count_; ++w) prepare(warps_[w], w);
  }

  void pass_arguments(const void* const* arguments) {
    const Kernel& kernel = *state_.kernel;
    state_.parameters.assign(kernel.parameter_bytes, 0xff);
    for (size_t i = 0; i < kernel.parameters.size(); ++i) {
      std::memcpy(state_.parameters.data() + kernel.parameters[i].offset, arguments[i], kernel.parameters[i].bytes);
    }
  }

  void run() {
    const Dim3& grid = state_.shape.grid;
    for (uint32_t z = 0; z < grid.z; ++z) {
      for (uint32_t y = 0; y < grid.y; ++y) {
        for (uint32_t x = 0; x < grid.x; ++x) run_block({x, y, z});
      }
    }
  }

 private:
  void prepare(WarpState& warp, uint32_t number) {
    constexpr size_t kLine = 64;
    const Kernel& kernel = *state_.kernel;
    if (warp.file.size() < kernel.register_bytes + kLine) warp.file.resize(kernel.register_bytes + kLine);
    const auto begin = reinterpret_cast<uintptr_t>(warp.file.data());
    warp.registers = warp.file.data() + (kLine - begin % kLine) % kLine;
    warp.launch = &state_;
    warp.number = number;
    warp.local.begin(kernel.facts.local);
    for (const Constant& c : kernel.constants) {
      uint8_t* to = warp.registers + c.at;
      for (int i = 0; i < kLanes; ++i) std::memcpy(to + static_cast<size_t>(i) * c.bytes, &c.value, c.bytes);
    }
    for (const SpecialUse& use : kernel.specials) {
      for (int i = 0; i < kLanes; ++i) warp.reg<uint32_t>(use.at)[i] = special_value(use.what, warp.thread_of(i));
    }
  }

  uint32_t special_value(Special what, uint32_t thread) const {
    const LaunchShape& shape = state_.shape;
    const uint32_t lane = thread % kLanes;
    switch (what) {
      case Special::tid_x:
        return thread % shape.block.x;
      case Special::tid_y:
        return thread / shape.block.x % shape.block.y;
      case Special::tid_z:
        return thread / shape.block.x / shape.block.y;
      case Special::ntid_x:
        return shape.block.x;
      case Special::ntid_y:
        return shape.block.y;
      case Special::ntid_z:
        return shape.block.z;
      case Special::ctaid_x:
        return state_.block.x;
      case Special::ctaid_y:
        return state_.block.y;
      case Special::ctaid_z:
        return state_.block.z;
      case Special::nctaid_x:
        return shape.grid.x;
      case Special::nctaid_y:
        return shape.grid.y;
      case Special::nctaid_z:
        return shape.grid.z;
      case Special::laneid:
        return lane;
      case Special::warpid:
        return thread / kLanes;
      case Special::nwarpid:
        return count_;
      case Special::lanemask_eq:
        return 1u << lane;
      case Special::lanemask_lt:
        return (1u << lane) - 1;
      case Special::lanemask_le:
        return (2u << lane) - 1;
      case Special::lanemask_gt:
        return ~((2u << lane) - 1);
      case Special::lanemask_ge:
        return ~((1u << lane) - 1);
      case Special::dynamic_smem_size:
        return static_cast<uint32_t>(shape.dynamic_shared);
      case Special::smid:
        return 0;
      case Special::nsmid:
        return 1;
      case Special::gridid:
        return 0;
    }
    return 0;
  }

  void begin_block(Dim3 block) {
    state_.block = block;
    state_.shared.begin_block();
    for (uint32_t w = 0; w < count_; ++w) {
      const uint32_t lanes = std::min<uint32_t>(threads_ - w * kLanes, kLanes);
      warps_[w].begin_block(lanes == kLanes ? kAllLanes : (1u << lanes) - 1);
      for (const SpecialUse& use : state_.kernel->specials) {
        if (use.what < Special::ctaid_x || use.what > Special::ctaid_z) continue;
        std::fill_n(warps_[w].reg<uint32_t>(use.at), kLanes, special_value(use.what, 0));
      }
    }
  }

  void run_block(Dim3 block) {
    begin_block(block);
    int idle = 0;
    while (living() != 0) {
      const uint64_t writes = state_.writes;
      const uint32_t before = living();
      bool ran = false;
      if (options_.seed != 0) shuffle();
      for (const uint32_t w : order_) {
        if (warps_[w].runnable() == 0) continue;
        ++state_.clock;
        warps_[w].run();
        ran = true;
      }
      const bool passed = pass_barriers();
      if (!ran && !passed && living() != 0) stuck("deadlock: no thread can go on");
      idle = passed || writes != state_.writes || before != living() ? 0 : idle + 1;
      if (idle > kIdleRounds) stuck("the threads wait in a loop for what never comes");
    }
    for (uint32_t w = 0; w < count_; ++w) {
      state_.counts.longest = std::max(state_.counts.longest, warps_[w].instructions);
    }
    state_.counts.warps += count_;
  }

  uint32_t living() const {
    uint32_t count = 0;
    for (uint32_t w = 0; w < count_; ++w) count += static_cast<uint32_t>(__builtin_popcount(warps_[w].alive));
    return count;
  }

  void shuffle() {
    for (size_t i = order_.size(); i > 1; --i) {
      random_ += 0x9e3779b97f4a7c15u;  // splitmix64
      uint64_t bits = (random_ ^ (random_ >> 30)) * 0xbf58476d1ce4e5b9u;
      bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
      std::swap(order_[i - 1], order_[(bits ^ (bits >> 31)) % i]);
    }
  }

  struct Waiting {
    uint32_t threads = 0, wanted = 0;  // wanted: 0 is every living thread
    uint32_t yes = 0;                  // threads whose predicate holds
  };

  template <class F>
  void for_waiting(F f) {
    for (uint32_t w = 0; w < count_; ++w) {
      for_lanes(warps_[w].at_barrier, [&](int i) {
        const Instruction& in = warps_[w].stands_at(i);
        f(warps_[w], i, in, warps_[w].reg<uint32_t>(in.at[2])[i]);
      });
    }
  }

  // Lets the threads of every barrier go that has all it waits for.
  bool pass_barriers() {
    std::map<uint32_t, Waiting> barriers;
    for_waiting([&](WarpState& warp, int lane, const Instruction& in, uint32_t id) {
      Waiting& waiting = barriers[id];
      ++waiting.threads;
      if (in.at[3] != kNoRegister) waiting.wanted = warp.reg<uint32_t>(in.at[3])[lane];
      if (in.combine != Combine::nothing) waiting.yes += warp.reg<uint8_t>(in.at[1])[lane];
    });
    const uint32_t all = barriers.empty() ? 0 : living();
    bool any = false;
    for (const auto& [id, waiting] : barriers) {
      if (waiting.threads != (waiting.wanted == 0 ? all : waiting.wanted)) continue;
      pass(id, waiting);
      any = true;
    }
    if (any) state_.shared.pass_barrier();
    return any;
  }

  void pass(uint32_t barrier, const Waiting& waiting) {
    std::vector<uint32_t> leaving(count_, 0);
    for_waiting([&](WarpState& warp, int lane, const Instruction& in, uint32_t id) {
      if (id != barrier) return;
      uint32_t& lanes = leaving[warp.number];
      if (lanes != 0 && in.is_aligned && warp.pcs[lane] != warp.pcs[__builtin_ctz(lanes)]) {
        warp.fault(in, lane, "threads of one warp stand at different barriers:" + warp.standing() + "\n");
      }
      lanes |= 1u << lane;
      if (in.combine == Combine::count) warp.reg<uint32_t>(in.at[0])[lane] = waiting.yes;
      if (in.combine == Combine::any) warp.reg<uint8_t>(in.at[0])[lane] = waiting.yes != 0;
      if (in.combine == Combine::all) warp.reg<uint8_t>(in.at[0])[lane] = waiting.yes == waiting.threads;
    });
    for (uint32_t w = 0; w < count_; ++w) warps_[w].pass_barrier(leaving[w]);
  }

  [[noreturn]] void stuck(const std::string& why) {
    std::string all;
    const WarpState* first = nullptr;
    for (uint32_t w = 0; w < count_; ++w) {
      if (warps_[w].alive == 0) continue;
      if (first == nullptr) first = &warps_[w];
      all += warps_[w].standing();
    }
    const int lane = __builtin_ctz(first->alive);
    first->fault(first->stands_at(lane), lane, why + ":" + all + "\n");
  }

  LaunchState& state_;
  std::vector<WarpState>& warps_;
  std::vector<uint32_t> order_;
  uint64_t random_;
  RunOptions options_;
  uint32_t threads_ = 0, count_ = 0;
};

// Rounding to nearest and subnormals, whatever the caller's state was.
struct PlainFloats {
  PlainFloats() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~PlainFloats() { std::fesetenv(&before_); }
  PlainFloats(const PlainFloats&) = delete;
  PlainFloats& operator=(const PlainFloats&) = delete;

 private:
  std::fenv_t before_;
};

}  // namespace

void LaunchCounts::add(const LaunchCounts& other) {
  warps += other.warps;
  instructions += other.instructions;
  lanes += other.lanes;
  longest = std::max(longest, other.longest);
  requests += other.requests;
  sectors += other.sectors;
  bytes += other.bytes;
}

LaunchCounts run(const Kernel& kernel, const LaunchShape& shape, const void* const* arguments, Memory& memory,
                 const RunOptions& options) {
  const uint64_t threads = uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  if (threads == 0 || threads > static_cast<uint64_t>(kernel.facts.max_threads)) {
    throw Fault("kernel " + kernel.facts.name + " was launched with " + std::to_string(threads) +
                " threads a block; 1 to " + std::to_string(kernel.facts.max_threads) + " are possible");
  }
  static thread_local Storage storage;
  const PlainFloats floats;
  Launch launch(storage, kernel, shape, memory, options);
  launch.pass_arguments(arguments);
  launch.run();
  return storage.launch.counts;
}

}  // namespace tailseg::card
