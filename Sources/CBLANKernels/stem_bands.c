/* The stem's max-pool over a convolution that comes row by row: bands of pooled rows, each with memory for the rows of the
   convolution that it covers. */
#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "stem_internal.h"

enum { BAND_ROWS = 8, CONVOLVED_ROWS = 2 * BAND_ROWS + 1 };

typedef struct bands_task {
    const blan_k_stem_shape *shape;
    const blan_k_tile_table *tiles;
    float *out, *bands;
    stem_row convolve;
    void *context;
} bands_task;

static void run_band(void *context, size_t index, size_t worker)
{
    const bands_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t height = s->height / 4, width = s->width / 2, out_blocks = blocks_of(s->out_channels);
    const size_t bands = divide_up(height, BAND_ROWS), image = index / bands;
    const size_t first = index % bands * BAND_ROWS, last = smaller(first + BAND_ROWS, height);
    const size_t begin = first == 0 ? 0 : 2 * first - 1, row = width * BLAN_BLOCK;
    const size_t block_step = CONVOLVED_ROWS * row;
    float *band = task->bands + worker * blan_k_stem_band_count(s);
    for (size_t y = begin; y < 2 * last; y++)
        task->convolve(task->context, worker, image, y, band + (y - begin) * row, block_step);
    for (size_t block = 0; block < out_blocks; block++)
        for (size_t y = first; y < last; y++) {
            const float *middle = band + block * block_step + (2 * y - begin) * row;
            const float *const covered[3] = {y > 0 ? middle - row : NULL, middle, middle + row};
            task->tiles->stem_pool(
                width, task->out + ((image * out_blocks + block) * height + y) * (width / 2) * BLAN_BLOCK, covered, NULL);
        }
}

size_t blan_k_stem_band_count(const blan_k_stem_shape *shape)
{
    return blocks_of(shape->out_channels) * CONVOLVED_ROWS * (shape->width / 2) * BLAN_BLOCK;
}

void blan_k_stem_pool_bands(const blan_k_stem_shape *shape, float *out, float *bands, stem_row convolve, void *context,
                            int threads)
{
    bands_task task = {shape, blan_k_tiles(), out, bands, convolve, context};
    blan_k_parallel_for(threads, shape->batch * divide_up(shape->height / 4, BAND_ROWS), run_band, &task);
}
