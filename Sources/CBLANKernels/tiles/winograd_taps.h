/*
 * F(4x4, 3x3) from taps: the products of a few tiles and one output block. Transformed weights are made a row of the
 * window at a time, in registers, and never stored: 6 elements x 4 tiles are twenty-four of AVX-512's registers, and
 * the transform's sums run beside the products' multiply-adds.
 */
#include "../vector.h"

/* Row y of G g G^T. */
BLAN_INLINE void winograd4_weight_row(const size_t y, v16 *restrict u, const float *restrict taps)
{
    v16 row[3];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++) {
        v16 column[3], half[6];
#pragma clang loop unroll(full)
        for (size_t tap = 0; tap < 3; tap++)
            column[tap] = v16_load(taps + (3 * tap + x) * BLAN_BLOCK);
        winograd4_weight_line(half, 1, column, 1);
        row[x] = half[y];
    }
    winograd4_weight_line(u, 1, row, 1);
}

/* The products of the six elements of row y. */
BLAN_INLINE void winograd4_taps_row(const size_t y, const size_t tiles, const blan_k_winograd_strip *strip)
{
    v16 acc[6][WINOGRAD_STRIP];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
#pragma clang loop unroll(full)
        for (size_t t = 0; t < tiles; t++)
            acc[x][t] = v16_splat(0);
    const float *restrict taps = strip->taps, *restrict v = strip->v + 6 * y * strip->window_step;
    const float *next = strip->next;
    for (size_t ib = 0; ib < strip->in_blocks; ib++, v += strip->block_step) {
        for (size_t c = 0; c < BLAN_BLOCK; c++, taps += 9 * BLAN_BLOCK, next += 9 * BLAN_BLOCK) {
            v16 u[6];
            winograd4_weight_row(y, u, taps);
            __builtin_prefetch(next + y * BLAN_BLOCK, 0, 2);
            if (y < 3)
                __builtin_prefetch(next + (y + 6) * BLAN_BLOCK, 0, 2);
#pragma clang loop unroll(full)
            for (size_t x = 0; x < 6; x++)
#pragma clang loop unroll(full)
                for (size_t t = 0; t < tiles; t++)
                    acc[x][t] += v16_splat(v[x * strip->window_step + t * BLAN_BLOCK + c]) * u[x];
        }
    }
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
#pragma clang loop unroll(full)
        for (size_t t = 0; t < tiles; t++)
            v16_store(strip->products + (6 * y + x) * strip->product_step + t * BLAN_BLOCK, acc[x][t]);
}

BLAN_INLINE void winograd4_strip_tiles(const size_t tiles, const blan_k_winograd_strip *strip)
{
    winograd4_taps_row(0, tiles, strip);
    winograd4_taps_row(1, tiles, strip);
    winograd4_taps_row(2, tiles, strip);
    winograd4_taps_row(3, tiles, strip);
    winograd4_taps_row(4, tiles, strip);
    winograd4_taps_row(5, tiles, strip);
}

static void winograd4_strip(size_t tiles, const blan_k_winograd_strip *strip)
{
    switch (tiles) {
    case 1: winograd4_strip_tiles(1, strip); break;
    case 2: winograd4_strip_tiles(2, strip); break;
    case 3: winograd4_strip_tiles(3, strip); break;
    case 4: winograd4_strip_tiles(4, strip); break;
    default: break;
    }
}
