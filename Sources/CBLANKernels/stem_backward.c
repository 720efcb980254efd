/* The gradient of the stem's weights. Tasks are (output block, plane and row of the kernel, image); the images' sums
   are added up in order, so the result does not depend on the number of threads. */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "include/blan_stem.h"

enum { PADDING = 3, KERNEL = 7, LINES = 3 * KERNEL, MOST_CHUNKS = 8 };

typedef struct stem_backward_task {
    const blan_k_stem_shape *shape;
    const float *pixels, *d_out;
    float *d_weights, *sums;
    size_t chunks;
    bool accumulate;
} stem_backward_task;

static size_t chunk_count(const blan_k_stem_shape *shape) { return smaller(shape->batch, MOST_CHUNKS); }

size_t blan_k_stem_backward_weights_workspace_count(const blan_k_stem_shape *shape)
{
    return chunk_count(shape) * blocks_of(shape->out_channels) * LINES * KERNEL * BLAN_BLOCK;
}

/* sums[x][16] of one output block and one line (plane, y) of the kernel. */
static void run_line(void *context, size_t index, size_t worker)
{
    (void)worker;
    const stem_backward_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t height = s->height / 2, width = s->width / 2, blocks = blocks_of(s->out_channels);
    const size_t line = index % LINES, block = index / LINES % blocks, chunk = index / LINES / blocks;
    v16 sums[KERNEL];
    for (size_t x = 0; x < KERNEL; x++)
        sums[x] = v16_splat(0);
    const size_t last = s->batch * (chunk + 1) / task->chunks;
    for (size_t n = s->batch * chunk / task->chunks; n < last; n++)
        for (size_t y = 0; y < height; y++) {
            const size_t row = 2 * y + line % KERNEL - PADDING;
            if (row >= s->height)
                continue;
            const float *in = task->pixels + ((n * 3 + line / KERNEL) * s->height + row) * s->width;
            const float *gradient = task->d_out + ((n * blocks + block) * height + y) * width * BLAN_BLOCK;
            for (size_t x = 0; x < width; x++) {
                const v16 dy = v16_load(gradient + x * BLAN_BLOCK);
                for (size_t kx = 0; kx < KERNEL; kx++) {
                    const size_t column = 2 * x + kx - PADDING;
                    if (column < s->width)
                        sums[kx] += v16_splat(in[column]) * dy;
                }
            }
        }
    for (size_t x = 0; x < KERNEL; x++)
        v16_store(task->sums + (index * KERNEL + x) * BLAN_BLOCK, sums[x]);
}

void blan_k_stem_backward_weights(const blan_k_stem_shape *shape, float *d_weights, bool accumulate,
                                  const float *pixels, const float *d_out, float *workspace, int threads)
{
    const size_t chunks = chunk_count(shape), cells = blocks_of(shape->out_channels) * LINES;
    stem_backward_task task = {shape, pixels, d_out, d_weights, workspace, chunks, accumulate};
    blan_k_parallel_for(threads, cells * chunks, run_line, &task);
    for (size_t k = 0; k < shape->out_channels; k++)
        for (size_t tap = 0; tap < LINES * KERNEL; tap++) {
            float sum = 0;
            for (size_t chunk = 0; chunk < chunks; chunk++)
                sum += workspace[((chunk * cells + k / BLAN_BLOCK * LINES) * KERNEL + tap) * BLAN_BLOCK +
                                 k % BLAN_BLOCK];
            float *target = d_weights + k * LINES * KERNEL + tap;
            *target = accumulate ? *target + sum : sum;
        }
}
