#include "apps/config/schema.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "apps/number_text.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string kind_of(const ConfigValue& value) {
  return std::visit(Overloaded{[](bool) { return "the boolean "; }, [](int64_t) { return "the integer "; },
                               [](double) { return "the number "; }, [](const std::string&) { return "the text "; },
                               [](const std::vector<ConfigValue>&) { return "the list "; }},
                    value.data) +
         toml_text(value);
}

template <class Number>
ConfigValue list_of(const std::vector<Number>& numbers) {
  std::vector<ConfigValue> items;
  for (const Number number : numbers) items.push_back({number});
  return {std::move(items)};
}

// The part after the last dot.
std::string last_word(const std::string& key) { return key.substr(key.rfind('.') + 1); }

std::string group_of(const std::string& key) {
  const size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

// From the nearest part of a name such as base_lr (base, lr) to the word.
size_t distance_to_part(const std::string& name, const std::string& word) {
  size_t best = std::string::npos;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('_', begin), name.size());
    best = std::min(best, edit_distance(name.substr(begin, end - begin), word));
    begin = end + 1;
  }
  return best;
}

}  // namespace

ConfigField& ConfigField::range(double low, double high) {
  low_ = low;
  high_ = high;
  return *this;
}

ConfigField& ConfigField::choices(std::vector<std::string> words) {
  choices_ = std::move(words);
  return *this;
}

ConfigField& ConfigField::length(size_t count) {
  length_ = count;
  return *this;
}

ConfigField& ConfigField::positive() {
  positive_ = true;
  return *this;
}

ConfigField& ConfigField::only_with(const std::string* word, std::string value) {
  owner_ = word;
  owner_value_ = std::move(value);
  return *this;
}

std::string ConfigField::type_name() const {
  return std::visit(Overloaded{[](bool*) { return "true or false"; }, [](int64_t*) { return "an integer"; },
                               [](double*) { return "a number"; }, [](std::string*) { return "a text"; },
                               [](std::vector<int64_t>*) { return "a list of integers"; },
                               [](std::vector<double>*) { return "a list of numbers"; }},
                    target_);
}

ConfigValue ConfigField::get() const {
  return std::visit(Overloaded{[](const std::vector<int64_t>* list) { return list_of(*list); },
                               [](const std::vector<double>* list) { return list_of(*list); },
                               [](const auto* value) { return ConfigValue{*value}; }},
                    target_);
}

std::string ConfigField::words_and_nearest(const std::string& text) const {
  std::string words;
  for (const std::string& word : choices_) words += (words.empty() ? "" : ", ") + word;
  const std::string start = text.substr(0, 100);  // the distance costs the product of the lengths
  const auto nearest = std::min_element(choices_.begin(), choices_.end(), [&](const auto& a, const auto& b) {
    return edit_distance(a, start) < edit_distance(b, start);
  });
  return words + "; did you mean \"" + *nearest + "\"?";
}

void ConfigField::check_number(double value, const std::string& where) const {
  TS_CHECK(std::isfinite(value), where, ": '", key_, "' is not finite");
  TS_CHECK(!positive_ || value > 0, where, ": '", key_, "' is ", number_text(value), ", expected more than 0");
  if (value >= low_ && value <= high_) return;
  fail(where, ": '", key_, "' is ", number_text(value), ", expected ",
       std::isinf(high_) ? "at least " + number_text(low_)
                         : "a value from " + number_text(low_) + " to " + number_text(high_));
}

double ConfigField::number(const ConfigValue& value, const std::string& where) const {
  double number = 0;
  if (const auto* integer = std::get_if<int64_t>(&value.data)) {
    number = double(*integer);
  } else if (const auto* real = std::get_if<double>(&value.data)) {
    number = *real;
  } else {
    fail(where, ": '", key_, "' expects ", type_name(), ", but ", kind_of(value), " came");
  }
  check_number(number, where);
  return number;
}

void ConfigField::set(const ConfigValue& value, const std::string& where) const {
  const auto wrong_type = [&]() {
    fail(where, ": '", key_, "' expects ", type_name(), ", but ", kind_of(value), " came");
  };
  const auto integer_of = [&](const ConfigValue& item) {
    const auto* integer = std::get_if<int64_t>(&item.data);
    if (!integer) wrong_type();
    check_number(double(*integer), where);
    return *integer;
  };
  const auto items_of = [&]() -> const std::vector<ConfigValue>& {
    const auto* items = std::get_if<std::vector<ConfigValue>>(&value.data);
    if (!items) wrong_type();
    TS_CHECK(length_ == 0 || items->size() == length_, where, ": '", key_, "' has ", items->size(),
             " values, expected ", length_);
    return *items;
  };
  std::visit(Overloaded{[&](bool* target) {
                          const auto* boolean = std::get_if<bool>(&value.data);
                          if (!boolean) wrong_type();
                          *target = *boolean;
                        },
                        [&](int64_t* target) { *target = integer_of(value); },
                        [&](double* target) { *target = number(value, where); },
                        [&](std::string* target) {
                          const auto* text = std::get_if<std::string>(&value.data);
                          if (!text) wrong_type();
                          TS_CHECK(choices_.empty() || std::count(choices_.begin(), choices_.end(), *text) > 0, where,
                                   ": '", key_, "' is \"", *text, "\", expected one of ", words_and_nearest(*text));
                          *target = *text;
                        },
                        [&](std::vector<int64_t>* target) {
                          std::vector<int64_t> numbers;
                          for (const ConfigValue& item : items_of()) numbers.push_back(integer_of(item));
                          *target = std::move(numbers);
                        },
                        [&](std::vector<double>* target) {
                          std::vector<double> numbers;
                          for (const ConfigValue& item : items_of()) numbers.push_back(number(item, where));
                          *target = std::move(numbers);
                        }},
             target_);
}

ConfigField& ConfigSchema::add(const std::string& key, ConfigField::Target target, const std::string& comment) {
  TS_CHECK(!find(key), "the schema has the key '", key, "' twice");
  return fields_.emplace_back(key, target, comment);
}

const ConfigField* ConfigSchema::find(const std::string& key) const {
  for (const ConfigField& field : fields_) {
    if (field.key() == key) return &field;
  }
  return nullptr;
}

// Where a key is misspelt, the setting meant lies most likely in the group that was written; then comes a setting of
// the same last word in another group, then the fewest edits.
std::string ConfigSchema::nearest(const std::string& full_key) const {
  const std::string key = full_key.substr(0, 100);  // the distance costs the product of the lengths
  const std::string word = last_word(key);
  const ConfigField* best = nullptr;
  std::tuple<bool, size_t, size_t> best_rank;  // not in the key's own group or not near there, then the edits
  for (const ConfigField& field : fields_) {
    const std::string other = last_word(field.key());
    const size_t words = edit_distance(other, word), near = std::min(words, 1 + distance_to_part(other, word));
    const bool own = group_of(field.key()) == group_of(key) && 2 * near <= word.size();
    const size_t edits = std::min(edit_distance(field.key(), key), words + (words == 0 ? 0 : 2));
    const std::tuple<bool, size_t, size_t> rank(!own, own ? near : edits, words);
    if (!best || rank < best_rank) {
      best = &field;
      best_rank = rank;
    }
  }
  return best ? best->key() : "";
}

void ConfigSchema::apply(const ConfigEntry& entry) const {
  const ConfigField* field = find(entry.key);
  if (!field) fail(entry.where, ": unknown setting '", entry.key, "'; did you mean '", nearest(entry.key), "'?");
  field->set(entry.value, entry.where);
}

void ConfigSchema::hide(const std::string& group, const std::string* word, const std::string& value) {
  hidden_.push_back({group, value, word});
}

bool ConfigSchema::is_written(const ConfigField& field) const {
  for (const Hidden& hidden : hidden_) {
    if (*hidden.word == hidden.value && field.key().starts_with(hidden.group)) return false;
  }
  return field.is_written();
}

std::string ConfigSchema::to_toml(bool comments) const {
  std::string result, group;
  for (const ConfigField& field : fields_) {
    if (!is_written(field)) continue;
    if (group_of(field.key()) != group) {
      group = group_of(field.key());
      result += (result.empty() ? "[" : "\n[") + group + "]\n";
    }
    result += last_word(field.key()) + " = " + toml_text(field.get());
    if (comments) {
      std::string words;
      for (const std::string& word : field.words()) words += (words.empty() ? "(" : " | ") + word;
      if (!words.empty()) words += ")";
      const bool both = !words.empty() && !field.comment().empty();
      if (!words.empty() || !field.comment().empty()) result += "  # " + field.comment() + (both ? " " : "") + words;
    }
    result += "\n";
  }
  return result;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace tailseg
