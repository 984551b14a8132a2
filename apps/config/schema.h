// A strict schema over plain structs: each setting has a dotted key, a place in a struct, a comment, and limits. What
// is not in the schema is refused with the nearest key that is; a value of another type or outside its limits is
// refused with file and line, what was expected and what came.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "apps/config/config_value.h"

namespace tailseg {

class ConfigField {
 public:
  using Target = std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*, std::vector<double>*>;

  ConfigField(std::string key, Target target, std::string comment)
      : key_(std::move(key)), target_(target), comment_(std::move(comment)) {}

  ConfigField& range(double low, double high = std::numeric_limits<double>::infinity());  // of each number, inclusive
  ConfigField& choices(std::vector<std::string> words);
  ConfigField& length(size_t count);  // of a list
  ConfigField& positive();            // each number > 0
  // Written only while *word is `value`: an option of one of several methods, of which the word picks one.
  ConfigField& only_with(const std::string* word, std::string value);

  const std::string& key() const { return key_; }
  const std::string& comment() const { return comment_; }
  const std::vector<std::string>& words() const { return choices_; }
  std::string type_name() const;  // "an integer", "a list of numbers"
  ConfigValue get() const;

  // Checks and stores. Throws Error that starts with `where`.
  void set(const ConfigValue& value, const std::string& where) const;

  bool is_written() const { return !owner_ || *owner_ == owner_value_; }
  bool is_text() const { return std::holds_alternative<std::string*>(target_); }

 private:
  std::string words_and_nearest(const std::string& text) const;
  void check_number(double value, const std::string& where) const;
  double number(const ConfigValue& value, const std::string& where) const;

  std::string key_;
  Target target_;
  std::string comment_;
  double low_ = -std::numeric_limits<double>::infinity(), high_ = std::numeric_limits<double>::infinity();
  bool positive_ = false;
  size_t length_ = 0;  // 0: any
  std::vector<std::string> choices_;
  const std::string* owner_ = nullptr;
  std::string owner_value_;
};

class ConfigSchema {
 public:
  // In the order in which the settings are written.
  ConfigField& add(const std::string& key, ConfigField::Target target, const std::string& comment);

  // Keys that begin with `group` are not written while *word is `value`: nothing of what they set is in use.
  void hide(const std::string& group, const std::string* word, const std::string& value);

  const std::vector<ConfigField>& fields() const { return fields_; }
  const ConfigField* find(const std::string& key) const;

  // Throws Error for an unknown key ("did you mean ..") or an unfit value.
  void apply(const ConfigEntry& entry) const;

  // Every setting as TOML, one table a group, in the order of the schema; `comments` adds each setting's meaning.
  std::string to_toml(bool comments) const;

 private:
  struct Hidden {
    std::string group, value;
    const std::string* word;
  };
  std::string nearest(const std::string& full_key) const;
  bool is_written(const ConfigField& field) const;
  std::vector<ConfigField> fields_;
  std::vector<Hidden> hidden_;
};

// Levenshtein's distance: insertions, deletions and replacements that turn one word into the other.
size_t edit_distance(const std::string& a, const std::string& b);

}  // namespace tailseg
