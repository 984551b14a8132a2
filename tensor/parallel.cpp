#include "tensor/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace tailseg {
namespace {

thread_local bool inside_parallel = false;

// Remembers the first exception of any chunk.
class FirstError {
 public:
  template <class F>
  void guard(F&& f) {
    try {
      f();
    } catch (...) {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

void parallel_chunks(int threads, int64_t count, void (*run)(void*, int64_t, int64_t), void* state) {
  if (count <= 0) return;
  const int chunks = static_cast<int>(std::min<int64_t>(threads, count));
  if (chunks <= 1 || inside_parallel) return run(state, 0, count);
  FirstError error;
  auto chunk = [&](int i) {
    inside_parallel = true;
    error.guard([&] { run(state, count * i / chunks, count * (i + 1) / chunks); });
    inside_parallel = false;
  };
#ifdef TAILSEG_OPENMP
  // The same threads that oneDNN's own loops use: a second pool would fight with them for the cores.
#pragma omp parallel for num_threads(chunks) schedule(static, 1)
  for (int i = 0; i < chunks; ++i) chunk(i);
#else
  std::vector<std::jthread> helpers;
  for (int i = 1; i < chunks; ++i) helpers.emplace_back(chunk, i);
  chunk(0);
  helpers.clear();
#endif
  error.rethrow();
}

}  // namespace tailseg
