// A category file of tailseg-make-dataset: what is accepted has names and finite weights.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "datasets/synthetic/classes.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    for (const auto& c : tailseg::synthetic::parse_categories({reinterpret_cast<const char*>(data), size}, "fuzz")) {
      if (c.name.empty() || c.synonyms.empty() || !std::isfinite(c.weight) || c.weight < 0) __builtin_trap();
    }
  } catch (const tailseg::Error&) {
  }
  return 0;
}
