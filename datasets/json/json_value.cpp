#include "datasets/json/json_value.h"

#include <cmath>

#include "tensor/error.h"

namespace tailseg {

namespace {

class Ignored : public JsonValue {
 public:
  Ignored() : JsonValue("anything") {}
  void null() override {}
  void boolean(bool) override {}
  void number(double) override {}
  void string(std::string_view) override {}
  void begin_array() override {}
  void begin_object() override {}
};

constexpr double kLargestExact = 9007199254740992.0;  // 2^53: every integer up to it is a double

}  // namespace

JsonValue& json_ignored() {
  static Ignored value;  // no state: shared by all threads
  return value;
}

void JsonValue::refuse(const char* got) const { throw JsonMismatch(text("expected ", expected_, ", got ", got)); }

void JsonInteger::number(double v) {
  if (!(std::abs(v) <= kLargestExact) || v != std::floor(v)) refuse(text(v).c_str());
  value = static_cast<int64_t>(v);
}

void JsonFlag::number(double v) {
  if (v != 0 && v != 1) refuse(text(v).c_str());
  value = v == 1;
}

void JsonNumbers::begin_array() {
  if (open_) refuse("a list in a list");
  values.clear();
  open_ = true;
}

void JsonNumbers::number(double v) {
  if (!open_) refuse("a number");
  values.push_back(v);
}

void JsonIntegers::begin_array() {
  if (open_) refuse("a list in a list");
  values.clear();
  open_ = true;
}

void JsonIntegers::integer(int64_t v) {
  if (!open_) refuse("a number");
  values.push_back(v);
}

void JsonIntegers::number(double v) {
  if (!(std::abs(v) <= kLargestExact) || v != std::floor(v)) refuse(text(v).c_str());
  integer(static_cast<int64_t>(v));
}

void JsonObject::add(const char* key, JsonValue& value, bool required) {
  members_.push_back({key, &value, required, false});
}

bool JsonObject::has(const JsonValue& value) const {
  for (const Member& m : members_) {
    if (m.value == &value) return m.seen;
  }
  return false;
}

void JsonObject::begin_object() {
  for (Member& m : members_) m.seen = false;
  if (on_begin) on_begin();
}

JsonValue& JsonObject::member(std::string_view key) {
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& m = members_[(next_ + i) % members_.size()];
    if (m.key != key) continue;
    if (m.seen) throw JsonMismatch(text("key '", key, "' occurs twice in one object"));
    m.seen = true;
    next_ = (next_ + i + 1) % members_.size();
    return *m.value;
  }
  return json_ignored();
}

void JsonObject::end_object() {
  for (const Member& m : members_) {
    if (m.required && !m.seen) throw JsonMismatch(text("key '", m.key, "' is missing"));
  }
  if (on_end) on_end();
}

}  // namespace tailseg
