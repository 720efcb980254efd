#define LANES 16
#define ISA avx512
#pragma clang attribute push(                                                                                      \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), apply_to = function)
#include "vector.h"
