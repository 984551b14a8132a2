// A value of a configuration file, without the TOML library's types, and where it stands.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tailseg {

struct ConfigValue {
  std::variant<bool, int64_t, double, std::string, std::vector<ConfigValue>> data;
};

struct ConfigEntry {
  std::string key;  // dotted: "solver.base_lr"
  ConfigValue value;
  std::string where;  // "apps/configs/demo.toml:12", for messages
};

// TOML text to entries in the order of the file. Throws Error with file and line for malformed text and for values of
// types that no setting has (dates, tables in arrays).
std::vector<ConfigEntry> parse_toml(const std::string& text, const std::string& file);

// One override, "solver.base_lr=0.01". The right side is read as a TOML value; what is none (resnet18, runs/one) is
// text.
ConfigEntry parse_override(const std::string& assignment);

// TOML again: numbers in the fewest digits that read back as the same number, text quoted.
std::string toml_text(const ConfigValue& value);

}  // namespace tailseg
