/*
 * The weight gradient of a 3x3 convolution by Winograd's F(3x3, 4x4): a 6x6 window of the input and a 4x4 tile of the
 * output gradient, both transformed, are multiplied element by element; the 36 sums over all tiles, transformed back,
 * are the nine taps. A quarter of the direct method's products.
 *
 * The tiles of a pass are transformed first. Then each element is a matrix product of its own, channels by tiles by
 * channels, whose operands sit in the L2 cache: its sums, which for wide layers are many times the pixels, go to memory
 * once a pass.
 */
#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum {
    ELEMENTS = 36,
    SIDE = 4, /* of a tile */
    CELL = BLAN_BLOCK * BLAN_BLOCK,
    PASS_FLOATS = 512 * 1024,      /* that the transformed tiles of a pass may take */
    LEAST_PASS = 64,               /* tiles: fewer would load and store the sums too often */
    STRIP = 128,                   /* tiles: a strip of both operands fits in the L1 cache, to be read several times */
    RUN = 16,                      /* tiles of one block that a task transforms */
    MOST_PART = 8,                 /* output blocks of an element that a task multiplies */
};

typedef struct winograd_plan {
    size_t tiles_y, tiles_x, tiles; /* of one image, and of the batch */
    size_t pass;                    /* tiles in a pass */
    size_t parts;                   /* of the output blocks */
    /* Floats from one element to the next. Odd numbers of cache lines: the elements of a tile or of a cell, written and
       read together, then fall into different sets of the caches. */
    size_t window_step, gradient_step, cell_step;
} winograd_plan;

static winograd_plan plan_of(const weight_gradient *g)
{
    winograd_plan p = {.tiles_y = divide_up(g->out_height, SIDE), .tiles_x = divide_up(g->out_width, SIDE)};
    p.tiles = g->shape->batch * p.tiles_y * p.tiles_x;
    const size_t fitting = PASS_FLOATS / (ELEMENTS * BLAN_BLOCK * (g->in_blocks + g->out_blocks));
    p.pass = divide_up(p.tiles, divide_up(p.tiles, larger(LEAST_PASS, fitting)));
    p.parts = divide_up(g->out_blocks, MOST_PART);
    p.window_step = element_step(g->in_blocks * p.pass);
    p.gradient_step = element_step(g->out_blocks * p.pass);
    p.cell_step = element_step(g->out_blocks * g->in_blocks * BLAN_BLOCK);
    return p;
}

size_t blan_k_winograd_weights_workspace_count(const weight_gradient *g)
{
    const winograd_plan p = plan_of(g);
    return ELEMENTS * (p.window_step + p.gradient_step + p.cell_step);
}

typedef struct winograd_task {
    const weight_gradient *gradient;
    winograd_plan plan;
    size_t first, count; /* tiles of this pass */
    float *windows;      /* [element: window_step apart][input block][tile][16] */
    float *gradients;    /* [element: gradient_step apart][output block][tile][16] */
    float *cells;        /* [element: cell_step apart][output block][input block][16 in][16 out] */
} winograd_task;

/* Tiles [first, last) of the pass, of one input block. */
static void transform_windows(const winograd_task *task, size_t block, size_t first, size_t last)
{
    const weight_gradient *g = task->gradient;
    const winograd_plan *p = &task->plan;
    const weight_block in = blan_k_weight_block(g, block);
    for (size_t i = first; i < last; i++) {
        const tile_place at = place_of(task->first + i, p->tiles_y, p->tiles_x, SIDE);
        const blan_k_winograd_input window = {
            .plane = in.data + at.image * in.image,
            .plane_width = in.width,
            .y = (ptrdiff_t)at.y - 1,
            .x = (ptrdiff_t)at.x - 1,
            .height = g->shape->in_height,
            .width = g->shape->in_width,
            .shift = shift_of(in.factor),
        };
        g->tiles->winograd_input[0](task->windows + (block * p->pass + i) * BLAN_BLOCK, p->window_step, &window);
    }
}

/* The same of one output block. */
static void transform_gradients(const winograd_task *task, size_t block, size_t first, size_t last)
{
    const weight_gradient *g = task->gradient;
    const winograd_plan *p = &task->plan;
    const size_t row = g->out_width * BLAN_BLOCK, plane = g->out_height * row;
    for (size_t i = first; i < last; i++) {
        const tile_place at = place_of(task->first + i, p->tiles_y, p->tiles_x, SIDE);
        g->tiles->winograd_gradient(task->gradients + (block * p->pass + i) * BLAN_BLOCK, p->gradient_step,
                                    g->d_out + (at.image * g->out_blocks + block) * plane + at.y * row +
                                        at.x * BLAN_BLOCK,
                                    row, g->out_height - at.y, g->out_width - at.x);
    }
}

/* A run of tiles of one block: input blocks first, then output blocks. */
static void transform_run(void *context, size_t index, size_t worker)
{
    (void)worker;
    const winograd_task *task = context;
    const size_t in_blocks = task->gradient->in_blocks, runs = divide_up(task->count, RUN);
    const size_t block = index / runs, first = index % runs * RUN, last = smaller(first + RUN, task->count);
    if (block < in_blocks)
        transform_windows(task, block, first, last);
    else
        transform_gradients(task, block - in_blocks, first, last);
}

/* One element of one part of the output blocks: its sums over the pass. */
static void multiply_element(void *context, size_t index, size_t worker)
{
    (void)worker;
    const winograd_task *task = context;
    const weight_gradient *g = task->gradient;
    const winograd_plan *p = &task->plan;
    const size_t element = index / p->parts, part = index % p->parts;
    const size_t first = g->out_blocks * part / p->parts, last = g->out_blocks * (part + 1) / p->parts;
    const float *windows = task->windows + element * p->window_step;
    const float *gradients = task->gradients + element * p->gradient_step;
    float *cells = task->cells + element * p->cell_step;
    for (size_t i = 0; i < task->count; i += STRIP)
        for (size_t block = first; block < last; block++)
            for (size_t in_block = 0; in_block < g->in_blocks; in_block++)
                g->tiles->outer(smaller(STRIP, task->count - i), cells + (block * g->in_blocks + in_block) * CELL,
                                task->first + i > 0, windows + (in_block * p->pass + i) * BLAN_BLOCK,
                                gradients + (block * p->pass + i) * BLAN_BLOCK);
}

/* Transforms the sums of one output and one input block back and writes the gradients. */
static void store_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const winograd_task *task = context;
    const weight_gradient *g = task->gradient;
    const size_t out_block = index / g->in_blocks, in_block = index % g->in_blocks;
    const weight_block in = blan_k_weight_block(g, in_block);
    for (size_t c = 0; c < in.channels; c++) {
        float taps[9 * BLAN_BLOCK] __attribute__((aligned(64)));
        g->tiles->winograd3_output(taps, 3 * BLAN_BLOCK, task->cells + index * CELL + c * BLAN_BLOCK,
                                   task->plan.cell_step);
        blan_k_store_taps(g, out_block, in.channel + c, taps, BLAN_BLOCK);
    }
}

void blan_k_winograd_weights(const weight_gradient *g, float *workspace, int threads)
{
    const winograd_plan p = plan_of(g);
    winograd_task task = {.gradient = g, .plan = p, .windows = workspace};
    task.gradients = task.windows + ELEMENTS * p.window_step;
    task.cells = task.gradients + ELEMENTS * p.gradient_step;
    for (; task.first < p.tiles; task.first += task.count) {
        task.count = smaller(p.pass, p.tiles - task.first);
        blan_k_parallel_for(threads, (g->in_blocks + g->out_blocks) * divide_up(task.count, RUN), transform_run, &task);
        blan_k_parallel_for(threads, ELEMENTS * p.parts, multiply_element, &task);
    }
    blan_k_parallel_for(threads, g->out_blocks * g->in_blocks, store_block, &task);
}
