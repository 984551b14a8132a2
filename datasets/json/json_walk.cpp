// RapidJSON's events, each passed to the value that stands at its place.
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cstdlib>

#include "datasets/json/json_value.h"
#include "datasets/json/mapped_text.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

constexpr size_t kDeepest = 64;  // RapidJSON calls itself once a level: a limit keeps hostile files off the stack's end

class Walk {
 public:
  Walk(const rapidjson::MemoryStream& stream, JsonValue& root, const MappedText* file)
      : stream_(stream), pending_(&root), file_(file) {
    frames_.reserve(kDeepest);
  }

  bool Null() { return target().null(), true; }
  bool Bool(bool v) { return target().boolean(v), true; }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool) {
    int64_t whole = 0;
    double value = 0;
    const char* end = s + n;
    if (const auto read = std::from_chars(s, end, whole); read.ec == std::errc() && read.ptr == end) {
      target().integer(whole);
    } else if (std::from_chars(s, end, value).ec == std::errc()) {
      target().number(value);
    } else {  // beyond the largest or below the smallest double: infinity or zero
      target().number(std::strtod(s, nullptr));
    }
    return true;
  }
  // Numbers come as text (see walk_json), never through these.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* s, rapidjson::SizeType n, bool) { return target().string({s, n}), true; }
  bool Key(const char* s, rapidjson::SizeType n, bool) {
    Frame& frame = frames_.back();
    frame.key.assign(s, n);
    pending_ = &frame.value->member(frame.key);
    return true;
  }
  bool StartObject() {
    JsonValue& value = target();
    value.begin_object();
    return push(value, false);
  }
  bool EndObject(rapidjson::SizeType) {
    frames_.back().key.clear();  // what is wrong now is the object's, not its last member's
    frames_.back().value->end_object();
    frames_.pop_back();
    if (file_) file_->release_before(stream_.Tell());
    return true;
  }
  bool StartArray() {
    JsonValue& value = target();
    value.begin_array();
    return push(value, true);
  }
  bool EndArray(rapidjson::SizeType) {
    frames_.back().value->end_array();
    frames_.pop_back();
    return true;
  }

  std::string path() const {
    std::string out;
    for (const Frame& frame : frames_) {
      if (frame.array) {
        if (frame.index >= 0) out.append("[").append(std::to_string(frame.index)).append("]");
      } else if (!frame.key.empty()) {
        out.append(out.empty() ? "" : ".").append(frame.key);
      }
    }
    return out;
  }

 private:
  struct Frame {
    JsonValue* value;
    bool array;
    int64_t index;    // of the element being read
    std::string key;  // of the member being read
  };

  JsonValue& target() {
    if (frames_.empty() || !frames_.back().array) return *pending_;
    ++frames_.back().index;
    return frames_.back().value->element();
  }

  bool push(JsonValue& value, bool array) {
    if (frames_.size() == kDeepest) throw JsonMismatch(text("nested deeper than ", kDeepest, " levels"));
    frames_.push_back({&value, array, -1, {}});
    return true;
  }

  const rapidjson::MemoryStream& stream_;
  std::vector<Frame> frames_;
  JsonValue* pending_;  // who takes the next value, unless that is an array's element
  const MappedText* file_;
};

}  // namespace

void walk_json(std::string_view json, const std::string& name, JsonValue& root, const MappedText* file) {
  rapidjson::MemoryStream stream(json.data(), json.size());
  Walk walk(stream, root, file);
  rapidjson::Reader reader;
  // Numbers are taken as text and rounded by from_chars: RapidJSON's own full precision reads outside its table at
  // "0.", 400 zeros and a digit, and its normal precision is an ulp off in one of ten. NaN and Infinity are not JSON,
  // but Python writes them: taken here, refused by the values, with the record's id.
  constexpr unsigned kFlags = rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseNanAndInfFlag;
  const auto where = [&] {
    const std::string path = walk.path();
    return text(name, ": byte ", stream.Tell(), path.empty() ? "" : ", ", path, ": ");
  };
  try {
    reader.Parse<kFlags>(stream, walk);
  } catch (const JsonMismatch& mismatch) {
    fail(where(), mismatch.what());
  }
  if (reader.HasParseError()) {
    fail(name, ": byte ", reader.GetErrorOffset(),
         ": not valid JSON: ", rapidjson::GetParseError_En(reader.GetParseErrorCode()),
         reader.GetErrorOffset() >= json.size() ? " (the file ends here: was it cut short?)" : "");
  }
  TS_CHECK(stream.Tell() == json.size(), name, ": byte ", stream.Tell(), ": not valid JSON: a zero byte");
}

}  // namespace tailseg
