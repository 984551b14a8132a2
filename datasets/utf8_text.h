// File names are bytes; JSON is UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace tailseg {

// The text with every byte that is not part of well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
// beyond U+10FFFF) replaced by U+FFFD, as Python's errors="replace" does for single bytes.
std::string utf8_text(std::string_view bytes);

}  // namespace tailseg
