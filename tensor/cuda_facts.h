// Can this build use this machine's GPU, and if not, what should the user do? The questions to the driver are asked in
// device_calls_cuda.cpp; the answer in words is worked out here, where a test can reach it on any machine.
#pragma once

#include <string>

namespace tailseg {

struct CudaFacts {
  int runtime_version = 0;    // of the toolkit that built this, 1000 * major + 10 * minor
  int driver_version = 0;     // newest CUDA that the installed driver speaks; 0: no driver
  int devices = 0;            // visible cards
  std::string device_error;   // the runtime's words when the cards could not be counted
  std::string name;           // first card
  int major = 0, minor = 0;   // its compute capability
  std::string architectures;  // CMAKE_CUDA_ARCHITECTURES of this build, commas for semicolons
};

// Does a build for these architectures ("75-real,80,90-virtual") hold code that a card of compute capability
// major.minor runs? Machine code runs on the same major version from its minor upwards, virtual code on every newer
// card. Words such as "native" and "all" count as yes.
bool architectures_cover(const std::string& architectures, int major, int minor);

// Empty when the GPU can be used, else one or two sentences with what to do.
std::string cuda_problem_in_words(const CudaFacts& facts);

}  // namespace tailseg
