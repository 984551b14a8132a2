#!/usr/bin/env bash
# Set-up, every build, every test. What CI runs.
#
#   bash tests/run.sh                 all stages
#   bash tests/run.sh cpu asan        only these
#
#   cpu      the optimised build (build-cpu/), all tests
#   cuda     the same with the CUDA back end, wherever nvcc is found (build-cuda/); without a GPU on an emulated one
#   install  cmake --install, then a project that knows only find_package(tailseg) (tests/consumer/)
#   offline  a folder of dependencies by tests/bundle_deps.sh, then a build that may use nothing else
#   asan     AddressSanitizer and UndefinedBehaviorSanitizer (build-asan/)
#   tsan     ThreadSanitizer on the tests that have threads in them (build-tsan/)
#
# Ends with a table of the stages, ctest's summary of each, and a line "N passed, N failed".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec < /dev/null

all=(cpu install offline asan tsan cuda)
stages=("$@")
((${#stages[@]})) || stages=("${all[@]}")
for stage in "${stages[@]}"; do
  if [[ " ${all[*]} " != *" $stage "* ]]; then
    echo "error: run.sh has the stages ${all[*]}, not '$stage'" >&2
    exit 2
  fi
done

bash apps/setup.sh --tests || exit 1
command -v nvcc > /dev/null || PATH=$PATH:/usr/local/cuda/bin
jobs=$(nproc)
export OMP_WAIT_POLICY=passive  # several tests share the cores; a waiting thread must not spin

build_and_test() {  # preset
  cmake --preset "$1"
  cmake --build --preset "$1" --parallel "$jobs"
  ctest --preset "$1" --parallel "$jobs"
}

run_cpu() { build_and_test cpu; }
run_asan() { build_and_test asan; }
run_tsan() { build_and_test tsan; }
run_cuda() {
  # Where there is no GPU the tests get an emulated one (tests/card), which runs the compiled kernels.
  local card=ON
  nvidia-smi -L > /dev/null 2>&1 && card=OFF
  cmake --preset cuda -DTAILSEG_EMULATED_CARD=$card
  build_and_test cuda
}

run_install() {
  cmake --preset cpu > /dev/null
  cmake --build --preset cpu --parallel "$jobs"
  rm -rf build-install
  cmake --install build-cpu --prefix build-install/prefix > /dev/null
  cmake -S tests/consumer -B build-install/consumer -G Ninja -DCMAKE_PREFIX_PATH="$PWD/build-install/prefix"
  cmake --build build-install/consumer
  ctest --test-dir build-install/consumer --output-on-failure
}

run_offline() {
  rm -rf build-offline
  bash tests/bundle_deps.sh build-offline/deps
  cmake --preset minimal -B build-offline/build -DTAILSEG_DEPS="$PWD/build-offline/deps"
  cmake --build build-offline/build --parallel "$jobs" --target tailseg_test_tensor
  if ninja -C build-offline/build -t deps | grep -E '^ *(/usr/include|/usr/local/include)/(stb|rapidjson|CLI|toml\+\+|catch2|dnnl|zip)'; then
    echo "error: the offline build read these headers outside its folder of dependencies"
    return 1
  fi
  ctest --test-dir build-offline/build --output-on-failure --parallel "$jobs" --label-regex '^tensor$'
}

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
table=()
summaries=()
passed=0
failed=0
for stage in "${stages[@]}"; do
  if [[ $stage == cuda ]] && ! command -v nvcc > /dev/null; then
    table+=("$(printf '%-8s %-8s %6s' "$stage" skipped '')  nvcc was not found")
    continue
  fi
  echo "=== $stage"
  begin=$SECONDS
  (set -e; "run_$stage") 2>&1 | tee "$logs/$stage"
  status=${PIPESTATUS[0]}
  elapsed=$((SECONDS - begin))
  summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$logs/$stage" | tail -n 1)
  bad=0
  if [[ $summary =~ ,\ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
    bad=${BASH_REMATCH[1]}
    passed=$((passed + BASH_REMATCH[2] - bad))
    summaries+=("$stage: $summary")
  fi
  ((status == 0 || bad > 0)) || bad=1  # it failed before or beside its tests
  failed=$((failed + bad))
  table+=("$(printf '%-8s %-8s %4d:%02d' "$stage" "$( ((bad)) && echo FAILED || echo ok)" $((elapsed / 60)) $((elapsed % 60)))")
  echo "=== $stage: $( ((bad)) && echo FAILED || echo ok) after $elapsed s"
done

echo
printf '%-8s %-8s %7s\n' stage result min:s
printf '%s\n' "${table[@]}"
echo
((${#summaries[@]})) && printf '%s\n' "${summaries[@]}"
echo "$passed passed, $failed failed"
((failed == 0))
