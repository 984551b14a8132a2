// PTX as text: a module cut into variables, functions and statements, nothing of it understood yet. Views point into
// the module's text, which has to outlive them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tailseg::card {

struct Operand {
  enum class Kind { name, integer, float32, float64, address, vector, pair, list };
  Kind kind = Kind::name;
  std::string_view name;  // of a register or variable; of an address: its base, empty when it is a number
  uint64_t bits = 0;      // of a literal
  int64_t offset = 0;     // of an address
  bool negated = false;   // !%p1
  std::vector<Operand> parts;
};

// .reg, .param, .local, .shared, .global, .const. A range of registers "%r<10>" has count 10, an array its bytes.
struct Declaration {
  std::string_view space, type, name;
  size_t bytes = 0, align = 1;
  uint32_t count = 0;
  bool is_external = false;
  std::vector<uint8_t> initial;
};

struct Statement {
  enum class Kind { instruction, label, open, close, declaration, pragma };
  Kind kind = Kind::instruction;
  int line = 0;
  std::string_view word;  // the opcode, the label's name, the pragma's text
  std::string_view guard;
  bool guard_is_negated = false;
  std::vector<Operand> operands;
  Declaration declaration;
};

struct FunctionText {
  std::string_view name;
  bool is_entry = false;
  int line = 0, max_threads = 1024;
  std::vector<Declaration> results, parameters;
  std::vector<Statement> body;
};

struct ModuleText {
  std::vector<Declaration> variables;
  std::vector<FunctionText> functions;
};

// Throws std::runtime_error with the line.
ModuleText read_module(std::string_view text);

size_t bytes_of_type(std::string_view type);  // of ".u32" 4, of ".pred" 1; 0 when it is no type

// Line `line` of the text, 1 being the first, without the blanks around it.
std::string_view line_of(std::string_view text, int line);

std::string quoted(std::string_view word);  // 'word'

[[noreturn]] void refuse(std::string_view text, int line, const std::string& why);

}  // namespace tailseg::card
