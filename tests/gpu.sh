#!/usr/bin/env bash
# Everything that only a GPU can show, on a machine that has one, the CUDA 13 toolkit and cuDNN 9; no package manager and
# no network are needed.
#
#   bash tests/gpu.sh [--bundle DIR] [--build build-gpu] [STAGE ...]
#
#   build      for this card, without oneDNN; --bundle: with the libraries that tests/bundle_deps.sh has put into DIR
#   tests:ROOM the tests of tensor, autograd, nn, detection, datasets or apps; those of devices.h run on the GPU too
#   memcheck, racecheck, synccheck, initcheck
#              compute-sanitizer on the kernels' tests
#   demo       the demo's training on the GPU, evaluated on its held-out split
#   repeat     two runs, and one that is killed and resumed, end in the same bytes: float32, tf32, bfloat16
#   determinism  what repeatable engines cost against any: at most 10 %
#   capture    training by CUDA graphs ends in the plain run's bytes; what a step and a prediction then take
#   waits      a training step of each loss at 800 x 1344 makes nobody wait and asks for no memory, once warm
#   kernels    the kernel tables of a training step and of a prediction
#   bench      beside torchvision on the same card ($PYTHON has torch); each row by itself: bench:train:16:80 ..
#
# Without a stage all run. Each ends within $TAILSEG_GPU_LIMIT seconds (470). Logs and results are kept in
# BUILD/gpu, so that stages may be run call by call: the table at the end has all that were run on this build.
# Exit status: 0 when every stage of this call passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

build=build-gpu bundle='' stages=()
all=(build tests:{tensor,autograd,nn,detection,datasets,apps} memcheck racecheck synccheck initcheck demo repeat determinism
  capture waits kernels bench)
usage() { echo "error: gpu.sh: $1; see --help" >&2; exit 2; }
while (($#)); do
  case $1 in
    --bundle | --build)
      (($# > 1)) && [[ -n $2 && $2 != -* ]] || usage "$1 needs a folder"
      [[ $1 == --bundle ]] && bundle=$2 || build=$2
      shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    bench:*) stages+=("$1") ;;
    *) [[ " ${all[*]} " == *" $1 "* ]] || usage "the stages are ${all[*]}, not '$1'"; stages+=("$1") ;;
  esac
  shift
done
((${#stages[@]})) || stages=("${all[@]}")
[[ -z $bundle || -d $bundle/include ]] || usage "$bundle has no include/ folder; make it with tests/bundle_deps.sh"

nvidia-smi -L > /dev/null 2>&1 || { echo "error: no GPU: nvidia-smi finds none. Without one: bash tests/run.sh cuda" >&2; exit 1; }
command -v nvcc > /dev/null || PATH=$PATH:/usr/local/cuda/bin
command -v nvcc > /dev/null || { echo "error: nvcc was not found; put the CUDA toolkit's bin folder on PATH" >&2; exit 1; }
limit=${TAILSEG_GPU_LIMIT:-470}
python=${PYTHON:-python3}
# cuDNN may lie in a Python package.
if [[ -z ${CUDNN_PATH:-} ]]; then
  found=$("$python" -c 'import nvidia.cudnn; print(list(nvidia.cudnn.__path__)[0])' 2> /dev/null) && export CUDNN_PATH=$found
fi
programs=$build/bin
kept=$build/gpu
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
export OMP_WAIT_POLICY=passive

run_build() {
  local options=(-DCMAKE_BUILD_TYPE=Release -DTAILSEG_CUDA=ON -DTAILSEG_ONEDNN=OFF -DCMAKE_CUDA_ARCHITECTURES=native
    -DTAILSEG_WERROR=OFF)  # a compiler newer than ours may warn of more
  [[ -n $bundle ]] && options+=("-DTAILSEG_DEPS=$(cd "$bundle" && pwd)")
  cmake -S . -B "$build" -G Ninja "${options[@]}" && cmake --build "$build"
}

run_tests() { ctest --test-dir "$build" --output-on-failure --parallel 4 --label-regex "^$1\$" --no-tests=error; }

sanitize() {  # tool, then what else the tests are given
  command -v compute-sanitizer > /dev/null || { echo "skipped: compute-sanitizer was not found"; return 3; }
  local room bad=0 tool=$1
  for room in tensor autograd nn detection; do
    echo "--- $tool: $room"
    compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 5 "$programs/tailseg_test_$room" "${@:2}" || bad=1
  done
  return $bad
}
# In the pool's segments a tensor's neighbours are no error: here every tensor has memory of its own. The tests left out
# count how often the system was asked for memory.
run_memcheck() {
  TAILSEG_DEBUG_MEMORY=exact sanitize memcheck -# '~[#allocator_test]~[#staging_test]'
}
run_racecheck() { sanitize racecheck; }
run_synccheck() { sanitize synccheck; }
run_initcheck() { sanitize initcheck; }

demo_data() {
  [[ -e $kept/data/made ]] && return
  "$programs/tailseg-make-dataset" --output "$kept/data" --images 2400 --val-images 240 --seed 1 --overwrite &&
    touch "$kept/data/made"
}
# A checkpoint's tensors without its header, which has the settings.
weights() {
  local file
  file=$(last_checkpoint "$1")
  tail -c +$(($(od -An -t u8 -N 8 "$file") + 9)) "$file"
}
last_checkpoint() { echo "$1/checkpoints/$(cat "$1/checkpoints/last")"; }
train() {  # folder arguments; takes the place of its shell, so that a signal to that is one to the program
  exec "$programs/tailseg-train" --config apps/configs/demo.toml --set "data.root=$kept/data" --device cuda --output "$@"
}

run_demo() {
  demo_data || return
  rm -rf "$kept/demo"
  (train "$kept/demo") && "$programs/tailseg-evaluate" --checkpoint "$kept/demo" --data-root "$kept/data" --device cuda \
    --output "$kept/demo/evaluation_again" --pictures 4 || return
  # The CPU's demo ends at 0.93; other bits, so not the same figure.
  awk '/AP50f/ {segm = $6} END {print "mask AP50f", segm; exit !(segm > 0.85)}' "$kept/demo/evaluation_again/table.txt"
}

run_repeat() {
  demo_data || return
  local precision end=240
  for precision in float32 tf32 bfloat16; do
    local base="$kept/repeat_$precision"
    local more=(--max-iters "$end" --checkpoint-every 80 --set "model.precision=$precision")
    rm -rf "$base"_{a,b,c}
    (train "${base}_a" "${more[@]}") && (train "${base}_b" "${more[@]}") || return
    cmp "$(last_checkpoint "${base}_a")" "$(last_checkpoint "${base}_b")" || { echo "$precision: two runs differ"; return 1; }
    train "${base}_c" "${more[@]}" &
    local child=$!
    while [[ ! -e ${base}_c/checkpoints/last ]] && kill -0 $child 2> /dev/null; do sleep 0.05; done
    kill -9 $child 2> /dev/null
    wait $child 2> /dev/null
    (train "${base}_c" "${more[@]}" --resume) || return
    cmp "$(last_checkpoint "${base}_a")" "$(last_checkpoint "${base}_c")" || { echo "$precision: killed and resumed differs"; return 1; }
    grep -q ' convolution plans from ' "${base}_c/log.txt" || { echo "$precision: the resumed run had no plans of its first part"; return 1; }
    echo "$precision: two runs, and one killed and resumed, end in the same $(stat -c %s "$(last_checkpoint "${base}_a")") bytes"
  done
}

run_capture() {
  demo_data || return
  local precision batch captured line
  for precision in float32 bfloat16; do
    local base="$kept/capture_$precision"
    local more=(--checkpoint-every 80 --set "model.precision=$precision")
    local graph=("${base}_graph" "${more[@]}" --set train.capture=true)
    rm -rf "$base"_{plain,graph}
    (train "${base}_plain" "${more[@]}" --max-iters 160) && (train "${graph[@]}" --max-iters 100) &&
      (train "${graph[@]}" --max-iters 160 --resume) || return
    grep -q 'and replayed [1-9]' "${base}_graph/log.txt" || { echo "$precision: nothing was captured"; return 1; }
    [[ -s $(last_checkpoint "${base}_plain") && -s $(last_checkpoint "${base}_graph") ]] &&
      cmp <(weights "${base}_plain") <(weights "${base}_graph") || { echo "$precision: captured steps differ from plain ones"; return 1; }
    echo "$precision: captured steps, stopped and resumed, end in the plain run's weights"
  done
  for captured in false true; do
    line=$("$programs/tailseg-profile" --json --device cuda --job predict --height 800 --width 1344 --repeats 20 \
      --set model.precision=bfloat16 --set test.capture=$captured) || return
    echo "prediction, test.capture=$captured: $line"
    [[ $captured == false || $line == *'"replays": 2'*'"waits": 1, "allocations": 0}'* ]] || { echo "not captured, or it waits"; return 1; }
  done
  for batch in 2 16; do
    for captured in false true; do
      line=$("$programs/tailseg-profile" --json --device cuda --job train --batch $batch --height 800 --width 1344 --repeats 10 \
        --set model.precision=bfloat16 --set train.capture=$captured) || return
      echo "batch $batch, train.capture=$captured: $line"
      [[ $line == *'"waits": 0, "allocations": 0}'* ]] || return 1
      [[ $captured == false || $line == *'"replays": 1'* ]] || { echo "nothing was captured"; return 1; }
    done
  done
}

# What repeatable library engines cost, in percent of the step that takes any: at most 10.
run_determinism() {
  local round line plain=() any=()
  field_ms() { sed -nE 's/.*"ms": ([0-9.]+).*/\1/p' <<< "$1"; }
  for round in 1 2 3; do
    for mode in 0 1; do
      line=$(TAILSEG_ANY_ENGINE=$mode "$programs/tailseg-profile" --json --device cuda --job train --batch 16 --height 800 --width 1344 \
        --repeats 10 --set model.precision=bfloat16) || return
      echo "TAILSEG_ANY_ENGINE=$mode: $line"
      if ((mode)); then any+=("$(field_ms "$line")"); else plain+=("$(field_ms "$line")"); fi
    done
  done
  local a b
  a=$(printf '%s\n' "${plain[@]}" | sort -g | sed -n 2p) b=$(printf '%s\n' "${any[@]}" | sort -g | sed -n 2p)
  awk -v a="$a" -v b="$b" 'BEGIN {printf "repeatable %.2f ms, any engine %.2f ms: %+.1f %%\n", a, b, 100 * (a / b - 1); exit !(a <= 1.1 * b)}'
}

run_waits() {
  local loss losses line bad=0
  losses=$("$programs/tailseg-profile" --set model.box_head.loss.type=? 2>&1 | sed -nE 's/.*expected one of ([a-z_0-9, ]+).*/\1/p')
  [[ -n $losses ]] || { echo "the losses' names could not be read"; return 1; }
  for loss in ${losses//,/ }; do
    line=$("$programs/tailseg-profile" --json --device cuda --job train --batch 2 --height 800 --width 1344 --classes 1203 \
      --repeats 4 --set model.precision=bfloat16 --set "model.box_head.loss.type=$loss") || { bad=1; continue; }
    echo "$loss: $line"
    [[ $line == *'"waits": 0, "allocations": 0}'* ]] || bad=1
  done
  return $bad
}

run_kernels() {
  local of=(--device cuda --height 800 --width 1344 --rows 40 --set model.precision=bfloat16)
  "$programs/tailseg-profile" "${of[@]}" --job train --batch 16 --trace "$kept/train.json" &&
    "$programs/tailseg-profile" "${of[@]}" --job predict --batch 1 --trace "$kept/predict.json"
}

run_bench() { bash tests/benchmarks/gpu_vs_torchvision.sh --build "$build" --json "$kept/bench.json" "$@"; }

for stage in "${stages[@]}"; do
  echo "=== $stage"
  begin=$SECONDS
  name=${stage%%:*}
  export -f "run_$name" sanitize demo_data weights last_checkpoint train
  export build bundle kept programs python
  arguments=()
  [[ $stage == *:* ]] && arguments=("${stage#*:}")
  timeout --kill-after=10 "$limit" bash -c "run_$name \"\$@\"" "run_$name" "${arguments[@]}" < /dev/null 2>&1 | tee "$kept/${stage//:/_}.log"
  case ${PIPESTATUS[0]} in
    0) result=ok ;;
    3) result=skipped ;;
    124 | 137) result="FAILED (past $limit s)" ;;
    *) result=FAILED ;;
  esac
  printf '%-22s %4d s  %s\n' "$stage" $((SECONDS - begin)) "$result" > "$kept/${stage//:/_}.result"
  echo "=== $(cat "$kept/${stage//:/_}.result")"
done

echo
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
echo "$(nvcc --version | tail -n 1), cuDNN in ${CUDNN_PATH:-the toolkit}, commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown), $(date -u +%F)"
failed=0
for stage in "${all[@]}"; do cat "$kept/${stage//:/_}"*.result 2> /dev/null; done
for stage in "${stages[@]}"; do ! grep -q FAILED "$kept/${stage//:/_}.result" || failed=1; done
exit $failed
