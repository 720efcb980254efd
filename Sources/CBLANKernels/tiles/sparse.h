/*
 * Matrix products that leave out inputs that are zero, as half of a ReLU's outputs are: each pixel's active inputs are
 * listed, and for each of them the weights of several output blocks, which lie in the L1 cache, are multiplied and
 * added.
 */
#include "../vector.h"

/* Lists of the active inputs of `pixels` adjacent pixels, of at most BLAN_SUMMED_BLOCKS blocks: inputs are
   relu(map + offset), offset: [blocks][16]. A list takes BLAN_SUMMED_CHANNELS places of `active`. */
static void list_active(size_t pixels, size_t blocks, blan_k_active *restrict active, uint32_t *restrict counts,
                        const float *restrict map, size_t block_step, const float *restrict offset)
{
    for (size_t p = 0; p < pixels; p++, active += BLAN_SUMMED_CHANNELS) {
        uint32_t count = 0;
        for (size_t b = 0; b < blocks; b++) {
            float values[BLAN_BLOCK] __attribute__((aligned(64)));
            const v16 shift = v16_load(offset + b * BLAN_BLOCK);
            v16_store(values, v16_relu_or_nan(v16_load(map + b * block_step + p * BLAN_BLOCK) + shift));
#pragma clang loop unroll(full)
            for (size_t c = 0; c < BLAN_BLOCK; c++) {
                const size_t channel = b * BLAN_BLOCK + c;
                active[count] = (blan_k_active){values[c], (uint32_t)channel * SPARSE_BLOCKS * BLAN_BLOCK};
                count += !(values[c] <= 0); /* NaN counts */
            }
        }
        counts[p] = count;
    }
}

/* Places of weights are read two entries ahead, as the loads of weights wait for them; the compiler is kept from moving
   those loads back. */
BLAN_INLINE uint32_t place_of(const blan_k_active *entry)
{
    uint32_t place = entry->place;
    __asm__("" : "+r"(place));
    return place;
}

BLAN_INLINE void sparse_blocks(const size_t blocks, size_t pixels, const blan_k_sparse_product *product)
{
    const blan_k_active *active = product->active;
    float *out = product->out;
    for (size_t p = 0; p < pixels; p++, active += BLAN_SUMMED_CHANNELS, out += BLAN_BLOCK) {
        v16 acc[SPARSE_BLOCKS];
#pragma clang loop unroll(full)
        for (size_t b = 0; b < blocks; b++)
            acc[b] = v16_splat(0);
        const blan_k_active *entry = active, *const end = active + product->counts[p];
        uint32_t place = place_of(entry), next = place_of(entry + 1);
        for (; entry < end; entry++) {
            const v16 value = v16_splat(entry->value);
            const float *weights = product->weights + place;
            place = next;
            next = place_of(entry + 2);
#pragma clang loop unroll(full)
            for (size_t b = 0; b < blocks; b++)
                acc[b] += value * v16_load(weights + b * BLAN_BLOCK);
        }
#pragma clang loop unroll(full)
        for (size_t b = 0; b < blocks; b++) {
            float *sum = out + b * product->out_block_step;
            const v16 value = v16_load(product->bias != NULL ? product->bias + b * BLAN_BLOCK : sum) + acc[b];
            v16_store(sum, product->relu ? v16_relu_or_nan(value) : value);
        }
    }
}

_Static_assert(SPARSE_BLOCKS == 2 || SPARSE_BLOCKS == 6, "sparse_multiply has a case for each number of blocks");

/* At most SPARSE_BLOCKS output blocks of `pixels` pixels. */
static void sparse_multiply(size_t pixels, size_t blocks, const blan_k_sparse_product *product)
{
    switch (blocks) {
    case 1: sparse_blocks(1, pixels, product); break;
    case 2: sparse_blocks(2, pixels, product); break;
#if SPARSE_BLOCKS >= 6
    case 3: sparse_blocks(3, pixels, product); break;
    case 4: sparse_blocks(4, pixels, product); break;
    case 5: sparse_blocks(5, pixels, product); break;
    case 6: sparse_blocks(6, pixels, product); break;
#endif
    default: break;
    }
}
