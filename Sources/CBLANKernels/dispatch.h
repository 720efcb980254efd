/* How a kernel family gets one implementation per instruction set. For a family `pooling`:

   pooling_kernels.h      struct blan_k_pooling_kernels { function pointers }, and
                          extern const struct blan_k_pooling_kernels blan_k_pooling_{portable,avx2,avx512};
   pooling_body.h         the micro-kernels, written once against vector.h's `vec` (LANES floats) as static functions,
                          then the family's table, named with KERNELS(pooling)
   pooling_avx2.c         #include "vector_avx2.h"      every function from here on is compiled for AVX2 and FMA
                          #include "pooling_body.h"
                          #include "vector_end.h"
   pooling_portable.c, pooling_avx512.c                 likewise
   pooling.c              the public entries: BLAN_K_SELECT(pooling) picks the table, tasks go through
                          blan_k_parallel_for; no function here is compiled for more than the baseline

   A task function that is given to blan_k_parallel_for may live on either side, but vector code only in the body. */
#ifndef BLAN_K_DISPATCH_H
#define BLAN_K_DISPATCH_H

#include "include/blan_dispatch.h"

#if defined(__x86_64__)
#define BLAN_K_SELECT(family)                                                                                      \
    (blan_k_isa_in_use() == BLAN_K_ISA_AVX512 ? &blan_k_##family##_avx512                                          \
     : blan_k_isa_in_use() == BLAN_K_ISA_AVX2 ? &blan_k_##family##_avx2                                            \
                                              : &blan_k_##family##_portable)
#else
#define BLAN_K_SELECT(family) (&blan_k_##family##_portable)
#endif

#endif
