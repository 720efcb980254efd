/* The only door to OpenMP: every kernel expresses its work as numbered tasks and runs them through here. */
#ifndef BLAN_PARALLEL_H
#define BLAN_PARALLEL_H

#include <stddef.h>

/* One task. `index` is in [0, count); `worker` in [0, threads) names the thread that runs it, for per-thread
   scratch memory. Tasks of one call run in any order and must not write the same cell. */
typedef void (*blan_k_task)(void *context, size_t index, size_t worker);

/* Runs `count` tasks on at most `threads` threads and returns when all are done. Each of up to 256
   workers begins with a contiguous range of them, in order, and then takes what slower ones have left, as any further
   ones do at once: which worker runs a task differs from run to run, so results must not depend on it. threads < 1
   counts as 1; 2^32 tasks and more run on the calling thread alone. */
void blan_k_parallel_for(int threads, size_t count, blan_k_task task, void *context);

/* Name of the OpenMP runtime in use and of the file it was loaded from. Starts no thread. */
const char *blan_k_openmp_runtime(void);

#endif
