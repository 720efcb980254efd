#!/usr/bin/env bash
# Builds libblan.so with a sanitizer for the C programs that are linked with it, and prints its folder on stdout.
# Usage: scripts/sanitized-library.sh address|thread
#   address  AddressSanitizer, and the counters of coverage that libFuzzer reads
#   thread   ThreadSanitizer; loops and locks are those of POSIX threads, the only ones that it sees through
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  address) flags=(-Xswiftc -sanitize-coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table) ;;
  thread) flags=(-Xcc -DBLAN_PTHREADS -Xswiftc -DBLAN_PTHREADS) ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
scratch=build/sanitized-library/$1
mkdir -p build
scripts/openmp/build.sh >&2
swift build --configuration release --product blan --scratch-path "$scratch" --sanitize="$1" \
  -Xswiftc -use-ld=lld "${flags[@]}" >"build/sanitized-library-$1.log" 2>&1 ||
  { cat "build/sanitized-library-$1.log" >&2; exit 1; }
echo "$PWD/$scratch/release"
