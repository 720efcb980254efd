/* Sixteen floats as the compiler's vector type: one AVX-512 register, two of AVX2, four of SSE2. The tile functions
   are written once on it and compiled for each instruction set (see dispatch.h). */
#ifndef BLAN_VECTOR_H
#define BLAN_VECTOR_H

#include <stddef.h>

enum { BLAN_BLOCK = 16 };

/* Sums over channels are made of sums over so many blocks of them: rounding errors grow with the length of those alone. */
enum { BLAN_SUMMED_BLOCKS = 4, BLAN_SUMMED_CHANNELS = BLAN_SUMMED_BLOCKS * BLAN_BLOCK };

typedef float v16 __attribute__((vector_size(64), aligned(64), may_alias));
typedef float v16_any __attribute__((vector_size(64), aligned(4), may_alias)); /* at any address of floats */
typedef int v16i __attribute__((vector_size(64), aligned(64), may_alias));
typedef double v16d __attribute__((vector_size(128), aligned(64)));

#define BLAN_INLINE static inline __attribute__((always_inline))

BLAN_INLINE v16 v16_load(const float *address) { return *(const v16 *)address; }
BLAN_INLINE void v16_store(float *address, v16 value) { *(v16 *)address = value; }

BLAN_INLINE v16 v16_load_any(const float *address) { return *(const v16_any *)address; }
BLAN_INLINE void v16_store_any(float *address, v16 value) { *(v16_any *)address = value; }

/* Written out: adding a scalar to a zero vector would have to keep that addition, as 0 + -0 is not -0. */
BLAN_INLINE v16 v16_splat(float x) { return (v16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

BLAN_INLINE v16 v16_select(v16i mask, v16 yes, v16 no) { return (v16)((mask & (v16i)yes) | (~mask & (v16i)no)); }
BLAN_INLINE v16 v16_max(v16 a, v16 b) { return v16_select(a > b, a, b); }
BLAN_INLINE v16 v16_relu(v16 a) { return v16_max(a, v16_splat(0)); }
/* NaN stays NaN: in training a diverged network must not look like one that is off. */
BLAN_INLINE v16 v16_relu_or_nan(v16 a) { return v16_select(a < v16_splat(0), v16_splat(0), a); }

typedef float v8 __attribute__((vector_size(32), aligned(32), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(16), may_alias));

/* The lanes added up, in one order on every instruction set. */
BLAN_INLINE float v16_sum(v16 x)
{
    const v8 a = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                 __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    const v4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
}

#endif
