/*
 * The weight gradient of a 3x3 convolution by Winograd's F(3x3, 4x4): a 6x6 window of the input and a 4x4 tile of the
 * output gradient, both transformed, are multiplied element by element; the 36 sums over all tiles, transformed back,
 * are the nine taps. A quarter of the direct method's products.
 *
 * Windows and gradients of a group of tiles are transformed, then multiplied while they sit in the L2 cache.
 */
#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum {
    ELEMENTS = 36,
    SIDE = 4, /* of a tile */
    CELL = BLAN_BLOCK * BLAN_BLOCK,
    GROUP_FLOATS = 128 * 1024, /* aimed at for the transformed tiles of a group */
    LEAST_GROUP = 16,          /* tiles: fewer would load and store the cells too often */
    MOST_GROUP = 48,
    LEAST_CHUNK = 32,
};

typedef struct winograd_plan {
    weight_plan tasks;
    size_t tiles_y, tiles_x, tiles; /* of one image, and of the batch */
    size_t group;                   /* tiles in a group */
    size_t part_blocks;             /* most output blocks of a part */
    /* Floats from one element to the next. Odd numbers of cache lines: the elements of a tile or of a cell, written and
       read together, then fall into different sets of the caches. */
    size_t window_step, gradient_step, cell_step;
} winograd_plan;

static winograd_plan plan_of(const weight_gradient *g)
{
    winograd_plan p = {.tiles_y = divide_up(g->out_height, SIDE), .tiles_x = divide_up(g->out_width, SIDE)};
    p.tiles = g->shape->batch * p.tiles_y * p.tiles_x;
    p.tasks = blan_k_weight_plan(g, ELEMENTS, divide_up(p.tiles, LEAST_CHUNK));
    p.part_blocks = divide_up(g->out_blocks, p.tasks.parts);
    const size_t fitting = GROUP_FLOATS / (ELEMENTS * BLAN_BLOCK * (g->in_blocks + p.part_blocks));
    const size_t most = smaller(MOST_GROUP, larger(LEAST_GROUP, fitting)), chunk = divide_up(p.tiles, p.tasks.chunks);
    p.group = divide_up(chunk, divide_up(chunk, most));
    p.window_step = element_step(g->in_blocks * p.group);
    p.gradient_step = element_step(p.part_blocks * p.group);
    p.cell_step = g->out_blocks * g->in_blocks * CELL + CELL + BLAN_BLOCK;
    return p;
}

static size_t chunk_floats(const winograd_plan *p) { return ELEMENTS * p->cell_step; }

static size_t scratch_floats(const winograd_plan *p) { return ELEMENTS * (p->window_step + p->gradient_step); }

size_t blan_k_winograd_weights_workspace_count(const weight_gradient *g, int threads)
{
    const winograd_plan p = plan_of(g);
    return chunk_floats(&p) * p.tasks.chunks + scratch_floats(&p) * (threads < 1 ? 1 : (size_t)threads);
}

typedef struct winograd_task {
    const weight_gradient *gradient;
    winograd_plan plan;
    float *cells;   /* [chunk][element: cell_step apart][output block][input block][16 in][16 out] */
    float *scratch; /* of each worker */
} winograd_task;

static float *cell_at(const winograd_task *task, size_t chunk, size_t element, size_t out_block, size_t in_block)
{
    const weight_gradient *g = task->gradient;
    return task->cells + chunk * chunk_floats(&task->plan) + element * task->plan.cell_step +
           (out_block * g->in_blocks + in_block) * CELL;
}

/* Transforms tile `tile`, number `i` of its group: all input blocks, output blocks [first, last). */
static void transform_tile(const winograd_task *task, size_t tile, size_t i, size_t first, size_t last, float *windows,
                           float *gradients)
{
    const weight_gradient *g = task->gradient;
    const winograd_plan *p = &task->plan;
    const tile_place at = place_of(tile, p->tiles_y, p->tiles_x, SIDE);
    for (size_t block = 0; block < g->in_blocks; block++) {
        const weight_block in = blan_k_weight_block(g, block);
        const blan_k_winograd_input window = {
            .plane = in.data + at.image * in.image,
            .plane_width = in.width,
            .y = (ptrdiff_t)at.y - 1,
            .x = (ptrdiff_t)at.x - 1,
            .height = g->shape->in_height,
            .width = g->shape->in_width,
            .shift = shift_of(in.factor),
        };
        g->tiles->winograd_input[1](windows + (block * p->group + i) * BLAN_BLOCK, p->window_step, &window);
    }
    const size_t row = g->out_width * BLAN_BLOCK, plane = g->out_height * row;
    for (size_t block = first; block < last; block++)
        g->tiles->winograd_gradient(gradients + ((block - first) * p->group + i) * BLAN_BLOCK, p->gradient_step,
                                    g->d_out + (at.image * g->out_blocks + block) * plane + at.y * row +
                                        at.x * BLAN_BLOCK,
                                    row, g->out_height - at.y, g->out_width - at.x);
}

static void run_part(void *context, size_t index, size_t worker)
{
    const winograd_task *task = context;
    const weight_gradient *g = task->gradient;
    const winograd_plan *p = &task->plan;
    const size_t chunk = index / p->tasks.parts, part = index % p->tasks.parts;
    const size_t first = g->out_blocks * part / p->tasks.parts, last = g->out_blocks * (part + 1) / p->tasks.parts;
    const size_t end = p->tiles * (chunk + 1) / p->tasks.chunks;
    float *windows = task->scratch + worker * scratch_floats(p), *gradients = windows + ELEMENTS * p->window_step;
    const size_t begin = p->tiles * chunk / p->tasks.chunks;
    for (size_t tile = begin; tile < end; tile += p->group) {
        const size_t count = smaller(p->group, end - tile);
        for (size_t i = 0; i < count; i++)
            transform_tile(task, tile + i, i, first, last, windows, gradients);
        for (size_t e = 0; e < ELEMENTS; e++)
            for (size_t block = first; block < last; block++)
                for (size_t in_block = 0; in_block < g->in_blocks; in_block++)
                    g->tiles->outer(count, cell_at(task, chunk, e, block, in_block), tile > begin,
                                    windows + e * p->window_step + in_block * p->group * BLAN_BLOCK, BLAN_BLOCK,
                                    gradients + e * p->gradient_step + (block - first) * p->group * BLAN_BLOCK);
    }
}

/* Adds up the chunks of one output and one input block, transforms them back and writes the gradients. */
static void store_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const winograd_task *task = context;
    const weight_gradient *g = task->gradient;
    const size_t out_block = index / g->in_blocks, in_block = index % g->in_blocks;
    const weight_block in = blan_k_weight_block(g, in_block);
    const float *cells = cell_at(task, 0, 0, out_block, in_block);
    for (size_t c = 0; c < in.channels; c++) {
        float taps[9 * BLAN_BLOCK] __attribute__((aligned(64)));
        g->tiles->winograd3_output(taps, 3 * BLAN_BLOCK, cells + c * BLAN_BLOCK, task->plan.cell_step,
                                   task->plan.tasks.chunks, chunk_floats(&task->plan));
        blan_k_store_taps(g, out_block, in.channel + c, taps, BLAN_BLOCK);
    }
}

void blan_k_winograd_weights(const weight_gradient *g, float *workspace, int threads)
{
    const winograd_plan p = plan_of(g);
    winograd_task task = {g, p, workspace, workspace + chunk_floats(&p) * p.tasks.chunks};
    blan_k_parallel_for(threads, p.tasks.chunks * p.tasks.parts, run_part, &task);
    blan_k_parallel_for(threads, g->out_blocks * g->in_blocks, store_block, &task);
}
