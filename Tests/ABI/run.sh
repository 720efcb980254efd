#!/usr/bin/env bash
# Builds program.c against the header of the baseline's release and runs it with today's build/lib/libblan.so.
# Usage: Tests/ABI/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp Tests/ABI/blan-*.h "$scratch/blan.h"
gcc -std=c11 -Wall -Wextra -Werror -I"$scratch" Tests/ABI/program.c Tests/C/check.c Tests/C/fixture.c -o "$scratch/program" \
  -Lbuild/lib -Wl,-rpath,"$PWD/build/lib" -lblan -lm -pthread
"$scratch/program" models/mtcnn.safetensors examples/data/astronaut_full.jpg
echo "passed  a program of $(basename Tests/ABI/blan-*.h .h)"
