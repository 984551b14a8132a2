#!/usr/bin/env bash
# Copies what tailseg is built from into one folder, for a machine without a package manager or a network.
#
#   bash tests/bundle_deps.sh [--no-onednn] DIR     on a machine where apps/setup.sh --tests has run
#   bash apps/build.sh -DTAILSEG_DEPS=DIR           on the other one: nothing outside DIR is looked at
#
# DIR/include holds headers (stb, RapidJSON, CLI11, toml++, Catch2); with oneDNN, libzip and FreeType, where they are
# installed, DIR/lib holds them and the shared libraries they need beyond the C and C++ runtime. The compiler, cmake and
# ninja are not bundled. --no-onednn: without that library, most of the folder's size, which a GPU does not need.
set -euo pipefail

onednn=true
if [[ ${1:-} == --no-onednn ]]; then
  onednn=false
  shift
fi
if (($# != 1)) || [[ $1 == -* ]]; then
  echo "usage: bash tests/bundle_deps.sh [--no-onednn] DIR" >&2
  exit 2
fi
mkdir -p "$1/include" "$1/lib"
target=$(cd "$1" && pwd)

find_header() {  # header package
  local folder
  for folder in ${TAILSEG_BUNDLE_FROM:-} /usr/include /usr/local/include; do
    if [[ -e $folder/$1 ]]; then
      echo "$folder"
      return
    fi
  done
  echo "error: $1 was not found. Install it with: apt-get install $2" >&2
  return 1
}

copy_headers() {  # folder representative package
  local from
  from=$(find_header "$1/$2" "$3")
  rm -rf "${target:?}/include/$1"
  cp -RL "$from/$1" "$target/include/$1"
}
copy_headers stb stb_image.h libstb-dev
copy_headers rapidjson reader.h rapidjson-dev
copy_headers CLI CLI.hpp libcli11-dev
copy_headers toml++ toml.h libtomlplusplus-dev
copy_headers catch2 catch.hpp catch2

copy_library() {  # stem
  local linked real
  linked=$(g++ -print-file-name="lib$1.so")
  [[ -e $linked ]] || return 1
  real=$(readlink -f "$linked")
  local name
  name=$(objdump -p "$real" | awk '$1 == "SONAME" {print $2}')
  cp -L "$real" "$target/lib/$name"
  ln -sf "$name" "$target/lib/lib$1.so"
  # Needed libraries, except what comes with the compiler.
  ldd "$real" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | while read -r needed path; do
    case $needed in
      libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libstdc++.so.* | libgcc_s.so.* | libgomp.so.*) ;;
      *) cp -L "$path" "$target/lib/$needed" ;;
    esac
  done
}
libraries=()
if $onednn && copy_library dnnl; then
  from=$(find_header dnnl.hpp libdnnl-dev)
  cp -L "$from"/dnnl*.h* "$target/include/"
  [[ -d $from/oneapi ]] && cp -RL "$from/oneapi" "$target/include/"
  libraries+=(oneDNN)
fi
if copy_library zip; then
  from=$(find_header zip.h libzip-dev)
  cp -L "$from/zip.h" "$target/include/"
  config=$(find "$from" /usr/include -name zipconf.h -print -quit)
  cp -L "$config" "$target/include/"
  libraries+=(libzip)
fi
if copy_library freetype; then
  from=$(find_header freetype2/ft2build.h libfreetype-dev)
  rm -rf "${target:?}/include/freetype2"
  cp -RL "$from/freetype2" "$target/include/"
  libraries+=(FreeType)
fi

echo "bundled $(du -sh "$target" | cut -f1) in $target: headers of stb, RapidJSON, CLI11, toml++, Catch2;" \
  "libraries: ${libraries[*]:-none}"
