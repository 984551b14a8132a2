// One exception type for everything that can go wrong, and the macro that throws it.
// A message says what was being done, what was expected and what came; file and id where there is one.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tailseg {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Concatenates its arguments with operator<<. Small stand-in for std::format, which g++ 12 lacks and nvcc must not see.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

[[noreturn]] void throw_error(const std::string& message);  // out of line: keeps the throw out of hot code

template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw_error(text(args...));
}

}  // namespace tailseg

// TS_CHECK(condition, message parts...): throws Error with the message when the condition does not hold.
#define TS_CHECK(condition, ...)                    \
  do {                                              \
    if (!(condition)) ::tailseg::fail(__VA_ARGS__); \
  } while (false)
