#!/usr/bin/env bash
# Builds build/lib/libblan.so (optimised, the Swift runtime linked in, stripped) and the links to it.
# Usage: scripts/build.sh
set -euo pipefail
cd "$(dirname "$0")/.."

command -v swift >/dev/null || { echo "scripts/build.sh: no swift on the PATH; Swift 6 is needed" >&2; exit 1; }
scripts/install-packages.sh
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release >build-configure.log 2>&1 || { cat build-configure.log >&2; rm -f build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build build
