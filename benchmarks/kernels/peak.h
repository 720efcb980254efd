/* What the machine can do at most: multiply-adds in registers, and bytes read from memory. */
#ifndef BLAN_BENCHMARK_PEAK_H
#define BLAN_BENCHMARK_PEAK_H

#include <stdlib.h>

#include "blan_isa.h"
#include "blan_parallel.h"
#include "timing.h"

/* A chain of register-only multiply-adds on the best instruction set, as the peak to compare with. */
enum { PEAK_CHAINS = 12, PEAK_ROUNDS = 4000000 };

#define PEAK(name, attribute, width)                                                                                  \
    attribute static float name(void)                                                                                 \
    {                                                                                                                 \
        typedef float vector __attribute__((vector_size(width * 4)));                                                 \
        vector sums[PEAK_CHAINS] = {0}, x = (vector){0} + 0.5f, y = (vector){0} + 1e-9f;                                       \
        for (size_t round = 0; round < PEAK_ROUNDS; round++) {                                                        \
            _Pragma("clang loop unroll(full)") for (size_t i = 0; i < PEAK_CHAINS; i++) sums[i] = sums[i] * x + y;             \
        }                                                                                                             \
        float total = 0;                                                                                              \
        for (size_t i = 0; i < PEAK_CHAINS; i++)                                                                               \
            total += sums[i][0];                                                                                      \
        return total;                                                                                                 \
    }
PEAK(peak_avx512, __attribute__((target("avx512f"))), 16)
PEAK(peak_avx2, __attribute__((target("avx2,fma"))), 8)
PEAK(peak_portable, , 4)

static void peak_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    float *sums = context;
    const blan_k_isa isa = blan_k_isa_current();
    sums[index * 16] = isa == BLAN_K_ISA_AVX512 ? peak_avx512() : isa == BLAN_K_ISA_AVX2 ? peak_avx2() : peak_portable();
}

static inline double peak_gflops(int threads)
{
    const double width = blan_k_isa_current() == BLAN_K_ISA_AVX512 ? 16 : blan_k_isa_current() == BLAN_K_ISA_AVX2 ? 8 : 4;
    float *sums = noise((size_t)threads * 16);
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        const double start = now();
        blan_k_parallel_for(threads, (size_t)threads, peak_task, sums);
        const double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    free(sums);
    return 2.0 * width * PEAK_CHAINS * PEAK_ROUNDS * threads / best * 1e-9;
}

enum { READ_BYTES = 512 << 20, READ_PARTS = 64 };

typedef struct read_task {
    const float *values;
    float sums[READ_PARTS][16];
} read_task;

static void read_part(void *context, size_t index, size_t worker)
{
    (void)worker;
    typedef float vector __attribute__((vector_size(64), aligned(64)));
    read_task *task = context;
    const size_t count = READ_BYTES / READ_PARTS / sizeof(vector);
    const vector *values = (const vector *)(const void *)task->values + index * count;
    vector sums[4] = {{0}};
    for (size_t i = 0; i < count; i += 4)
        for (size_t k = 0; k < 4; k++)
            sums[k] += values[i + k];
    task->sums[index][0] = sums[0][0] + sums[1][0] + sums[2][0] + sums[3][0];
}

static inline double memory_gigabytes(int threads)
{
    float *values = noise(READ_BYTES / sizeof *values);
    read_task task = {.values = values};
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        const double start = now();
        blan_k_parallel_for(threads, READ_PARTS, read_part, &task);
        const double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    free(values);
    return READ_BYTES / best * 1e-9;
}

#endif
