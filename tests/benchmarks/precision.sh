#!/usr/bin/env bash
# Mask R-CNN R50-FPN (frozen batch norm, random weights, one image) in float32 and in another precision, in turn, in the
# same run: whole predictions and training steps.
#
#   bash tests/benchmarks/precision.sh [--precision bfloat16] [--device cpu] [--rounds N] [--profile FILE]
#                                      [JOB:HEIGHTxWIDTH ...]
#
# --profile: the program, build/bin/tailseg-profile unless said. Medians over the rounds; the ratio is float32's time
# over the other's, MiB the peak resident memory of the process (on a GPU the host's only).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

precision=bfloat16 device=cpu rounds=3 profile=build/bin/tailseg-profile
rows=()
while (($#)); do
  case $1 in
    --precision) precision=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --profile) profile=$2; shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) rows+=("$1"); shift ;;
  esac
done
((${#rows[@]})) || rows=(predict:256x256 predict:512x512 predict:800x1344 train:256x256 train:512x512)
[[ -x $profile ]] || { echo "error: $profile is not built; run bash apps/build.sh" >&2; exit 1; }
export OMP_NUM_THREADS=2

field() { sed -E "s/.*\"$1\": ([0-9.]+).*/\1/" <<< "$2"; }
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }

printf '%-8s %-10s %12s %12s %7s %13s %13s\n' job size 'float32 ms' "$precision ms" ratio 'float32 MiB' "$precision MiB"
for row in "${rows[@]}"; do
  job=${row%%:*} size=${row#*:}
  declare -A times=([float32]="" [$precision]="") memory=()
  for ((round = 0; round < rounds; ++round)); do
    for which in float32 "$precision"; do
      line=$("$profile" --json --job "$job" --height "${size%x*}" --width "${size#*x}" --threads 2 --classes 90 --repeats 3 \
        --set preset=torchvision --set test.score_threshold=0 --set model.precision="$which" --device "$device")
      times[$which]+="$(field ms "$line") "
      memory[$which]=$(field mib "$line")
    done
  done
  # shellcheck disable=SC2086  # a list of numbers
  a=$(median ${times[float32]}) b=$(median ${times[$precision]})
  printf '%-8s %-10s %12.1f %12.1f %7.2f %13.0f %13.0f\n' "$job" "$size" "$a" "$b" "$(awk "BEGIN {print $a / $b}")" \
    "${memory[float32]}" "${memory[$precision]}"
done
