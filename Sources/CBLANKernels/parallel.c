#define _GNU_SOURCE
#include "include/blan_parallel.h"

/* ThreadSanitizer cannot see how the OpenMP runtime synchronises its threads and would report every loop as a race.
   The build that runs under it defines BLAN_PTHREADS, whose plain threads it understands. */
#if defined(BLAN_PTHREADS)
#include <pthread.h>
#elif defined(_OPENMP)
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* omp.h lies in a folder of LLVM's own that no compiler but its own searches. */
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int kmp_get_blocktime(void);
void kmp_set_blocktime(int milliseconds);

/* How long idle workers spin for the next kernel before they sleep. LLVM's default of 200 ms would burn CPU time
   after every call; the kernels of one call follow each other within microseconds. */
enum { SPIN_MILLISECONDS = 1 };
#endif

static void run_range(size_t count, size_t workers, size_t worker, blan_k_task task, void *context)
{
    const size_t begin = count * worker / workers, end = count * (worker + 1) / workers;
    for (size_t index = begin; index < end; index++)
        task(context, index, worker);
}

#if defined(BLAN_PTHREADS)

enum { MOST_WORKERS = 1024 };

typedef struct range {
    size_t count, workers, worker;
    blan_k_task task;
    void *context;
} range;

static void *run_on_thread(void *argument)
{
    const range *self = argument;
    run_range(self->count, self->workers, self->worker, self->task, self->context);
    return NULL;
}

static void run_team(size_t workers, size_t count, blan_k_task task, void *context)
{
    range ranges[MOST_WORKERS];
    pthread_t threads[MOST_WORKERS];
    if (workers > MOST_WORKERS)
        workers = MOST_WORKERS;
    size_t started = 1;
    for (size_t worker = 0; worker < workers; worker++)
        ranges[worker] = (range){count, workers, worker, task, context};
    while (started < workers && pthread_create(&threads[started], NULL, run_on_thread, &ranges[started]) == 0)
        started++;
    run_on_thread(&ranges[0]);
    for (size_t worker = started; worker < workers; worker++)
        run_on_thread(&ranges[worker]);
    for (size_t worker = 1; worker < started; worker++)
        pthread_join(threads[worker], NULL);
}

#elif defined(_OPENMP)

static void run_team(size_t workers, size_t count, blan_k_task task, void *context)
{
    /* The spin time is the calling thread's own setting: it is lent for this region and given back. */
    const int spin = kmp_get_blocktime();
    kmp_set_blocktime(SPIN_MILLISECONDS);
#pragma omp parallel num_threads((int)workers)
    run_range(count, (size_t)omp_get_num_threads(), (size_t)omp_get_thread_num(), task, context);
    kmp_set_blocktime(spin);
}

#else

static void run_team(size_t workers, size_t count, blan_k_task task, void *context)
{
    (void)workers;
    run_range(count, 1, 0, task, context);
}

#endif

void blan_k_parallel_for(int threads, size_t count, blan_k_task task, void *context)
{
    const size_t wanted = threads < 1 ? 1 : (size_t)threads;
    const size_t workers = wanted < count ? wanted : count;
    if (workers > 1)
        run_team(workers, count, task, context);
    else if (count > 0)
        run_range(count, 1, 0, task, context);
}

const char *blan_k_openmp_runtime(void)
{
#if defined(BLAN_PTHREADS)
    return "POSIX threads";
#elif defined(_OPENMP)
    static _Thread_local char name[256];
    Dl_info own, runtime;
    if (dladdr((void *)(size_t)&blan_k_openmp_runtime, &own) == 0 ||
        dladdr((void *)(size_t)&omp_get_num_threads, &runtime) == 0 || runtime.dli_fname == NULL)
        return "LLVM OpenMP";
    if (own.dli_fbase == runtime.dli_fbase)
        return "LLVM OpenMP (libomp, private)";
    const char *slash = strrchr(runtime.dli_fname, '/');
    snprintf(name, sizeof name, "LLVM OpenMP (%s)", slash != NULL ? slash + 1 : runtime.dli_fname);
    return name;
#else
    return "none";
#endif
}
