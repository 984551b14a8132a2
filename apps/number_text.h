// Numbers as text that reads back as the same number, in the fewest digits.
#pragma once

#include <string>

namespace tailseg {

// "0.1", "1e-05", "3". Non-finite values give "nan", "inf", "-inf"; whoever writes JSON must not pass them on.
std::string number_text(double value);

}  // namespace tailseg
