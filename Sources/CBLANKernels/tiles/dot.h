/* Four dot products with one vector; `count` is a multiple of 16. */
#include "../vector.h"

static void dot4(size_t count, float *restrict out, const float *restrict x, const float *restrict w, size_t row_step)
{
    v16 acc[4] = {0};
    for (size_t i = 0; i < count; i += BLAN_BLOCK) {
        const v16 value = v16_load(x + i);
#pragma clang loop unroll(full)
        for (size_t row = 0; row < 4; row++)
            acc[row] += value * v16_load(w + row * row_step + i);
    }
    for (size_t row = 0; row < 4; row++) {
        float sum = 0;
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
            sum += acc[row][lane];
        out[row] = sum;
    }
}
