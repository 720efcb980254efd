/*
 * The gradient of a convolution's weights: for every tap and every pair of an input and an output block, the sum over
 * pixels of outer products of input and output gradient.
 *
 * The work is cut into tasks of (output block, input block, tap, chunk of images); chunks, whose number follows from
 * the shape alone, are added up in order, so the result does not depend on the number of threads.
 */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { WANTED_TASKS = 64, CELL = BLAN_BLOCK * BLAN_BLOCK };

typedef struct plan {
    size_t in_blocks[2], out_blocks, taps, chunks;
    size_t out_height, out_width;
} plan;

static plan plan_of(const blan_k_conv_shape *shape)
{
    plan p = {
        .in_blocks = {blocks_of(shape->in_channels[0]), blocks_of(shape->in_channels[1])},
        .out_blocks = blocks_of(shape->out_channels),
        .taps = shape->kernel * shape->kernel,
        .out_height = blan_k_conv_out_height(shape),
        .out_width = blan_k_conv_out_width(shape),
    };
    const size_t cells = p.out_blocks * (p.in_blocks[0] + p.in_blocks[1]) * p.taps;
    p.chunks = smaller(shape->batch, divide_up(WANTED_TASKS, cells));
    return p;
}

static size_t cell_count(const plan *p) { return p->out_blocks * (p->in_blocks[0] + p->in_blocks[1]) * p->taps; }

size_t blan_k_conv_backward_weights_workspace_count(const blan_k_conv_shape *shape, int threads)
{
    (void)threads;
    const plan p = plan_of(shape);
    return cell_count(&p) * p.chunks * CELL;
}

typedef struct task_context {
    const blan_k_conv_shape *shape;
    plan plan;
    const blan_k_tile_table *tiles;
    const float *in[2], *d_out;
    float *d_weights, *d_bias, *cells;
    bool accumulate;
} task_context;

/* The outputs [*first, *end) along one axis whose tap at `offset` lies inside the map. */
static void valid_range(size_t offset, size_t padding, size_t stride, size_t extent, size_t outputs, size_t *first,
                        size_t *end)
{
    *first = offset >= padding ? 0 : divide_up(padding - offset, stride);
    *end = extent + padding > offset ? smaller(outputs, divide_up(extent + padding - offset, stride)) : 0;
}

static void accumulate_cell(const task_context *task, size_t input, size_t in_block, size_t out_block, size_t tap,
                            size_t first_image, size_t last_image, float *cell)
{
    const blan_k_conv_shape *s = task->shape;
    const plan *p = &task->plan;
    const size_t factor = s->in_upsample[input], height = s->in_height / factor, width = s->in_width / factor;
    const size_t ky = tap / s->kernel, kx = tap % s->kernel;
    size_t y0, y1, x0, x1;
    valid_range(ky, s->padding, s->stride, s->in_height, p->out_height, &y0, &y1);
    valid_range(kx, s->padding, s->stride, s->in_width, p->out_width, &x0, &x1);
    if (x0 >= x1)
        return;
    for (size_t n = first_image; n < last_image; n++) {
        const float *plane = task->in[input] + (n * p->in_blocks[input] + in_block) * height * width * BLAN_BLOCK;
        const float *gradient =
            task->d_out + (n * p->out_blocks + out_block) * p->out_height * p->out_width * BLAN_BLOCK;
        for (size_t y = y0; y < y1; y++) {
            const float *row = plane + (y * s->stride + ky - s->padding) / factor * width * BLAN_BLOCK;
            const float *dy = gradient + (y * p->out_width + x0) * BLAN_BLOCK;
            const size_t start = x0 * s->stride + kx - s->padding;
            if (factor == 1) {
                task->tiles->outer(x1 - x0, cell, row + start * BLAN_BLOCK, s->stride * BLAN_BLOCK, dy);
                continue;
            }
            for (size_t x = 0; x < x1 - x0; x++)
                task->tiles->outer(1, cell, row + (start + x * s->stride) / factor * BLAN_BLOCK, 0,
                                   dy + x * BLAN_BLOCK);
        }
    }
}

static void run_cell(void *context, size_t index, size_t worker)
{
    (void)worker;
    const task_context *task = context;
    const plan *p = &task->plan;
    const size_t cells = cell_count(p), chunk = index / cells, place = index % cells;
    const size_t tap = place % p->taps, in_block = place / p->taps % (p->in_blocks[0] + p->in_blocks[1]);
    const size_t out_block = place / p->taps / (p->in_blocks[0] + p->in_blocks[1]);
    const bool second = in_block >= p->in_blocks[0];
    float *cell = task->cells + index * CELL;
    memset(cell, 0, CELL * sizeof *cell);
    accumulate_cell(task, second, second ? in_block - p->in_blocks[0] : in_block, out_block, tap,
                    task->shape->batch * chunk / p->chunks, task->shape->batch * (chunk + 1) / p->chunks, cell);
}

/* Adds up the chunks and writes one output channel's gradient in the layout of the weights file. */
static void scatter_channel(void *context, size_t k, size_t worker)
{
    (void)worker;
    const task_context *task = context;
    const blan_k_conv_shape *s = task->shape;
    const plan *p = &task->plan;
    const size_t cells = cell_count(p), in_blocks = p->in_blocks[0] + p->in_blocks[1];
    const size_t channels = s->in_channels[0] + s->in_channels[1];
    for (size_t c = 0; c < channels; c++) {
        const bool second = c >= s->in_channels[0];
        const size_t local = second ? c - s->in_channels[0] : c;
        const size_t block = local / BLAN_BLOCK + (second ? p->in_blocks[0] : 0);
        for (size_t tap = 0; tap < p->taps; tap++) {
            const size_t place = ((k / BLAN_BLOCK) * in_blocks + block) * p->taps + tap;
            const float *cell = task->cells + place * CELL + local % BLAN_BLOCK * BLAN_BLOCK + k % BLAN_BLOCK;
            float sum = 0;
            for (size_t chunk = 0; chunk < p->chunks; chunk++)
                sum += cell[chunk * cells * CELL];
            float *target = task->d_weights + (k * channels + c) * p->taps + tap;
            *target = task->accumulate ? *target + sum : sum;
        }
    }
}

static void sum_bias_block(void *context, size_t block, size_t worker)
{
    (void)worker;
    const task_context *task = context;
    const plan *p = &task->plan;
    const size_t area = p->out_height * p->out_width;
    float sum[BLAN_BLOCK] = {0};
    for (size_t n = 0; n < task->shape->batch; n++) {
        const float *gradient = task->d_out + (n * p->out_blocks + block) * area * BLAN_BLOCK;
        for (size_t i = 0; i < area; i++)
            for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
                sum[lane] += gradient[i * BLAN_BLOCK + lane];
    }
    for (size_t lane = 0; lane < BLAN_BLOCK && block * BLAN_BLOCK + lane < task->shape->out_channels; lane++) {
        float *target = task->d_bias + block * BLAN_BLOCK + lane;
        *target = task->accumulate ? *target + sum[lane] : sum[lane];
    }
}

void blan_k_conv_backward_weights(const blan_k_conv_shape *shape, float *d_weights, float *d_bias, bool accumulate,
                                  const float *in0, const float *in1, const float *d_out, float *workspace,
                                  int threads)
{
    task_context task = {
        .shape = shape,
        .plan = plan_of(shape),
        .tiles = blan_k_tiles(),
        .in = {in0, in1},
        .d_out = d_out,
        .d_weights = d_weights,
        .d_bias = d_bias,
        .cells = workspace,
        .accumulate = accumulate,
    };
    blan_k_parallel_for(threads, cell_count(&task.plan) * task.plan.chunks, run_cell, &task);
    blan_k_parallel_for(threads, shape->out_channels, scatter_channel, &task);
    if (d_bias != NULL)
        blan_k_parallel_for(threads, task.plan.out_blocks, sum_bias_block, &task);
}
