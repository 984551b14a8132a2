#!/usr/bin/env bash
# Set-up and an optimised build of the programs: build/bin/tailseg-*.
#
#   bash apps/build.sh [--cuda|--no-cuda] [more arguments for cmake, such as -DTAILSEG_DEPS=DIR]
#
# Without either word the CUDA back end is built where a GPU is present. --cuda builds it wherever nvcc is found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cuda=auto
setup=()
cmake_arguments=()
for argument in "$@"; do
  case $argument in
    --cuda) cuda=ON ;;
    --no-cuda) cuda=OFF ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -DTAILSEG_DEPS=?*) setup=(--tools); cmake_arguments+=("$argument") ;;
    -*) cmake_arguments+=("$argument") ;;
    *) echo "error: build.sh takes --cuda, --no-cuda and cmake's own options, not '$argument'" >&2; exit 2 ;;
  esac
done

bash apps/setup.sh "${setup[@]}"

if ! command -v nvcc > /dev/null && [[ -x /usr/local/cuda/bin/nvcc ]]; then PATH=$PATH:/usr/local/cuda/bin; fi
if [[ $cuda == auto ]]; then
  cuda=OFF
  if nvidia-smi -L > /dev/null 2>&1; then
    if command -v nvcc > /dev/null; then
      cuda=ON
      cmake_arguments=(-DCMAKE_CUDA_ARCHITECTURES=native "${cmake_arguments[@]}")
    else
      echo "build: a GPU is present but nvcc is not on PATH; building for the CPU"
    fi
  fi
fi

cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTAILSEG_TESTS=OFF -DTAILSEG_CUDA=$cuda "${cmake_arguments[@]}"
cmake --build build
echo "build: programs in $PWD/build/bin (CUDA $cuda)"
