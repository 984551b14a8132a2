#include <cstdlib>

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

// Every test runs with poisoned fresh memory and guard bands, in release builds too (tensor/allocator.h).
[[maybe_unused]] static const int debug_memory_is_on = setenv("TAILSEG_DEBUG_MEMORY", "1", 0);
