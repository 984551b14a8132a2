#include "apps/number_text.h"

#include <charconv>

namespace tailseg {

std::string number_text(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return {digits, end};
}

}  // namespace tailseg
