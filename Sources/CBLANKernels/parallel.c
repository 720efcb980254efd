#define _GNU_SOURCE
#include "include/blan_parallel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

enum { MOST_SHARES = 256, CACHE_LINE = 64 };

/* Tasks left of a worker's share, on a cache line of its own: the first in the upper half, the end in the lower. */
typedef struct share {
    _Alignas(CACHE_LINE) _Atomic uint64_t left;
} share;

typedef struct team {
    share shares[MOST_SHARES]; /* beyond so many workers, several start with the same one */
    size_t share_count;
    blan_k_task task;
    void *context;
} team;

/* The first task left of a share, or the last. Only the number is handed over: what tasks read was written before the
   team began, and what they write is read when it has ended. */
static bool take(share *from, bool first, size_t *index)
{
    uint64_t left = atomic_load_explicit(&from->left, memory_order_relaxed);
    uint32_t begin, end;
    do {
        begin = (uint32_t)(left >> 32);
        end = (uint32_t)left;
        if (begin >= end)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&from->left, &left, first ? left + ((uint64_t)1 << 32) : left - 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    *index = first ? begin : end - 1;
    return true;
}

/* A worker's own share from its front, then what others have left, from their ends. */
static void run_worker(team *team, size_t worker)
{
    size_t index;
    for (size_t i = 0; i < team->share_count; i++)
        while (take(&team->shares[(worker + i) % team->share_count], i == 0, &index))
            team->task(team->context, index, worker);
}

#if defined(BLAN_PTHREADS)

enum { MOST_WORKERS = 1024 };

typedef struct member {
    team *team;
    size_t worker;
} member;

static void *run_member(void *argument)
{
    const member *self = argument;
    run_worker(self->team, self->worker);
    return NULL;
}

static void run_team(team *team, size_t workers)
{
    member members[MOST_WORKERS];
    pthread_t threads[MOST_WORKERS];
    size_t started = 1;
    for (; started < workers && started < MOST_WORKERS; started++) {
        members[started] = (member){team, started};
        if (pthread_create(&threads[started], NULL, run_member, &members[started]) != 0)
            break;
    }
    run_worker(team, 0);
    for (size_t worker = 1; worker < started; worker++)
        pthread_join(threads[worker], NULL);
}

#elif defined(_OPENMP)

static void run_team(team *team, size_t workers)
{
    /* The spin time is the calling thread's own setting: it is lent for this region and given back. */
    const int spin = kmp_get_blocktime();
    kmp_set_blocktime(SPIN_MILLISECONDS);
#pragma omp parallel num_threads((int)workers)
    run_worker(team, (size_t)omp_get_thread_num());
    kmp_set_blocktime(spin);
}

#else

static void run_team(team *team, size_t workers)
{
    (void)workers;
    run_worker(team, 0);
}

#endif

void blan_k_parallel_for(int threads, size_t count, blan_k_task task, void *context)
{
    const size_t wanted = threads < 1 ? 1 : (size_t)threads;
    const size_t workers = wanted < count ? wanted : count;
    if (workers <= 1 || count > UINT32_MAX) { /* which a share could not count */
        for (size_t index = 0; index < count; index++)
            task(context, index, 0);
        return;
    }
    team team; /* member by member: most of its shares are not used */
    team.share_count = workers < MOST_SHARES ? workers : MOST_SHARES;
    team.task = task;
    team.context = context;
    for (size_t i = 0; i < team.share_count; i++) {
        const uint64_t first = count * i / team.share_count, end = count * (i + 1) / team.share_count;
        atomic_init(&team.shares[i].left, first << 32 | end);
    }
    run_team(&team, workers);
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
