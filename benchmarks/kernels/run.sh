#!/usr/bin/env bash
# Builds a benchmark of the kernels with the flags of Package.swift and runs it. Arguments: see convolutions.c, or after
# the word `training` or `heads`, training.c or heads.c.
#   benchmarks/kernels/run.sh forward 2 1          BLAN_ISA=avx2 benchmarks/kernels/run.sh weights 2 8
#   benchmarks/kernels/run.sh step 2 64 auto 16 128
#   benchmarks/kernels/run.sh training 2 8 "batch norm"
#   benchmarks/kernels/run.sh heads 2 64 16 128
#   benchmarks/kernels/run.sh peak 2
set -euo pipefail
cd "$(dirname "$0")/../.."
program=convolutions
case ${1-} in training | heads | peak) program=$1; shift ;; esac
mkdir -p build
omp=$(ls -d /usr/lib/llvm-*/lib | tail -1)
clang -O3 -std=gnu11 -fopenmp -fno-math-errno -ffp-contract=fast -Wall -Wextra -Wno-psabi -ISources/CBLANKernels/include \
  "benchmarks/kernels/$program.c" Sources/CBLANKernels/*.c -L"$omp" -Wl,-rpath,"$omp" -lm -lopenblas \
  -L/usr/lib/x86_64-linux-gnu/openblas-serial -Wl,-rpath,/usr/lib/x86_64-linux-gnu/openblas-serial \
  -o "build/kernel-benchmark-$program"
exec "build/kernel-benchmark-$program" "$@"
