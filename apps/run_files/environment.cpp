#include "apps/run_files/environment.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tensor/error.h"

namespace tailseg {
namespace {

// The value of the first line "name : value" of a file under /proc; empty where there is none.
std::string proc_value(const std::string& file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(name)) continue;
    const size_t colon = line.find(':');
    const size_t start = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

// Of the processor's flags, those that decide how fast convolutions are.
std::string vector_units() {
  const std::string flags = text(" ", proc_value("/proc/cpuinfo", "flags"), " ");
  std::string found;
  for (const char* flag : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"}) {
    if (flags.find(text(" ", flag, " ")) != std::string::npos) found += text(found.empty() ? "" : " ", flag);
  }
  return found.empty() ? "-" : found;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "-";
}

}  // namespace

EnvironmentReport environment_report(const EnvironmentReport& more) {
  utsname system{};
  ::uname(&system);
  const auto bytes = double(::sysconf(_SC_PHYS_PAGES)) * double(::sysconf(_SC_PAGE_SIZE));
  std::string processor = proc_value("/proc/cpuinfo", "model name");
  EnvironmentReport report = {
      {"tailseg", TAILSEG_VERSION},
      {"built with", TAILSEG_BUILD},
      {"compiler", text("g++ ", __VERSION__)},
      {"processor", processor.empty() ? system.machine : processor},
      {"vector units", vector_units()},
      {"logical cores", std::to_string(std::thread::hardware_concurrency())},
      {"memory", text(int64_t(bytes / (1 << 20)), " MiB")},
      {"system", text(system.sysname, " ", system.release)},
      {"OMP_NUM_THREADS", from_environment("OMP_NUM_THREADS")},
      {"OMP_WAIT_POLICY", from_environment("OMP_WAIT_POLICY")},
      {"GOMP_SPINCOUNT", from_environment("GOMP_SPINCOUNT")},
  };
  report.insert(report.end(), more.begin(), more.end());
  return report;
}

std::string environment_table(const EnvironmentReport& report) {
  size_t width = 0;
  for (const auto& [name, value] : report) width = std::max(width, name.size());
  std::string table;
  for (const auto& [name, value] : report) {
    table += (table.empty() ? "" : "\n") + name + std::string(width - name.size() + 2, ' ') + value;
  }
  return table;
}

std::string environment_json(const EnvironmentReport& report) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> json(buffer);
  json.SetIndent(' ', 2);
  json.StartObject();
  for (const auto& [name, value] : report) {
    json.Key(name.data(), rapidjson::SizeType(name.size()));
    json.String(value.data(), rapidjson::SizeType(value.size()));
  }
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
