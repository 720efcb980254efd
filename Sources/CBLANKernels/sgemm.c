#include "sgemm.h"

#include <cblas.h>
#include <pthread.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void blan_k_sgemm(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, const float *a, size_t a_step,
                  const float *b, size_t b_step, float beta, float *c, size_t c_step)
{
    pthread_mutex_lock(&one_at_a_time);
    cblas_sgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
                (int)m, (int)n, (int)k, 1, a, (int)a_step, b, (int)b_step, beta, c, (int)c_step);
    pthread_mutex_unlock(&one_at_a_time);
}
