#!/usr/bin/env bash
# Everything that only a GPU can show, on a machine that has one, the CUDA 13 toolkit and cuDNN 9; no package manager and
# no network are needed.
#
#   bash tests/gpu.sh [--bundle DIR] [--programs FILE] [--build build-gpu] [--keep DIR] [STAGE ...]
#
#   build      for this card, without oneDNN: what the other stages of the call need
#   tests:ROOM the tests of tensor, autograd, nn, detection, datasets or apps; those of devices.h run on the GPU too
#   memcheck, racecheck, synccheck
#              compute-sanitizer on the kernels' tests; of one room: memcheck:tensor .. (initcheck would find nothing:
#              the tests fill what the allocator gives with NaN)
#   demo       the demo's training on the GPU, evaluated on its held-out split
#   repeat     two runs, and one that is killed and resumed, end in the same bytes: float32, tf32, bfloat16, or those
#              that are named: repeat:float32,bfloat16
#   determinism  what repeatable engines cost against any: at most 10 %; determinism:1 in one round, not three
#   capture    training by CUDA graphs ends in the plain run's bytes; what a step and a prediction then take
#   waits      a training step of each loss at 800 x 1344 makes nobody wait and asks for no memory, once warm; of some:
#              waits:seesaw,gol
#   kernels    the kernel tables of a training step and of a prediction
#   bench      beside torchvision on the same card ($PYTHON has torch), $TAILSEG_BENCH_ROUNDS times (2); each row by
#              itself: bench:train:16:80 ..
#
# Without a stage all run. Each ends within $TAILSEG_GPU_LIMIT seconds (470), and the whole call within
# $TAILSEG_GPU_DEADLINE where that is set: what has no time left is not run, and the table says so. Logs and results
# are kept in BUILD/gpu, so that stages may be run call by call: the table at the end has all that were run on this build.
#   --bundle   the libraries that tests/bundle_deps.sh has put into DIR
#   --programs what tests/pack_gpu.sh has built elsewhere, in BUILD's place; not with tests:datasets and tests:apps
#   --keep     after each stage DIR/gpu.tgz is written anew with all logs: for machines that are taken away
# Exit status: 0 when every stage of this call passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

build=build-gpu bundle='' packed='' keep='' stages=()
all=(build tests:{tensor,autograd,nn,detection,datasets,apps} memcheck racecheck synccheck demo repeat determinism capture waits
  kernels bench)
usage() { echo "error: gpu.sh: $1; see --help" >&2; exit 2; }
while (($#)); do
  case $1 in
    --bundle | --build | --programs | --keep)
      (($# > 1)) && [[ -n $2 && $2 != -* ]] || usage "$1 needs a folder or a file"
      case $1 in --bundle) bundle=$2 ;; --build) build=$2 ;; --programs) packed=$2 ;; --keep) keep=$2 ;; esac
      shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    bench:?* | repeat:?* | determinism:?* | waits:?* | memcheck:?* | racecheck:?* | synccheck:?*) stages+=("$1") ;;
    *) [[ " ${all[*]} " == *" $1 "* ]] || usage "the stages are ${all[*]}, not '$1'"; stages+=("$1") ;;
  esac
  shift
done
if ((!${#stages[@]})); then
  stages=("${all[@]}")
  [[ -z $packed ]] || stages=(tests:{tensor,autograd,nn,detection} "${all[@]:7}")
fi
[[ -z $packed || ! " ${stages[*]} " =~ \ (build|tests:datasets|tests:apps)\  ]] || usage "$packed does not hold ${BASH_REMATCH[1]}"
[[ -z $packed || -f $packed ]] || usage "$packed is not there; make it with tests/pack_gpu.sh"
[[ -z $bundle || -d $bundle/include ]] || usage "$bundle has no include/ folder; make it with tests/bundle_deps.sh"

nvidia-smi -L > /dev/null 2>&1 || { echo "error: no GPU: nvidia-smi finds none. Without one: bash tests/run.sh cuda" >&2; exit 1; }
command -v nvcc > /dev/null || PATH=$PATH:/usr/local/cuda/bin
[[ " ${stages[*]} " != *' build '* ]] || command -v nvcc > /dev/null ||
  { echo "error: nvcc was not found; put the CUDA toolkit's bin folder on PATH" >&2; exit 1; }
limit=${TAILSEG_GPU_LIMIT:-470}
python=${PYTHON:-python3}
# cuDNN may lie in a Python package.
if [[ -z ${CUDNN_PATH:-} ]]; then
  found=$("$python" -c 'import nvidia.cudnn; print(list(nvidia.cudnn.__path__)[0])' 2> /dev/null) && export CUDNN_PATH=$found
fi
if [[ -n $packed ]]; then
  build=build-pack
  tar -xJf "$packed" || exit
  there=$(cat $build/source_dir)  # where they were built: tests and their list have its path in them
  [[ -e $there ]] || { mkdir -p "$(dirname "$there")" && ln -s "$PWD" "$there"; } || exit
  around=${CUDNN_PATH:-/usr/local/cuda}/..
  export LD_LIBRARY_PATH=$PWD/$build/lib:${CUDNN_PATH:-}/lib:$around/cu13/lib:$around/cublas/lib:$around/cuda_runtime/lib:/usr/local/cuda/lib64:${LD_LIBRARY_PATH:-}
fi
programs=$build/bin
kept=$build/gpu
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
export OMP_WAIT_POLICY=passive

run_build() {
  local card targets=() room
  card=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
  local options=(-DCMAKE_BUILD_TYPE=Release -DTAILSEG_CUDA=ON -DTAILSEG_ONEDNN=OFF "-DCMAKE_CUDA_ARCHITECTURES=$card-real"
    -DTAILSEG_WERROR=OFF)  # a compiler newer than ours may warn of more
  [[ -n $bundle ]] && options+=("-DTAILSEG_DEPS=$(cd "$bundle" && pwd)")
  for room in tensor autograd nn detection datasets apps; do
    local checked="\ (mem|race|sync)check:[a-z,]*$room"
    [[ $wanted != *" tests:$room "* && ! $wanted =~ $checked ]] || targets+=("tailseg_test_$room")
  done
  [[ ! $wanted =~ \ (mem|race|sync)check\  ]] || targets+=(tailseg_test_{tensor,autograd,nn,detection})
  [[ $wanted != *" tests:apps "* && $wanted != *" tests:datasets "* ]] || targets=(all)
  cmake -S . -B "$build" -G Ninja "${options[@]}" &&
    cmake --build "$build" --target tailseg-{train,evaluate,profile,make-dataset} "${targets[@]}"
}

run_tests() {
  ctest --test-dir "$build" --output-on-failure --parallel $(($(nproc) / 2 > 4 ? $(nproc) / 2 : 4)) --label-regex "^$1\$" --no-tests=error
}

# What the libraries ask CUDA in vain is none of our errors, and their kernels are not ours to check.
sanitize() {  # tool, rooms, then what else the tests are given
  command -v compute-sanitizer > /dev/null || { echo "skipped: compute-sanitizer was not found"; return 3; }
  local room bad=0 tool=$1 rooms=$2 only=()
  [[ $(compute-sanitizer --help 2>&1) =~ --kernel-(regex|name) ]] && only=("${BASH_REMATCH[0]}" kns=tailseg)
  rooms=${rooms:-tensor,autograd,nn,detection}
  for room in ${rooms//,/ }; do
    echo "--- $tool: $room"
    compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 5 --report-api-errors no "${only[@]}" \
      "$programs/tailseg_test_$room" "${@:3}" || bad=1
  done
  return $bad
}
# In the pool's segments a tensor's neighbours are no error: here every tensor has memory of its own. The tests left out
# count how often the system was asked for memory.
run_memcheck() {
  TAILSEG_DEBUG_MEMORY=exact sanitize memcheck "${1:-}" -# '~[#allocator_test]~[#staging_test]'
}
run_racecheck() { sanitize racecheck "${1:-}"; }
run_synccheck() { sanitize synccheck "${1:-}"; }

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
  local precision end=240 precisions=${1:-float32,tf32,bfloat16}
  for precision in ${precisions//,/ }; do
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
  local round rounds=${1:-3} line plain=() any=()
  field_ms() { sed -nE 's/.*"ms": ([0-9.]+).*/\1/p' <<< "$1"; }
  for ((round = 0; round < rounds; ++round)); do
    for mode in 0 1; do
      line=$(TAILSEG_ANY_ENGINE=$mode "$programs/tailseg-profile" --json --device cuda --job train --batch 16 --height 800 --width 1344 \
        --repeats 10 --set model.precision=bfloat16) || return
      echo "TAILSEG_ANY_ENGINE=$mode: $line"
      if ((mode)); then any+=("$(field_ms "$line")"); else plain+=("$(field_ms "$line")"); fi
    done
  done
  local a b
  local middle=$(((rounds + 1) / 2))
  a=$(printf '%s\n' "${plain[@]}" | sort -g | sed -n "${middle}p") b=$(printf '%s\n' "${any[@]}" | sort -g | sed -n "${middle}p")
  awk -v a="$a" -v b="$b" 'BEGIN {printf "repeatable %.2f ms, any engine %.2f ms: %+.1f %%\n", a, b, 100 * (a / b - 1); exit !(a <= 1.1 * b)}'
}

run_waits() {
  local loss losses line bad=0
  losses=${1:-}
  [[ -n $losses ]] || losses=$("$programs/tailseg-profile" --set model.box_head.loss.type=? 2>&1 | sed -nE 's/.*expected one of ([a-z_0-9, ]+).*/\1/p')
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

run_bench() {  # a file of its own for each row
  local name="bench${1:+ $1}"
  bash tests/benchmarks/gpu_vs_torchvision.sh --build "$build" --rounds "${TAILSEG_BENCH_ROUNDS:-2}" \
    --json "$kept/${name//[: ]/_}.json" "$@"
}

keep_logs() {
  [[ -n $keep ]] || return 0
  mkdir -p "$keep" && (cd "$kept" && find . -maxdepth 1 -name '*.log' -o -name '*.result' -o -name 'bench*.json') |
    tar -czf "$keep/gpu.tgz" -C "$kept" -T -
}

wanted=" ${stages[*]} "
for stage in "${stages[@]}"; do
  echo "=== $stage"
  begin=$SECONDS
  left=$((${TAILSEG_GPU_DEADLINE:-1000000} - SECONDS))
  if ((left < 20)); then
    printf '%-22s %4d s  %s\n' "$stage" 0 "FAILED (not run: no time left)" > "$kept/${stage//:/_}.result"
    keep_logs
    continue
  fi
  allowed=$((left - 10 < limit ? left - 10 : limit))
  name=${stage%%:*}
  export -f "run_$name" sanitize demo_data weights last_checkpoint train
  export build bundle kept programs python wanted
  arguments=()
  [[ $stage == *:* ]] && arguments=("${stage#*:}")
  timeout --kill-after=10 "$allowed" bash -c "run_$name \"\$@\"" "run_$name" "${arguments[@]}" < /dev/null 2>&1 | tee "$kept/${stage//:/_}.log"
  case ${PIPESTATUS[0]} in
    0) result=ok ;;
    3) result=skipped ;;
    124 | 137) result="FAILED (past $allowed s)" ;;
    *) result=FAILED ;;
  esac
  printf '%-22s %4d s  %s\n' "$stage" $((SECONDS - begin)) "$result" > "$kept/${stage//:/_}.result"
  echo "=== $(cat "$kept/${stage//:/_}.result")"
  keep_logs
done

echo
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
echo "$(nvcc --version 2> /dev/null | tail -n 1), cuDNN in ${CUDNN_PATH:-the toolkit}, commit $(git rev-parse --short HEAD 2> /dev/null || echo unknown), $(date -u +%F)"
failed=0
for stage in "${all[@]}"; do cat "$kept/${stage//:/_}"*.result 2> /dev/null; done
for stage in "${stages[@]}"; do ! grep -q FAILED "$kept/${stage//:/_}.result" || failed=1; done
exit $failed
