#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing when none is.
#
#   bash apps/setup.sh            what the programs need
#   bash apps/setup.sh --tests    and what the tests need
#   bash apps/setup.sh --tools    compiler and build tools only (the libraries come from TAILSEG_DEPS)
#   bash apps/setup.sh --list     prints the missing packages and installs nothing
set -euo pipefail

tools=(g++ cmake ninja-build ccache)
libraries=(
  libdnnl-dev          # oneDNN: convolution and matrix product on the CPU
  libstb-dev           # JPEG and PNG
  rapidjson-dev        # annotations, results, metrics
  libcli11-dev         # command lines
  libtomlplusplus-dev  # configs
  libzip-dev           # .pth files
  libfreetype-dev      # glyphs for synthetic sets
)
test_libraries=(catch2)

packages=("${tools[@]}" "${libraries[@]}")
list_only=false
for option in "$@"; do
  case $option in
    --tests) packages+=("${test_libraries[@]}") ;;
    --tools) packages=("${tools[@]}") ;;
    --list) list_only=true ;;
    *) echo "error: setup.sh knows --tests, --tools and --list, not '$option'" >&2; exit 2 ;;
  esac
done

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  echo "setup: this is not a Debian system; wanted (Debian names): ${packages[*]}"
  echo "setup: going on; cmake names whatever it does not find"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
done
if $list_only; then
  echo "${missing[*]:-}"
  exit 0
fi
((${#missing[@]})) || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if (($(id -u) != 0)); then
  echo "error: ${#missing[@]} packages are missing, and only root can install them. Run this, then the command again:" >&2
  echo "  sudo ${install[*]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
patience=(-qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt-get update "${patience[@]}" -o APT::Update::Error-Mode=any > "$log" 2>&1 || echo "setup: the package lists could not be refreshed; trying those at hand"
if ! "${install[@]}" "${patience[@]}" < /dev/null >> "$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo "error: apt-get could not install: ${missing[*]}" >&2
  echo "  With a network, repeat: apt-get update && ${install[*]}" >&2
  echo "  Without one, make a folder of dependencies elsewhere (tests/bundle_deps.sh DIR), bring it here, and" >&2
  echo "  build with: bash apps/build.sh -DTAILSEG_DEPS=DIR" >&2
  exit 1
fi
