/*
 * F(4x4, 3x3) from taps: the products of a few tiles and one output block. Transformed weights are made a row of the
 * window at a time, in registers, and never stored: 6 elements x 4 tiles are twenty-four of AVX-512's registers, and
 * the transform's sums run beside the products' multiply-adds.
 */
#include "../vector.h"

enum {
    TAPS = 9,
    TAPS_TILES = 4,
    TAPS_GROUP = 4,
    /* Sums over many channels are made of sums over so few blocks of them: rounding errors grow with the length of those
       alone, and their taps stay in the L1 cache for the six rows of the window. */
    SUMMED_BLOCKS = 2,
};

/* Taps are kept mixed, g0 + g2 / 2, sqrt(1/2) g1, g2 / 2 along both axes: G then is sums of them, which leaves the units
   that multiply to the products. */
BLAN_INLINE void winograd4_mix_line(v16d *restrict out, size_t step, const v16d *restrict g, size_t g_step)
{
    out[0] = g[0] + 0.5 * g[2 * g_step];
    out[step] = 0.70710678118654752440 * g[g_step];
    out[2 * step] = 0.5 * g[2 * g_step];
}

/* taps: [input channels][9][16 out]. */
static void winograd4_pack_taps(float *taps, size_t in_blocks, size_t channel, const blan_k_winograd_kernels *weights)
{
    (void)in_blocks;
    v16d g[9], half[9], mixed[9];
    winograd_collect(g, weights);
    for (size_t i = 0; i < 3; i++)
        winograd4_mix_line(half + i, 3, g + i, 3);
    for (size_t i = 0; i < 3; i++)
        winograd4_mix_line(mixed + 3 * i, 1, half + 3 * i, 1);
    for (size_t tap = 0; tap < 9; tap++)
        v16_store(taps + (channel * TAPS + tap) * BLAN_BLOCK, __builtin_convertvector(mixed[tap], v16));
}

/* One column or row of G g from mixed taps, by sums alone: where a CPU adds beside it multiplies, they cost next to
   nothing. */
BLAN_INLINE void winograd4_mixed_line(v16 *restrict out, size_t step, const v16 *restrict g, size_t g_step)
{
    const v16 g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step];
    const v16 outer = (g0 + g2) + (g2 + g2), middle = g1 + g1;
    out[0] = g0 - g2;
    out[step] = g0 + g1;
    out[2 * step] = g0 - g1;
    out[3 * step] = outer + middle;
    out[4 * step] = outer - middle;
    out[5 * step] = g2;
}

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
        winograd4_mixed_line(half, 1, column, 1);
        row[x] = half[y];
    }
    winograd4_mixed_line(u, 1, row, 1);
}

/* Adds to the products of the six elements of row y those of `blocks` input blocks from block `first` on. */
BLAN_INLINE void winograd4_taps_row(const size_t y, const size_t tiles, const blan_k_taps_product *strip,
                                    size_t first, size_t blocks)
{
    v16 acc[6][TAPS_TILES];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
#pragma clang loop unroll(full)
        for (size_t t = 0; t < tiles; t++)
            acc[x][t] = v16_splat(0);
    const size_t place = first * BLAN_BLOCK * 9 * BLAN_BLOCK;
    const float *restrict taps = strip->taps + place, *next = strip->next + place;
    const float *restrict v = strip->v + 6 * y * strip->window_step + first * strip->block_step;
    for (size_t ib = 0; ib < blocks; ib++, v += strip->block_step) {
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
        for (size_t t = 0; t < tiles; t++) {
            float *sum = strip->products + (6 * y + x) * strip->product_step + t * BLAN_BLOCK;
            v16_store(sum, first == 0 ? acc[x][t] : v16_load(sum) + acc[x][t]);
        }
}

BLAN_INLINE void winograd4_strip_tiles(const size_t tiles, const blan_k_taps_product *strip)
{
    for (size_t first = 0; first < strip->in_blocks; first += SUMMED_BLOCKS) {
        const size_t left = strip->in_blocks - first, blocks = left < SUMMED_BLOCKS ? left : SUMMED_BLOCKS;
        winograd4_taps_row(0, tiles, strip, first, blocks);
        winograd4_taps_row(1, tiles, strip, first, blocks);
        winograd4_taps_row(2, tiles, strip, first, blocks);
        winograd4_taps_row(3, tiles, strip, first, blocks);
        winograd4_taps_row(4, tiles, strip, first, blocks);
        winograd4_taps_row(5, tiles, strip, first, blocks);
    }
}

static void winograd4_multiply_taps(size_t tiles, const blan_k_taps_product *all)
{
    blan_k_taps_product strip = *all;
    for (; tiles >= TAPS_TILES; tiles -= TAPS_TILES) {
        winograd4_strip_tiles(TAPS_TILES, &strip);
        strip.v += TAPS_TILES * BLAN_BLOCK;
        strip.products += TAPS_TILES * BLAN_BLOCK;
    }
    switch (tiles) {
    case 1: winograd4_strip_tiles(1, &strip); break;
    case 2: winograd4_strip_tiles(2, &strip); break;
    case 3: winograd4_strip_tiles(3, &strip); break;
    default: break;
    }
}
