// Reading JSON into known shapes, one event at a time.
//
// RapidJSON cuts the text into events (number, string, begin of array, ...); walk_json sends each to the JsonValue that
// expects it there. A reader is a small tree of JsonValue objects, one for each place of the format, made once and
// reused for every record: an object's members are values by name, an array's elements all go to one value. Nothing
// is allocated for an event, so a file of any size is read in the memory of what is kept of it.
//
// A value that gets what it does not expect throws JsonMismatch; walk_json turns that into an Error which names the
// file, the byte and the path, e.g. "lvis.json: byte 5120, annotations[12].bbox: expected a number, got a string".
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tailseg {

class MappedText;

class JsonMismatch : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One place of a format. Every event is refused unless a derived class takes it.
class JsonValue {
 public:
  explicit JsonValue(const char* expected) : expected_(expected) {}  // "a number", "a list of boxes"
  virtual ~JsonValue() = default;

  virtual void null() { refuse("null"); }
  virtual void boolean(bool) { refuse("true or false"); }
  virtual void number(double) { refuse("a number"); }
  virtual void integer(int64_t value) { number(static_cast<double>(value)); }
  virtual void string(std::string_view) { refuse("a string"); }  // the text lives until the call returns
  virtual void begin_array() { refuse("a list"); }
  virtual JsonValue& element() { return *this; }  // who takes the next element
  virtual void end_array() {}
  virtual void begin_object() { refuse("an object"); }
  virtual JsonValue& member(std::string_view) { return *this; }  // who takes the value of this key
  virtual void end_object() {}

 protected:
  [[noreturn]] void refuse(const char* got) const;

 private:
  const char* expected_;
};

// Takes anything and keeps nothing.
JsonValue& json_ignored();

// An integer; a number such as 17.0 passes, 17.5 does not.
class JsonInteger : public JsonValue {
 public:
  JsonInteger() : JsonValue("an integer") {}
  void integer(int64_t v) override { value = v; }
  void number(double v) override;
  int64_t value = 0;
};

class JsonFlag : public JsonValue {  // 0, 1, true or false
 public:
  JsonFlag() : JsonValue("0 or 1") {}
  void boolean(bool v) override { value = v; }
  void number(double v) override;
  bool value = false;
};

class JsonNumber : public JsonValue {
 public:
  JsonNumber() : JsonValue("a number") {}
  void number(double v) override { value = v; }
  double value = 0;
};

class JsonString : public JsonValue {
 public:
  JsonString() : JsonValue("a string") {}
  void string(std::string_view v) override { value = v; }
  std::string value;
};

class JsonNumbers : public JsonValue {  // a list of numbers
 public:
  JsonNumbers() : JsonValue("a list of numbers") {}
  void begin_array() override;
  void number(double v) override;
  void end_array() override { open_ = false; }
  std::vector<double> values;

 private:
  bool open_ = false;
};

class JsonIntegers : public JsonValue {  // a list of integers
 public:
  JsonIntegers() : JsonValue("a list of integers") {}
  void begin_array() override;
  void number(double v) override;
  void integer(int64_t v) override;
  void end_array() override { open_ = false; }
  std::vector<int64_t> values;

 private:
  bool open_ = false;
};

// An object with named members; members that are not named are skipped.
class JsonObject : public JsonValue {
 public:
  explicit JsonObject(const char* expected = "an object") : JsonValue(expected) {}
  void add(const char* key, JsonValue& value, bool required);
  bool has(const JsonValue& value) const;  // whether the object just read had this member

  std::function<void()> on_begin;  // before the first member
  std::function<void()> on_end;    // after the last; every required member has been read

  void begin_object() override;
  JsonValue& member(std::string_view key) override;
  void end_object() override;

 private:
  struct Member {
    std::string key;
    JsonValue* value;
    bool required, seen;
  };
  std::vector<Member> members_;
  size_t next_ = 0;  // where to look first: files repeat the order of their keys
};

class JsonList : public JsonValue {  // a list whose elements go to one value
 public:
  JsonList(const char* expected, JsonValue& each) : JsonValue(expected), each_(each) {}
  void begin_array() override {}
  JsonValue& element() override { return each_; }

 private:
  JsonValue& each_;
};

// Reads one JSON text into `root`. `name` stands for the file in messages; `file`, if given, is the mapped file the
// text lies in, whose read part is released on the way. Numbers are rounded correctly (as strtod does).
// Errors: malformed JSON, nesting deeper than 64, a value where `root` does not expect it; each with the byte.
void walk_json(std::string_view text, const std::string& name, JsonValue& root, const MappedText* file = nullptr);

}  // namespace tailseg
