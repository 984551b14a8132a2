// Branches, calls, barriers and what a warp does together, decoded; and which registers are read before they are set.
#include <algorithm>

#include "tests/card/ptx_decode.h"
#include "tests/card/ptx_group.h"

namespace tailseg::card {
namespace {

void do_nothing(const Instruction&, WarpState&, uint32_t) {}

}  // namespace

const std::map<std::string_view, Decoder::Family>& Decoder::families() {
  static const std::map<std::string_view, Family> families = {{"bra", &Decoder::branch},
                                                              {"ret", &Decoder::leave},
                                                              {"exit", &Decoder::leave},
                                                              {"call", &Decoder::call},
                                                              {"bar", &Decoder::barrier},
                                                              {"barrier", &Decoder::barrier},
                                                              {"shfl", &Decoder::group},
                                                              {"vote", &Decoder::group},
                                                              {"match", &Decoder::group},
                                                              {"redux", &Decoder::group},
                                                              {"activemask", &Decoder::active_mask},
                                                              {"membar", &Decoder::nothing},
                                                              {"fence", &Decoder::nothing},
                                                              {"nanosleep", &Decoder::pause},
                                                              {"mov", &Decoder::move},
                                                              {"cvt", &Decoder::convert},
                                                              {"ld", &Decoder::load},
                                                              {"ldu", &Decoder::load},
                                                              {"st", &Decoder::store},
                                                              {"atom", &Decoder::atomic},
                                                              {"red", &Decoder::atomic}};
  return families;
}

void Decoder::instruction(const Statement& s) {
  const auto family = families().find(s.word.substr(0, s.word.find('.')));
  if (family != families().end()) return (this->*family->second)(s);
  by_table(s);
}

void Decoder::branch(const Statement& s) {
  if (s.word != "bra" && s.word != "bra.uni") refuse(quoted(s.word) + " is not known");
  count_operands(s, 1, 1);
  Instruction in;
  in.flow = Flow::branch;
  scopes_.back().jumps.push_back({kernel_.code.size(), s.operands[0].name, s.line});
  emit(in, {}, {});
}

// Of a function that was put in line, ret goes on behind the call; there is a label, which no PTX name can be.
void Decoder::leave(const Statement& s) {
  count_operands(s, 0, 0);
  Instruction in;
  in.flow = Flow::leave;
  if (s.word.starts_with("ret") && calls_.size() > 1) {
    in.flow = Flow::branch;
    scopes_.back().jumps.push_back({kernel_.code.size(), "<behind the call>", s.line});
  }
  emit(in, {}, {});
}

void Decoder::call(const Statement& s) {
  if (s.word != "call" && s.word != "call.uni") refuse(quoted(s.word) + " is not known");
  if (!s.guard.empty()) refuse("a guarded call is not known");
  std::vector<Operand> results, arguments;
  size_t at = 0;
  if (at < s.operands.size() && s.operands[at].kind == Operand::Kind::list) results = s.operands[at++].parts;
  if (at >= s.operands.size()) refuse("no function is named");
  const std::string_view name = s.operands[at++].name;
  if (at < s.operands.size()) arguments = s.operands[at++].parts;
  for (const FunctionText& callee : module_.parts->functions) {
    if (callee.is_entry || callee.name != name) continue;
    if (std::find(calls_.begin(), calls_.end(), &callee) != calls_.end()) refuse("recursion is not known");
    return inline_call(callee, results, arguments);
  }
  refuse("there is no function " + quoted(name));
}

void Decoder::inline_call(const FunctionText& callee, const std::vector<Operand>& results,
                          const std::vector<Operand>& arguments) {
  if (results.size() != callee.results.size() || arguments.size() != callee.parameters.size()) {
    refuse("another number of arguments was expected");
  }
  Variables names;
  const auto bind = [&](const Declaration& parameter, const Operand& argument) {
    const Variable* variable = find_variable(argument.name);
    if (variable == nullptr || variable->bytes != parameter.bytes) refuse("an argument of another size was expected");
    names[parameter.name] = *variable;
  };
  for (size_t i = 0; i < results.size(); ++i) bind(callee.results[i], results[i]);
  for (size_t i = 0; i < arguments.size(); ++i) bind(callee.parameters[i], arguments[i]);
  open_scope(true);
  scopes_.back().variables = std::move(names);
  calls_.push_back(&callee);
  const Statement* caller = now_;
  for (const Statement& s : callee.body) statement(s);
  now_ = caller;
  calls_.pop_back();
  scopes_.back().labels["<behind the call>"] = static_cast<uint32_t>(kernel_.code.size());
  close_scope();
}

void Decoder::warp_barrier(const Statement& s, const Operand& members) {
  count_operands(s, 1, 1);
  Instruction in;
  in.run = do_nothing;
  in.flow = Flow::together;
  in.any_place = true;
  in.members = source(members, 4).at;
  emit(in, {}, {in.members});
}

// bar.sync id {, threads}; bar.red.op result, id {, threads}, {!}predicate.
void Decoder::barrier(const Statement& s) {
  std::string word;
  Instruction in;
  in.is_aligned = s.word.starts_with("bar.");
  for (const std::string_view part : words_of(s.word)) {
    if (part == "aligned")
      in.is_aligned = true;
    else if (part != "cta")
      append_word(word, part == "barrier" ? "bar" : part);
  }
  if (word == "bar.warp.sync") {
    count_operands(s, 1, 1);
    return warp_barrier(s, s.operands[0]);
  }
  static const std::map<std::string_view, Combine> kinds = {{"bar.sync", Combine::nothing},
                                                            {"bar.red.popc.u32", Combine::count},
                                                            {"bar.red.and.pred", Combine::all},
                                                            {"bar.red.or.pred", Combine::any}};
  const auto kind = kinds.find(word);
  if (kind == kinds.end()) refuse(quoted(s.word) + " is not known");
  in.combine = kind->second;
  in.flow = Flow::barrier;
  in.at[3] = kNoRegister;
  const bool reduces = in.combine != Combine::nothing;
  count_operands(s, reduces ? 3 : 1, reduces ? 4 : 2);
  std::vector<uint32_t> writes, reads;
  if (reduces) {
    in.at[0] = exact(destination(s.operands[0]), in.combine == Combine::count ? 4 : 1).at;
    in.at[1] = source(s.operands.back(), 1).at;
    writes.push_back(in.at[0]);
    reads.push_back(in.at[1]);
  }
  const size_t first = reduces ? 1 : 0;
  in.at[2] = source(s.operands[first], 4).at;
  reads.push_back(in.at[2]);
  if (s.operands.size() > (reduces ? 3u : 1u)) {
    in.at[3] = source(s.operands[first + 1], 4).at;
    reads.push_back(in.at[3]);
  }
  emit(in, std::move(writes), std::move(reads));
}

void Decoder::group(const Statement& s) {
  std::string opcode;
  bool is_sync = false;
  for (const std::string_view part : words_of(s.word)) {
    if (part == "sync")
      is_sync = true;
    else
      append_word(opcode, part);
  }
  Instruction in;
  in.flow = Flow::together;
  in.run = find_group_operation(opcode);
  if (in.run == nullptr || !is_sync) refuse(quoted(s.word) + " is not known");
  const bool is_shuffle = opcode.starts_with("shfl"), is_match = opcode.starts_with("match");
  const bool is_vote = opcode.starts_with("vote");
  const size_t sources = is_shuffle ? 3 : 1;
  count_operands(s, sources + 2, sources + 2);
  const bool is_pair = s.operands[0].kind == Operand::Kind::pair;
  std::vector<uint32_t> writes, reads;
  in.at[0] = destination(is_pair ? s.operands[0].parts[0] : s.operands[0]).at;
  if (in.at[0] == kNoRegister) refuse("a result is needed");
  writes.push_back(in.at[0]);
  size_t next = 1;
  if (is_shuffle || is_match) {
    in.at[next] = is_pair ? exact(destination(s.operands[0].parts[1]), 1).at : kNoRegister;
    if (in.at[next++] != kNoRegister) writes.push_back(in.at[1]);
  } else if (is_pair) {
    refuse("one result was expected");
  }
  const uint8_t width = is_vote ? 1 : opcode.ends_with("64") ? 8 : 4;
  for (size_t i = 0; i < sources; ++i) {
    reads.push_back(source(s.operands[1 + i], i == 0 ? width : 4).at);
    in.at[next++] = reads.back();
  }
  in.members = source(s.operands.back(), 4).at;
  reads.push_back(in.members);
  emit(in, std::move(writes), std::move(reads));
}

void Decoder::active_mask(const Statement& s) {
  count_operands(s, 1, 1);
  Instruction in;
  in.run = store_active_mask;
  in.at[0] = exact(destination(s.operands[0]), 4).at;
  emit(in, {in.at[0]}, {});
}

void Decoder::nothing(const Statement& s) {
  count_operands(s, 0, 0);
  Instruction in;
  in.run = do_nothing;
  emit(in, {}, {});
}

void Decoder::pause(const Statement& s) {
  count_operands(s, 1, 1);
  Instruction in;
  in.flow = Flow::pause;
  emit(in, {}, {source(s.operands[0], 4).at});
}

// The registers alive at the entry: some path reads them before it writes them. Only those are worth a poison.
void Decoder::find_unset() {
  const size_t count = kernel_.code.size(), words = (registers_.size() + 63) / 64;
  std::unordered_map<uint32_t, uint32_t> number;
  for (uint32_t i = 0; i < registers_.size(); ++i) number[registers_[i].at] = i;
  std::vector<uint64_t> alive((count + 1) * words, 0);
  const auto each = [&](const std::vector<uint32_t>& places, auto change) {
    for (const uint32_t at : places) {
      const auto found = number.find(at);
      if (found != number.end()) change(found->second / 64, uint64_t{1} << (found->second % 64));
    }
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = count; i-- > 0;) {
      const Instruction& in = kernel_.code[i];
      const bool goes_on = in.guard != kNoRegister || (in.flow != Flow::branch && in.flow != Flow::leave);
      std::vector<uint64_t> now(words, 0);
      for (size_t w = 0; w < words; ++w) {
        if (goes_on) now[w] |= alive[(i + 1) * words + w];
        if (in.flow == Flow::branch) now[w] |= alive[in.target * words + w];
      }
      if (in.guard == kNoRegister) each(uses_[i].writes, [&](size_t w, uint64_t bit) { now[w] &= ~bit; });
      each(uses_[i].reads, [&](size_t w, uint64_t bit) { now[w] |= bit; });
      if (std::equal(now.begin(), now.end(), alive.begin() + static_cast<ptrdiff_t>(i * words))) continue;
      std::copy(now.begin(), now.end(), alive.begin() + static_cast<ptrdiff_t>(i * words));
      changed = true;
    }
  }
  for (uint32_t i = 0; i < registers_.size(); ++i) {
    if ((alive[i / 64] >> (i % 64) & 1) != 0) kernel_.unset.push_back({registers_[i].at, registers_[i].bytes});
  }
}

}  // namespace tailseg::card
