/*
 * F(4x4, 3x3) from taps where there are sixteen registers: see winograd_taps.h, which makes a row of the window's weights
 * in thirty-two. Of the six elements of each row of G g G^T three are kept, half of the memory of transformed weights; the
 * others follow from them, and are written to the L1 cache for all tiles of a group.
 */
#include "../vector.h"

enum {
    TAPS = 18,
    TAPS_TILES = TILE_PIXELS < 4 ? TILE_PIXELS : 4,
    TAPS_GROUP = 36, /* so many that what is written to the cache for them costs little beside the products */
    KEPT = 3,
    PART_FLOATS = BLAN_SUMMED_BLOCKS * BLAN_BLOCK * BLAN_BLOCK, /* of one element's weights for a partial sum */
};

/* Input channels of the partial sum that begins with block `first`. */
BLAN_INLINE size_t winograd4_part_channels(size_t in_blocks, size_t first)
{
    const size_t left = in_blocks - first;
    return (left < BLAN_SUMMED_BLOCKS ? left : BLAN_SUMMED_BLOCKS) * BLAN_BLOCK;
}

/* taps: [partial sums][6 rows][elements 1, 2 and 5][channels of the sum][16 out]. */
static void winograd4_pack_taps(float *taps, size_t in_blocks, size_t channel, const blan_k_winograd_kernels *weights)
{
    const size_t block = channel / BLAN_BLOCK, first = block / BLAN_SUMMED_BLOCKS * BLAN_SUMMED_BLOCKS;
    const size_t step = winograd4_part_channels(in_blocks, first) * BLAN_BLOCK;
    float *at = taps + (first * BLAN_BLOCK * TAPS + channel - first * BLAN_BLOCK) * BLAN_BLOCK;
    v16d g[9], half[18];
    winograd_collect(g, weights);
    for (size_t x = 0; x < 3; x++)
        winograd4_weight_line(half + x, 3, g + x, 3);
    for (size_t y = 0; y < 6; y++, at += KEPT * step) {
        v16d row[6];
        winograd4_weight_line(row, 1, half + 3 * y, 1);
        v16_store(at, __builtin_convertvector(row[1], v16));
        v16_store(at + step, __builtin_convertvector(row[2], v16));
        v16_store(at + 2 * step, __builtin_convertvector(row[5], v16));
    }
}

/* The elements 0, 3 and 4 of a row, PART_FLOATS apart, from those that are kept. */
static void winograd4_complete_row(float *restrict made, size_t channels, const float *restrict kept)
{
    const size_t step = channels * BLAN_BLOCK;
    for (size_t i = 0; i < step; i += BLAN_BLOCK) {
        const v16 u1 = v16_load(kept + i), u2 = v16_load(kept + step + i), u5 = v16_load(kept + 2 * step + i);
        const v16 even = 0.5f * (u1 + u2), odd = u1 - u2, even2 = even + 3 * u5;
        v16_store(made + i, even - u5);
        v16_store(made + PART_FLOATS + i, even2 + odd);
        v16_store(made + 2 * PART_FLOATS + i, even2 - odd);
    }
}

/* The products of one element and partial sum. Meanwhile half as many of the weights that are wanted next are asked
   for. */
BLAN_INLINE void winograd4_multiply_element(size_t tiles, const blan_k_taps_product *all, size_t element,
                                            size_t first, const float *weights, const float *ahead)
{
    const blan_k_product product = {
        .out = all->products + element * all->product_step,
        .add = first > 0,
        .a = all->v + element * all->window_step + first * all->block_step,
        .a_block_step = all->block_step,
        .channels = winograd4_part_channels(all->in_blocks, first),
        .weights = weights,
        .ahead = ahead,
        .ahead_floats = BLAN_BLOCK / 2,
    };
    multiply(tiles, 1, &product);
}

static void winograd4_multiply_taps(size_t tiles, const blan_k_taps_product *all)
{
    float made[KEPT * PART_FLOATS] __attribute__((aligned(64)));
    const float *kept = all->taps;
    for (size_t first = 0; first < all->in_blocks; first += BLAN_SUMMED_BLOCKS) {
        const size_t channels = winograd4_part_channels(all->in_blocks, first), step = channels * BLAN_BLOCK;
        const bool last = first + BLAN_SUMMED_BLOCKS >= all->in_blocks;
        for (size_t row = 0; row < 36; row += 6, kept += KEPT * step) {
            /* Half an element's weights of the next row for each of this one's. */
            const float *ahead = last && row == 30 ? all->next : kept + KEPT * step;
            const size_t half = step / 2;
            winograd4_complete_row(made, channels, kept);
            winograd4_multiply_element(tiles, all, row, first, made, ahead);
            winograd4_multiply_element(tiles, all, row + 1, first, kept, ahead + half);
            winograd4_multiply_element(tiles, all, row + 2, first, kept + step, ahead + 2 * half);
            winograd4_multiply_element(tiles, all, row + 3, first, made + PART_FLOATS, ahead + 3 * half);
            winograd4_multiply_element(tiles, all, row + 4, first, made + 2 * PART_FLOATS, ahead + 4 * half);
            winograd4_multiply_element(tiles, all, row + 5, first, kept + 2 * step, ahead + 5 * half);
        }
    }
}
