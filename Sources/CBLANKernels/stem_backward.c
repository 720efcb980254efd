/* The gradient of the stem's weights. Tasks are (chunk of images, output block); the chunks' sums are added up in
   order, so the result does not depend on the number of threads. */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "stem_internal.h"

/* Sums lie as [row of the kernel][plane][column][16]. */
enum { LINE = STEM_PLANES * STEM_KERNEL, TAPS = STEM_KERNEL * LINE, MOST_CHUNKS = 16 };

typedef struct stem_backward_task {
    const blan_k_stem_shape *shape;
    const blan_k_tile_table *tiles;
    const float *padded, *d_out;
    float *sums; /* [chunk][output block][TAPS][16] */
    size_t chunks;
} stem_backward_task;

static size_t chunk_count(const blan_k_stem_shape *shape) { return smaller(shape->batch, MOST_CHUNKS); }

static size_t sum_count(const blan_k_stem_shape *shape)
{
    return chunk_count(shape) * blocks_of(shape->out_channels) * TAPS * BLAN_BLOCK;
}

size_t blan_k_stem_backward_weights_workspace_count(const blan_k_stem_shape *shape)
{
    return sum_count(shape) + shape->batch * blan_k_stem_padded_image(shape);
}

static void run_chunk(void *context, size_t index, size_t worker)
{
    (void)worker;
    const stem_backward_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t height = s->height / 2, width = s->width / 2, blocks = blocks_of(s->out_channels);
    const size_t chunk = index / blocks, block = index % blocks, last = s->batch * (chunk + 1) / task->chunks;
    float *sums = task->sums + index * TAPS * BLAN_BLOCK;
    memset(sums, 0, TAPS * BLAN_BLOCK * sizeof *sums);
    for (size_t n = s->batch * chunk / task->chunks; n < last; n++)
        for (size_t y = 0; y < height; y++)
            for (size_t line = 0; line < STEM_KERNEL; line++)
                task->tiles->stem_outer(width, sums + line * LINE * BLAN_BLOCK,
                                        task->padded + n * blan_k_stem_padded_image(s) +
                                            (2 * y + line) * blan_k_stem_padded_row(s),
                                        blan_k_stem_padded_plane(s),
                                        task->d_out + ((n * blocks + block) * height + y) * width * BLAN_BLOCK);
}

void blan_k_stem_backward_weights(const blan_k_stem_shape *shape, float *d_weights, bool accumulate,
                                  const float *pixels, const float *d_out, float *workspace, int threads)
{
    const size_t blocks = blocks_of(shape->out_channels), channels = blocks * BLAN_BLOCK;
    float *padded = workspace + sum_count(shape);
    stem_backward_task task = {shape, blan_k_tiles(), padded, d_out, workspace, chunk_count(shape)};
    blan_k_stem_pad(shape, padded, pixels, threads);
    blan_k_parallel_for(threads, task.chunks * blocks, run_chunk, &task);
    for (size_t k = 0; k < shape->out_channels; k++)
        for (size_t tap = 0; tap < TAPS; tap++) {
            const size_t plane = tap / (STEM_KERNEL * STEM_KERNEL), y = tap / STEM_KERNEL % STEM_KERNEL;
            const size_t place = (y * STEM_PLANES + plane) * STEM_KERNEL + tap % STEM_KERNEL;
            float sum = 0;
            for (size_t chunk = 0; chunk < task.chunks; chunk++)
                sum += workspace[chunk * channels * TAPS + (k / BLAN_BLOCK * TAPS + place) * BLAN_BLOCK +
                                 k % BLAN_BLOCK];
            float *target = d_weights + k * TAPS + tap;
            *target = accumulate ? *target + sum : sum;
        }
}
