// Kernels: the PTX that nvcc put into the program, found when the program registers it, parsed when one of its kernels
// is first launched; and launches, checked as the driver checks them.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/card/runtime_card.h"
#include "tests/card/runtime_report.h"

using namespace tailseg::card;

namespace {

struct FatHeader {
  uint32_t magic;
  uint16_t version, header_bytes;
  uint64_t bytes;
};
struct FatEntry {
  uint16_t kind, unknown;
  uint32_t header_bytes;
  uint64_t bytes;
};
struct FatWrapper {
  uint32_t magic, version;
  const char* binary;
  void* unused;
};
constexpr uint32_t kWrapperMagic = 0x466243b1, kBinaryMagic = 0xba55ed50;
constexpr uint16_t kPtx = 1;
constexpr size_t kSharedBytes = 48 << 10;

struct Binary {
  const char* image = nullptr;
  std::unique_ptr<Module> module;
  std::string problem;  // why there is no module
};

struct Function {
  Binary* binary;
  std::string name;
  const Kernel* kernel = nullptr;
};

// Everything that is registered lives as long as the process does.
struct Registry {
  std::map<const void*, Function> functions;  // by the address of the host's stub
};

Registry& registry() {
  static Registry& only = *new Registry;
  return only;
}

struct Configuration {
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
};

// What <<< >>> said, until the stub takes it; more than one where a kernel's arguments launch kernels themselves.
struct Configurations {
  Configuration pushed[8];
  int count;
};
Configurations& configurations() {
  thread_local Configurations mine{};
  return mine;
}

// The first PTX of a fat binary; empty when there is none, or only compressed.
std::string ptx_of(const char* image) {
  FatHeader header;
  std::memcpy(&header, image, sizeof(header));
  if (header.magic != kBinaryMagic) return {};
  const char* at = image + header.header_bytes;
  const char* end = at + header.bytes;
  while (at < end) {
    FatEntry entry;
    std::memcpy(&entry, at, sizeof(entry));
    const char* body = at + entry.header_bytes;
    if (entry.kind == kPtx) {
      std::string text(body, strnlen(body, entry.bytes));
      if (text.find(".version") != std::string::npos) return text;
    }
    at = body + entry.bytes;
  }
  return {};
}

void parse(Binary& binary) {
  if (binary.module || !binary.problem.empty()) return;
  std::string text = ptx_of(binary.image);
  if (text.empty()) {
    binary.problem = "this program holds no plain PTX: build it for 90-virtual with -Xfatbin=-compress=false";
    return;
  }
  try {
    binary.module = Module::parse(std::move(text), card().memory);
  } catch (const std::exception& error) {
    binary.problem = error.what();
  }
}

// The kernel of a function, parsed now if it has not been; null and the error when there is none.
const Kernel* kernel_of(Function& function, cudaError_t& status) {
  status = cudaSuccess;
  if (function.kernel) return function.kernel;
  parse(*function.binary);
  if (!function.binary->module) {
    const bool absent = function.binary->problem.find("no plain PTX") != std::string::npos;
    status = wrong(absent ? cudaErrorNoKernelImageForDevice : cudaErrorInvalidPtx,
                   function.name + ": " + function.binary->problem);
    return nullptr;
  }
  function.kernel = function.binary->module->find_kernel(function.name);
  if (!function.kernel) status = wrong(cudaErrorInvalidDeviceFunction, function.name + " is not in its PTX");
  return function.kernel;
}

Function* function_of(const void* stub) {
  const auto found = registry().functions.find(stub);
  return found == registry().functions.end() ? nullptr : &found->second;
}

cudaError_t check_shape(const Configuration& c, const KernelFacts& facts) {
  const auto refuse = [&](cudaError_t status, const char* why) { return wrong(status, facts.name + ": " + why); };
  const uint64_t threads = uint64_t{c.block.x} * c.block.y * c.block.z;
  if (uint64_t{c.grid.x} * c.grid.y * c.grid.z == 0) return refuse(cudaErrorInvalidConfiguration, "an empty grid");
  if (threads == 0) return refuse(cudaErrorInvalidConfiguration, "an empty block");
  if (c.grid.x > 2147483647u || c.grid.y > 65535 || c.grid.z > 65535) {
    return refuse(cudaErrorInvalidConfiguration, "the grid is too large");
  }
  if (threads > 1024 || c.block.x > 1024 || c.block.y > 1024 || c.block.z > 64) {
    return refuse(cudaErrorInvalidConfiguration, "the block is too large");
  }
  if (threads > static_cast<uint64_t>(facts.max_threads)) {
    return refuse(cudaErrorInvalidValue, "more threads than its launch bounds");
  }
  if (facts.static_shared + c.shared > kSharedBytes) return refuse(cudaErrorInvalidValue, "too much shared memory");
  return cudaSuccess;
}

uint64_t next_seed() {
  static const char* const setting = std::getenv("TAILSEG_CARD_SEED");
  static uint64_t launches = 0;
  const uint64_t seed = setting ? std::strtoull(setting, nullptr, 10) : 0;
  return seed == 0 ? 0 : seed + ++launches * 0x9e3779b97f4a7c15u;
}

Dim3 dimensions(const dim3& size) { return {size.x, size.y, size.z}; }

cudaError_t launch(Function& function, const Configuration& c, void** arguments) {
  Stream* stream = stream_of(c.stream, function.name.c_str());
  if (!stream) return cudaErrorInvalidResourceHandle;
  cudaError_t status = cudaSuccess;
  const Kernel* kernel = kernel_of(function, status);
  if (!kernel) return status;
  const KernelFacts& facts = facts_of(*kernel);
  if (status = check_shape(c, facts); status != cudaSuccess) return status;
  std::vector<std::vector<char>> kept;
  for (size_t i = 0; i < facts.parameter_sizes.size(); ++i) {
    const auto* begin = static_cast<const char*>(arguments[i]);
    kept.emplace_back(begin, begin + facts.parameter_sizes[i]);
  }
  const LaunchShape shape{dimensions(c.grid), dimensions(c.block), c.shared};
  return enqueue(*stream, {"kernel " + facts.name, [kernel, shape, kept = std::move(kept)] {
                             std::vector<const void*> pointers;
                             for (const std::vector<char>& argument : kept) pointers.push_back(argument.data());
                             const RunOptions options{next_seed(), is_reported()};
                             const LaunchCounts counts = run(*kernel, shape, pointers.data(), card().memory, options);
                             if (options.counts_sectors) report_launch(facts_of(*kernel).name, counts);
                           }});
}

}  // namespace

extern "C" {

void** __cudaRegisterFatBinary(void* wrapped) {
  FatWrapper wrapper;
  std::memcpy(&wrapper, wrapped, sizeof(wrapper));
  auto* binary = new Binary;
  if (wrapper.magic == kWrapperMagic)
    binary->image = wrapper.binary;
  else
    binary->problem = "not a fat binary that this card knows, so no plain PTX";
  return reinterpret_cast<void**>(binary);
}

void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}

// The same template may come from several files; all are alike.
void __cudaRegisterFunction(void** binary, const char* stub, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  const std::lock_guard lock(card().mutex);
  registry().functions.emplace(stub, Function{reinterpret_cast<Binary*>(binary), name});
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* stub) {
  return guarded([&] {
    *kernel = reinterpret_cast<cudaKernel_t>(function_of(stub));
    return *kernel ? cudaSuccess : cudaErrorInvalidDeviceFunction;
  });
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st* stream) {
  Configurations& mine = configurations();
  if (mine.count == 8) return 1;
  mine.pushed[mine.count++] = {grid, block, shared, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  Configurations& mine = configurations();
  if (mine.count == 0) return cudaErrorMissingConfiguration;
  const Configuration& last = mine.pushed[--mine.count];
  *grid = last.grid;
  *block = last.block;
  *shared = last.shared;
  *static_cast<cudaStream_t*>(stream) = last.stream;
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream) {
  return guarded([&] {
    auto* function = reinterpret_cast<Function*>(kernel);
    return function ? launch(*function, {grid, block, shared, stream}, arguments) : cudaErrorInvalidDeviceFunction;
  });
}

cudaError_t cudaLaunchKernel(const void* stub, dim3 grid, dim3 block, void** arguments, size_t shared,
                             cudaStream_t stream) {
  return guarded([&] {
    Function* function = function_of(stub);
    return function ? launch(*function, {grid, block, shared, stream}, arguments) : cudaErrorInvalidDeviceFunction;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* stub) {
  return guarded([&] {
    Function* function = function_of(stub);
    if (!function || !attributes) return cudaErrorInvalidDeviceFunction;
    cudaError_t status = cudaSuccess;
    const Kernel* kernel = kernel_of(*function, status);
    if (!kernel) return status;
    const KernelFacts& facts = facts_of(*kernel);
    *attributes = {};
    attributes->sharedSizeBytes = facts.static_shared;
    attributes->localSizeBytes = facts.local;
    attributes->maxThreadsPerBlock = facts.max_threads;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(kSharedBytes - facts.static_shared);
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* stub, int threads,
                                                                   size_t shared, unsigned) {
  return guarded([&] {
    if (!blocks || !function_of(stub)) return cudaErrorInvalidDeviceFunction;
    *blocks = threads < 1 || threads > 1024 || shared > kSharedBytes ? 0 : std::min(32, 2048 / threads);
    return cudaSuccess;
  });
}

}  // extern "C"
