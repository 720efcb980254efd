/* What the bodies are written against; included by vector_<set>.h, which defines LANES, the number of floats in a
   register of the set, and ISA, its suffix. A block of 16 channels is PARTS registers. */
#include <stddef.h>
#include <string.h>

#define PARTS (16 / LANES)

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

#define BLAN_K_JOIN3(a, b, c) a##b##_##c
#define BLAN_K_JOIN(a, b, c) BLAN_K_JOIN3(a, b, c)
#define KERNELS(family) BLAN_K_JOIN(blan_k_, family, ISA)

#define INLINE static inline __attribute__((always_inline))

/* Alignment is that of a float: unaligned moves cost nothing on aligned addresses. */
INLINE vec load(const float *from)
{
    vec value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void store(float *to, vec value) { memcpy(to, &value, sizeof value); }

INLINE vec splat(float value) { return (vec){} + value; }

INLINE vec maximum(vec a, vec b) { return a > b ? a : b; }
