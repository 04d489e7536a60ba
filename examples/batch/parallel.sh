#!/usr/bin/env bash
# An audit by GNU parallel, one process a part, and what they found merged.
#
# usage: parallel.sh KERNELS RESULTS
#
# PARTS and JOBS (how many at a time) are read from the environment. Run it again to go on with an
# audit that was interrupted, or when kernels came: RESULTS keeps a database of each part, so that
# what is new or was not finished is inspected and the rest looked up.
set -euo pipefail

parts=${PARTS:-4}
# Each takes a core and about 300 MB.
jobs=${JOBS:-$(nproc)}

usage() {
  sed -n '/^# usage: /s/^# //p' "$0" >&2
  exit 64
}

# part KERNELS RESULTS NUMBER
part() {
  local base="$2/part-$3-of-$parts"
  bhbcheck audit --shard "$3/$parts" --jobs 1 --database "$base.sqlite" "$1"
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

# all KERNELS RESULTS
all() {
  local kernels results
  [ -d "$1" ] || usage
  # A kernel belongs to a part by its path, so that has one spelling.
  kernels=$(realpath -- "$1")
  mkdir -p -- "$2"
  results=$(realpath -- "$2")
  rm -f "$results"/part-*-of-"$parts.done"
  # A part that fails leaves the others alone; `merge` tells which it was, parts.log its status.
  export PARTS="$parts"
  seq "$parts" | parallel --quote --jobs "$jobs" --joblog "$results/parts.log" \
    "$0" part "$kernels" "$results" {} || true
  merge "$results"
}

case "${1:-}" in
  part) "$@" ;;
  *) if [ "$#" -eq 2 ]; then all "$@"; else usage; fi ;;
esac
