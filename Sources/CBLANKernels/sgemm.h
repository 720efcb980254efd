/* OpenBLAS's matrix product, one at a time.
 *
 * Debian's serial OpenBLAS (0.3.21) hands out its packing buffers without a lock: two products at once now and then
 * share one and come out wrong, in about one of ten thousand calls. So a lock of the library's own stands around each. */
#ifndef BLAN_SGEMM_H
#define BLAN_SGEMM_H

#include <stdbool.h>
#include <stddef.h>

/* c = a * b + beta * c, row-major, steps between rows as stored; a is m x k (or its transpose is stored), b is k x n
   (likewise). */
void blan_k_sgemm(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, const float *a, size_t a_step,
                  const float *b, size_t b_step, float beta, float *c, size_t c_step);

#endif
