// What a run ran on: program, compiler, libraries, processor, memory, system. Printed at the start of a log and kept as
// env.json, so that a figure can be traced to its machine.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tailseg {

using EnvironmentReport = std::vector<std::pair<std::string, std::string>>;

// `more` is appended by the caller: the device in use, threads, the command line.
EnvironmentReport environment_report(const EnvironmentReport& more = {});

std::string environment_table(const EnvironmentReport& report);  // aligned lines, one a fact
std::string environment_json(const EnvironmentReport& report);   // one object, in order

}  // namespace tailseg
