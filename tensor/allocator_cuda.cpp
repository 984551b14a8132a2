// The cache's system calls on a GPU. cudaMalloc and cudaFree wait for the whole device, so they happen only on a miss:
// after the first step of a shape there are none.
#include "tensor/allocator.h"
#include "tensor/cuda_check.h"
#include "tensor/device_calls.h"

namespace tailseg {
namespace {

class CudaAllocator final : public Allocator {
 public:
  CudaAllocator(int index, void* stream) : index_(index), stream_(stream) {
    cudaDeviceProp card{};
    TS_CUDA_CHECK(cudaGetDeviceProperties(&card, index));
    name_ = text("cuda:", index, " (", card.name, ", ", card.totalGlobalMem >> 20, " MiB)");
  }
  ~CudaAllocator() override { drop_cache(); }

 protected:
  void* system_allocate(size_t bytes) override {
    int current = 0;
    TS_CUDA_CHECK(cudaGetDevice(&current));
    if (current != index_) TS_CUDA_CHECK(cudaSetDevice(index_));
    void* block = nullptr;
    const AllowAllocation during_capture;
    const cudaError_t status = cudaMalloc(&block, bytes);
    if (current != index_) TS_CUDA_CHECK(cudaSetDevice(current));
    if (status == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return nullptr;
    }
    if (status != cudaSuccess) throw_cuda_error(status, "cudaMalloc");
    return block;
  }
  void system_release(void* block) noexcept override {
    device_calls::count_wait();
    const AllowAllocation during_capture;
    cudaFree(block);  // its only failures here are a lost device and a process that is ending
  }
  const char* device_name() const override { return name_.c_str(); }
  void set_bytes(void* to, int value, size_t bytes) override { device_calls::fill_bytes(to, value, bytes, stream_); }
  void read_bytes(void* to, const void* from, size_t bytes) noexcept override {
    cudaDeviceSynchronize();  // the block may outlive its context, and with it the stream
    cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost);
  }

 private:
  int index_;
  void* stream_;
  std::string name_;
};

}  // namespace

std::shared_ptr<Allocator> make_cuda_allocator(int index, void* stream) {
  return std::make_shared<CudaAllocator>(index, stream);
}

}  // namespace tailseg
