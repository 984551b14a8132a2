#include "tensor/cuda_facts.h"

#include <cctype>
#include <cstdlib>
#include <sstream>

#include "tensor/error.h"

namespace tailseg {
namespace {

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

}  // namespace

bool architectures_cover(const std::string& architectures, int major, int minor) {
  std::stringstream list(architectures);
  for (std::string entry; std::getline(list, entry, ',');) {
    if (entry.empty()) continue;
    if (!std::isdigit(static_cast<unsigned char>(entry[0]))) return true;
    char* rest = nullptr;
    const int number = static_cast<int>(std::strtol(entry.c_str(), &rest, 10));
    const std::string suffix = rest;
    const int code_major = number / 10, code_minor = number % 10;
    const bool only_this = !suffix.empty() && suffix[0] != '-';  // 90a: this very architecture
    if (only_this) {
      if (code_major == major && code_minor == minor) return true;
      continue;
    }
    if (suffix != "-virtual" && code_major == major && code_minor <= minor) return true;
    if (suffix != "-real" && number <= major * 10 + minor) return true;
  }
  return false;
}

std::string cuda_problem_in_words(const CudaFacts& facts) {
  if (facts.driver_version == 0) {
    return "no NVIDIA driver is loaded on this machine (nvidia-smi would list the cards). --device cpu works without";
  }
  if (facts.driver_version / 1000 < facts.runtime_version / 1000) {
    return text("the NVIDIA driver is too old: it speaks CUDA ", version_text(facts.driver_version),
                ", this build needs ", facts.runtime_version / 1000, ".0. Update the driver, or build with a CUDA ",
                facts.driver_version / 1000, " toolkit");
  }
  if (facts.devices == 0) {
    return text("the driver shows no GPU", facts.device_error.empty() ? "" : " (" + facts.device_error + ")",
                ". Is CUDA_VISIBLE_DEVICES set to a card that exists?");
  }
  if (!architectures_cover(facts.architectures, facts.major, facts.minor)) {
    return text("this build has no code for ", facts.name, " (compute capability ", facts.major, ".", facts.minor,
                "; built for ", facts.architectures, "). Configure again with: cmake -S . -B build ",
                "-DCMAKE_CUDA_ARCHITECTURES=", facts.major, facts.minor);
  }
  return {};
}

}  // namespace tailseg
