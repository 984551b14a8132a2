#pragma once

#include <string>

#include "tensor/device.h"

namespace tailseg {

// "cpu", "cuda", or "auto": a GPU when one is usable, else the CPU. Throws Error for another word.
Device device_of(const std::string& name);

}  // namespace tailseg
