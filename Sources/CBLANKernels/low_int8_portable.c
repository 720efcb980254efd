/* Eight-bit integers for any x86-64 (SSE2). */
#include <emmintrin.h>

#include "tiles/low_vector.h"

#define LOW_PIXELS 4
#define LOW_BLOCKS 1
#define LOW_TABLE blan_k_low_int8_portable

typedef union low_quarters {
    v16u words;
    v16i integers;
    __m128i part[4];
} low_quarters;

BLAN_INLINE v16i low_dot(v16i sum, v16u x, v16u w)
{
    const low_quarters a = {.words = x}, b = {.words = w};
    low_quarters product;
    for (size_t i = 0; i < 4; i++)
        product.part[i] = _mm_madd_epi16(a.part[i], b.part[i]);
    return sum + product.integers;
}

#include "tiles/low_int8_emulated.h"
