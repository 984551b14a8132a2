// The third executor: a group whose lanes are operating-system threads with a barrier. It runs the very body that a
// GPU runs, so a missing sync, a lane that skips a reduction or a write by every lane shows on a machine without a GPU
// (as wrong numbers, a hang caught by the test's time limit, or a report of ThreadSanitizer).
#pragma once

#include <barrier>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/body.h"

namespace tailseg::crew {

constexpr int kMaxLanes = 16;

struct Shared {
  explicit Shared(int lanes) : barrier(lanes), lanes_count(lanes) {}
  std::barrier<> barrier;
  int lanes_count;
  alignas(16) unsigned char slot[kMaxLanes][32];
};

class Crew {
 public:
  static constexpr bool kSolo = false;
  Crew(Shared* shared, int lane) : shared_(shared), lane_(lane) {}

  int64_t rank() const { return lane_; }
  int64_t size() const { return shared_->lanes_count; }
  void sync() const { shared_->barrier.arrive_and_wait(); }
  template <class T>
  T sum(T x) const {
    return reduce(x, [](T a, T b) { return a + b; });
  }
  template <class T>
  T max(T x) const {
    return reduce(x, [](T a, T b) { return larger_of(a, b); });
  }
  template <class T>
  ArgMax<T> argmax(T x, int64_t index) const {
    return reduce(ArgMax<T>{x, index}, [](ArgMax<T> a, ArgMax<T> b) { return better_of(a, b); });
  }
  template <class T>
  T broadcast(T x, int64_t lane) const {
    put(x);
    sync();
    const T out = get<T>(lane);
    sync();
    return out;
  }

 private:
  template <class T>
  void put(const T& x) const {
    static_assert(sizeof(T) <= sizeof(shared_->slot[0]));
    std::memcpy(shared_->slot[lane_], &x, sizeof(T));
  }
  template <class T>
  T get(int64_t lane) const {
    T x;
    std::memcpy(&x, shared_->slot[lane], sizeof(T));
    return x;
  }
  template <class T, class Op>
  T reduce(T x, Op op) const {
    put(x);
    sync();
    T total = get<T>(0);
    for (int64_t lane = 1; lane < size(); ++lane) total = op(total, get<T>(lane));
    sync();
    return total;
  }

  Shared* shared_;
  int lane_;
};

// A body that says Lanes::one owns one thread of a GPU: the launcher gives it a group of one, and so does run.
template <class Body>
constexpr bool wants_one_lane() {
  if constexpr (requires { Body::lanes; }) return Body::lanes == Lanes::one;
  return false;
}

// Runs body(crew, item) for every item in [0, items) with `lanes` threads. A body of one lane an item is run as on a
// GPU too: neighbouring items at the same time, each alone.
template <class Body>
void run(int lanes, int64_t items, const Body& body) {
  Shared shared(lanes);
  std::vector<std::jthread> threads;
  for (int lane = 0; lane < lanes; ++lane) {
    threads.emplace_back([&shared, &body, items, lane] {
      if constexpr (wants_one_lane<Body>()) {
        shared.barrier.arrive_and_wait();  // all begin together
        for (int64_t item = lane; item < items; item += shared.lanes_count) body(Solo{}, item);
      } else {
        const Crew group(&shared, lane);
        for (int64_t item = 0; item < items; ++item) {
          body(group, item);
          group.sync();
        }
      }
    });
  }
}

}  // namespace tailseg::crew
