# Compiler flags that every room shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Paths below the source folder are hashed as relative ones: a second build folder or clone finds the objects of the first.
find_program(TAILSEG_CCACHE ccache)
if(TAILSEG_CCACHE)
  foreach(lang CXX CUDA)
    if(NOT CMAKE_${lang}_COMPILER_LAUNCHER)
      set(CMAKE_${lang}_COMPILER_LAUNCHER
        env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${TAILSEG_CCACHE})
    endif()
  endforeach()
endif()

# -ffp-contract=off: a*b+c is two roundings everywhere, so that IoUs and evaluation figures do not depend on the
# processor. The heavy arithmetic is in oneDNN/cuDNN and does not mind.
add_library(tailseg_flags INTERFACE)
# -Wno-missing-field-initializers: designated initialisers leave defaults to the struct.
# -Wno-restrict: g++ 12 sees overlap in "a" + std::string (GCC bug 105329).
set(_warnings -Wall -Wextra -Wpedantic -Wshadow -Wno-unknown-pragmas -Wno-missing-field-initializers -Wno-restrict)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND _warnings -Wno-unknown-warning-option)
endif()
if(TAILSEG_WERROR)
  list(APPEND _warnings -Werror)
endif()
target_compile_options(tailseg_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:${_warnings} -ffp-contract=off -fno-math-errno>)
# nvcc hands the host side of a .cu to the same compiler: same flags, less -Wpedantic (nvcc's own output breaks it).
# A host-only call in a device function and a launch without a stream are errors. Device code fuses multiply-adds;
# what must not be fused says math::mul_rounded.
set(_host_flags ${_warnings} -ffp-contract=off -fno-math-errno)
list(REMOVE_ITEM _host_flags -Wpedantic)
set(_device_flags --expt-relaxed-constexpr --Werror=cross-execution-space-call,default-stream-launch)
if(TAILSEG_WERROR)
  list(APPEND _device_flags --Werror=all-warnings)
endif()
if(TAILSEG_NATIVE)
  list(APPEND _host_flags -march=native)
endif()
list(JOIN _host_flags "," _host_flags)
target_compile_options(tailseg_flags INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:${_device_flags} -Xcompiler=${_host_flags}>)
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")

if(TAILSEG_NATIVE AND NOT TAILSEG_SANITIZE)
  target_compile_options(tailseg_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()
if(TAILSEG_SANITIZE)  # g++ 12 takes its own instrumented standard library for uninitialised (std::function, std::variant)
  target_compile_options(tailseg_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
endif()
if(TAILSEG_SANITIZE STREQUAL "address")
  target_compile_options(tailseg_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined
    -fno-sanitize-recover=all -fno-omit-frame-pointer -g1>)
  target_link_options(tailseg_flags INTERFACE -fsanitize=address,undefined)
elseif(TAILSEG_SANITIZE STREQUAL "thread")
  target_compile_options(tailseg_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=thread -g1>)
  target_link_options(tailseg_flags INTERFACE -fsanitize=thread)
elseif(TAILSEG_SANITIZE)
  message(FATAL_ERROR "TAILSEG_SANITIZE is '${TAILSEG_SANITIZE}'; expected empty, 'address' or 'thread'")
endif()
if(TAILSEG_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "TAILSEG_FUZZ needs clang: apt-get install clang, then cmake with CXX=clang++ in a new folder")
  endif()
  # The rooms too: coverage of the code under test. RapidJSON's stack.h adds to a null pointer while its stack is
  # empty; clang's UBSan would stop there at the first input.
  target_compile_options(tailseg_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize=pointer-overflow)
endif()
