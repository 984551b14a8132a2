// The JSON header of a safetensors file: a RapidJSON event handler that admits exactly the format's shape (and so sees
// duplicate keys, which a document tree would hide), then the rules on sizes and offsets.
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// Where the parser stands; each event is legal in very few places.
enum class Place { kStart, kTop, kMetadata, kTensor, kDtype, kShape, kOffsets, kArray, kEnd };

struct HeaderHandler : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, HeaderHandler> {
  SafetensorsHeader header;
  std::string problem;

  bool refuse(const std::string& why) {
    problem = name_.empty() ? why : text("tensor '", name_, "': ", why);
    return false;
  }

  bool Default() { return refuse("a value of a type that the format does not know"); }

  bool StartObject() {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ == Place::kMetadata && !in_metadata_) {
      in_metadata_ = true;
      return true;
    }
    if (place_ == Place::kTensor && !in_tensor_) {
      in_tensor_ = true;
      return true;
    }
    return refuse("an object where none belongs");
  }

  bool Key(const char* chars, rapidjson::SizeType length, bool) {
    const std::string key(chars, length);
    if (in_metadata_) {
      metadata_key_ = key;
      return header.metadata.count(key) ? refuse(text("__metadata__ has the key '", key, "' twice")) : true;
    }
    if (in_tensor_) return tensor_key(key);
    if (!names_.insert(key).second) return refuse(text("the name '", key, "' occurs twice"));
    if (key == "__metadata__") {
      place_ = Place::kMetadata;
      return true;
    }
    place_ = Place::kTensor;
    name_ = key;
    entry_ = {};
    fields_.clear();
    return true;
  }

  bool tensor_key(const std::string& key) {
    if (!fields_.insert(key).second) return refuse(text("the field '", key, "' occurs twice"));
    if (key == "dtype") {
      place_ = Place::kDtype;
    } else if (key == "shape") {
      place_ = Place::kShape;
    } else if (key == "data_offsets") {
      place_ = Place::kOffsets;
    } else {
      return refuse(text("unknown field '", key, "'; expected dtype, shape and data_offsets"));
    }
    return true;
  }

  bool String(const char* chars, rapidjson::SizeType length, bool) {
    if (in_metadata_) {
      header.metadata[metadata_key_] = std::string(chars, length);
      return true;
    }
    if (place_ != Place::kDtype) return refuse("a string where none belongs");
    entry_.dtype.assign(chars, length);
    place_ = Place::kTensor;
    return true;
  }

  bool StartArray() {
    if (place_ != Place::kShape && place_ != Place::kOffsets) return refuse("an array where none belongs");
    array_of_ = std::exchange(place_, Place::kArray);
    numbers_.clear();
    return true;
  }

  bool Uint(unsigned value) { return Uint64(value); }
  bool Uint64(uint64_t value) {
    if (place_ != Place::kArray) return refuse("a number where none belongs");
    if (value > uint64_t(INT64_MAX)) return refuse(text("the number ", value, " is out of range"));
    numbers_.push_back(int64_t(value));
    return true;
  }

  bool EndArray(rapidjson::SizeType) {
    if (array_of_ == Place::kShape) {
      entry_.shape = numbers_;
    } else {
      if (numbers_.size() != 2) return refuse(text("data_offsets has ", numbers_.size(), " numbers; expected 2"));
      entry_.begin = uint64_t(numbers_[0]);
      entry_.end = uint64_t(numbers_[1]);
    }
    place_ = Place::kTensor;
    return true;
  }

  bool EndObject(rapidjson::SizeType) {
    if (in_tensor_) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!fields_.count(field)) return refuse(text("the field '", field, "' is missing"));
      }
      header.entries.emplace(std::exchange(name_, ""), std::move(entry_));
      in_tensor_ = false;
      place_ = Place::kTop;
    } else if (in_metadata_) {
      in_metadata_ = false;
      place_ = Place::kTop;
    } else {
      place_ = Place::kEnd;
    }
    return true;
  }

 private:
  Place place_ = Place::kStart, array_of_ = Place::kShape;
  bool in_tensor_ = false, in_metadata_ = false;
  std::string name_, metadata_key_;
  SafetensorsEntry entry_;
  std::set<std::string> names_, fields_;
  std::vector<int64_t> numbers_;
};

// dtype and shape give each tensor's length; in the order of their offsets the tensors tile [0, data_bytes).
void check_tiling(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& file) {
  std::vector<std::pair<const std::string*, const SafetensorsEntry*>> order;
  for (const auto& [name, entry] : header.entries) {
    const std::string what = text(file, ": tensor '", name, "'");
    const int64_t size = host_dtype_bytes(entry.dtype);
    TS_CHECK(size > 0, what, ": unknown dtype '", entry.dtype, "'");
    const int64_t elements = host_elements(entry.shape, what);
    TS_CHECK(elements <= INT64_MAX / size, what, ": shape ", shape_text(entry.shape), " is too large");
    TS_CHECK(entry.begin <= entry.end && entry.end - entry.begin == uint64_t(elements * size), what, ": ", entry.dtype,
             " ", shape_text(entry.shape), " takes ", elements * size, " bytes, but data_offsets are [", entry.begin,
             ", ", entry.end, "]");
    order.emplace_back(&name, &entry);
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  uint64_t reached = 0;
  for (const auto& [name, entry] : order) {
    TS_CHECK(entry->begin == reached, file, ": tensor '", *name, "' begins at byte ", entry->begin,
             " of the data, expected ", reached, entry->begin < reached ? " (it overlaps another)" : " (a hole)");
    reached = entry->end;
  }
  TS_CHECK(reached <= data_bytes, file, ": the file is truncated: the header describes ", reached,
           " bytes of tensors, but only ", data_bytes, " are there");
  TS_CHECK(reached == data_bytes, file, ": ", data_bytes - reached, " bytes after the last tensor belong to nothing");
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> json, uint64_t data_bytes,
                                           const std::string& file) {
  TS_CHECK(!json.empty() && json[0] == std::byte('{'), file, ": the header does not start with '{'");
  size_t length = json.size();
  while (length > 0 && json[length - 1] == std::byte(' ')) --length;
  rapidjson::MemoryStream stream(reinterpret_cast<const char*>(json.data()), length);
  HeaderHandler handler;
  rapidjson::Reader reader;
  const auto result = reader.Parse<rapidjson::kParseValidateEncodingFlag>(stream, handler);
  TS_CHECK(handler.problem.empty(), file, ": header: ", handler.problem);
  TS_CHECK(!result.IsError(), file, ": header byte ", result.Offset(), ": ", GetParseError_En(result.Code()));
  handler.header.data_begin = 8 + json.size();
  check_tiling(handler.header, data_bytes, file);
  return std::move(handler.header);
}

}  // namespace tailseg
