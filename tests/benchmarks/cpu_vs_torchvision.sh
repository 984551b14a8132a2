#!/usr/bin/env bash
# Mask R-CNN R50-FPN (frozen batch norm, random weights, one image) on the CPU: this project and torchvision in turn, on
# the same two threads, in the same run.
#
#   bash tests/benchmarks/cpu_vs_torchvision.sh [--json FILE] [--rounds N] [HEIGHTxWIDTH ...]
#
# Needs the programs (apps/build.sh), Debian's python3-torchvision, and libopenblas0-openmp for a fair comparison. Each
# round runs both, so that a machine whose speed drifts drifts for both; the medians over the rounds are compared. Rows
# of FILE:
#   {"job", "height", "width", "ours_ms", "torchvision_ms", "ratio", "floor_share", "ours_mib", "torchvision_mib"}
# ratio is torchvision's time over ours; floor_share the layers' least possible time, as tailseg-profile computes it,
# over ours; mib the peak resident memory of the whole process.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

json=/dev/null
rounds=3
sizes=()
while (($#)); do
  case $1 in
    --json) json=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) sizes+=("$1"); shift ;;
  esac
done
((${#sizes[@]})) || sizes=(256x256 512x512 800x1344)
profile=build/bin/tailseg-profile
[[ -x $profile ]] || { echo "error: $profile is not built; run bash apps/build.sh" >&2; exit 1; }
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import torchvision' 2> /dev/null || { echo "error: $python has no torchvision; apt-get install python3-torchvision" >&2; exit 1; }
export OMP_NUM_THREADS=2

field() { sed -E "s/.*\"$1\": ([0-9.]+).*/\1/" <<< "$2"; }
median() { printf '%s\n' "$@" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }

# torch calls whatever libblas.so.3 is. Debian's default is the reference BLAS, in which the box head alone takes seconds
# on one thread: compared with that, anything looks fast.
warm=$("$python" tests/benchmarks/torchvision_step.py predict 64 64 1)
blas=$(sed -E 's/.*"blas": "([^"]*)".*/\1/' <<< "$warm")
echo "torch's BLAS: $blas"
[[ $blas == */blas/libblas.so* ]] && echo "warning: that is the reference BLAS, and the ratios flatter us; for a fair comparison: apt-get install libopenblas0-openmp" >&2

rows=()
printf '%-8s %-10s %10s %15s %7s %8s %9s %16s\n' job size 'ours ms' 'torchvision ms' ratio 'of floor' 'ours MiB' 'torchvision MiB'
for size in "${sizes[@]}"; do
  height=${size%x*} width=${size#*x}
  for job in predict train; do
    ours=() theirs=() shares=()
    for ((round = 0; round < rounds; ++round)); do
      row=$("$profile" --json --job "$job" --height "$height" --width "$width" --threads 2 --classes 90 --repeats 3 \
        --set preset=torchvision --set test.score_threshold=0 --device cpu)
      ours+=("$(field ms "$row")") shares+=("$(field floor_share "$row")")
      ours_mib=$(field mib "$row")
      row=$("$python" tests/benchmarks/torchvision_step.py "$job" "$height" "$width" 3)
      theirs+=("$(field ms "$row")")
      theirs_mib=$(field mib "$row")
    done
    a=$(median "${ours[@]}") b=$(median "${theirs[@]}") share=$(median "${shares[@]}")
    ratio=$(awk "BEGIN {printf \"%.2f\", $b / $a}")
    printf '%-8s %-10s %10.1f %15.1f %7.2f %8.2f %9.0f %16.0f\n' "$job" "$size" "$a" "$b" "$ratio" "$share" "$ours_mib" "$theirs_mib"
    rows+=("{\"job\": \"$job\", \"height\": $height, \"width\": $width, \"ours_ms\": $a, \"torchvision_ms\": $b, \"ratio\": $ratio, \"floor_share\": $share, \"ours_mib\": $ours_mib, \"torchvision_mib\": $theirs_mib}")
  done
done
{
  echo "["
  printf '%s\n' "${rows[@]}" | sed '$!s/$/,/; s/^/  /'
  echo "]"
} > "$json"
