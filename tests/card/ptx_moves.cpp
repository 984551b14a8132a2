// mov in its shapes, loads, stores and atomics, decoded.
#include <algorithm>
#include <set>

#include "tests/card/ptx_access.h"
#include "tests/card/ptx_decode.h"

namespace tailseg::card {
namespace {

template <class Whole, class Part>
void pack_parts(const Instruction& in, WarpState& warp, uint32_t lanes) {
  Whole result[kLanes] = {};
  for (size_t k = 0; k < sizeof(Whole) / sizeof(Part); ++k) {
    const Part* part = warp.reg<Part>(in.at[k + 1]);
    for (int i = 0; i < kLanes; ++i) result[i] |= static_cast<Whole>(part[i]) << (8 * sizeof(Part) * k);
  }
  put(warp.reg<Whole>(in.at[0]), result, lanes);
}

template <class Whole, class Part>
void unpack_parts(const Instruction& in, WarpState& warp, uint32_t lanes) {
  Whole whole[kLanes];
  std::memcpy(whole, warp.reg<Whole>(in.at[4]), sizeof(whole));
  for (size_t k = 0; k < sizeof(Whole) / sizeof(Part); ++k) {
    if (in.at[k] == kNoRegister) continue;
    Part part[kLanes];
    for (int i = 0; i < kLanes; ++i) part[i] = static_cast<Part>(whole[i] >> (8 * sizeof(Part) * k));
    put(warp.reg<Part>(in.at[k]), part, lanes);
  }
}

template <class T>
void read_clock(const Instruction& in, WarpState& warp, uint32_t lanes) {
  T* to = warp.reg<T>(in.at[0]);
  for_lanes(lanes, [&](int i) { to[i] = static_cast<T>(warp.launch->clock); });
}

Space space_named(std::string_view word) {
  if (word == "global" || word == "const") return Space::global;
  if (word == "shared" || word == "shared::cta") return Space::shared;
  if (word == "local") return Space::local;
  if (word == "param" || word == "param::entry" || word == "param::func") return Space::parameter;
  return Space::generic;
}

// How an access is ordered and cached: nothing here, where blocks run one after another and each sees memory as it is.
bool is_ordering(std::string_view word) {
  static const std::set<std::string_view> words = {"weak", "relaxed", "acquire", "release", "acq_rel", "volatile",
                                                   "cta",  "cluster", "gpu",     "sys",     "nc",      "ca",
                                                   "cg",   "cs",      "lu",      "cv",      "wb",      "wt"};
  return words.count(word) != 0 || word.starts_with("L1::") || word.starts_with("L2::");
}

bool is_loose_word(std::string_view word) {
  return word == "volatile" || word == "relaxed" || word == "acquire" || word == "release";
}

}  // namespace

void Decoder::move(const Statement& s) {
  count_operands(s, 2, 2);
  const std::vector<std::string_view> words = words_of(s.word);
  const size_t bytes = bytes_of_type(dotted(words.back()));
  if (s.operands[0].kind == Operand::Kind::vector) return unpack(s, bytes);
  if (s.operands[1].kind == Operand::Kind::vector) return pack(s, bytes);
  const std::string_view name = s.operands[1].name;
  if (name != "%clock" && name != "%clock64" && name != "%globaltimer") return by_table(s);
  Instruction in;
  in.run = bytes == 8 ? read_clock<uint64_t> : read_clock<uint32_t>;
  in.at[0] = exact(destination(s.operands[0]), static_cast<uint8_t>(bytes)).at;
  emit(in, {in.at[0]}, {});
}

void Decoder::pack(const Statement& s, size_t bytes) {
  const std::vector<Operand>& parts = s.operands[1].parts;
  if (parts.size() != 2 && parts.size() != 4) refuse("two or four parts were expected");
  const size_t part = bytes / parts.size();
  Instruction in;
  in.run = bytes == 8 ? (part == 4 ? pack_parts<uint64_t, uint32_t> : pack_parts<uint64_t, uint16_t>)
                      : pack_parts<uint32_t, uint16_t>;
  if (part < 2) refuse("parts of 8 bits are not known");
  in.at[0] = exact(destination(s.operands[0]), static_cast<uint8_t>(bytes)).at;
  std::vector<uint32_t> reads;
  for (const Operand& operand : parts) {
    reads.push_back(source(operand, static_cast<uint8_t>(part)).at);
    in.at[reads.size()] = reads.back();
  }
  emit(in, {in.at[0]}, std::move(reads));
}

void Decoder::unpack(const Statement& s, size_t bytes) {
  const std::vector<Operand>& parts = s.operands[0].parts;
  if (parts.size() != 2 && parts.size() != 4) refuse("two or four parts were expected");
  const size_t part = bytes / parts.size();
  Instruction in;
  in.run = bytes == 8 ? (part == 4 ? unpack_parts<uint64_t, uint32_t> : unpack_parts<uint64_t, uint16_t>)
                      : unpack_parts<uint32_t, uint16_t>;
  if (part < 2) refuse("parts of 8 bits are not known");
  std::vector<uint32_t> writes;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Register to = destination(parts[i]);
    in.at[i] = to.at;
    if (to.at == kNoRegister) continue;
    exact(to, static_cast<uint8_t>(part));
    writes.push_back(to.at);
  }
  in.at[4] = source(s.operands[1], static_cast<uint8_t>(bytes)).at;
  emit(in, std::move(writes), {in.at[4]});
}

// The registers of a scalar or vector access; reads off the opcode what they have in common.
std::vector<Operand> Decoder::elements(const Operand& operand, Instruction& in) const {
  size_t count = 1;
  const std::vector<std::string_view> words = words_of(now_->word);
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const Space space = space_named(words[i]);
    if (space != Space::generic)
      in.space = space;
    else if (words[i] == "v2" || words[i] == "v4")
      count = static_cast<size_t>(words[i][1] - '0');
    else if (!is_ordering(words[i]))
      refuse(quoted(words[i]) + " is not known");
    in.is_loose = in.is_loose || is_loose_word(words[i]);
  }
  in.element_bytes = static_cast<uint8_t>(bytes_of_type(dotted(words.back())));
  if (in.element_bytes == 0 || words.back() == "pred") refuse("the type is not known");
  in.count = static_cast<uint8_t>(count);
  const std::vector<Operand> parts =
      operand.kind == Operand::Kind::vector ? operand.parts : std::vector<Operand>{operand};
  if (parts.size() != count) refuse("another number of registers was expected");
  return parts;
}

void Decoder::memory_access(const Statement& s, const Operand& address, Instruction& in, std::vector<uint32_t>& reads) {
  if (address.kind != Operand::Kind::address) refuse("an address was expected");
  in.offset = address.offset;
  in.site = kernel_.sites++;
  const Register* base = address.name.empty() ? nullptr : find_register(address.name);
  if (base != nullptr) {
    if (base->bytes != 4 && base->bytes != 8) refuse("an address of that width is not known");
    in.at[kAddressAt] = base->at;
    in.address_bytes = base->bytes;
    reads.push_back(base->at);
  } else if (address.name.empty()) {
    in.at[kAddressAt] = constant(0, 8).at;
  } else {
    const Variable* variable = find_variable(address.name);
    if (variable == nullptr) refuse("there is no " + quoted(address.name));
    // A called function's parameter is memory of its caller.
    if (in.space == Space::parameter && variable->space == Space::local) in.space = Space::local;
    if (in.space != variable->space && in.space != Space::generic) refuse("the variable is in another space");
    in.space = variable->space;
    const size_t bytes = static_cast<size_t>(in.element_bytes) * in.count;
    const bool fits = in.offset >= 0 && static_cast<size_t>(in.offset) + bytes <= variable->bytes;
    if (!fits && !variable->is_dynamic) refuse("the access leaves " + quoted(address.name));
    in.at[kAddressAt] = address_of(*variable).at;
  }
  if (in.space == Space::shared || in.space == Space::generic) {
    kernel_.shared_grain = std::min<size_t>(kernel_.shared_grain, in.element_bytes);
  }
  if (s.word.starts_with("ld")) std::swap(in.used_bytes, used_bytes_);
}

bool Decoder::load_fixed_parameter(const Statement& s, Instruction& in, std::string_view type,
                                   const std::vector<Register>& to) {
  const Operand& address = s.operands[1];
  const Variable* variable = address.kind == Operand::Kind::address ? find_variable(address.name) : nullptr;
  if (in.space != Space::parameter || variable == nullptr || variable->space != Space::parameter) return false;
  const size_t bytes = static_cast<size_t>(in.element_bytes) * in.count;
  if (address.offset < 0 || static_cast<size_t>(address.offset) + bytes > variable->bytes) {
    refuse("the access leaves " + quoted(address.name));
  }
  in.offset = address.offset + static_cast<int64_t>(variable->address - kParameterBase);
  in.run = find_parameter_load(type, to[0].bytes);
  return true;
}

void Decoder::load(const Statement& s) {
  count_operands(s, 2, 2);
  Instruction in;
  std::vector<Register> to;
  std::vector<uint32_t> writes, reads;
  for (const Operand& operand : elements(s.operands[0], in)) {
    to.push_back(destination(operand));
    if (to.back().at == kNoRegister || to.back().bytes != to[0].bytes) refuse("registers of one width were expected");
    in.at[writes.size()] = to.back().at;
    writes.push_back(to.back().at);
  }
  const std::string type = dotted(words_of(s.word).back());
  if (!load_fixed_parameter(s, in, type, to)) {
    memory_access(s, s.operands[1], in, reads);
    in.run = find_load(type, to[0].bytes);
  }
  if (in.run == nullptr) refuse("the type does not go with the register");
  emit(in, std::move(writes), std::move(reads));
}

void Decoder::store(const Statement& s) {
  count_operands(s, 2, 2);
  Instruction in;
  std::vector<uint32_t> reads;
  uint8_t width = 0;
  for (const Operand& operand : elements(s.operands[1], in)) {
    const Register from = any_source(operand, std::max<uint8_t>(in.element_bytes, 2));
    if (width != 0 && from.bytes != width) refuse("registers of one width were expected");
    width = from.bytes;
    in.at[reads.size()] = from.at;
    reads.push_back(from.at);
  }
  memory_access(s, s.operands[0], in, reads);
  in.run = find_store(in.element_bytes, width);
  if (in.run == nullptr) refuse("the type does not go with the register");
  emit(in, {}, std::move(reads));
}

void Decoder::atomic(const Statement& s) {
  const std::vector<std::string_view> words = words_of(s.word);
  Instruction in;
  std::string operation;
  for (size_t i = 1; i < words.size(); ++i) {
    const Space space = space_named(words[i]);
    if (space != Space::generic)
      in.space = space;
    else if (!is_ordering(words[i]))
      append_word(operation, words[i]);
  }
  in.run = find_atomic(operation);
  if (in.run == nullptr) refuse(quoted(operation) + " is not known");
  const bool has_result = words[0] == "atom";
  const size_t sources = operation.starts_with("cas") ? 2 : 1, first = has_result ? 1 : 0;
  count_operands(s, first + 1 + sources, first + 1 + sources);
  in.element_bytes = static_cast<uint8_t>(bytes_of_type(dotted(words.back())));
  const Register result = has_result ? destination(s.operands[0]) : Register{};
  in.at[0] = result.at;
  std::vector<uint32_t> reads, writes;
  if (result.at != kNoRegister) writes.push_back(exact(result, in.element_bytes).at);
  memory_access(s, s.operands[first], in, reads);
  for (size_t i = 0; i < sources; ++i) {
    reads.push_back(source(s.operands[first + 1 + i], in.element_bytes).at);
    in.at[1 + i] = reads.back();
  }
  emit(in, std::move(writes), std::move(reads));
}

}  // namespace tailseg::card
