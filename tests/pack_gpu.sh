#!/usr/bin/env bash
# Builds here, where there is nvcc and time, what tests/gpu.sh needs on a machine whose GPU is lent for minutes.
#
#   bash tests/pack_gpu.sh FILE.tar.xz [--card 90-real]           here, with or without a GPU
#   bash tests/gpu.sh --programs FILE.tar.xz tests:tensor ...     there, with the same checkout
#
# FILE holds the programs and tests for that card (90-real: Hopper) and any x86-64 processor of AVX2, without oneDNN, with the
# shared libraries they need beyond the compiler's and CUDA's own. There it needs cuDNN 9 and the CUDA 13 libraries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file='' card=90-real
while (($#)); do
  case $1 in
    --card) card=${2:?--card needs an architecture}; shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "error: pack_gpu.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
    *) file=$1 ;;
  esac
  shift
done
[[ -n $file ]] || { echo "error: pack_gpu.sh: no file to write; see --help" >&2; exit 2; }
file=$(realpath -m "$file")

build=build-pack
rooms=(tensor autograd nn detection)
programs=(tailseg-{train,evaluate,profile,make-dataset} "${rooms[@]/#/tailseg_test_}")
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTAILSEG_CUDA=ON -DTAILSEG_ONEDNN=OFF -DTAILSEG_NATIVE=OFF \
  -DCMAKE_CXX_FLAGS=-march=x86-64-v3 -DCMAKE_CUDA_FLAGS=-Xcompiler=-march=x86-64-v3 "-DCMAKE_CUDA_ARCHITECTURES=$card"
cmake --build $build --target "${programs[@]}"

rm -rf $build/lib
mkdir -p $build/lib
ldd "${programs[@]/#/$build/bin/}" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r library; do
  case ${library##*/} in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libstdc++.so.* | libgcc_s.so.* | libcu* | libnv*) ;;
    *) cp -L "$library" $build/lib/ ;;
  esac
done
pwd > $build/source_dir  # the tests know their golden files by that path
mkdir -p "$(dirname "$file")"
tar -cJf "$file" $build/source_dir $build/lib "${programs[@]/#/$build/bin/}" \
  $(find $build -name CTestTestfile.cmake)
echo "$(du -h "$file" | cut -f1) in $file"
