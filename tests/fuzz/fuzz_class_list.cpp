// The list of classes in a checkpoint's metadata: what is accepted must survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "apps/run/class_list.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto list = tailseg::ClassList::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (list.ids.size() != list.names.size()) __builtin_trap();
    if (tailseg::ClassList::parse(list.json(), "again") != list) __builtin_trap();
  } catch (const tailseg::Error&) {
  }
  return 0;
}
