/* How the benchmarks take time, and what they work on. */
#ifndef BLAN_BENCHMARK_TIMING_H
#define BLAN_BENCHMARK_TIMING_H

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { SAMPLES = 9, HUGE_PAGE = 2 << 20 };

/* -DBENCH_CLOCK=CLOCK_PROCESS_CPUTIME_ID counts processor time instead: for one thread on a busy machine. */
#ifndef BENCH_CLOCK
#define BENCH_CLOCK CLOCK_MONOTONIC
#endif

static inline double now(void)
{
    struct timespec t;
    clock_gettime(BENCH_CLOCK, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Values in [-0.5, 0.5). */
static inline float *noise(size_t count)
{
    const size_t bytes = count * sizeof(float), alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    float *values = aligned_alloc(alignment, (bytes / alignment + 1) * alignment);
    if (values == NULL)
        exit(1);
    if (bytes >= HUGE_PAGE)
        madvise(values, bytes, MADV_HUGEPAGE); /* as the library's buffers do */
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / (float)(1 << 24) - 0.5f;
    }
    return values;
}

static inline int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and smallest seconds of one call. */
static inline double time_call(void (*function)(void *), void *context, double *smallest)
{
    double samples[SAMPLES];
    size_t calls = 1;
    for (int sample = -1; sample < SAMPLES; sample++) {
        const double start = now();
        for (size_t call = 0; call < calls; call++)
            function(context);
        const double seconds = (now() - start) / (double)calls;
        if (sample < 0) /* the first call warms up, and tells how many make a measurable sample */
            calls = (size_t)(0.02 / seconds) + 1;
        else
            samples[sample] = seconds;
    }
    qsort(samples, SAMPLES, sizeof *samples, by_value);
    *smallest = samples[0];
    return samples[SAMPLES / 2];
}

#endif
