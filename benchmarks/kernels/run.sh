#!/usr/bin/env bash
# Builds the kernels' benchmark with the flags of Package.swift and runs it. Arguments: see convolutions.c.
#   benchmarks/kernels/run.sh forward 2 1          BLAN_ISA=avx2 benchmarks/kernels/run.sh weights 2 8
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build
omp=$(ls -d /usr/lib/llvm-*/lib | tail -1)
clang -O3 -std=gnu11 -fopenmp -fno-math-errno -ffp-contract=fast -Wall -Wextra -Wno-psabi -ISources/CBLANKernels/include \
  benchmarks/kernels/convolutions.c Sources/CBLANKernels/*.c -L"$omp" -Wl,-rpath,"$omp" -lm -lopenblas \
  -L/usr/lib/x86_64-linux-gnu/openblas-serial -Wl,-rpath,/usr/lib/x86_64-linux-gnu/openblas-serial \
  -o build/kernel-benchmark
exec build/kernel-benchmark "$@"
