#define _GNU_SOURCE
#include "figures.h"

#include "../C/self.h"

#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Latencies are counted in buckets, each 2 % longer than the one before, from a microsecond to some minutes. */
enum { BUCKETS = 1000 };
static const double first_bucket = 1e-6, bucket_ratio = 1.02;
static atomic_size_t buckets[KINDS][BUCKETS];

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

figures process_figures(void)
{
    const struct mallinfo2 heap = mallinfo2();
    const double mebibyte = 1 << 20;
    return (figures){(double)self_resident() / mebibyte, (double)(heap.uordblks + heap.hblkhd) / mebibyte,
                     self_handles(), self_threads()};
}

/* ---- latencies ---- */

void note_latency(size_t kind, double seconds)
{
    const double place = log(seconds / first_bucket) / log(bucket_ratio);
    const size_t bucket = place < 0 ? 0 : place >= BUCKETS ? BUCKETS - 1 : (size_t)place;
    atomic_fetch_add(&buckets[kind][bucket], 1);
}

static double milliseconds(size_t bucket)
{
    return 1e3 * first_bucket * pow(bucket_ratio, (double)bucket + 0.5);
}

/* The latency that a share of the calls does not exceed, in milliseconds; NaN without calls. */
static double percentile(const size_t counts[BUCKETS], size_t total, double share)
{
    size_t passed = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        passed += counts[bucket];
        if (total > 0 && (double)passed >= share * (double)total)
            return milliseconds(bucket);
    }
    return NAN;
}

static size_t sum_of(const size_t counts[BUCKETS])
{
    size_t total = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        total += counts[bucket];
    return total;
}

size_t write_latencies(const char *path, size_t kind, const char *name)
{
    size_t counts[BUCKETS];
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        counts[bucket] = atomic_load(&buckets[kind][bucket]);
    const size_t total = sum_of(counts);
    FILE *file = fopen(path, kind == 0 ? "w" : "a");
    if (file == NULL)
        return 0;
    if (kind == 0)
        fprintf(file, "call,calls,p50_ms,p95_ms,p99_ms,longest_ms\n");
    fprintf(file, "\"%s\",%zu,%.4g,%.4g,%.4g,%.4g\n", name, total, percentile(counts, total, 0.5),
            percentile(counts, total, 0.95), percentile(counts, total, 0.99), percentile(counts, total, 1));
    return fclose(file) == 0 ? total : 0;
}

/* ---- watching ---- */

/* What was counted since the last call, over all kinds. */
static void take_recent(size_t recent[BUCKETS])
{
    static size_t before[BUCKETS];
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        size_t now = 0;
        for (size_t kind = 0; kind < KINDS; kind++)
            now += atomic_load(&buckets[kind][bucket]);
        recent[bucket] = now - before[bucket];
        before[bucket] = now;
    }
}

void watch(double from, double to, const char *path)
{
    FILE *file = fopen(path, from > 0 ? "a" : "w");
    if (file == NULL)
        return;
    if (from <= 0)
        fprintf(file, "seconds,resident_mib,heap_mib,file_handles,threads,calls,p50_ms,p95_ms,p99_ms\n");
    const double started = seconds_now() - from;
    /* A second in which the whole process stood still has no line and does not count. */
    for (size_t second = (size_t)from; second < (size_t)to; second++) {
        const double passed = seconds_now() - started;
        usleep((useconds_t)((floor(passed) + 1 - passed) * 1e6));
        const figures now = process_figures();
        size_t recent[BUCKETS];
        take_recent(recent);
        const size_t calls = sum_of(recent);
        fprintf(file, "%.1f,%.2f,%.2f,%zu,%zu,%zu,%.4g,%.4g,%.4g\n", seconds_now() - started, now.resident, now.heap,
                now.handles, now.threads, calls, percentile(recent, calls, 0.5), percentile(recent, calls, 0.95),
                percentile(recent, calls, 0.99));
        fflush(file);
    }
    fclose(file);
}
