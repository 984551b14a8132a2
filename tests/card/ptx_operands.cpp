// Operands of instructions that are decoded, and the instructions of the table.
#include <algorithm>

#include "tests/card/ptx_decode.h"

namespace tailseg::card {

uint64_t Decoder::literal_bits(const Operand& operand, uint8_t bytes) const {
  if (operand.kind == Operand::Kind::float32 && bytes != 4) refuse("a 32-bit float where another type belongs");
  if (operand.kind == Operand::Kind::float64 && bytes == 4) {
    return std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(operand.bits)));
  }
  if (operand.kind == Operand::Kind::float64 && bytes != 8) refuse("a 64-bit float where another type belongs");
  return operand.bits;
}

Decoder::Register Decoder::exact(Register found, uint8_t bytes) const {
  if (found.bytes != bytes) {
    refuse("an operand of " + std::to_string(8 * found.bytes) + " bits where " + std::to_string(8 * bytes) + " belong");
  }
  return found;
}

Decoder::Register Decoder::destination(const Operand& operand) {
  if (operand.kind != Operand::Kind::name) refuse("a result that is no register");
  if (operand.name == "_") return {};
  const Register* found = find_register(operand.name);
  if (found == nullptr) refuse("there is no register " + quoted(operand.name));
  return *found;
}

Decoder::Register Decoder::any_source(const Operand& operand, uint8_t bytes) {
  using Kind = Operand::Kind;
  if (operand.kind == Kind::integer || operand.kind == Kind::float32 || operand.kind == Kind::float64) {
    return constant(literal_bits(operand, bytes), bytes);
  }
  if (operand.kind != Kind::name) refuse("an operand of another kind was expected");
  if (const Register* found = find_register(operand.name)) {
    if (!operand.negated) return *found;
    const Register place = *found, inverse = add_register(1);
    emit_operation("not.pred", {inverse, exact(place, 1)});
    return inverse;
  }
  if (const Variable* variable = find_variable(operand.name)) {
    if (bytes != 4 && bytes != 8) refuse("an address where " + std::to_string(8 * bytes) + " bits belong");
    if (variable->is_dynamic) {
      const Register place = address_of(*variable);
      kernel_.constants.back().value = static_cast<uint64_t>(operand.offset);
      kernel_.constants.back().bytes = bytes;
      return {place.at, bytes};
    }
    return constant(variable->address + static_cast<uint64_t>(operand.offset), bytes);
  }
  if (operand.name == "WARP_SZ") return constant(kLanes, bytes);
  return special(operand.name);
}

Decoder::Register Decoder::source(const Operand& operand, uint8_t bytes) {
  return exact(any_source(operand, bytes), bytes);
}

void Decoder::count_operands(const Statement& s, size_t least, size_t most) const {
  if (s.operands.size() < least || s.operands.size() > most) refuse("too few or too many operands");
}

void Decoder::emit(Instruction in, std::vector<uint32_t> writes, std::vector<uint32_t> reads) {
  if (now_ != nullptr) {
    in.line = now_->line;
    if (!now_->guard.empty()) {
      const Register* guard = find_register(now_->guard);
      if (guard == nullptr) refuse("there is no register " + quoted(now_->guard));
      in.guard = exact(*guard, 1).at;
      in.guard_is_negated = now_->guard_is_negated;
      reads.push_back(in.guard);
    }
  }
  kernel_.code.push_back(in);
  uses_.push_back({std::move(reads), std::move(writes)});
}

// An operation of the table on places that are known.
void Decoder::emit_operation(const std::string& opcode, const std::vector<Register>& operands) {
  const Operation* operation = find_operation(opcode);
  if (operation == nullptr) refuse(quoted(opcode) + " is not known");
  Instruction in;
  in.run = operation->run;
  std::vector<uint32_t> reads;
  for (size_t i = 0; i < operands.size(); ++i) {
    in.at[i] = operands[i].at;
    if (i > 0) reads.push_back(operands[i].at);
  }
  emit(in, {operands[0].at}, std::move(reads));
}

void Decoder::by_table(const Statement& s) {
  const Operation* operation = find_operation(s.word);
  if (operation == nullptr) refuse(quoted(s.word) + " is not known");
  count_operands(s, operation->operands, operation->operands);
  std::vector<Register> operands = {exact(destination(s.operands[0]), operation->bytes[0])};
  for (size_t i = 1; i < s.operands.size(); ++i) operands.push_back(source(s.operands[i], operation->bytes[i]));
  emit_operation(std::string(s.word), operands);
}

// Registers may be wider than the types of a cvt: the source is cut, the result extended by its type's sign.
void Decoder::convert(const Statement& s) {
  const Operation* operation = find_operation(s.word);
  if (operation == nullptr) refuse(quoted(s.word) + " is not known");
  count_operands(s, 2, 2);
  const std::vector<std::string_view> words = words_of(s.word);
  const auto bits = [](size_t bytes) { return std::to_string(8 * bytes); };
  Register to = destination(s.operands[0]), from = any_source(s.operands[1], operation->bytes[1]);
  if (from.bytes > operation->bytes[1]) {
    const Register cut = add_register(operation->bytes[1]);
    emit_operation("cvt.u" + bits(cut.bytes) + ".u" + bits(from.bytes), {cut, from});
    from = cut;
  }
  exact(from, operation->bytes[1]);
  if (to.bytes <= operation->bytes[0])
    return emit_operation(std::string(s.word), {exact(to, operation->bytes[0]), from});
  const char letter = words[words.size() - 2].front();
  if (letter == 'f') refuse("a float result in a wider register");
  const Register narrow = add_register(operation->bytes[0]);
  emit_operation(std::string(s.word), {narrow, from});
  emit_operation(std::string("cvt.") + letter + bits(to.bytes) + "." + letter + bits(narrow.bytes), {to, narrow});
}

}  // namespace tailseg::card
