#!/usr/bin/env bash
# Builds the C programs of this folder against build/lib/libblan.so and runs them; one line each.
# Usage: Tests/C/run.sh [--sanitize address|thread] [PROGRAM...]      e.g. Tests/C/run.sh threads memory
# With --sanitize the programs run against a library that is built for that sanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."

library=$PWD/build/lib
programs=build/c-tests
sanitizer=
if [ "${1:-}" = --sanitize ]; then
  sanitizer=${2:?--sanitize needs address or thread}
  shift 2
  [ $# -gt 0 ] || { echo "Tests/C/run.sh: --sanitize needs the names of programs" >&2; exit 2; }
  library=$(scripts/sanitized-library.sh "$sanitizer")
  programs=build/c-tests/$sanitizer
fi
[ -e "$library/libblan.so" ] || { echo "Tests/C/run.sh: no build/lib/libblan.so; run scripts/build.sh first" >&2; exit 1; }
mkdir -p "$programs"

# A locale with a comma for the decimal point, which the programs may choose.
export LOCPATH=$PWD/$programs/locales
[ -d "$LOCPATH/de_DE.UTF-8" ] || { mkdir -p "$LOCPATH" && localedef -i de_DE -f UTF-8 "$LOCPATH/de_DE.UTF-8"; }

warnings=(-Wall -Wextra -Werror -pedantic)
linking=(-L"$library" -Wl,-rpath,"$library" -lblan -lm -pthread)
compiler=gcc
if [ -n "$sanitizer" ]; then
  # Swift's own clang: its sanitizer runtimes are those that the library was compiled for.
  swift=$(dirname "$(readlink -f "$(command -v swift)")")
  compiler=$swift/clang
  warnings+=(-fsanitize="$sanitizer" -fno-omit-frame-pointer)
  linking+=(-fuse-ld=lld -L"$swift/../lib/swift/linux" -Wl,-rpath,"$swift/../lib/swift/linux" -ldispatch -lBlocksRuntime)
  export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=4096 TSAN_OPTIONS=halt_on_error=0
  export LSAN_OPTIONS=suppressions=$PWD/Tests/leaks.supp:print_suppressions=0
fi
. scripts/checks.sh

# The program that calls every function of the header with what no caller should pass.
write_hostile() { gcc -E -P include/blan.h | python3 Tests/C/hostile.py >"$programs/hostile.c"; }

run_program() {
  local name=$1 status=0
  shift
  if "$@" -o "$programs/$name" "${linking[@]}"; then timeout 120 "$programs/$name" || status=$?; else status=1; fi
  [ $status -ne 124 ] || echo "$name was still running after 120 s" >&2
  verdict "$name" $status
}

# The header declares exactly what the library exports, and some program here calls each function.
exports_are_declared_and_called() {
  local exported declared called
  exported=$(nm -D --defined-only "$library/libblan.so" | sed -n 's/.* [A-Z] \([^@]*\).*/\1/p' | grep -v '^blan_0$' | sort)
  declared=$(gcc -E -P include/blan.h | grep -o '\bblan_[a-z0-9_]*(' | tr -d '(' | sort -u)
  called=$(grep -oh '\bblan_[a-z0-9_]*(' Tests/C/*.c | tr -d '(' | sort -u)
  diff <(echo "$exported") <(echo "$declared") >&2 || { echo "exported (<) and declared (>) functions differ" >&2; return 1; }
  local missing
  missing=$(comm -23 <(echo "$exported") <(echo "$called"))
  [ -z "$missing" ] || { echo "no program of Tests/C calls:" $missing >&2; return 1; }
}

library_is_small() {
  local size
  size=$(stat -Lc %s "$library/libblan.so")
  [ "$size" -le 15000000 ] || { echo "libblan.so has $size bytes; at most 15 MB are allowed" >&2; return 1; }
}

no_swift_is_needed() { ! ldd "$library/libblan.so" | grep -iE 'swift|foundation|lib[gi]?omp|not found' >&2; }

all=(contract arguments options hostile files faces explain models precision data evaluate train threads concurrency races memory allocation exhaustion process processes)
if [ $# -eq 0 ]; then
  status=0; exports_are_declared_and_called || status=$?; verdict "exports" $status
  status=0; no_swift_is_needed || status=$?; verdict "dependencies" $status
  status=0; library_is_small || status=$?; verdict "size" $status
  run_program header g++ -std=c++17 "${warnings[@]}" -Iinclude Tests/C/header.cpp
  set -- "${all[@]}"
fi
for name in "$@"; do
  source=Tests/C/$name.c
  [ "$name" != hostile ] || { write_hostile; source=$programs/hostile.c; }
  run_program "$name" "$compiler" -std=c11 -O1 -g "${warnings[@]}" -Iinclude -ITests/C "$source" Tests/C/check.c Tests/C/fixture.c Tests/C/self.c
done

counted
