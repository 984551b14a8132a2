// Spreads a range over the CPU's threads. Fixed split: the same range goes to the same chunk whatever the timing.
#pragma once

#include <cstdint>
#include <type_traits>

namespace tailseg {

// Calls run(state, begin, end) for consecutive chunks that cover [0, count), one chunk for each of at most `threads`
// threads. Runs inline when threads is 1 or when called from inside another parallel range. An exception thrown by a
// chunk is thrown again here.
void parallel_chunks(int threads, int64_t count, void (*run)(void* state, int64_t begin, int64_t end), void* state);

// The same for a callable f(begin, end).
template <class F>
void parallel_ranges(int threads, int64_t count, F&& f) {
  using Callable = std::remove_reference_t<F>;
  parallel_chunks(
      threads, count, [](void* state, int64_t begin, int64_t end) { (*static_cast<Callable*>(state))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace tailseg
