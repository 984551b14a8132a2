// A restricted reader of Python pickles (PEP 307, 3154, protocols 1 to 5). It builds a tree of plain values and
// executes nothing: GLOBAL gives an inert name, REDUCE and NEWOBJ give an inert "callable with arguments". Whoever
// reads the tree decides which few names mean something (pickled_tensors.h); all others stay inert.
//
// Values live in one heap and refer to each other by pointer, so that shared and cyclic objects cost nothing and are
// freed without recursion. Number of values, operations and memo slots are limited: a hostile file ends in an Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tailseg {

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  kGlobal,
  kObject,
  kPersistent
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t integer = 0;    // kBool, kInt
  double real = 0;        // kFloat
  std::string_view text;  // kText (UTF-8, or a Python 2 str), kBytes, kGlobal ("module.name"), an int beyond 64 bits
  std::vector<const PickleValue*> items;   // kTuple, kList; kDict: key, value, key, value; kObject: added after making
  const PickleValue* callable = nullptr;   // kObject
  const PickleValue* arguments = nullptr;  // kObject: a tuple; kPersistent: the id
  const PickleValue* state = nullptr;      // what BUILD gave, if it did

  bool is_text() const { return kind == PickleKind::kText || kind == PickleKind::kBytes; }
  bool is_sequence() const { return kind == PickleKind::kTuple || kind == PickleKind::kList; }
  // An object made by calling the global `name`.
  bool is_made_by(std::string_view name) const;
  // The value under a text key of a dict (or of a dict-like object); null when absent.
  const PickleValue* find(std::string_view key) const;
};

struct PickleLimits {
  size_t values = 4'000'000;  // a checkpoint of a large detector with its optimiser has some ten thousand
  size_t operations = 16'000'000;
};

class Pickle {
 public:
  // Reads one pickle from the start of `bytes`, which must outlive this object. Throws Error with `file` and the
  // offset.
  Pickle(std::span<const std::byte> bytes, const std::string& file, const PickleLimits& limits = {});

  const PickleValue& root() const { return *root_; }
  size_t size() const { return consumed_; }  // bytes of the pickle, STOP included: the next one starts there

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;  // what is not in the file as such
  const PickleValue* root_ = nullptr;
  size_t consumed_ = 0;
};

}  // namespace tailseg
