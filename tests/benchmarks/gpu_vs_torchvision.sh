#!/usr/bin/env bash
# Mask R-CNN R50-FPN on a GPU: this project in bfloat16 and torchvision in its best setting there, in turn, in one run.
#
#   bash tests/benchmarks/gpu_vs_torchvision.sh [--build build-gpu] [--rounds 2] [--json FILE] [--capture]
#     [JOB:BATCH:CLASSES ...]
#
# JOB is train or predict, at 800 x 1344, by torchvision's settings (preset=torchvision); with --capture our steps and
# predictions are replayed CUDA graphs. torchvision is timed with bfloat16 autocast and channels_last in three settings
# (torchvision_gpu_step.py), of which the fastest counts; its log line tells all. Neither pastes masks into the photo.
# predict with more than 1000 classes is ours alone: with scores this even torchvision suppresses boxes class by class
# on a million candidates, which no trained model makes it do. Needs a Python with torch and torchvision ($PYTHON)
# beside the programs.
# A row of FILE: {"job", "batch", "classes", "ours_ms", "torchvision_ms", "ratio", "images_a_second", "floor_share",
# "ours_mib_an_image", "torchvision_mib_an_image", "waits", "allocations"}.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=build-gpu rounds=2 json=/dev/null capture=false
rows=()
while (($#)); do
  case $1 in
    --build) build=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --json) json=$2; shift 2 ;;
    --capture) capture=true; shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    train:*:* | predict:*:*) rows+=("$1"); shift ;;
    *) echo "error: gpu_vs_torchvision.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
done
((${#rows[@]})) || rows=(train:16:80 train:16:1203 train:2:80 predict:1:80 predict:1:1203 predict:16:80)
profile=$build/bin/tailseg-profile
[[ -x $profile ]] || { echo "error: $profile is not built; run bash tests/gpu.sh build" >&2; exit 1; }
python=${PYTHON:-python3}
"$python" -c 'import torchvision' 2> /dev/null || { echo "error: $python has no torchvision; set PYTHON" >&2; exit 1; }

field() { sed -nE "s/.*\"$1\": ([0-9.]+).*/\1/p" <<< "$2"; }
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
theirs_once() {  # job batch classes
  "$python" tests/benchmarks/torchvision_gpu_step.py --job "$1" --batch "$2" --classes "$3" 2> >(grep -v Warning >&2) | tail -n 1
}

printf '%-8s %5s %7s %9s %14s %7s %9s %9s %10s %10s %6s %6s\n' job batch classes 'ours ms' 'torchvision ms' ratio 'images/s' \
  'of floor' 'MiB/image' 'their MiB' waits allocs
: > "$json"
for row in "${rows[@]}"; do
  IFS=: read -r job batch classes <<< "$row"
  ours=() theirs=() shares=()
  settings=(--set preset=torchvision --set model.precision=bfloat16)
  if [[ $job == train ]]; then settings+=(--set "train.capture=$capture"); else settings+=(--set "test.capture=$capture"); fi
  if ((classes > 1000)); then settings+=(--set test.score_threshold=1e-4 --set test.detections_per_image=300); fi
  for ((round = 0; round < rounds; ++round)); do
    line=$("$profile" --json --device cuda --job "$job" --batch "$batch" --height 800 --width 1344 --classes "$classes" \
      --repeats 20 "${settings[@]}")
    ours+=("$(field ms "$line")") shares+=("$(field floor_share "$line")")
    mib=$(field tensor_mib "$line") waits=$(field waits "$line") allocations=$(field allocations "$line")
    if [[ $job == predict ]] && ((classes > 1000)); then
      theirs+=(nan) their_mib=nan
      continue
    fi
    line=$(theirs_once "$job" "$batch" "$classes")
    echo "torchvision: $line" >&2
    theirs+=("$(sed -nE 's/.*"torchvision": "[^"]*", "ms": ([0-9.]+).*/\1/p' <<< "$line")")
    their_mib=$(field tensor_mib "$line")
  done
  a=$(median "${ours[@]}") b=$(median "${theirs[@]}")
  for ((round = 0; round < rounds; ++round)); do [[ ${ours[round]} != "$a" ]] || share=${shares[round]}; done
  read -r ratio rate each their_each <<< "$(awk -v a="$a" -v b="$b" -v n="$batch" -v m="$mib" -v t="$their_mib" \
    'BEGIN {
      none = b == "nan"
      printf "%s %.1f %.0f %s", none ? b : sprintf("%.2f", b / a), 1000 * n / a, m / n, none ? t : sprintf("%.0f", t / n)}')"
  printf '%-8s %5s %7s %9.2f %14s %7s %9s %9s %10s %10s %6s %6s\n' "$job" "$batch" "$classes" "$a" "$b" "$ratio" "$rate" \
    "$share" "$each" "$their_each" "$waits" "$allocations"
  printf '{"job": "%s", "batch": %s, "classes": %s, "ours_ms": %s, "torchvision_ms": %s, "ratio": %s, "images_a_second": %s, "floor_share": %s, "ours_mib_an_image": %s, "torchvision_mib_an_image": %s, "waits": %s, "allocations": %s}\n' \
    "$job" "$batch" "$classes" "$a" "$b" "$ratio" "$rate" "$share" "$each" "$their_each" "$waits" "$allocations" |
    sed 's/: nan/: null/g' >> "$json"
done
