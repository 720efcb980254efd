/*
 * Products with a matrix of zeros and ones by the method of the Four Russians (Arlazarov, Dinic, Kronrod and Faradžev,
 * 1970): the sums of all 16 subsets of four source rows are a table, so that four terms of a sum are one look-up and
 * one addition, whatever the mask is. LMIM's gradients behind its second ReLU are such products.
 */
#include <stdint.h>
#include <string.h>

#include "../vector.h"

/* Tables of `rows` source rows of 16 floats, each times its scale: table g holds the 16 subsets of rows 4g to 4g + 3,
   bit i of a subset being row 4g + i. Rows beyond the last count as zero. With `offset` a row is relu(row + offset). */
static void subset_sums(size_t rows, float *restrict tables, const float *restrict source, const float *restrict scales,
                        const float *restrict offset)
{
    const v16 shift = offset != NULL ? v16_load(offset) : v16_splat(0);
    for (size_t first = 0; first < rows; first += BLAN_SUBSET_ROWS, tables += BLAN_SUBSET_FLOATS) {
        v16_store(tables, v16_splat(0));
        for (size_t i = 0; i < BLAN_SUBSET_ROWS; i++) {
            v16 term = v16_splat(0);
            if (first + i < rows) {
                term = v16_load(source + (first + i) * BLAN_BLOCK);
                if (offset != NULL)
                    term = v16_relu(term + shift);
                term *= v16_splat(scales[first + i]);
            }
            float *with = tables + ((size_t)BLAN_BLOCK << i);
            for (size_t subset = 0; subset < (size_t)1 << i; subset++)
                v16_store(with + subset * BLAN_BLOCK, v16_load(tables + subset * BLAN_BLOCK) + term);
        }
    }
}

/* acc[i] += the subset in byte i of `subsets`. */
BLAN_INLINE void add_subsets(const size_t count, v16 *acc, const float *table, uint32_t subsets)
{
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++) {
        const size_t place = (subsets >> (8 * i) & 0xff) * (BLAN_BLOCK / BLAN_SUBSET_STEP);
        acc[i] += v16_load(table + place);
    }
}

BLAN_INLINE uint32_t subsets_at(const size_t count, const uint8_t *subsets)
{
    uint32_t word = 0;
    memcpy(&word, subsets, count);
    return word;
}

/* `count` output rows. Their look-ups wait for the subsets' bytes, so those are read a table ahead; the compiler is
   kept from moving the load back. */
BLAN_INLINE void masked_rows(const size_t count, size_t tables, float *restrict out, bool add, const float *table,
                             const uint8_t *subsets, size_t step)
{
    v16 acc[4];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++)
        acc[i] = v16_splat(0);
    uint32_t word = subsets_at(count, subsets);
    for (size_t left = tables - 1; left > 0; left--, table += BLAN_SUBSET_FLOATS) {
        uint32_t next = subsets_at(count, subsets += step);
        __asm__("" : "+r"(next));
        add_subsets(count, acc, table, word);
        word = next;
    }
    add_subsets(count, acc, table, word);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++)
        v16_store(out + i * BLAN_BLOCK, add ? v16_load(out + i * BLAN_BLOCK) + acc[i] : acc[i]);
}

/* out[r] = the sum over `tables` tables, at least one, of the subset that subsets[table * step + r] names, in
   BLAN_SUBSET_STEPs; added to out where `add`. out: [rows][16]. */
static void masked_sums(size_t rows, size_t tables, float *restrict out, bool add, const float *restrict table,
                        const uint8_t *restrict subsets, size_t step)
{
    for (; rows >= 4; rows -= 4, out += 4 * BLAN_BLOCK, subsets += 4)
        masked_rows(4, tables, out, add, table, subsets, step);
    for (; rows > 0; rows--, out += BLAN_BLOCK, subsets++)
        masked_rows(1, tables, out, add, table, subsets, step);
}
