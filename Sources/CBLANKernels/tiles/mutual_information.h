/* LMIM's elementwise passes, each over one channel block of adjacent locations unless it says otherwise. */
#include <stdint.h>
#include <string.h>

#include "../vector.h"

/* scores[i] = weights . map(i), over all channel blocks. */
static void lmim_score(size_t count, size_t blocks, float *restrict scores, const float *restrict map,
                       size_t block_step, const float *restrict weights)
{
    for (size_t i = 0; i < count; i++) {
        v16 sum = v16_splat(0);
        for (size_t block = 0; block < blocks; block++)
            sum += v16_load(map + block * block_step + i * BLAN_BLOCK) * v16_load(weights + block * BLAN_BLOCK);
        scores[i] = v16_sum(sum);
    }
}

typedef uint8_t u8x16 __attribute__((vector_size(16), aligned(1), may_alias));

/* The score's gradient. Sums over locations: score_sum = d_scores * map, active_sum = d_scores where map > 0. And where
   map > 0, as subsets for masked_sums: of a location's channels at by_location[q * location_step + location] for its
   quarter q of the block; of a channel's locations at by_channel[location / 4 * channel_step + channel]. */
static void lmim_score_backward(size_t count, const float *restrict map, const float *restrict d_scores,
                                float *restrict score_sum, float *restrict active_sum, uint8_t *restrict by_location,
                                size_t location_step, uint8_t *restrict by_channel, size_t channel_step)
{
    const v16 zero = v16_splat(0);
    const v16i lane_bits = {1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
    v16 for_score = zero, for_active = zero;
    for (size_t first = 0; first < count; first += BLAN_SUBSET_ROWS, by_channel += channel_step) {
        v16i channels = {0};
        const size_t rows = count - first < BLAN_SUBSET_ROWS ? count - first : BLAN_SUBSET_ROWS;
        for (size_t i = 0; i < rows; i++) {
            const v16 value = v16_load(map + (first + i) * BLAN_BLOCK), d_score = v16_splat(d_scores[first + i]);
            const v16i active = value > zero;
            for_score += d_score * value;
            for_active += v16_select(active, d_score, zero);
            channels |= active & (int)((1u << i) * BLAN_SUBSET_STEP);
            const u8x16 lanes = __builtin_convertvector(active & lane_bits, u8x16);
            uint32_t quarters[4];
            memcpy(quarters, &lanes, sizeof quarters);
#pragma clang loop unroll(full)
            for (size_t q = 0; q < 4; q++) /* the product's upper byte is the sum of the four */
                by_location[q * location_step + first + i] =
                    (uint8_t)((quarters[q] * 0x01010101u >> 24) * BLAN_SUBSET_STEP);
        }
        *(u8x16 *)by_channel = __builtin_convertvector(channels, u8x16);
    }
    v16_store(score_sum, for_score);
    v16_store(active_sum, for_active);
}

/* What one channel block of the second layer's gradient consists of, and what the features' part was made from. */
static void lmim_hidden_backward(size_t count, float *restrict d_map, const float *restrict map,
                                 const blan_k_lmim_pair pairs[2])
{
    const v16 zero = v16_splat(0), real = v16_load(pairs[0].vector), fake = v16_load(pairs[1].vector);
    v16 real_sum = zero, fake_sum = zero;
    for (size_t i = 0; i < count; i++) {
        const size_t at = i * BLAN_BLOCK;
        const v16 value = v16_load(map + at);
        const v16 a = v16_load(pairs[0].sums + at) * v16_splat(pairs[0].d_scores[i]);
        const v16 b = v16_load(pairs[1].sums + at) * v16_splat(pairs[1].d_scores[i]);
        const v16 from_real = v16_select(value + real > zero, a, zero);
        const v16 from_fake = v16_select(value + fake > zero, b, zero);
        real_sum += from_real;
        fake_sum += from_fake;
        v16_store(d_map + at, from_real + from_fake);
    }
    v16_store(pairs[0].d_vector, real_sum);
    v16_store(pairs[1].d_vector, fake_sum);
}
