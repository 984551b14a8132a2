// From a function's statements to a kernel's instructions: names become places in the register file, labels become
// numbers of instructions, and calls are put in line.
#pragma once

#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/card/ptx_code.h"
#include "tests/card/ptx_table.h"
#include "tests/card/ptx_text.h"

namespace tailseg::card {

// A variable's address within its space.
struct Variable {
  Space space = Space::global;
  uint64_t address = 0;
  size_t bytes = 0;
  bool is_dynamic = false;  // behind the static shared memory: the address is known at the end
};

using Variables = std::unordered_map<std::string_view, Variable>;

struct ModuleFacts {
  std::shared_ptr<const std::string> text;
  const ModuleText* parts = nullptr;
  Variables variables;  // global and constant ones
};

class Decoder {
 public:
  Decoder(const ModuleFacts& module, Kernel& kernel) : module_(module), kernel_(kernel) {}
  void decode(const FunctionText& entry);

 private:
  struct Register {
    uint32_t at = kNoRegister;
    uint8_t bytes = 0;  // of a lane; 1 is a predicate
  };
  struct Range {
    std::string_view prefix;
    uint32_t count = 0;
    Register first;
  };
  struct Jump {
    size_t instruction;
    std::string_view label;
    int line;
  };
  struct Scope {
    std::unordered_map<std::string_view, Register> registers;
    std::vector<Range> ranges;
    Variables variables;
    std::unordered_map<std::string_view, uint32_t> labels;
    std::vector<Jump> jumps;
    size_t first_outer = 0;  // scopes below this one belong to a caller: names end here
  };
  struct Uses {
    std::vector<uint32_t> reads, writes;
  };
  using Family = void (Decoder::*)(const Statement&);
  static const std::map<std::string_view, Family>& families();

  // Names and places.
  [[noreturn]] void refuse(const std::string& why) const;
  void open_scope(bool is_function);
  void close_scope();
  void declare(const Declaration& d);
  void declare_register(const Declaration& d);
  void declare_parameters(const FunctionText& entry);
  Register add_register(uint8_t bytes, uint32_t count = 1);
  const Register* find_register(std::string_view name) const;
  const Variable* find_variable(std::string_view name);
  Variable add_variable(const Declaration& d);
  Register constant(uint64_t bits, uint8_t bytes);
  Register special(std::string_view name);
  Register address_of(const Variable& variable);

  // Operands.
  Register destination(const Operand& operand);
  Register source(const Operand& operand, uint8_t bytes);
  Register any_source(const Operand& operand, uint8_t bytes);  // its own width if it is a register
  Register exact(Register found, uint8_t bytes) const;
  uint64_t literal_bits(const Operand& operand, uint8_t bytes) const;
  void count_operands(const Statement& s, size_t least, size_t most) const;

  // Instructions.
  void statement(const Statement& s);
  void instruction(const Statement& s);
  void emit(Instruction in, std::vector<uint32_t> writes, std::vector<uint32_t> reads);
  void emit_operation(const std::string& opcode, const std::vector<Register>& operands);
  void by_table(const Statement& s);
  void convert(const Statement& s);
  void move(const Statement& s);
  void pack(const Statement& s, size_t bytes);
  void unpack(const Statement& s, size_t bytes);
  void load(const Statement& s);
  void store(const Statement& s);
  void atomic(const Statement& s);
  bool load_fixed_parameter(const Statement& s, Instruction& in, std::string_view type,
                            const std::vector<Register>& to);
  void memory_access(const Statement& s, const Operand& address, Instruction& in, std::vector<uint32_t>& reads);
  std::vector<Operand> elements(const Operand& operand, Instruction& in) const;
  void branch(const Statement& s);
  void leave(const Statement& s);
  void call(const Statement& s);
  void inline_call(const FunctionText& callee, const std::vector<Operand>& results,
                   const std::vector<Operand>& arguments);
  void barrier(const Statement& s);
  void warp_barrier(const Statement& s, const Operand& members);
  void group(const Statement& s);
  void active_mask(const Statement& s);
  void nothing(const Statement& s);
  void pause(const Statement& s);

  void finish();
  void find_unset();

  const ModuleFacts& module_;
  Kernel& kernel_;
  std::vector<Scope> scopes_;
  std::vector<Uses> uses_;
  std::vector<Register> registers_;  // the kernel's own, without constants and special ones
  std::map<std::pair<uint64_t, uint8_t>, Register> constants_;
  std::map<Special, Register> specials_;
  std::vector<size_t> dynamic_constants_;
  std::unordered_map<std::string_view, Variable> module_shared_;
  std::vector<const FunctionText*> calls_;  // being put in line, the outermost first
  uint32_t used_bytes_ = kAllLanes;
  const Statement* now_ = nullptr;
};

// The parts of an opcode between its dots: "ld", "global", "u32".
std::vector<std::string_view> words_of(std::string_view opcode);
void append_word(std::string& opcode, std::string_view word);  // with a dot between
std::string dotted(std::string_view type);                     // "u32" as ".u32"

}  // namespace tailseg::card
