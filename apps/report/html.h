// Text into HTML and numbers into text, safely: names come from files.
#pragma once

#include <string>
#include <string_view>

namespace tailseg {

// & < > " ' as entities; control characters, which HTML cannot hold, as U+FFFD. For text and for quoted attributes.
std::string html_text(std::string_view text);

// A JSON string with its quotes, without any character that could end a script element (< becomes \u003c).
std::string script_string(std::string_view text);

// "12.34": fixed, for coordinates and table cells. "-" for what is not finite.
std::string fixed_text(double value, int digits);

// "0.02", "1.2e-05", "120000": at most four digits that matter, for axes and hover texts.
std::string short_text(double value);

}  // namespace tailseg
