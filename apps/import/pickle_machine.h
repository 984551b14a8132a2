// The stack machine behind pickle.h: input, stack, marks and memo; pickle.cpp has the operations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apps/import/pickle.h"
#include "apps/import/pickle_opcodes.h"
#include "tensor/error.h"

namespace tailseg {

class PickleMachine {
 public:
  PickleMachine(Pickle& pickle, std::span<const std::byte> bytes, const std::string& file, const PickleLimits& limits)
      : pickle_(pickle), bytes_(bytes), file_(file), limits_(limits) {}

  void run() {
    for (size_t operations = 0;; ++operations) {
      check(operations < limits_.operations, "more than ", limits_.operations, " operations");
      const auto op = static_cast<unsigned char>(number(1));
      if (op == pickle_op::kStop) break;
      step(op);
    }
    pickle_.root_ = pop();
    pickle_.consumed_ = at_;
  }

 private:
  template <class... Parts>
  void check(bool condition, const Parts&... parts) const {
    if (!condition) fail("reading the pickle in ", file_, ", byte ", at_, ": ", parts...);
  }

  std::string_view take(uint64_t count) {
    check(count <= bytes_.size() - at_, "the file ends ", count - (bytes_.size() - at_), " bytes too early");
    const std::string_view part(reinterpret_cast<const char*>(bytes_.data()) + at_, size_t(count));
    at_ += size_t(count);
    return part;
  }

  uint64_t number(int bytes) {  // little-endian, unsigned
    const std::string_view part = take(uint64_t(bytes));
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= uint64_t(static_cast<unsigned char>(part[size_t(i)])) << (8 * i);
    return value;
  }

  std::string_view line() {
    const size_t start = at_;
    while (number(1) != '\n') {
    }
    return {reinterpret_cast<const char*>(bytes_.data()) + start, at_ - start - 1};
  }

  PickleValue* make(PickleKind kind) {
    check(pickle_.values_.size() < limits_.values, "more than ", limits_.values, " values");
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    return &value;
  }

  PickleValue* push(PickleKind kind) {
    PickleValue* value = make(kind);
    stack_.push_back(value);
    return value;
  }

  void push_int(int64_t value, PickleKind kind = PickleKind::kInt) { push(kind)->integer = value; }

  PickleValue* pop() {
    check(stack_.size() > floor(), "an operation needs a value that is not there");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }

  PickleValue* top() {
    check(stack_.size() > floor(), "an operation needs a value that is not there");
    return stack_.back();
  }

  // Values below the newest mark are out of reach.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  // Removes and returns everything above the newest mark, and the mark.
  std::vector<const PickleValue*> pop_to_mark() {
    check(!marks_.empty(), "no mark to go back to");
    std::vector<const PickleValue*> items(stack_.begin() + std::ptrdiff_t(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  void step(unsigned char op) {
    check(constant(op) || string(op) || container(op) || object(op) || memo(op), "opcode ", int(op),
          " is not one that weight files use");
  }

  bool constant(unsigned char op);
  bool string(unsigned char op);
  bool container(unsigned char op);
  bool object(unsigned char op);
  bool memo(unsigned char op);
  void push_tuple(size_t count);
  void push_long(uint64_t bytes);
  void add_items(const std::vector<const PickleValue*>& items, bool pairs);
  void push_global(std::string_view module, std::string_view name);
  void call();

  Pickle& pickle_;
  std::span<const std::byte> bytes_;
  const std::string& file_;
  PickleLimits limits_;
  size_t at_ = 0;
  size_t copied_ = 0;  // by OrderedDict([...]), the one place where a few bytes of pickle can copy many items
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

}  // namespace tailseg
