#include "apps/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>

#include "apps/number_text.h"

namespace tailseg {

namespace {

// libgomp's threads spin for milliseconds before they sleep. On a machine that does something else besides, that takes
// the cores from the very threads that are waited for: training was ten times slower with two threads than with one. A
// thousand spins are enough between two loops: alone on the machine a step takes as long, and a fifth more with none.
// libgomp reads its variables when it is loaded, so the program begins once more, in the same process. What the user
// has set stands.
void begin_with_short_spins(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || !self.filename().string().starts_with("tailseg-")) return;   // run by a loader or an interpreter
  if (setenv("GOMP_SPINCOUNT", "1000", 1) == 0) execv(self.c_str(), argv);  // comes back where it cannot be done
}

int report(const std::string& program, std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cout.flush();
  std::cerr << "error: " << message;
  if (code == 2) std::cerr << " (see " << program << " --help)";
  std::cerr << "\n";
  return code;
}

void refuse_empty_texts(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& given : option->results()) {
      if (given.empty()) throw UsageError(option->get_name() + " was given an empty text");
    }
  }
}

}  // namespace

std::function<std::string(const std::string&)> number_from(double low, double high) {
  return [low, high](const std::string& given) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
    const bool number = error == std::errc() && end == given.data() + given.size();
    if (number && value >= low && value <= high) return "";
    return "'" + given + "' is not a number from " + number_text(low) + " to " + number_text(high);
  };
}

int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& work) {
  begin_with_short_spins(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of file size is then an error of the write, which names the file
  app.set_version_flag("--version", app.get_name() + " " TAILSEG_VERSION);
  try {
    app.parse(argc, argv);
    refuse_empty_texts(app);
  } catch (const CLI::Success& request) {  // --help or --version
    app.exit(request);
    return 0;
  } catch (const std::exception& error) {  // CLI::ParseError and UsageError
    return report(app.get_name(), error.what(), 2);
  }
  try {
    work();
    if (!std::cout.flush()) return report(app.get_name(), "standard output could not be written", 1);
    return 0;
  } catch (const UsageError& error) {
    return report(app.get_name(), error.what(), 2);
  } catch (const std::bad_alloc&) {
    return report(app.get_name(), "out of memory", 1);
  } catch (const std::exception& error) {
    return report(app.get_name(), error.what(), 1);
  }
}

}  // namespace tailseg
