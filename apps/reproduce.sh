#!/usr/bin/env bash
# The papers' tables on a synthetic long-tailed set: trains a grid of methods with several seeds from random weights,
# evaluates each on a balanced held-out split, and prints and draws the figures beside the published ones.
#
#   bash apps/reproduce.sh [--quick | --all] [--seeds N] [--device auto|cpu|cuda] [--output DIR] [--fresh]
#
#   --quick       one seed of cross-entropy, RFS, Seesaw, GOL and SimCal
#   --all         after the grid, one seed of 16 more trainings and 10 more calibrations: all.json, all.html
#   --list        prints those methods and what each sets, and ends
#   --seeds N     runs a method (3)
#   --output DIR  runs/reproduce: data, runs/<cell>/seed<n>, table.json, report.html
#   --fresh       begins again
#
# A run that is done is not repeated unless its programs, its configs or the data change: then it is made anew, which is
# said. One that was interrupted goes on where it was.
set -euo pipefail

out=runs/reproduce seeds='' device=auto quick=false all=false list=false fresh=false
usage() { echo "error: reproduce.sh: $1; see --help" >&2; exit 2; }
while (($#)); do
  case $1 in
    --quick) quick=true ;;
    --all) all=true ;;
    --list) list=true ;;
    --fresh) fresh=true ;;
    --seeds | --device | --output)
      (($# > 1)) && [[ -n $2 && $2 != -* ]] || usage "$1 needs a value"
      case $1 in
        --seeds) [[ $2 =~ ^[1-9][0-9]?$ ]] || usage "--seeds $2: expected 1 to 99"; seeds=$2 ;;
        --device) [[ $2 =~ ^(auto|cpu|cuda)$ ]] || usage "--device $2: expected auto, cpu or cuda"; device=$2 ;;
        --output) out=$2 ;;
      esac
      shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) usage "unknown argument '$1'" ;;
  esac
  shift
done
$quick && [[ -n $seeds ]] && usage "--quick has one seed; leave --seeds out"
$quick && $all && usage "--quick and --all exclude each other"
$quick && seeds=1
seeds=${seeds:-3}

# Every other method: a cell, and what it sets on top of ce.toml. Numbers that are published for LVIS's classes are scaled
# to these: frequent classes are in more than 35 scenes.
loss=model.box_head.loss
others=(
  "objectness $loss.softmax.objectness=true"
  "sigmoid $loss.type=sigmoid"
  "focal $loss.type=focal"
  "reweighted $loss.type=reweighted $loss.reweighted.weights=inverse"
  "margin $loss.type=margin"
  "ldam $loss.type=margin $loss.margin.form=ldam $loss.margin.drw_start=2700 model.box_head.classifier=normalized
    model.box_head.normalized.temperature=1"
  "eql_v2 $loss.type=eql_v2"
  "drop $loss.type=drop $loss.drop.lambda=0.0118"
  "federated $loss.type=federated $loss.federated.sampled_classes=20"
  "gumbel $loss.type=gumbel"
  "class_relative $loss.type=gumbel $loss.gumbel.frequent=normal $loss.gumbel.frequent_above=35
    $loss.gumbel.loss_ceiling=25 $loss.gumbel.init=constant $loss.gumbel.init_scale=0.001 $loss.gumbel.init_bias=-3"
  "equilibrium $loss.type=equilibrium"
  "normalized model.box_head.classifier=normalized"
  "normmask model.mask_head.predictor=normalized"
  "shared_tail model.box_head.agnostic_below=36 model.mask_head.agnostic_below=36"
  "class_balanced train.sampler.type=class_balanced"
)
# The same for tailseg-calibrate on ce's detector.
short=(--set calibration.solver.max_iters=1200 --set 'calibration.solver.steps=[800,1100]')
seconds=(
  "crt calibration.recipe=crt"
  "lws calibration.recipe=lws"
  "tau calibration.recipe=tau"
  "ncm calibration.recipe=ncm"
  "bags_two_stages calibration.recipe=bags calibration.loss.bags.boundaries=[8,36,200]"
  "de_seesaw calibration.recipe=de calibration.loss.type=seesaw calibration.classifier=normalized"
  "simcal_cm calibration.recipe=simcal_cm"
  "simcal_lr calibration.recipe=simcal_lr"
  "simcal_fl calibration.recipe=simcal_fl"
  "simcal_is calibration.recipe=simcal_is calibration.sampler.threshold=0.0118"
)
settings_of() {  # cell; nothing for a cell with a file of its own
  local line words
  for line in "${others[@]}" "${seconds[@]}"; do
    read -r -d '' -a words <<< "$line" || true
    if [[ ${words[0]} == "$1" ]]; then echo "${words[@]:1}"; fi
  done
}
if $list; then
  for cell in "${others[@]}" "${seconds[@]}"; do echo "${cell%% *} $(settings_of "${cell%% *}")"; done
  exit
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
configs=apps/configs/reproduce

trap 'code=$?; ((code == 0)) || echo "reproduce: stopped; the same command goes on where it was" >&2' EXIT
bash apps/build.sh
begin=$SECONDS
scenes=(--images 3000 --val-images 500 --classes 100 --range 250 --any-colour --negatives 5 --seed 1)

# What the runs of a cell depend on besides the seed, as one line: scenes, configs and programs.
inputs_of() {
  local settings
  settings=$(settings_of "$1")
  local files=(apps/configs/demo.toml "$configs"/{base,rfs,ce}.toml)
  files+=(build/bin/tailseg-{make-dataset,train,evaluate})
  case $1 in
    simcal | simcal_dual) files+=("$configs/simcal.toml" build/bin/tailseg-calibrate) ;;
    *) if [[ -z $settings ]]; then files+=("$configs/$1.toml"); fi ;;
  esac
  if [[ $settings == calibration.* ]]; then files+=(build/bin/tailseg-calibrate); fi
  { echo "${scenes[*]}${settings:+ $settings ${short[*]}}"; cat "${files[@]}"; } | sha256sum
}

# Every run that is there has been made of the same, or goes; and only what has this script's mark.
mkdir -p "$out/runs"
for folder in "$out"/runs/*/seed*/; do
  [[ -e $folder/inputs ]] || continue
  cell=$(basename "$(dirname "$folder")")
  $fresh || [[ $(cat "$folder/inputs") != "$(inputs_of "$cell" 2> /dev/null)" ]] || continue
  $fresh || echo "reproduce: $cell, $(basename "$folder") was made by other programs, configs or data; it is made anew"
  rm -rf "${folder:?}"
done
made_by="${scenes[*]} $(sha256sum build/bin/tailseg-make-dataset)"
if $fresh || [[ $(cat "$out/data/made_by" 2> /dev/null) != "$made_by" ]]; then
  build/bin/tailseg-make-dataset --output "$out/data" "${scenes[@]}" --overwrite
  echo "$made_by" > "$out/data/made_by"
fi

# run CELL SEED COMMAND...: COMMAND writes runs/CELL/seedSEED unless that is done; it is given --resume where it was
# interrupted.
run() {
  local cell=$1 folder=$out/runs/$1/seed$2 resume=()
  shift 2
  [[ -e $folder/done ]] && return
  if [[ -e $folder/checkpoints/last ]]; then
    resume=(--resume)
  else
    [[ ! -e $folder || -e $folder/inputs ]] || { echo "error: $folder is not of this script; move it away" >&2; exit 1; }
    rm -rf "${folder:?}"
    mkdir -p "$folder"
    inputs_of "$cell" > "$folder/inputs"
  fi
  echo "reproduce: $cell, $(basename "$folder"), $(((SECONDS - begin) / 60)) min so far"
  "$@" --output "$folder" "${resume[@]}"
  touch "$folder/done"
}
last_checkpoint() { echo "$1/checkpoints/$(cat "$1/checkpoints/last")"; }

train() {
  run "$1" "$2" build/bin/tailseg-train --config "$configs/$1.toml" --set "data.root=$out/data" --seed "$2" \
    --device "$device"
}

# SimCal's second stage on the seed's cross-entropy detector, read off with the calibrated head alone and with both.
calibrate() {
  local detector
  detector=$(last_checkpoint "$out/runs/ce/seed$1")
  run simcal "$1" build/bin/tailseg-calibrate --checkpoint "$detector" --config "$configs/simcal.toml" --seed "$1" \
    --device "$device"
  run simcal_dual "$1" evaluate_dual "$1"
}
evaluate_dual() {  # SEED --output FOLDER
  build/bin/tailseg-evaluate --checkpoint "$(last_checkpoint "$out/runs/simcal/seed$1")" --data-root "$out/data" \
    --set calibration.inference=select --output "$3/evaluation" --device "$device"
}

other_methods() {
  local line words sets word detector
  for line in "${others[@]}" "${seconds[@]}"; do
    read -r -d '' -a words <<< "$line" || true
    sets=()
    for word in "${words[@]:1}"; do sets+=(--set "$word"); done
    if [[ ${words[1]} == calibration.* ]]; then
      detector=$(last_checkpoint "$out/runs/ce/seed1")
      sets=(--recipe "${words[1]#*=}" "${sets[@]:2}" --set calibration.inference=calibrated)
      [[ ${words[0]} == tau ]] || sets+=("${short[@]}")
      run "${words[0]}" 1 build/bin/tailseg-calibrate --checkpoint "$detector" "${sets[@]}" --seed 1 --device "$device"
    else
      run "${words[0]}" 1 build/bin/tailseg-train --config "$configs/ce.toml" --set "data.root=$out/data" "${sets[@]}" \
        --seed 1 --device "$device"
    fi
  done
  build/bin/tailseg-report --grid "$configs/all.json" --table "$out/all.json" --output "$out/all.html" "$out/runs"
}

trained=(ce rfs eql bags seesaw_plain seesaw gol)
$quick && trained=(ce rfs seesaw gol)
for ((seed = 1; seed <= seeds; ++seed)); do
  for cell in "${trained[@]}"; do train "$cell" "$seed"; done
  calibrate "$seed"
  build/bin/tailseg-report --grid "$configs/grid.json" --table "$out/table.json" --output "$out/report.html" "$out/runs"
done
$all && other_methods
echo "reproduce: $(((SECONDS - begin) / 60)) min after the build"
echo "table:  $out/table.json"
echo "report: $out/report.html"
