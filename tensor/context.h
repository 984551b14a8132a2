// What every op needs and receives first: the device, its stream and memory, library handles, and who is watching.
// There is no default context, no default stream and no hidden device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <typeindex>
#include <unordered_map>

#include "tensor/allocator.h"
#include "tensor/device.h"

namespace tailseg {

class Capture;
class Profiler;

// How float32 products are computed on a GPU. The CPU always uses float32.
enum class MathMode : unsigned char { float32, tf32, bfloat16 };

struct ContextOptions {
  int threads = 0;  // CPU threads for kernels; 0: one for each core that the process may use
  MathMode math = MathMode::float32;
  bool fixed_sizes = false;  // on the CPU too; see Context::fixed_sizes
};

class Context {
 public:
  // Throws Error when the device is not there or this build has no back end for it.
  explicit Context(Device device = {}, const ContextOptions& options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Device device() const { return device_; }
  int threads() const { return threads_; }
  MathMode math() const { return math_; }
  void set_math(MathMode math) { math_ = math; }
  // Whether sets whose size is data keep their whole capacity, unused rows included, so that no count is ever read and
  // every step of a shape launches the same (DESIGN 5). Always on a GPU; on the CPU a count costs nothing to read.
  bool fixed_sizes() const { return fixed_sizes_; }
  const std::shared_ptr<Allocator>& allocator() const { return allocator_; }
  void* stream() const { return stream_; }  // cudaStream_t; nullptr on the CPU
  void synchronize();                       // waits for the device; never called inside a training step

  Profiler* profiler() const { return profiler_; }
  void set_profiler(Profiler* profiler) { profiler_ = profiler; }

  Capture* capture() const { return capture_; }  // where launches are written down now (capture.h), or null
  void set_capture(Capture* capture) { capture_ = capture; }

  // One object of type T that lives as long as the context (library handles, plan caches), made on first use.
  template <class T>
  T& state() {
    std::shared_ptr<void>& slot = states_[std::type_index(typeid(T))];
    if (!slot) slot = std::make_shared<T>(*this);
    return *static_cast<T*>(slot.get());
  }

 private:
  Device device_;
  int threads_ = 1;
  MathMode math_;
  bool fixed_sizes_;
  std::shared_ptr<Allocator> allocator_;
  void* stream_ = nullptr;
  Profiler* profiler_ = nullptr;
  Capture* capture_ = nullptr;
  std::unordered_map<std::type_index, std::shared_ptr<void>> states_;
};

int available_cores();       // cores that this process may use
bool cuda_is_built();        // was the CUDA back end compiled in
std::string cuda_problem();  // empty when a usable GPU is present, else why not, in words

}  // namespace tailseg
