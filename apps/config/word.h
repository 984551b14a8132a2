// A setting's word as the value of an enumeration in the rooms below.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "tensor/error.h"

namespace tailseg {

// The value that belongs to `word`. The schema has checked the word against its choices, which are the pairs here.
template <class Value>
Value word_to(const std::string& word, std::initializer_list<std::pair<const char*, Value>> pairs) {
  for (const auto& [name, value] : pairs) {
    if (word == name) return value;
  }
  fail("the setting's word '", word, "' has no meaning");
}

}  // namespace tailseg
