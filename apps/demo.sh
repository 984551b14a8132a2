#!/usr/bin/env bash
# From nothing to pictures: set-up, build, a synthetic long-tailed data set, training from random weights, evaluation on
# a held-out split, a report of the run as one page, and drawings of what was found.
#
#   bash apps/demo.sh [DIR] [--fresh]      DIR is runs/demo unless given
#
# A step that is done is not repeated unless its program, its config or a step before it has changed; training that was
# interrupted goes on where it was. --fresh begins again.
set -euo pipefail

run=runs/demo
fresh=false
for argument in "$@"; do
  case $argument in
    --fresh) fresh=true ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "error: demo.sh takes a folder and --fresh, not '$argument'" >&2; exit 2 ;;
    *) run=$argument ;;
  esac
done
mkdir -p "$run"
run=$(cd "$run" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash apps/build.sh
begin=$SECONDS
config=apps/configs/demo.toml
$fresh && rm -rf "${run:?}"/{data,train,evaluation,pictures,.done}
mkdir -p "$run/.done"

# step NAME PROGRAM ARGUMENTS...: runs build/bin/PROGRAM unless it has been run with all the same.
made_from=$(sha256sum apps/configs/*.toml)
step() {
  local name=$1 program=build/bin/$2
  shift 2
  made_from=$(sha256sum - "$program" <<< "$made_from $*" | sha256sum)
  if [[ $(cat "$run/.done/$name" 2> /dev/null) == "$made_from" ]]; then
    echo "demo: $name is done already"
    return
  fi
  echo "demo: $name"
  if [[ -e $run/$name/checkpoints/last && $(cat "$run/.done/$name.begun" 2> /dev/null) == "$made_from" ]]; then
    set -- "$@" --resume
  else
    rm -rf "${run:?}/$name"
  fi
  echo "$made_from" > "$run/.done/$name.begun"
  "$program" "$@"
  echo "$made_from" > "$run/.done/$name"
}

step data tailseg-make-dataset --output "$run/data" --images 2400 --val-images 240 --seed 1
step train tailseg-train --config "$config" --set "data.root=$run/data" --output "$run/train"
checkpoint=$run/train/checkpoints/$(cat "$run/train/checkpoints/last")
step evaluation tailseg-evaluate --checkpoint "$checkpoint" --data-root "$run/data" --output "$run/evaluation" \
  --pictures 8
step report tailseg-report "$run/train" --output "$run/report.html"
mapfile -t photos < <(find "$run/data/images/val" -name '*.png' -o -name '*.jpg' | sort | head -n 24)
step pictures tailseg-predict --checkpoint "$checkpoint" --output "$run/pictures" "${photos[@]}"

echo
cat "$run/evaluation/table.txt"
echo
echo "demo: data, training, evaluation and pictures took $(((SECONDS - begin) / 60)) min $(((SECONDS - begin) % 60)) s"
echo "figures:  $run/evaluation/metrics.json"
echo "report:   $run/report.html"
echo "pictures: $run/pictures/"
