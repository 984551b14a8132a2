// A kernel as it is executed: instructions with their operands resolved to places in a warp's registers.
//
// A register is 32 lanes of its type in a row, at a byte offset into the warp's register file; a predicate is 32 bytes
// of 0 or 1. Literals, addresses of variables and special registers lie in the same file, so every operand of every
// instruction is such an offset, and an instruction is a loop over lanes without questions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/card/ptx.h"

namespace tailseg::card {

struct WarpState;
struct Instruction;

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;
constexpr uint32_t kNoRegister = 0xffffffffu;

// Executes one instruction for the lanes of the mask, which is never empty.
using Handler = void (*)(const Instruction&, WarpState&, uint32_t lanes);

enum class Space : uint8_t { generic, global, shared, local, parameter };

enum class Flow : uint8_t {
  next,      // goes on with the next instruction
  branch,    // lanes go to `target`
  leave,     // lanes end
  together,  // runs when every lane of its member mask has come
  barrier,   // waits for the block
  pause,     // next, but another warp may run first
};

// What a barrier makes of its threads' predicates.
enum class Combine : uint8_t { nothing, count, all, any };

struct Instruction {
  Handler run = nullptr;
  uint32_t at[7] = {};  // operands, results first
  uint32_t guard = kNoRegister;
  uint32_t target = 0;              // where a branch goes to
  uint32_t members = kNoRegister;   // the register with the member mask
  int64_t offset = 0;               // added to an address
  uint32_t site = 0;                // its number among those that access memory
  uint32_t used_bytes = kAllLanes;  // of a vector access: which of its bytes matter
  int line = 0;
  Flow flow = Flow::next;
  bool guard_is_negated = false;
  bool any_place = false;              // together: lanes may stand at different instructions of this kind
  bool is_loose = false;               // volatile or relaxed: meant to meet other threads' accesses
  Combine combine = Combine::nothing;  // of a barrier, as is the next
  bool is_aligned = false;             // all lanes of a warp have to come to this very instruction
  Space space = Space::generic;        // of a memory access, as are the next three
  uint8_t address_bytes = 8, count = 1, element_bytes = 0;
};

// Values the same in every launch, lane by lane; `bytes` wide.
struct Constant {
  uint32_t at = 0, bytes = 0;
  uint64_t value = 0;
};

enum class Special : uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  lanemask_eq,
  lanemask_lt,
  lanemask_le,
  lanemask_gt,
  lanemask_ge,
  dynamic_smem_size,
  smid,
  nsmid,
  gridid
};

struct SpecialUse {
  Special what = Special::tid_x;
  uint32_t at = 0;
};

// Addresses as kernels see them. Shared, local and parameter addresses do not begin at zero, so that a zero is noticed;
// as generic addresses they lie in windows where no global memory is.
constexpr uint64_t kSharedBase = 1024, kParameterBase = 256, kLocalBase = uint64_t{1} << 20;
constexpr uint64_t kSharedWindow = 0xfff1000000000000u, kLocalWindow = 0xfff2000000000000u,
                   kParameterWindow = 0xfff3000000000000u, kWindowMask = 0xffff000000000000u;

// A register that some path reads before it writes.
struct UnsetRegister {
  uint32_t at = 0, bytes = 0;  // of a lane
};

struct Parameter {
  size_t offset = 0, bytes = 0;
};

struct Kernel {
  KernelFacts facts;
  std::shared_ptr<const std::string> text;  // of the module
  std::vector<Instruction> code;
  std::vector<Constant> constants;
  std::vector<SpecialUse> specials;
  std::vector<Parameter> parameters;
  std::vector<UnsetRegister> unset;
  size_t parameter_bytes = 0;
  uint32_t register_bytes = 0, sites = 0;
  size_t shared_grain = 4;  // bytes of the smallest access to shared memory
};

}  // namespace tailseg::card
