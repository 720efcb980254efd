/*
 * The direct weight gradient: for every tap and every pair of an input and an output block, the sum over pixels of
 * outer products of input and output gradient. Output pixels are taken in strips; the input pixels that a tap meets
 * there are copied together, so that padding, stride and enlargement cost a copy for several output blocks.
 */
#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum {
    STRIP = 512, /* pixels, aimed at: shorter ones read memory in pieces too small to be fetched ahead */
    CELL = BLAN_BLOCK * BLAN_BLOCK,
    WANTED_TASKS = 16,
    LEAST_PART = 4,                /* output blocks of a part: each part copies the input anew */
    CELL_BUDGET = 5 * 1024 * 1024, /* floats that several chunks' cells may take together */
};

/* The work is cut into tasks of a chunk of images and a part of the output blocks. Both numbers follow from the shape
   alone; every chunk has cells (sums of outer products) of its own, added up in order when all are done. */
typedef struct direct_plan {
    size_t chunks, parts;
    size_t cells; /* of a chunk */
} direct_plan;

static size_t tap_count(const weight_gradient *g) { return g->shape->kernel * g->shape->kernel; }

static direct_plan plan_of(const weight_gradient *g)
{
    direct_plan plan = {.cells = tap_count(g) * g->in_blocks * g->out_blocks};
    const size_t affordable = larger(1, CELL_BUDGET / (plan.cells * CELL));
    plan.chunks = smaller(smaller(g->shape->batch, WANTED_TASKS), affordable);
    plan.parts = smaller(divide_up(g->out_blocks, LEAST_PART), divide_up(WANTED_TASKS, plan.chunks));
    return plan;
}

/* Rows of a strip: whole rows, at least one. */
static size_t strip_rows(const weight_gradient *g) { return larger(1, STRIP / g->out_width); }

static size_t strip_floats(const weight_gradient *g) { return strip_rows(g) * g->out_width * BLAN_BLOCK; }

size_t blan_k_direct_weights_workspace_count(const weight_gradient *g, int threads)
{
    const direct_plan plan = plan_of(g);
    return plan.cells * CELL * plan.chunks + strip_floats(g) * (threads < 1 ? 1 : (size_t)threads);
}

typedef struct direct_task {
    const weight_gradient *gradient;
    direct_plan plan;
    float *cells; /* [chunk][output block][input block][tap][16 in][16 out] */
    float *strips; /* of each worker */
} direct_task;

static float *cell_at(const direct_task *task, size_t chunk, size_t out_block, size_t in_block)
{
    const weight_gradient *g = task->gradient;
    return task->cells +
           (chunk * task->plan.cells + (out_block * g->in_blocks + in_block) * tap_count(g)) * CELL;
}

/* The pixels that `tap` meets from output rows [y, y + rows) of image n. */
static const float *pixels_of(const weight_gradient *g, const weight_block *in, size_t n, size_t y, size_t rows,
                              size_t tap, float *strip)
{
    const blan_k_conv_shape *s = g->shape;
    const float *plane = in->data + n * in->image;
    if (s->kernel == 1 && s->stride == 1 && s->padding == 0 && in->factor == 1)
        return plane + y * g->out_width * BLAN_BLOCK;
    for (size_t i = 0; i < rows; i++) {
        const size_t row = (y + i) * s->stride + tap / s->kernel - s->padding; /* above the map: huge */
        g->tiles->collect(g->out_width, 1, strip + i * g->out_width * BLAN_BLOCK, 0,
                          row < s->in_height ? plane + row / in->factor * in->width * BLAN_BLOCK : NULL, 0,
                          (ptrdiff_t)(tap % s->kernel) - (ptrdiff_t)s->padding, s->stride, in->factor, s->in_width);
    }
    return strip;
}

static void run_part(void *context, size_t index, size_t worker)
{
    const direct_task *task = context;
    const weight_gradient *g = task->gradient;
    const size_t chunk = index / task->plan.parts, part = index % task->plan.parts, taps = tap_count(g);
    const size_t first = g->out_blocks * part / task->plan.parts, last = g->out_blocks * (part + 1) / task->plan.parts;
    const size_t area = g->out_height * g->out_width, first_image = g->shape->batch * chunk / task->plan.chunks;
    const size_t last_image = g->shape->batch * (chunk + 1) / task->plan.chunks;
    float *strip = task->strips + worker * strip_floats(g);
    for (size_t n = first_image; n < last_image; n++)
        for (size_t y = 0; y < g->out_height; y += strip_rows(g)) {
            const size_t rows = smaller(strip_rows(g), g->out_height - y);
            for (size_t in_block = 0; in_block < g->in_blocks; in_block++) {
                const weight_block in = blan_k_weight_block(g, in_block);
                for (size_t tap = 0; tap < taps; tap++) {
                    const float *x = pixels_of(g, &in, n, y, rows, tap, strip);
                    for (size_t block = first; block < last; block++)
                        g->tiles->outer(rows * g->out_width, cell_at(task, chunk, block, in_block) + tap * CELL,
                                        n > first_image || y > 0, x,
                                        g->d_out + ((n * g->out_blocks + block) * area + y * g->out_width) * BLAN_BLOCK);
                }
            }
        }
}

/* Adds up the chunks of one output and one input block and writes their gradients. */
static void store_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const direct_task *task = context;
    const weight_gradient *g = task->gradient;
    const size_t out_block = index / g->in_blocks, in_block = index % g->in_blocks, taps = tap_count(g);
    const weight_block in = blan_k_weight_block(g, in_block);
    float *sums = cell_at(task, 0, out_block, in_block);
    for (size_t chunk = 1; chunk < task->plan.chunks; chunk++) {
        const float *terms = cell_at(task, chunk, out_block, in_block);
        for (size_t i = 0; i < taps * CELL; i++)
            sums[i] += terms[i];
    }
    for (size_t c = 0; c < in.channels; c++)
        blan_k_store_taps(g, out_block, in.channel + c, sums + c * BLAN_BLOCK, CELL);
}

void blan_k_direct_weights(const weight_gradient *g, float *workspace, int threads)
{
    const direct_plan plan = plan_of(g);
    direct_task task = {g, plan, workspace, workspace + plan.cells * CELL * plan.chunks};
    blan_k_parallel_for(threads, plan.chunks * plan.parts, run_part, &task);
    blan_k_parallel_for(threads, g->out_blocks * g->in_blocks, store_block, &task);
}
