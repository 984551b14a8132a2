// Runs the PTX that nvcc made of our kernels, on the CPU: parsed once, then executed warp by warp with 32 lanes each.
// Every access to memory is checked against what is allocated, so a wrong address is told with its kernel, thread and
// instruction instead of being somebody else's wrong number later. (PTX ISA, version 9.0.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace tailseg::card {

// Global memory as kernels may see it.
class Memory {
 public:
  virtual ~Memory() = default;
  // Where the bytes [address, address + size) of one live allocation can be reached by the interpreter; null when they
  // are not all inside one that a kernel may touch.
  virtual uint8_t* find(uint64_t address, size_t size) = 0;
  // The whole live allocation around an address, begin <= address < end, with host where `begin` can be reached; the
  // interpreter keeps it for the rest of a launch instead of asking for every access. Optional: a single byte will do.
  struct Range {
    uint64_t begin = 0, end = 0;
    uint8_t* host = nullptr;
  };
  virtual Range range(uint64_t address) {
    uint8_t* host = find(address, 1);
    return host == nullptr ? Range{} : Range{address, address + 1, host};
  }
  // What is known of an address, for a message: "17 bytes behind the block of 4096 at 0x.., freed", "host memory".
  virtual std::string describe(uint64_t address) const = 0;
  // A block for the module's own variables (__device__, __constant__); its device address.
  virtual uint64_t allocate(size_t bytes) = 0;
};

// What a kernel did wrong; the message names kernel, block, thread, the PTX line and the address.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

struct LaunchShape {
  Dim3 grid, block;
  size_t dynamic_shared = 0;
};

struct Kernel;  // one .entry, decoded

struct KernelFacts {
  std::string name;                     // mangled, as in the PTX
  std::vector<size_t> parameter_sizes;  // bytes, in order
  size_t static_shared = 0, local = 0;  // bytes
  int max_threads = 1024;               // .maxntid or 1024
};

class Module {
 public:
  // Throws std::runtime_error with the line for anything that the interpreter does not know.
  static std::unique_ptr<Module> parse(std::string text, Memory& memory);
  virtual ~Module() = default;
  virtual const Kernel* find_kernel(const std::string& name) const = 0;  // null when there is none
  virtual uint64_t find_variable(const std::string& name) const = 0;     // its device address; 0 when there is none
};

const KernelFacts& facts_of(const Kernel& kernel);

struct RunOptions {
  uint64_t seed = 0;  // 0: warps run in order between barriers; otherwise in an order drawn from it, anew each time
  bool counts_sectors = false;
};

// What a launch did. A request is one access of a warp to global memory; a card answers it in sectors of 32 bytes, and
// `bytes` of them were asked for.
struct LaunchCounts {
  uint64_t warps = 0, instructions = 0, lanes = 0;  // lanes: summed over the instructions of the warps
  uint64_t longest = 0;                             // instructions of the warp that had most
  uint64_t requests = 0, sectors = 0, bytes = 0;    // with counts_sectors
  void add(const LaunchCounts& other);
};

// Runs the whole grid. arguments[i] points to parameter_sizes[i] bytes. Throws Fault.
LaunchCounts run(const Kernel& kernel, const LaunchShape& shape, const void* const* arguments, Memory& memory,
                 const RunOptions& options = {});

}  // namespace tailseg::card
