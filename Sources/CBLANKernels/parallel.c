#include "include/blan_parallel.h"

#ifdef _OPENMP
int omp_get_thread_num(void);
int omp_get_num_threads(void);
#endif

static void run_range(size_t count, size_t workers, size_t worker, blan_k_task task, void *context)
{
    const size_t begin = count * worker / workers, end = count * (worker + 1) / workers;
    for (size_t index = begin; index < end; index++)
        task(context, index, worker);
}

void blan_k_parallel_for(int threads, size_t count, blan_k_task task, void *context)
{
    const size_t wanted = threads < 1 ? 1 : (size_t)threads;
    const size_t workers = wanted < count ? wanted : count;
#ifdef _OPENMP
    if (workers > 1) {
#pragma omp parallel num_threads((int)workers)
        run_range(count, (size_t)omp_get_num_threads(), (size_t)omp_get_thread_num(), task, context);
        return;
    }
#endif
    if (count > 0)
        run_range(count, 1, 0, task, context);
}
