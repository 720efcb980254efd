#include "cache.h"

#include <stdatomic.h>
#include <unistd.h>

/* Bounds of what a CPU is believed to say of its L2 cache, and what is taken where it says nothing. */
enum { LEAST_BYTES = 256 << 10, MOST_BYTES = 1 << 20, USUAL_BYTES = 512 << 10 };

/* 0 until the first use; threads that race to set it all find the same value. */
static _Atomic size_t detected = 0;

static size_t detect(void)
{
    long bytes = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    if (bytes <= 0)
        bytes = USUAL_BYTES;
    if (bytes < LEAST_BYTES)
        bytes = LEAST_BYTES;
    if (bytes > MOST_BYTES)
        bytes = MOST_BYTES;
    return (size_t)bytes / sizeof(float);
}

size_t blan_k_cache_floats(void)
{
    size_t floats = atomic_load_explicit(&detected, memory_order_relaxed);
    if (floats == 0) {
        floats = detect();
        atomic_store_explicit(&detected, floats, memory_order_relaxed);
    }
    return floats;
}
