/* Drivers of the max-pool. Windows overlap, so a task of backward is a whole plane: one writer for each cell. */
#include "include/blan_pooling.h"

#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"

typedef struct pool_task {
    const blan_k_pool_shape *shape;
    const blan_k_tile_table *tiles;
    const float *in, *out, *d_out;
    float *written; /* out of forward, d_in of backward */
} pool_task;

static size_t outputs_of(size_t extent) { return (extent - 1) / 2 + 1; }
static size_t planes_of(const blan_k_pool_shape *shape) { return shape->batch * blocks_of(shape->channels); }
static size_t in_plane(const blan_k_pool_shape *shape) { return shape->height * shape->width * BLAN_BLOCK; }

static size_t out_plane(const blan_k_pool_shape *shape)
{
    return outputs_of(shape->height) * outputs_of(shape->width) * BLAN_BLOCK;
}

/* The number of the r-th input row that output row y's windows cover; `height` or more outside the map. */
static size_t row_of(size_t y, size_t r) { return 2 * y + r - 1; }

static void pool_plane(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pool_task *task = context;
    const blan_k_pool_shape *s = task->shape;
    const float *in = task->in + index * in_plane(s);
    float *out = task->written + index * out_plane(s);
    for (size_t y = 0; y < outputs_of(s->height); y++) {
        const float *rows[3];
        for (size_t r = 0; r < 3; r++)
            rows[r] = row_of(y, r) < s->height ? in + row_of(y, r) * s->width * BLAN_BLOCK : NULL;
        task->tiles->max_pool(s->width, out + y * outputs_of(s->width) * BLAN_BLOCK, rows);
    }
}

void blan_k_max_pool_forward(const blan_k_pool_shape *shape, float *out, const float *in, int threads)
{
    pool_task task = {.shape = shape, .tiles = blan_k_tiles(), .in = in, .written = out};
    blan_k_parallel_for(threads, planes_of(shape), pool_plane, &task);
}

static void differentiate_plane(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pool_task *task = context;
    const blan_k_pool_shape *s = task->shape;
    const size_t row = s->width * BLAN_BLOCK, out_row = outputs_of(s->width) * BLAN_BLOCK;
    const float *in = task->in + index * in_plane(s), *out = task->out + index * out_plane(s);
    const float *d_out = task->d_out + index * out_plane(s);
    float *d_in = task->written + index * in_plane(s);
    for (size_t y = 0; y < outputs_of(s->height); y++) {
        const float *rows[3];
        float *d_rows[3];
        for (size_t r = 0; r < 3; r++) {
            const bool inside = row_of(y, r) < s->height;
            rows[r] = inside ? in + row_of(y, r) * row : NULL;
            d_rows[r] = inside ? d_in + row_of(y, r) * row : NULL;
            if (inside && r > 0) /* the first row has been the last of the outputs above */
                memset(d_rows[r], 0, row * sizeof(float));
        }
        task->tiles->max_pool_backward(s->width, d_rows, d_out + y * out_row, rows, out + y * out_row);
    }
}

void blan_k_max_pool_backward(const blan_k_pool_shape *shape, float *d_in, const float *d_out, const float *in,
                              const float *out, int threads)
{
    pool_task task = {
        .shape = shape, .tiles = blan_k_tiles(), .in = in, .out = out, .d_out = d_out, .written = d_in};
    blan_k_parallel_for(threads, planes_of(shape), differentiate_plane, &task);
}
