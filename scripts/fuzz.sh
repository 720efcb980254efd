#!/usr/bin/env bash
# Feeds damaged files to the library by libFuzzer under AddressSanitizer: a crash, a trap, a leak or a call of more than
# ten seconds is a failure, and so is a broken promise of the header.
#
# Usage: scripts/fuzz.sh [--seconds N] [--timeout N] [--keep] [TARGET...]     e.g. scripts/fuzz.sh --seconds 3600 mat csv
#   --seconds N  time of all targets together; without it a minute
#   --timeout N  seconds after which a call hangs: more than ten where other programs take the cores. Inputs that took more
#                than ten are written to build/fuzz/failures/TARGET-slow-unit-* all the same
#   --keep       afterwards puts the inputs that add coverage, and no others, into Tests/Fuzz/corpus
#
# Each run starts from Tests/Fuzz/corpus/TARGET (kept) and build/fuzz/corpus/TARGET (found so far). An input that fails
# is written to build/fuzz/failures/TARGET-*; build/fuzz/runs.csv has a line for each run.
set -euo pipefail
cd "$(dirname "$0")/.."

all=(model config checkpoint image exif csv celeba lfwa mat)
seconds=60 timeout=10 keep=0 targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --timeout) timeout=${2:?--timeout needs a number}; shift ;;
    --keep) keep=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) [ -f "Tests/Fuzz/$1.c" ] && [ -d "Tests/Fuzz/corpus/$1" ] ||
         { echo "scripts/fuzz.sh: no target $1; there are ${all[*]}" >&2; exit 2; }
       targets+=("$1") ;;
  esac
  shift
done
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

# The clang that belongs to Swift: its sanitizer runtimes are those that the library was compiled for.
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
library=$(scripts/sanitized-library.sh address)
work=$PWD/build/fuzz kept=$PWD/Tests/Fuzz/corpus
mkdir -p "$work/bin" "$work/failures"
[ -f "$work/runs.csv" ] || echo "target,started,seconds,executions,coverage,inputs,status" >"$work/runs.csv"

# A refused allocation is an error like any other; libFuzzer watches over what is really used.
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=1:handle_abort=1
export LSAN_OPTIONS=suppressions=$PWD/Tests/leaks.supp:print_suppressions=0

dictionary() {
  case $1 in
    config | checkpoint) echo json ;;
    csv | celeba | lfwa) echo table ;;
    *) echo "$1" ;;
  esac
}

build() {
  "$clang" -std=c11 -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer,address -fuse-ld=lld -Iinclude \
    "Tests/Fuzz/$1.c" Tests/Fuzz/support.c -L"$library" -Wl,-rpath,"$library" -lblan -lz -o "$work/bin/$1"
}

# The last number that the run's log has after `stat::NAME:` or, for coverage, in libFuzzer's progress.
statistic() { sed -n "s/^stat::$2: *\([0-9]*\)$/\1/p" "$1" | tail -1; }
coverage() { grep -o 'cov: [0-9]*' "$1" | tail -1 | cut -d' ' -f2; }

run() {
  local target=$1 share=$2 log=$work/$1.log started=$SECONDS status=0 when
  when=$(date -u +%FT%TZ)
  mkdir -p "$work/corpus/$target"
  "$work/bin/$target" -max_total_time="$share" -timeout="$timeout" -rss_limit_mb=3072 -malloc_limit_mb=2048 -max_len=65536 \
    -len_control=20 -print_final_stats=1 -dict="$PWD/Tests/Fuzz/dictionaries/$(dictionary "$target").dict" \
    -artifact_prefix="$work/failures/$target-" "$work/corpus/$target" "$kept/$target" >"$log" 2>&1 || status=$?
  echo "$target,$when,$((SECONDS - started)),$(statistic "$log" number_of_executed_units),$(coverage "$log"),$(
    ls "$work/corpus/$target" | wc -l),$status" >>"$work/runs.csv"
  printf '%-10s %5d s  %9s inputs tried  %6s edges  %s\n' "$target" $((SECONDS - started)) \
    "$(statistic "$log" number_of_executed_units)" "$(coverage "$log")" \
    "$([ $status -eq 0 ] && echo "no failure" || echo "FAILED: see $log")"
  return $status
}

# libFuzzer's merge: of all inputs the fewest, and of those the shortest, that reach everything. Of the rest the largest are
# left out (what begins as a whole model file has some 20 KB), but for the seeds: the repository is to stay small.
keep_corpus() {
  local merged=$work/merged/$1 size=0 most=100000
  rm -rf "$merged" && mkdir -p "$merged"
  "$work/bin/$1" -merge=1 -timeout=10 -rss_limit_mb=3072 "$merged" "$kept/$1" "$work/corpus/$1" >"$work/$1.merge.log" 2>&1
  rm -rf "${kept:?}/$1" && mkdir "$kept/$1"
  cp "$work/corpus/$1"/seed-* "$kept/$1"
  while read -r bytes name; do
    size=$((size + bytes))
    [ $size -le $most ] || break
    mv "$merged/$name" "$kept/$1"
  done < <(find "$merged" -type f -printf '%s %f\n' | sort -n)
  echo "$1: kept $(ls "$kept/$1" | wc -l) inputs, $(du -sb "$kept/$1" | cut -f1) bytes"
}

failed=0 left=$seconds
for target in "${targets[@]}"; do build "$target"; done
for index in "${!targets[@]}"; do
  share=$((left / (${#targets[@]} - index)))
  left=$((left - share))
  run "${targets[$index]}" "$((share > 0 ? share : 1))" || failed=1
done
[ $keep -eq 0 ] || for target in "${targets[@]}"; do keep_corpus "$target"; done
exit $failed
