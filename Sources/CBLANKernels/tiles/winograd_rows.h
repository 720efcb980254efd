/*
 * F(4x4, 3x3) from taps where there are sixteen registers: see winograd_taps.h, which keeps a row of the window in
 * thirty-two. Taps are transformed along one axis beforehand, which takes half the memory of transformed weights; along
 * the other they are an element at a time, in registers.
 */
#include "../vector.h"

enum {
    WINOGRAD_TAPS = 18,
    WINOGRAD_STRIP = TILE_PIXELS < 4 ? TILE_PIXELS : 4,
    ROW_FLOATS = 3 * BLAN_BLOCK * BLAN_BLOCK, /* of one row of the window and an input block */
};

/* The taps of input channel `c` of a block, which is [6 rows][16 in][3][16 out]: transformed down the columns, and mixed
   along the rows as g0 + g2 / 2, sqrt(1/2) g1, g2 / 2, of which the transform is sums. */
static void winograd4_taps(float *block, size_t c, const blan_k_winograd_kernels *weights)
{
    v16d g[9], half[18];
    winograd_collect(g, weights);
    for (size_t x = 0; x < 3; x++)
        winograd4_weight_line(half + x, 3, g + x, 3);
    for (size_t y = 0; y < 6; y++) {
        v16d mixed[3];
        winograd4_mix_line(mixed, 1, half + 3 * y, 1);
        for (size_t x = 0; x < 3; x++)
            v16_store(block + y * ROW_FLOATS + (c * 3 + x) * BLAN_BLOCK, __builtin_convertvector(mixed[x], v16));
    }
}

/* Element x of a row of G g G^T from the row's mixed taps. */
BLAN_INLINE v16 winograd4_row_element(const size_t x, const float *restrict taps)
{
    const v16 g0 = v16_load(taps), g1 = v16_load(taps + BLAN_BLOCK), g2 = v16_load(taps + 2 * BLAN_BLOCK);
    switch (x) {
    case 0: return g0 - g2;
    case 1: return g0 + g1;
    case 2: return g0 - g1;
    case 3: return (g0 + 3 * g2) + 2 * g1;
    case 4: return (g0 + 3 * g2) - 2 * g1;
    default: return g2;
    }
}

/* Adds to the products of element x of row y those of `blocks` input blocks from block `first` on. Meanwhile the next
   row is asked for, and this row of `next`, the blocks after these. */
BLAN_INLINE void winograd4_add_element(const size_t x, const size_t tiles, const blan_k_winograd_strip *strip, size_t y,
                                       size_t first, size_t blocks, const float *next)
{
    v16 acc[WINOGRAD_STRIP];
#pragma clang loop unroll(full)
    for (size_t t = 0; t < tiles; t++)
        acc[t] = v16_splat(0);
    const float *restrict taps = strip->taps + (6 * first + y) * ROW_FLOATS;
    const float *restrict v = strip->v + (6 * y + x) * strip->window_step + first * strip->block_step;
    const float *ahead = x < 3 ? next + y * ROW_FLOATS : y < 5 ? taps + ROW_FLOATS : next;
    for (size_t ib = 0; ib < blocks; ib++, v += strip->block_step)
        for (size_t c = 0; c < BLAN_BLOCK; c++) {
            const size_t place = 6 * ib * ROW_FLOATS + 3 * c * BLAN_BLOCK;
            __builtin_prefetch(ahead + place + x % 3 * BLAN_BLOCK);
            const v16 u = winograd4_row_element(x, taps + place);
#pragma clang loop unroll(full)
            for (size_t t = 0; t < tiles; t++)
                acc[t] += v16_splat(v[t * BLAN_BLOCK + c]) * u;
        }
    float *products = strip->products + (6 * y + x) * strip->product_step;
#pragma clang loop unroll(full)
    for (size_t t = 0; t < tiles; t++) {
        float *sum = products + t * BLAN_BLOCK;
        v16_store(sum, first > 0 ? v16_load(sum) + acc[t] : acc[t]);
    }
}

BLAN_INLINE void winograd4_strip_tiles(const size_t tiles, const blan_k_winograd_strip *strip)
{
    for (size_t first = 0; first < strip->in_blocks; first += SUMMED_BLOCKS) {
        const size_t left = strip->in_blocks - first, blocks = left < SUMMED_BLOCKS ? left : SUMMED_BLOCKS;
        const float *next = left > blocks ? strip->taps + (first + blocks) * 6 * ROW_FLOATS : strip->next;
        for (size_t y = 0; y < 6; y++) {
            winograd4_add_element(0, tiles, strip, y, first, blocks, next);
            winograd4_add_element(1, tiles, strip, y, first, blocks, next);
            winograd4_add_element(2, tiles, strip, y, first, blocks, next);
            winograd4_add_element(3, tiles, strip, y, first, blocks, next);
            winograd4_add_element(4, tiles, strip, y, first, blocks, next);
            winograd4_add_element(5, tiles, strip, y, first, blocks, next);
        }
    }
}

static void winograd4_strip(size_t tiles, const blan_k_winograd_strip *strip)
{
    switch (tiles) {
    case 1: winograd4_strip_tiles(1, strip); break;
    case 2: winograd4_strip_tiles(2, strip); break;
#if TILE_PIXELS >= 4
    case 3: winograd4_strip_tiles(3, strip); break;
    case 4: winograd4_strip_tiles(4, strip); break;
#endif
    default: break;
    }
}
