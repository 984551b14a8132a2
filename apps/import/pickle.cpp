#include "apps/import/pickle.h"

#include <bit>
#include <utility>

#include "apps/import/pickle_machine.h"

namespace tailseg {

using namespace pickle_op;

// Two's complement, little-endian, any length; what does not fit 64 bits is kept as its bytes (nobody computes with
// it).
void PickleMachine::push_long(uint64_t bytes) {
  const std::string_view part = take(bytes);
  PickleValue* value = push(PickleKind::kInt);
  if (bytes > 8) {
    value->text = part;
    return;
  }
  uint64_t bits = bytes > 0 && (part.back() & 0x80) ? ~uint64_t(0) : 0;
  for (size_t i = bytes; i-- > 0;) bits = (bits << 8) | static_cast<unsigned char>(part[i]);
  value->integer = static_cast<int64_t>(bits);
}

bool PickleMachine::constant(unsigned char op) {
  switch (op) {
    case kProto: {
      const uint64_t protocol = number(1);
      check(protocol <= 5, "pickle protocol ", protocol, "; known are 1 to 5");
      return true;
    }
    case kFrame:
      number(8);
      return true;  // a hint for readers of streams
    case kNone:
      push(PickleKind::kNone);
      return true;
    case kNewTrue:
      push_int(1, PickleKind::kBool);
      return true;
    case kNewFalse:
      push_int(0, PickleKind::kBool);
      return true;
    case kBinInt:
      push_int(static_cast<int32_t>(number(4)));
      return true;
    case kBinInt1:
      push_int(int64_t(number(1)));
      return true;
    case kBinInt2:
      push_int(int64_t(number(2)));
      return true;
    case kLong1:
      push_long(number(1));
      return true;
    case kLong4:
      push_long(number(4));
      return true;
    case kBinFloat: {  // big-endian, alone among the numbers
      uint64_t bits = 0;
      for (const char c : take(8)) bits = (bits << 8) | static_cast<unsigned char>(c);
      push(PickleKind::kFloat)->real = std::bit_cast<double>(bits);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::string(unsigned char op) {
  struct Form {
    Op op;
    PickleKind kind;
    int length_bytes;
  };
  static constexpr Form kForms[] = {
      {kBinString, PickleKind::kBytes, 4},     {kShortBinString, PickleKind::kBytes, 1},
      {kBinUnicode, PickleKind::kText, 4},     {kShortBinUnicode, PickleKind::kText, 1},
      {kBinUnicode8, PickleKind::kText, 8},    {kBinBytes, PickleKind::kBytes, 4},
      {kShortBinBytes, PickleKind::kBytes, 1}, {kBinBytes8, PickleKind::kBytes, 8},
      {kByteArray8, PickleKind::kBytes, 8},
  };
  for (const Form& form : kForms) {
    if (form.op != op) continue;
    const uint64_t length = number(form.length_bytes);
    push(form.kind)->text = take(length);
    return true;
  }
  return false;
}

void PickleMachine::push_tuple(size_t count) {
  check(stack_.size() >= floor() + count, "a tuple of ", count, " needs more values than there are");
  std::vector<const PickleValue*> items(stack_.end() - std::ptrdiff_t(count), stack_.end());
  stack_.resize(stack_.size() - count);
  push(PickleKind::kTuple)->items = std::move(items);
}

// Appends to the list, dict or inert object on top of the stack.
void PickleMachine::add_items(const std::vector<const PickleValue*>& items, bool pairs) {
  PickleValue* target = top();
  const bool fits = pairs ? target->kind == PickleKind::kDict : target->kind == PickleKind::kList;
  check(fits || target->kind == PickleKind::kObject, "items are added to something that holds none");
  check(!pairs || items.size() % 2 == 0, "a dict key without a value");
  target->items.insert(target->items.end(), items.begin(), items.end());
}

bool PickleMachine::container(unsigned char op) {
  switch (op) {
    case kMark:
      marks_.push_back(stack_.size());
      return true;
    case kEmptyTuple:
      push(PickleKind::kTuple);
      return true;
    case kTuple1:
      push_tuple(1);
      return true;
    case kTuple2:
      push_tuple(2);
      return true;
    case kTuple3:
      push_tuple(3);
      return true;
    case kTuple: {
      auto items = pop_to_mark();
      push(PickleKind::kTuple)->items = std::move(items);
      return true;
    }
    case kEmptyList:
    case kEmptySet:
      push(PickleKind::kList);
      return true;
    case kList:
    case kFrozenSet: {
      auto items = pop_to_mark();
      push(PickleKind::kList)->items = std::move(items);
      return true;
    }
    case kEmptyDict:
      push(PickleKind::kDict);
      return true;
    case kDict: {
      auto items = pop_to_mark();
      push(PickleKind::kDict);
      add_items(items, true);
      return true;
    }
    case kAppend: {
      const PickleValue* item = pop();
      add_items({item}, false);
      return true;
    }
    case kAppends:
    case kAddItems:
    case kSetItems:
      add_items(pop_to_mark(), op == kSetItems);
      return true;
    case kSetItem: {
      const PickleValue* value = pop();
      const PickleValue* key = pop();
      add_items({key, value}, true);
      return true;
    }
    default:
      return false;
  }
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  check(module.size() + name.size() < 1000, "a global with a name of ", module.size() + name.size(), " characters");
  push(PickleKind::kGlobal)->text = pickle_.texts_.emplace_back(text(module, '.', name));
}

// The only call with an effect: an OrderedDict becomes a dict. Everything else is remembered, not done.
void PickleMachine::call() {
  const PickleValue* arguments = pop();
  const PickleValue* callable = pop();
  check(arguments->kind == PickleKind::kTuple, "a call whose arguments are no tuple");
  if (callable->kind == PickleKind::kGlobal && callable->text == "collections.OrderedDict") {
    PickleValue* dict = push(PickleKind::kDict);
    if (arguments->items.empty()) return;
    copied_ += arguments->items[0]->items.size();
    check(copied_ <= limits_.operations, "more than ", limits_.operations, " items copied");
    for (const PickleValue* pair : arguments->items[0]->items) {  // Python 2 gives a list of [key, value] pairs
      check(pair->is_sequence() && pair->items.size() == 2, "an OrderedDict whose argument is no list of pairs");
      dict->items.insert(dict->items.end(), pair->items.begin(), pair->items.end());
    }
    return;
  }
  PickleValue* object = push(PickleKind::kObject);
  object->callable = callable;
  object->arguments = arguments;
}

bool PickleMachine::object(unsigned char op) {
  switch (op) {
    case kGlobal: {
      const std::string_view module = line();
      const std::string_view name = line();
      push_global(module, name);
      return true;
    }
    case kStackGlobal: {
      const PickleValue* name = pop();
      const PickleValue* module = pop();
      check(name->is_text() && module->is_text(), "a global whose name is no text");
      push_global(module->text, name->text);
      return true;
    }
    case kReduce:
    case kNewObj:
      call();
      return true;
    case kNewObjEx:
      pop();
      call();
      return true;
    case kBuild: {
      const PickleValue* state = pop();
      top()->state = state;
      return true;
    }
    case kBinPersId: {
      const PickleValue* id = pop();
      push(PickleKind::kPersistent)->arguments = id;
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::memo(unsigned char op) {
  const auto put = [&](uint64_t slot) {
    memo_[slot] = top();
    check(memo_.size() <= limits_.values, "more than ", limits_.values, " memo slots");
  };
  const auto get = [&](uint64_t slot) {
    const auto found = memo_.find(slot);
    check(found != memo_.end(), "memo slot ", slot, " is empty");
    stack_.push_back(found->second);
  };
  switch (op) {
    case kBinPut:
      put(number(1));
      return true;
    case kLongBinPut:
      put(number(4));
      return true;
    case kMemoize:
      put(memo_.size());
      return true;
    case kBinGet:
      get(number(1));
      return true;
    case kLongBinGet:
      get(number(4));
      return true;
    case kPop:
      if (!marks_.empty() && stack_.size() == marks_.back()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case kPopMark:
      pop_to_mark();
      return true;
    case kDup:
      stack_.push_back(top());
      return true;
    default:
      return false;
  }
}

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& file, const PickleLimits& limits) {
  PickleMachine(*this, bytes, file, limits).run();
}

bool PickleValue::is_made_by(std::string_view name) const {
  return kind == PickleKind::kObject && callable->kind == PickleKind::kGlobal && callable->text == name;
}

const PickleValue* PickleValue::find(std::string_view key) const {
  if (kind != PickleKind::kDict && kind != PickleKind::kObject) return nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->is_text() && items[i]->text == key) return items[i + 1];
  }
  return nullptr;
}

}  // namespace tailseg
