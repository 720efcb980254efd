/* The dense micro-kernel: a register block of pixels x output blocks, one broadcast and `blocks` multiply-adds for
   every pixel and channel. Winograd's products run on it; direct.h has its like for the other convolutions. */
#include "../vector.h"
#include "step.h"

/* A strip of pixels, and its part of what is asked for ahead: `ahead_step` floats for each channel. */
typedef struct product_strip {
    float *out;
    const float *a, *ahead;
    size_t ahead_step;
    const float *after; /* the first block of the strip that follows */
} product_strip;

/* The sum over `channels` of at most BLAN_SUMMED_BLOCKS input blocks, from block `first` on. Pixels of the next block are
   asked for: there is a jump between blocks, which the CPU does not foresee. */
BLAN_INLINE void multiply_part(const size_t pixels, const size_t blocks, const blan_k_product *product,
                               const product_strip *strip, size_t first, size_t channels, const float *after)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            acc[b][p] = v16_splat(0);
    const size_t a_step = product->a_block_step, ahead_step = strip->ahead_step;
    const float *restrict a = strip->a + first * a_step;
    const float *restrict w = product->weights + first * BLAN_BLOCK * blocks * BLAN_BLOCK;
    const float *ahead = strip->ahead + first * BLAN_BLOCK * ahead_step;
    for (size_t left = channels; left > 0; a += a_step) {
        const size_t count = left < BLAN_BLOCK ? left : BLAN_BLOCK;
        const float *next = left > BLAN_BLOCK ? a + a_step : after;
        left -= count;
        for (size_t c = 0; c < count; c++, w += blocks * BLAN_BLOCK, ahead += ahead_step) {
#pragma clang loop unroll(full)
            for (size_t b = 0; b < blocks; b++)
                __builtin_prefetch(ahead + b * BLAN_BLOCK);
            if (c < pixels)
                __builtin_prefetch(next + c * BLAN_BLOCK);
            multiply_step(acc, pixels, blocks, a + c, BLAN_BLOCK, w);
        }
    }
    const bool add = product->add || first > 0;
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++) {
            float *sum = strip->out + b * product->out_block_step + p * BLAN_BLOCK;
            v16_store(sum, add ? v16_load(sum) + acc[b][p] : acc[b][p]);
        }
}

BLAN_INLINE void multiply_tile(const size_t pixels, const size_t blocks, const blan_k_product *product,
                               const product_strip *strip)
{
    const size_t most = BLAN_SUMMED_BLOCKS * BLAN_BLOCK;
    size_t first = 0, left = product->channels;
    for (; left > most; left -= most, first += BLAN_SUMMED_BLOCKS)
        multiply_part(pixels, blocks, product, strip, first, most,
                      strip->a + (first + BLAN_SUMMED_BLOCKS) * product->a_block_step);
    multiply_part(pixels, blocks, product, strip, first, left, strip->after);
}

_Static_assert(TILE_PIXELS == 2 || TILE_PIXELS == 6 || TILE_PIXELS == 14, "multiply has a case for each number");

BLAN_INLINE void multiply_pixels(size_t pixels, const size_t blocks, const blan_k_product *product,
                                 const product_strip *strip)
{
    switch (pixels) {
    case 1: multiply_tile(1, blocks, product, strip); break;
    case 2: multiply_tile(2, blocks, product, strip); break;
#if TILE_PIXELS >= 6
    case 3: multiply_tile(3, blocks, product, strip); break;
    case 4: multiply_tile(4, blocks, product, strip); break;
    case 5: multiply_tile(5, blocks, product, strip); break;
    case 6: multiply_tile(6, blocks, product, strip); break;
#endif
#if TILE_PIXELS >= 14
    case 7: multiply_tile(7, blocks, product, strip); break;
    case 8: multiply_tile(8, blocks, product, strip); break;
    case 9: multiply_tile(9, blocks, product, strip); break;
    case 10: multiply_tile(10, blocks, product, strip); break;
    case 11: multiply_tile(11, blocks, product, strip); break;
    case 12: multiply_tile(12, blocks, product, strip); break;
    case 13: multiply_tile(13, blocks, product, strip); break;
    case 14: multiply_tile(14, blocks, product, strip); break;
#endif
    default: break;
    }
}

/* In strips of equal length: a last one of few pixels would read all weights for little. */
static void multiply(size_t pixels, size_t blocks, const blan_k_product *product)
{
    (void)blocks;
    const size_t strips = (pixels + TILE_PIXELS - 1) / TILE_PIXELS, most = (pixels + strips - 1) / strips;
    product_strip strip = {
        .out = product->out,
        .a = product->a,
        .ahead = product->ahead,
        .ahead_step = (product->ahead_floats + strips - 1) / strips,
    };
    for (size_t count; pixels > 0; pixels -= count) {
        count = pixels < most ? pixels : most;
        strip.after = strip.a + count * BLAN_BLOCK;
#if TILE_BLOCKS >= 2
        if (blocks == 2)
            multiply_pixels(count, 2, product, &strip);
        else
#endif
            multiply_pixels(count, 1, product, &strip);
        strip.out += count * BLAN_BLOCK;
        strip.a = strip.after;
        strip.ahead += product->channels * strip.ahead_step;
    }
}
