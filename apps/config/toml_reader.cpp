// The only file that sees toml++.
//
// Its assertions include some on what the text holds ("[=" breaks one), behind which the parser reports the same fault
// as an ordinary error. They are therefore off in every build, not only where NDEBUG is set.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <cmath>
#include <cstdio>
#include <tuple>

#include "apps/config/config_value.h"
#include "apps/number_text.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

std::string place(const toml::source_region& region, const std::string& file) {
  return file + ":" + std::to_string(region.begin.line);
}

// False for a type that no setting has.
bool convert(const toml::node& node, ConfigValue& value) {
  if (const auto* boolean = node.as_boolean()) {
    value.data = boolean->get();
  } else if (const auto* integer = node.as_integer()) {
    value.data = int64_t(integer->get());
  } else if (const auto* real = node.as_floating_point()) {
    value.data = real->get();
  } else if (const auto* string = node.as_string()) {
    value.data = string->get();
  } else if (const auto* array = node.as_array()) {
    std::vector<ConfigValue> items(array->size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (!convert((*array)[i], items[i])) return false;
    }
    value.data = std::move(items);
  } else {
    return false;
  }
  return true;
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& file,
             std::vector<ConfigEntry>& entries) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      flatten(*inner, name + ".", file, entries);
      continue;
    }
    ConfigEntry entry{name, {}, place(node.source(), file)};
    TS_CHECK(convert(node, entry.value), entry.where, ": '", name,
             "' is a date, a time or an array of tables; no setting is");
    entries.push_back(std::move(entry));
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += std::string("\\") + c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += code;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string real_text(double value) {
  const std::string digits = number_text(value);
  const bool plain = digits.find_first_not_of("-0123456789") == std::string::npos;
  if (plain) return digits + ".0";  // 3 would read back as an integer
  return digits;
}

}  // namespace

std::vector<ConfigEntry> parse_toml(const std::string& text, const std::string& file) {
  try {
    const toml::table table = toml::parse(text, file);
    std::vector<ConfigEntry> entries;
    flatten(table, "", file, entries);
    return entries;
  } catch (const toml::parse_error& error) {
    fail(place(error.source(), file), ": ", error.description());
  }
}

ConfigEntry parse_override(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  TS_CHECK(equals != std::string::npos && equals > 0, "--set ", assignment, ": expected key=value");
  ConfigEntry entry{assignment.substr(0, equals), {}, "--set " + assignment};
  const std::string right = assignment.substr(equals + 1);
  entry.value.data = right;
  if (right.find_first_of("\n\r") != std::string::npos) return entry;  // one value, not lines of TOML
  try {
    const toml::table table = toml::parse("value = " + right);
    const toml::node* node = table.get("value");
    ConfigValue parsed;
    if (table.size() == 1 && node && convert(*node, parsed)) entry.value = std::move(parsed);
  } catch (const toml::parse_error&) {  // a bare word
  }
  return entry;
}

std::string toml_text(const ConfigValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value.data)) return *boolean ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&value.data)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value.data)) return real_text(*real);
  if (const auto* text = std::get_if<std::string>(&value.data)) return quoted(*text);
  std::string result = "[";
  for (const ConfigValue& item : std::get<std::vector<ConfigValue>>(value.data)) {
    result += (result.size() > 1 ? ", " : "") + toml_text(item);
  }
  return result + "]";
}

}  // namespace tailseg
