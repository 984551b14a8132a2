// What every program does around its own work: --version, errors as one `error:` line, exit codes.
// Exit codes: 0 done, 1 the work failed, 2 the command line was wrong.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

namespace CLI {
class App;
}

namespace tailseg {

// Thrown by a program's own checks of its options: exit code 2 instead of 1.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// For an option's check(): a number from `low` to `high`. CLI11's own ranges let "nan" through, take the largest
// integer for one that is larger, and print 300 digits. Returns what is wrong with the text, nothing if nothing is.
std::function<std::string(const std::string&)> number_from(double low, double high);

// Parses argv with `app` (options already added; --version is added here), then calls `work`. Options that
// were given an empty text (a variable that was not set) are wrong usage. Prints nothing itself but --help, --version
// and the error line. Returns the exit code.
int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& work);

}  // namespace tailseg
