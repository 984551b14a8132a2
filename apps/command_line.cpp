#include "apps/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <new>

namespace tailseg {

namespace {

int report(const std::string& program, std::string message, int code) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cout.flush();
  std::cerr << "error: " << message;
  if (code == 2) std::cerr << " (see " << program << " --help)";
  std::cerr << "\n";
  return code;
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& work) {
  app.set_version_flag("--version", app.get_name() + " " TAILSEG_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help or --version
    app.exit(request);
    return 0;
  } catch (const CLI::ParseError& error) {
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
