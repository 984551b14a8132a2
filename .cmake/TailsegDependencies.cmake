# Finds every library. A missing one is named with the Debian package that brings it.
if(TAILSEG_DEPS)
  get_filename_component(TAILSEG_DEPS "${TAILSEG_DEPS}" ABSOLUTE BASE_DIR ${CMAKE_BINARY_DIR})
  if(NOT EXISTS ${TAILSEG_DEPS}/include)
    message(FATAL_ERROR "TAILSEG_DEPS=${TAILSEG_DEPS} has no include/ folder; make one with tests/bundle_deps.sh DIR")
  endif()
  # Then nothing outside the folder is looked at: what built here builds on the machine it is carried to.
  set(_headers PATHS ${TAILSEG_DEPS}/include NO_DEFAULT_PATH)
  set(_libraries PATHS ${TAILSEG_DEPS}/lib NO_DEFAULT_PATH)
  # The libraries' own dependencies lie there too; DT_RPATH, unlike DT_RUNPATH, serves them as well.
  add_link_options(LINKER:--disable-new-dtags,-rpath,${TAILSEG_DEPS}/lib,-rpath-link,${TAILSEG_DEPS}/lib)
endif()

function(tailseg_header_library name header package)  # -> target tailseg_dep_<name>
  find_path(TAILSEG_${name}_INCLUDE ${header} ${_headers})
  if(NOT TAILSEG_${name}_INCLUDE)
    message(FATAL_ERROR "${header} was not found. Install it with: apt-get install ${package}\n"
      "(or point TAILSEG_DEPS at a folder made by tests/bundle_deps.sh)")
  endif()
  add_library(tailseg_dep_${name} INTERFACE)
  target_include_directories(tailseg_dep_${name} SYSTEM INTERFACE $<BUILD_INTERFACE:${TAILSEG_${name}_INCLUDE}>)
endfunction()

tailseg_header_library(stb stb/stb_image.h libstb-dev)
tailseg_header_library(rapidjson rapidjson/reader.h rapidjson-dev)
if(TAILSEG_APPS)
  tailseg_header_library(cli11 CLI/CLI.hpp libcli11-dev)
  tailseg_header_library(tomlplusplus toml++/toml.h libtomlplusplus-dev)
endif()
if(TAILSEG_TESTS)
  tailseg_header_library(catch2 catch2/catch.hpp catch2)
endif()

set(TAILSEG_HAS_OPENMP OFF)
if(NOT TAILSEG_SANITIZE STREQUAL "thread")  # libgomp is not instrumented: under TSan plain threads do its work
  find_package(OpenMP COMPONENTS CXX)
  set(TAILSEG_HAS_OPENMP ${OpenMP_CXX_FOUND})
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# -> target tailseg_dep_<name> and `has` ON, where header and library are found; more words go to find_path.
function(tailseg_optional_library name header has)
  find_path(TAILSEG_${name}_INCLUDE ${header} ${_headers} ${ARGN})
  find_library(TAILSEG_${name}_LIBRARY ${name} ${_libraries})
  set(${has} OFF PARENT_SCOPE)
  if(TAILSEG_${name}_INCLUDE AND TAILSEG_${name}_LIBRARY)
    set(${has} ON PARENT_SCOPE)
    add_library(tailseg_dep_${name} INTERFACE)
    target_include_directories(tailseg_dep_${name} SYSTEM INTERFACE $<BUILD_INTERFACE:${TAILSEG_${name}_INCLUDE}>)
    target_link_libraries(tailseg_dep_${name} INTERFACE ${TAILSEG_${name}_LIBRARY})
  endif()
endfunction()

set(TAILSEG_HAS_ONEDNN OFF)
if(NOT TAILSEG_ONEDNN STREQUAL "OFF")
  tailseg_optional_library(dnnl dnnl.hpp TAILSEG_HAS_ONEDNN)
  if(NOT TAILSEG_HAS_ONEDNN AND TAILSEG_ONEDNN STREQUAL "ON")
    message(FATAL_ERROR "oneDNN was not found. Install it with: apt-get install libdnnl-dev (or TAILSEG_ONEDNN=OFF)")
  endif()
endif()
tailseg_optional_library(zip zip.h TAILSEG_HAS_LIBZIP)
tailseg_optional_library(freetype ft2build.h TAILSEG_HAS_FREETYPE PATH_SUFFIXES freetype2)

set(TAILSEG_HAS_CUDA OFF)
if(NOT TAILSEG_CUDA STREQUAL "OFF" AND NOT TAILSEG_SANITIZE)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # Turing to Blackwell, each about one second a file; 90-virtual lets the driver compile for cards that came later.
    # For one card only: -DCMAKE_CUDA_ARCHITECTURES=native (or its number), in a third of the time.
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES "75-real;80-real;86-real;89-real;90-real;90-virtual")
      execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-code OUTPUT_VARIABLE _known_cards ERROR_QUIET)
      foreach(card 100 120)  # since CUDA 12.8
        if(_known_cards MATCHES "sm_${card}\n")
          list(APPEND CMAKE_CUDA_ARCHITECTURES ${card}-real)
        endif()
      endforeach()
    endif()
    enable_language(CUDA)
    if(NOT "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)  # CMake <= 3.25.1 does not know nvcc's C++20
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
      list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
    endif()
    if(TAILSEG_EMULATED_CARD)  # it reads the PTX out of the programs
      string(APPEND CMAKE_CUDA_FLAGS " -Xfatbin=-compress=false")
    endif()
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # one runtime in the process, the one that cuDNN and cuBLAS are given too
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    find_package(CUDAToolkit REQUIRED)
    # cuBLAS may lie where cuDNN does, in a Python package beside it, and not in the toolkit.
    if(NOT TARGET CUDA::cublasLt)
      find_path(TAILSEG_cublas_INCLUDE cublasLt.h
        HINTS ${CUDAToolkit_INCLUDE_DIRS} $ENV{CUDNN_PATH}/../cu13/include $ENV{CUDNN_PATH}/../cublas/include)
      find_library(TAILSEG_cublas_LIBRARY NAMES cublasLt libcublasLt.so.13
        HINTS ${CUDAToolkit_LIBRARY_DIR} $ENV{CUDNN_PATH}/../cu13/lib $ENV{CUDNN_PATH}/../cublas/lib)
      if(NOT TAILSEG_cublas_INCLUDE OR NOT TAILSEG_cublas_LIBRARY)
        message(FATAL_ERROR "cuBLAS (cublasLt.h, libcublasLt) was not found: neither in the CUDA toolkit in "
          "${CUDAToolkit_LIBRARY_DIR} nor beside CUDNN_PATH. Install it, or TAILSEG_CUDA=OFF")
      endif()
      add_library(CUDA::cublasLt INTERFACE IMPORTED GLOBAL)
      target_include_directories(CUDA::cublasLt SYSTEM INTERFACE ${TAILSEG_cublas_INCLUDE})
      target_link_libraries(CUDA::cublasLt INTERFACE ${TAILSEG_cublas_LIBRARY})
    endif()
    find_path(TAILSEG_cudnn_INCLUDE cudnn_backend.h
      HINTS ${TAILSEG_DEPS}/include ${CUDAToolkit_INCLUDE_DIRS} $ENV{CUDNN_PATH}/include)
    find_library(TAILSEG_cudnn_LIBRARY NAMES cudnn libcudnn.so.9
      HINTS ${TAILSEG_DEPS}/lib ${CUDAToolkit_LIBRARY_DIR} $ENV{CUDNN_PATH}/lib)
    if(NOT TAILSEG_cudnn_INCLUDE OR NOT TAILSEG_cudnn_LIBRARY)
      message(FATAL_ERROR "cuDNN 9 was not found beside the CUDA toolkit. Set CUDNN_PATH to its folder, or TAILSEG_CUDA=OFF")
    endif()
    add_library(tailseg_dep_cudnn INTERFACE)
    target_include_directories(tailseg_dep_cudnn SYSTEM INTERFACE $<BUILD_INTERFACE:${TAILSEG_cudnn_INCLUDE}>)
    target_link_libraries(tailseg_dep_cudnn INTERFACE ${TAILSEG_cudnn_LIBRARY})
    set(TAILSEG_HAS_CUDA ON)
  elseif(TAILSEG_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TAILSEG_CUDA=ON but nvcc was not found. Put the CUDA toolkit's bin folder on PATH")
  endif()
endif()

message(STATUS "tailseg: CUDA ${TAILSEG_HAS_CUDA}, oneDNN ${TAILSEG_HAS_ONEDNN}, libzip ${TAILSEG_HAS_LIBZIP}, "
  "FreeType ${TAILSEG_HAS_FREETYPE}, OpenMP ${TAILSEG_HAS_OPENMP}, sanitizer '${TAILSEG_SANITIZE}'")
