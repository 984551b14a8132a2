// Names, scopes, constants and statements of a kernel that is decoded.
#include "tests/card/ptx_decode.h"

#include <algorithm>
#include <charconv>

namespace tailseg::card {
namespace {

size_t align_up(size_t at, size_t align) { return (at + align - 1) / align * align; }

const std::map<std::string_view, Special>& special_names() {
  static const std::map<std::string_view, Special> names = {{"%tid.x", Special::tid_x},
                                                            {"%tid.y", Special::tid_y},
                                                            {"%tid.z", Special::tid_z},
                                                            {"%ntid.x", Special::ntid_x},
                                                            {"%ntid.y", Special::ntid_y},
                                                            {"%ntid.z", Special::ntid_z},
                                                            {"%ctaid.x", Special::ctaid_x},
                                                            {"%ctaid.y", Special::ctaid_y},
                                                            {"%ctaid.z", Special::ctaid_z},
                                                            {"%nctaid.x", Special::nctaid_x},
                                                            {"%nctaid.y", Special::nctaid_y},
                                                            {"%nctaid.z", Special::nctaid_z},
                                                            {"%laneid", Special::laneid},
                                                            {"%warpid", Special::warpid},
                                                            {"%nwarpid", Special::nwarpid},
                                                            {"%lanemask_eq", Special::lanemask_eq},
                                                            {"%lanemask_lt", Special::lanemask_lt},
                                                            {"%lanemask_le", Special::lanemask_le},
                                                            {"%lanemask_gt", Special::lanemask_gt},
                                                            {"%lanemask_ge", Special::lanemask_ge},
                                                            {"%dynamic_smem_size", Special::dynamic_smem_size},
                                                            {"%smid", Special::smid},
                                                            {"%nsmid", Special::nsmid},
                                                            {"%gridid", Special::gridid}};
  return names;
}

}  // namespace

std::vector<std::string_view> words_of(std::string_view opcode) {
  std::vector<std::string_view> words;
  while (!opcode.empty()) {
    const size_t dot = std::min(opcode.find('.'), opcode.size());
    words.push_back(opcode.substr(0, dot));
    opcode.remove_prefix(std::min(dot + 1, opcode.size()));
  }
  return words;
}

void append_word(std::string& opcode, std::string_view word) {
  if (!opcode.empty()) opcode.append(1, '.');
  opcode.append(word);
}

std::string dotted(std::string_view type) { return std::string(1, '.').append(type); }

void Decoder::refuse(const std::string& why) const {
  card::refuse(*module_.text, now_ != nullptr ? now_->line : 1, why);
}

void Decoder::decode(const FunctionText& entry) {
  kernel_.facts.name = entry.name;
  kernel_.facts.max_threads = entry.max_threads;
  kernel_.text = module_.text;
  open_scope(true);
  declare_parameters(entry);
  calls_.push_back(&entry);
  for (const Statement& s : entry.body) statement(s);
  now_ = nullptr;
  Instruction end;
  end.flow = Flow::leave;
  end.line = entry.body.empty() ? entry.line : entry.body.back().line;
  emit(end, {}, {});
  close_scope();
  finish();
}

void Decoder::declare_parameters(const FunctionText& entry) {
  for (const Declaration& d : entry.parameters) {
    const size_t at = align_up(kernel_.parameter_bytes, std::max<size_t>(d.align, 1));
    kernel_.parameters.push_back({at, d.bytes});
    kernel_.facts.parameter_sizes.push_back(d.bytes);
    kernel_.parameter_bytes = at + d.bytes;
    scopes_.back().variables[d.name] = {Space::parameter, kParameterBase + at, d.bytes, false};
  }
}

void Decoder::open_scope(bool is_function) {
  Scope scope;
  scope.first_outer = is_function ? scopes_.size() : scopes_.back().first_outer;
  scopes_.push_back(std::move(scope));
}

void Decoder::close_scope() {
  Scope closed = std::move(scopes_.back());
  scopes_.pop_back();
  for (const Jump& jump : closed.jumps) {
    const auto found = closed.labels.find(jump.label);
    if (found != closed.labels.end()) {
      kernel_.code[jump.instruction].target = found->second;
    } else if (scopes_.size() > closed.first_outer) {
      scopes_.back().jumps.push_back(jump);
    } else {
      card::refuse(*module_.text, jump.line, "there is no label " + quoted(jump.label));
    }
  }
}

void Decoder::statement(const Statement& s) {
  now_ = &s;
  switch (s.kind) {
    case Statement::Kind::open:
      return open_scope(false);
    case Statement::Kind::close:
      return close_scope();
    case Statement::Kind::declaration:
      return declare(s.declaration);
    case Statement::Kind::label:
      scopes_.back().labels[s.word] = static_cast<uint32_t>(kernel_.code.size());
      return;
    case Statement::Kind::pragma: {
      constexpr std::string_view kUsed = "used_bytes_mask ";
      if (s.word == "nounroll") return;
      if (!s.word.starts_with(kUsed)) refuse("the pragma is not known");
      const std::string_view digits = s.word.substr(kUsed.size());
      const bool is_hex = digits.starts_with("0x");
      std::from_chars(digits.data() + (is_hex ? 2 : 0), digits.data() + digits.size(), used_bytes_, is_hex ? 16 : 10);
      return;
    }
    case Statement::Kind::instruction:
      return instruction(s);
  }
}

void Decoder::declare(const Declaration& d) {
  if (d.space == ".reg") return declare_register(d);
  scopes_.back().variables[d.name] = add_variable(d);
}

void Decoder::declare_register(const Declaration& d) {
  const size_t bytes = bytes_of_type(d.type);
  if (bytes == 1 && d.type != ".pred") refuse("registers of 8 bits are not known");
  const Register first = add_register(static_cast<uint8_t>(bytes), std::max(d.count, 1u));
  if (d.count == 0)
    scopes_.back().registers[d.name] = first;
  else
    scopes_.back().ranges.push_back({d.name, d.count, first});
}

Decoder::Register Decoder::add_register(uint8_t bytes, uint32_t count) {
  const Register first{kernel_.register_bytes, bytes};
  for (uint32_t i = 0; i < count; ++i) registers_.push_back({first.at + i * bytes * kLanes, bytes});
  kernel_.register_bytes += count * bytes * kLanes;
  return first;
}

const Decoder::Register* Decoder::find_register(std::string_view name) const {
  static thread_local Register found;
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  uint32_t number = 0;
  const bool is_numbered = digits < name.size() && (name[digits] != '0' || name.size() == digits + 1);
  if (is_numbered) std::from_chars(name.data() + digits, name.data() + name.size(), number);
  for (size_t i = scopes_.size(); i-- > scopes_.back().first_outer;) {
    const auto single = scopes_[i].registers.find(name);
    if (single != scopes_[i].registers.end()) return &single->second;
    for (const Range& range : scopes_[i].ranges) {
      if (!is_numbered || range.prefix != name.substr(0, digits) || number >= range.count) continue;
      found = {range.first.at + number * range.first.bytes * kLanes, range.first.bytes};
      return &found;
    }
  }
  return nullptr;
}

const Variable* Decoder::find_variable(std::string_view name) {
  for (size_t i = scopes_.size(); i-- > scopes_.back().first_outer;) {
    const auto found = scopes_[i].variables.find(name);
    if (found != scopes_[i].variables.end()) return &found->second;
  }
  const auto global = module_.variables.find(name);
  if (global != module_.variables.end()) return &global->second;
  // A module's shared variable takes room in the kernels that name it.
  const auto shared = module_shared_.find(name);
  if (shared != module_shared_.end()) return &shared->second;
  for (const Declaration& d : module_.parts->variables) {
    if (d.space == ".shared" && d.name == name) return &(module_shared_[name] = add_variable(d));
  }
  return nullptr;
}

Variable Decoder::add_variable(const Declaration& d) {
  const size_t align = std::max<size_t>(d.align, 1);
  if (d.space == ".shared") {
    if (d.bytes == 0) return {Space::shared, 0, 0, true};
    const size_t at = align_up(kernel_.facts.static_shared, align);
    kernel_.facts.static_shared = at + d.bytes;
    return {Space::shared, kSharedBase + at, d.bytes, false};
  }
  if (d.space != ".local" && d.space != ".param") refuse("such a variable is not known within a function");
  const size_t at = align_up(kernel_.facts.local, align);
  kernel_.facts.local = at + d.bytes;
  return {Space::local, kLocalBase + at, d.bytes, false};
}

Decoder::Register Decoder::constant(uint64_t bits, uint8_t bytes) {
  if (bytes < 8) bits &= (uint64_t{1} << (8 * bytes)) - 1;
  if (bytes == 1) bits = bits != 0 ? 1 : 0;
  Register& known = constants_[{bits, bytes}];
  if (known.at == kNoRegister) {
    known = {kernel_.register_bytes, bytes};
    kernel_.register_bytes += bytes * kLanes;
    kernel_.constants.push_back({known.at, bytes, bits});
  }
  return known;
}

Decoder::Register Decoder::special(std::string_view name) {
  const auto found = special_names().find(name);
  if (found == special_names().end()) refuse(quoted(name) + " is not known");
  Register& known = specials_[found->second];
  if (known.at == kNoRegister) {
    known = {kernel_.register_bytes, 4};
    kernel_.register_bytes += 4 * kLanes;
    kernel_.specials.push_back({found->second, known.at});
  }
  return known;
}

// 64 bits wide: the lower half serves where 32 bits are asked for.
Decoder::Register Decoder::address_of(const Variable& variable) {
  if (!variable.is_dynamic) return constant(variable.address, 8);
  const Register place{kernel_.register_bytes, 8};
  kernel_.register_bytes += 8 * kLanes;
  dynamic_constants_.push_back(kernel_.constants.size());
  kernel_.constants.push_back({place.at, 8, 0});
  return place;
}

void Decoder::finish() {
  const size_t dynamic_at = align_up(kernel_.facts.static_shared, 16);
  if (!dynamic_constants_.empty()) kernel_.facts.static_shared = dynamic_at;
  for (const size_t i : dynamic_constants_) kernel_.constants[i].value += kSharedBase + dynamic_at;
  find_unset();
}

}  // namespace tailseg::card
