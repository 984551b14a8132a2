#include "datasets/synthetic/classes.h"
#include "datasets/synthetic/font.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>

#include "datasets/image_decode.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

constexpr const char* kHueNames[] = {"red",  "orange", "yellow", "lime",   "green",   "mint",
                                     "cyan", "azure",  "blue",   "violet", "magenta", "rose"};
constexpr int64_t kHues = std::size(kHueNames);

std::string required_string(const rapidjson::Value& entry, const char* key, const std::string& where) {
  const auto found = entry.FindMember(key);
  TS_CHECK(found != entry.MemberEnd() && found->value.IsString() && found->value.GetStringLength() > 0, where, ": \"",
           key, "\" must be a string");
  return {found->value.GetString(), found->value.GetStringLength()};
}

std::string optional_string(const rapidjson::Value& entry, const char* key) {
  const auto found = entry.FindMember(key);
  if (found == entry.MemberEnd() || !found->value.IsString()) return "";
  return {found->value.GetString(), found->value.GetStringLength()};
}

double weight_of(const rapidjson::Value& entry, const std::string& where) {
  for (const char* key : {"instance_count", "image_count"}) {
    const auto found = entry.FindMember(key);
    if (found == entry.MemberEnd()) continue;
    TS_CHECK(found->value.IsNumber() && found->value.GetDouble() >= 0, where, ": \"", key, "\" must be a number >= 0");
    return found->value.GetDouble();
  }
  return 1;
}

}  // namespace

ClassList shape_classes(int64_t count, bool any_colour) {
  ClassList list;
  list.outlines = std::make_shared<std::vector<Outline>>(shape_outlines());
  const auto shapes = static_cast<int64_t>(list.outlines->size());
  const int64_t pairs = shapes * kTextureCount;
  const int64_t most = any_colour ? pairs : pairs * kHues;
  TS_CHECK(count >= 1 && count <= most, "a set of shapes with ", count, " classes; expected 1 to ", most,
           any_colour ? " when colour is free" : "", "; glyphs of a font give thousands");
  const int64_t hues = (count + pairs - 1) / pairs;  // 1: colour need not tell classes apart
  for (int64_t k = 0; k < count; ++k) {
    const int64_t pair = k % pairs, shape = pair % shapes;
    const auto texture = static_cast<Texture>((shape * 3 + pair / shapes) % kTextureCount);
    const int64_t hue_name = k / pairs * kHues / hues;
    SyntheticClass entry;
    entry.name = std::string(texture_name(texture)) + ' ' + (*list.outlines)[shape].name;
    if (hues > 1) entry.name = std::string(kHueNames[hue_name]) + ' ' + entry.name;
    entry.definition = "a " + entry.name + ", drawn by a program";
    entry.synonyms = {entry.name};
    ClassLook look;
    look.outline = &(*list.outlines)[shape];
    look.texture = texture;
    look.second = static_cast<int>(pair / shapes + shape) % 3;
    look.hue = hues > 1 ? static_cast<double>(hue_name) / kHues : 0.381966 * static_cast<double>(k);  // golden angle
    look.hue_spread = any_colour ? 1 : hues > 1 ? 0.2 / static_cast<double>(kHues) : 0.05;
    list.classes.push_back(std::move(entry));
    list.looks.push_back(look);
  }
  return list;
}

ClassList glyph_classes(int64_t count, const std::string& font) {
  TS_CHECK(count >= 1, "a set of glyphs with ", count, " classes; expected at least 1");
  ClassList list;
  list.outlines = std::make_shared<std::vector<Outline>>(Font(font).outlines(count));
  TS_CHECK(static_cast<int64_t>(list.outlines->size()) == count, "font ", font, " has ", list.outlines->size(),
           " different visible glyphs, ", count, " classes were asked for");
  for (int64_t k = 0; k < count; ++k) {
    const Outline& outline = (*list.outlines)[k];
    list.classes.push_back({outline.name, "", "the glyph " + outline.name + " of a font", {outline.name}, 0, 0});
    ClassLook look;
    look.outline = &outline;
    look.any_texture = true;
    look.hue_spread = 1;
    look.second = static_cast<int>(k % 3);
    list.looks.push_back(look);
  }
  return list;
}

std::vector<SyntheticClass> read_categories(const std::string& path) {
  std::vector<uint8_t> bytes;
  read_file_bytes(path, int64_t{1} << 30, bytes, "categories");
  return parse_categories({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

std::vector<SyntheticClass> parse_categories(std::string_view json, const std::string& path) {
  rapidjson::Document document;  // iteratively: a file of a million brackets must not exhaust the stack
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  TS_CHECK(!document.HasParseError(), "reading categories ", path, ": byte ", document.GetErrorOffset(), ": ",
           rapidjson::GetParseError_En(document.GetParseError()));
  const rapidjson::Value* entries = &document;
  if (document.IsObject() && document.HasMember("categories")) entries = &document["categories"];
  TS_CHECK(entries->IsArray() && !entries->Empty(), "reading categories ", path,
           ": expected a list of categories, or an object with such a list as \"categories\"");
  std::vector<SyntheticClass> classes;
  for (const rapidjson::Value& entry : entries->GetArray()) {
    const std::string where = text("reading categories ", path, ": entry ", classes.size());
    TS_CHECK(entry.IsObject(), where, ": expected an object");
    SyntheticClass c;
    c.name = required_string(entry, "name", where);
    c.synset = optional_string(entry, "synset");
    c.definition = optional_string(entry, "def");
    c.weight = weight_of(entry, where);
    const std::string frequency = optional_string(entry, "frequency");
    if (frequency == "r" || frequency == "c" || frequency == "f") c.frequency = frequency[0];
    const auto synonyms = entry.FindMember("synonyms");
    if (synonyms != entry.MemberEnd() && synonyms->value.IsArray()) {
      for (const auto& word : synonyms->value.GetArray()) {
        if (word.IsString()) c.synonyms.emplace_back(word.GetString(), word.GetStringLength());
      }
    }
    if (c.synonyms.empty()) c.synonyms = {c.name};
    classes.push_back(std::move(c));
  }
  return classes;
}

}  // namespace tailseg::synthetic
