/* What the direct method and the weight gradients copy together before they multiply. */
#include "../vector.h"

/* out[b][i] = the pixel at (start + i * step) / factor of a row of `extent` pixels (as the convolution sees it: factor
   times as many as there are in memory), for `blocks` channel blocks; zero where that is no pixel of the row, and
   everywhere when row is NULL. */
static void collect(size_t pixels, size_t blocks, float *restrict out, size_t out_block_step,
                    const float *restrict row, size_t in_block_step, ptrdiff_t start, size_t step, size_t factor,
                    size_t extent)
{
    for (size_t i = 0; i < pixels; i++, out += BLAN_BLOCK) {
        const size_t at = (size_t)start + i * step; /* left of the row: wraps round to a huge number */
        if (row == NULL || at >= extent) {
            for (size_t block = 0; block < blocks; block++)
                v16_store(out + block * out_block_step, v16_splat(0));
            continue;
        }
        const float *in = row + (factor == 1 ? at : at / factor) * BLAN_BLOCK;
        for (size_t block = 0; block < blocks; block++)
            v16_store(out + block * out_block_step, v16_load(in + block * in_block_step));
    }
}

/* sum = the sum over `area` locations of one channel block. */
static void sum_locations(size_t area, const float *restrict map, float *restrict sum)
{
    v16 total = v16_splat(0);
    for (size_t i = 0; i < area; i++)
        total += v16_load(map + i * BLAN_BLOCK);
    v16_store(sum, total);
}

/* out[x] = (or +=) the sum over the factor x factor cells of pixel x, which lie in rows `row_step` floats apart. */
static void sum_cells(size_t width, size_t factor, float *restrict out, const float *restrict in, size_t row_step,
                      bool accumulate)
{
    for (size_t x = 0; x < width; x++, out += BLAN_BLOCK, in += factor * BLAN_BLOCK) {
        v16 sum = accumulate ? v16_load(out) : v16_splat(0);
        for (size_t dy = 0; dy < factor; dy++)
            for (size_t dx = 0; dx < factor; dx++)
                sum += v16_load(in + dy * row_step + dx * BLAN_BLOCK);
        v16_store(out, sum);
    }
}
