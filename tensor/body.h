// What a kernel body's header includes: groups, costs, mathematics, and how many lanes an item wants on a GPU.
#pragma once

#include "tensor/cost.h"
#include "tensor/dtype.h"
#include "tensor/group.h"
#include "tensor/math.h"

namespace tailseg {

// One thread, one warp (32 lanes) or one block (256 lanes) for each item. The CPU and the tests do not read it.
enum class Lanes : unsigned char { one, warp, block };

// float64 exists on the CPU only: bodies instantiated for it are not compiled for the device.
template <class Body>
constexpr bool is_host_only = false;
template <template <class...> class Body, class... Rest>
constexpr bool is_host_only<Body<double, Rest...>> = true;
template <template <class, int64_t> class Body, int64_t kPack>
constexpr bool is_host_only<Body<double, kPack>> = true;
template <template <class, class, int64_t> class Body, class To, int64_t kPack>
constexpr bool is_host_only<Body<double, To, kPack>> = true;

}  // namespace tailseg
