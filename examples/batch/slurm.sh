#!/usr/bin/env bash
# An audit as a Slurm array, one task a part, and a job that merges what the tasks found.
#
# usage: slurm.sh KERNELS RESULTS [TASKS]
#
# Submits both. KERNELS and RESULTS are folders that all nodes see under the same name; PARTS is
# read from the environment. TASKS are the parts to run, such as 2,5-7; by default all of them.
# RESULTS keeps a database of each part: running this again inspects what is new or was not
# finished, and looks up the rest. It needs a file system with POSIX locks.
#
# Options of sbatch come from the environment, as in SBATCH_PARTITION=short.

# Each kernel at a time takes a core and about 300 MB.
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=400M
#SBATCH --time=2:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

parts=${PARTS:-4}

usage() {
  sed -n '/^# usage: /s/^# //p' "$0" >&2
  exit 64
}

# submit KERNELS RESULTS [TASKS]
submit() {
  local kernels results tasks="${3:-1-$parts}" array
  [ -d "$1" ] || usage
  kernels=$(realpath -- "$1")
  mkdir -p -- "$2"
  results=$(realpath -- "$2")
  # What an earlier audit finished, this one has not; a task may be cancelled before it begins.
  if [ "$#" -lt 3 ]; then rm -f "$results"/part-*-of-"$parts.done"; fi
  # How many parts there are is handed on, for an array does not know what it is a part of.
  array=$(sbatch --parsable --job-name=bhbcheck --array="$tasks" --output="$results/part-%a.log" \
    --export="ALL,PARTS=$parts" -- "$0" part "$kernels" "$results")
  array=${array%%;*} # A cluster's name may follow.
  # After all tasks have ended, whichever way: what the others found is merged in any case.
  sbatch --job-name=bhbcheck-merge --dependency="afterany:$array" --output="$results/merge.log" \
    --cpus-per-task=1 --export="ALL,PARTS=$parts" -- "$0" merge "$results"
}

# part KERNELS RESULTS: what a task of the array does.
part() {
  local number="$SLURM_ARRAY_TASK_ID" base
  base=$2/part-$number-of-$parts
  rm -f "$base.done"
  # A folder that is not there would be a row with its error, and no failure.
  if [ ! -d "$1" ]; then
    echo "$(hostname): no folder $1" >&2
    exit 66
  fi
  bhbcheck audit --shard "$number/$parts" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --database "$base.sqlite" "$1"
  touch "$base.done"
}

# merge RESULTS: merges what there is, and fails if some of it is missing.
merge() {
  local number base missing=() databases=()
  for ((number = 1; number <= parts; number++)); do
    base=$1/part-$number-of-$parts
    if [ -e "$base.sqlite" ]; then databases+=("$base.sqlite"); fi
    if [ ! -e "$base.done" ]; then missing+=("$number"); fi
  done
  if [ "${#databases[@]}" -eq 0 ]; then
    echo "no part has found anything" >&2
    exit 1
  fi
  bhbcheck audit merge --database "$1/all.sqlite" "${databases[@]}"
  bhbcheck audit report --database "$1/all.sqlite" --format html >"$1/report.html"
  bhbcheck audit report --database "$1/all.sqlite"
  if [ "${#missing[@]}" -gt 0 ]; then
    echo "not finished: parts ${missing[*]} of $parts" >&2
    exit 1
  fi
}

case "${1:-}" in
  part | merge) "$@" ;;
  *) if [ "$#" -ge 2 ]; then submit "$@"; else usage; fi ;;
esac
