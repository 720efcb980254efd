#define _GNU_SOURCE
#include "sgemm.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __typeof__(cblas_sgemm) *product = cblas_sgemm;

/* A process may have another CBLAS in its global scope, which the linker would prefer: MKL, say, with its own threads or
   with 64-bit integers. What counts here is the OpenBLAS that the library is linked to, found by a name of OpenBLAS's. */
static void find_own_product(void)
{
    Dl_info library;
    if (dladdr((void *)(size_t)&openblas_get_config, &library) == 0 || library.dli_fname == NULL)
        return;
    void *handle = dlopen(library.dli_fname, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    void *found = handle != NULL ? dlsym(handle, "cblas_sgemm") : NULL;
    if (found != NULL)
        memcpy(&product, &found, sizeof product);
}

void blan_k_sgemm(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, const float *a, size_t a_step,
                  const float *b, size_t b_step, float beta, float *c, size_t c_step)
{
    pthread_once(&once, find_own_product);
    pthread_mutex_lock(&one_at_a_time);
    product(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
            (int)m, (int)n, (int)k, 1, a, (int)a_step, b, (int)b_step, beta, c, (int)c_step);
    pthread_mutex_unlock(&one_at_a_time);
}
