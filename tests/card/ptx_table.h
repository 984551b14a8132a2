// The table of operations: a PTX spelling to the loop over lanes that executes it. Operations are plain functions of
// one lane's values; what the operands have to be is read off the function's own type.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "tests/card/ptx_warp.h"

namespace tailseg::card {

struct Operation {
  Handler run = nullptr;
  uint8_t operands = 0, results = 1;
  uint8_t bytes[6] = {};  // of each operand, results first; 1 is a predicate
};

using Table = std::unordered_map<std::string, Operation>;

// How a register holds a lane's value: a predicate as a byte, of which the lowest bit counts; lanes that never wrote it
// hold anything, and anything is no bool.
template <class T>
struct Stored {
  using Type = T;
  static T value(T x) { return x; }
};
template <>
struct Stored<bool> {
  using Type = uint8_t;
  static bool value(uint8_t x) { return (x & 1) != 0; }
};

template <auto F>
struct OnLanes;

template <class R, class... A, R (*F)(A...)>
struct OnLanes<F> {
  // For what is cheap and cannot trap: all lanes in vector registers, the masked-out ones for nothing.
  static void all(const Instruction& in, WarpState& warp, uint32_t lanes) { all(in, warp, lanes, kEvery); }
  // For calls: only the lanes that are asked for.
  static void each(const Instruction& in, WarpState& warp, uint32_t lanes) {
    for_lanes(lanes, [&](int i) { one(in, warp, i, kEvery); });
  }
  static Operation operation(Handler run) {
    return {run, 1 + sizeof...(A), 1, {static_cast<uint8_t>(sizeof(R)), static_cast<uint8_t>(sizeof(A))...}};
  }

 private:
  static constexpr std::index_sequence_for<A...> kEvery{};
  template <class T>
  static T lane(const Instruction& in, WarpState& warp, size_t operand, int i) {
    return Stored<T>::value(warp.reg<typename Stored<T>::Type>(in.at[operand])[i]);
  }
  template <size_t... I>
  static void all(const Instruction& in, WarpState& warp, uint32_t lanes, std::index_sequence<I...>) {
    using Result = typename Stored<R>::Type;
    Result result[kLanes];
    for (int i = 0; i < kLanes; ++i) result[i] = F(lane<A>(in, warp, I + 1, i)...);
    put(warp.reg<Result>(in.at[0]), result, lanes);
  }
  template <size_t... I>
  static void one(const Instruction& in, WarpState& warp, int i, std::index_sequence<I...>) {
    warp.reg<typename Stored<R>::Type>(in.at[0])[i] = F(lane<A>(in, warp, I + 1, i)...);
  }
};

template <auto F>
void add_row(Table& table, const std::string& name) {
  table[name] = OnLanes<F>::operation(OnLanes<F>::all);
}
template <auto F>
void add_slow_row(Table& table, const std::string& name) {
  table[name] = OnLanes<F>::operation(OnLanes<F>::each);
}

// Rows "name.u16", "name.u32", ... for a struct with a function template `of`.
template <class Op, class... T>
void add_rows(Table& table, const std::string& name, char letter) {
  (add_row<&Op::template of<T>>(table, name + "." + letter + std::to_string(8 * sizeof(T))), ...);
}
template <class Op>
void add_unsigned_rows(Table& table, const std::string& name, char letter = 'u') {
  add_rows<Op, uint16_t, uint32_t, uint64_t>(table, name, letter);
}
template <class Op>
void add_signed_rows(Table& table, const std::string& name) {
  add_rows<Op, int16_t, int32_t, int64_t>(table, name, 's');
}

void add_integer_rows(Table& table);
void add_bit_rows(Table& table);
void add_float_rows(Table& table);
void add_approximate_rows(Table& table);
void add_comparison_rows(Table& table);
void add_conversion_rows(Table& table);

const Operation* find_operation(std::string_view opcode);  // null when the table has no such row

}  // namespace tailseg::card
