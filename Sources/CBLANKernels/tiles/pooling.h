/* The 3x3 max-pool of stride 2 and padding 1: one row of outputs of one channel block. rows: the three rows of the
   input that its windows cover, each `width` pixels; NULL where a row lies outside the map. */
#include "../vector.h"

#include <math.h>

/* NaN is the greatest, as in PyTorch. */
static void max_pool(size_t width, float *restrict out, const float *const rows[3])
{
    for (size_t x = 0; x < width; x += 2, out += BLAN_BLOCK) {
        v16 best = v16_splat(-INFINITY);
        for (size_t y = 0; y < 3; y++) {
            if (rows[y] == NULL)
                continue;
            for (size_t column = x > 0 ? x - 1 : 0; column < x + 2 && column < width; column++) {
                const v16 value = v16_load(rows[y] + column * BLAN_BLOCK);
                best = v16_select((value > best) | (value != value), value, best);
            }
        }
        v16_store(out, best);
    }
}

/* d_rows += d_out where the input is the first of its window to equal `out`. */
static void max_pool_backward(size_t width, float *const d_rows[3], const float *restrict d_out,
                              const float *const rows[3], const float *restrict out)
{
    for (size_t x = 0; x < width; x += 2, out += BLAN_BLOCK, d_out += BLAN_BLOCK) {
        const v16 most = v16_load(out), gradient = v16_load(d_out);
        v16i open = ~(v16i){0};
        for (size_t y = 0; y < 3; y++) {
            if (rows[y] == NULL)
                continue;
            for (size_t column = x > 0 ? x - 1 : 0; column < x + 2 && column < width; column++) {
                const v16i first = open & (v16_load(rows[y] + column * BLAN_BLOCK) == most);
                float *cell = d_rows[y] + column * BLAN_BLOCK;
                v16_store(cell, v16_load(cell) + v16_select(first, gradient, v16_splat(0)));
                open &= ~first;
            }
        }
    }
}
