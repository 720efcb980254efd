#!/usr/bin/env bash
# Runs the library under a mixed load and watches what the process holds: see Tests/Soak/soak.c.
# Fails when a call answers with what was not expected, or when the process grows beyond what soak.c allows.
#
# Usage: scripts/soak.sh [--minutes N | --seconds N] [--document]
#   without a time it runs for half a minute
#   --document   puts the table and the chart of the run into docs/reliability.md and docs/soak.svg
#
# Figures are written to build/soak: figures.csv (a line a second), latencies.csv, rest.txt (what the process holds while
# no call is running), summary.md, soak.svg.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=30 document=0
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) seconds=$((60 * ${2:?--minutes needs a number})); shift ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --document) document=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "scripts/soak.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done

library=$PWD/build/lib
[ -e "$library/libblan.so" ] || { echo "scripts/soak.sh: no build/lib/libblan.so; run scripts/build.sh first" >&2; exit 1; }
mkdir -p build/soak
gcc -std=c11 -O1 -g -Wall -Wextra -Werror -pedantic -Iinclude Tests/Soak/soak.c Tests/Soak/figures.c Tests/C/check.c \
  Tests/C/fixture.c Tests/C/self.c -L"$library" -Wl,-rpath,"$library" -lblan -lm -pthread -o build/soak/soak

status=0
build/soak/soak "$seconds" build/soak/figures.csv build/soak/latencies.csv >build/soak/rest.txt || status=$?
python3 Tests/Soak/report.py build/soak
[ $document -eq 0 ] || python3 Tests/Soak/report.py build/soak --document
exit $status
