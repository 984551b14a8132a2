// The handlers of loads, stores and atomics, by what they move.
#pragma once

#include <string_view>

#include "tests/card/ptx_code.h"

namespace tailseg::card {

// Operand places: the registers of the value from 0 on (of an atomic: 0 result, 1 and 2 arguments), the address at
// kAddressAt. Null when there is no such access.
constexpr int kAddressAt = 4;
Handler find_load(std::string_view type, size_t register_bytes);
Handler find_store(size_t element_bytes, size_t register_bytes);
Handler find_parameter_load(std::string_view type, size_t register_bytes);  // at a fixed place, the same for all lanes
Handler find_atomic(std::string_view operation);                            // "add.u32"

}  // namespace tailseg::card
