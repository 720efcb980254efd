/*
 * Winograd convolution for 3x3 kernels (Lavin and Gray 2016): windows of 6 x 6 pixels, at stride 2 9 x 9, are transformed,
 * multiplied with transformed weights as so many matrix products, and transformed back to 4 x 4 outputs.
 *
 * Tiles, taken in order over the whole batch, are worked on in groups: so small that a group's transformed windows (V)
 * stay in the L2 cache, unless all weights were then read for too few tiles. The threads share out the groups, equally
 * many and equally large for each; only when there are hardly any tiles do they share out the output channels, and each
 * makes V of all tiles for itself: to transform a window takes less time than to fetch one from another core's cache.
 *
 * V: [element of the window][input block][tile][16]. Weights are packed in one of two forms. Transformed, U: [output
 * group][element][input block][16 in][blocks of the group][16 out]; or as taps: [output block][input block][taps * 16][16
 * out], a quarter or half of the memory of F(4x4)'s U, transformed (the rest of the way) while they are read. Large
 * layers over few tiles are bound by the memory of U: there the taps are faster.
 */
#include "convolution_internal.h"
#include "cache.h"
#include "include/blan_parallel.h"

enum {
    SIDE = 4, /* of a tile */
    WEIGHT_ELEMENTS = 36,
    MOST_GROUP_TILES = 48,
    LEAST_GROUP_TILES = 18, /* with fewer, each group reading all weights costs more than a V beyond the L2 cache */
    LEAST_TILES = 10, /* a thread's share below which to read all weights costs more than to make V of all tiles */
};

/* Elements of a window, of which at stride 2 some share their weights. */
static size_t window_elements(winograd_kind kind) { return kind.stride == 2 ? 81 : WEIGHT_ELEMENTS; }

/* Where the table has the kind's transforms. */
static size_t transforms_of(winograd_kind kind) { return kind.stride - 1; }

/* Floats of packed weights for each output block. Workers have the table from their task: which instruction set is in
   force may be a matter of the calling thread. */
static size_t block_weights(const conv_problem *problem, const blan_k_tile_table *tiles, winograd_kind kind)
{
    const size_t elements = kind.taps ? tiles->taps : WEIGHT_ELEMENTS;
    return in_blocks_total(problem) * elements * BLAN_BLOCK * BLAN_BLOCK;
}

size_t blan_k_winograd_packed_count(const conv_problem *problem, winograd_kind kind)
{
    return blocks_of(problem->out_channels) * block_weights(problem, blan_k_tiles(), kind);
}

/* ---- packing ---- */

typedef struct pack_task {
    const conv_problem *problem;
    const blan_k_tile_table *tiles;
    winograd_kind kind;
    const float *weights;
    const double *scale;
    float *packed;
} pack_task;

/* Output blocks whose packed weights lie between each other. */
static size_t packed_blocks(const blan_k_tile_table *tiles, winograd_kind kind)
{
    return kind.taps ? 1 : tiles->tile_blocks;
}

/* The weights of one input block for one group of output blocks. */
static void pack_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const conv_problem *problem = task->problem;
    const size_t in_blocks = in_blocks_total(problem), group_blocks = packed_blocks(task->tiles, task->kind);
    const size_t first = index / in_blocks * group_blocks;
    const size_t blocks = smaller(group_blocks, blocks_of(problem->out_channels) - first);
    const size_t channel_floats = blocks * BLAN_BLOCK;
    const size_t element_floats = in_blocks * BLAN_BLOCK * blocks * BLAN_BLOCK;
    const size_t block = index % in_blocks;
    const block_channels channels = channels_of(problem, block);
    float *packed = task->packed + first * block_weights(problem, task->tiles, task->kind) +
                    (task->kind.taps ? 0 : block * BLAN_BLOCK * channel_floats);
    for (size_t c = 0; c < BLAN_BLOCK; c++)
        for (size_t b = 0; b < blocks; b++) {
            const size_t out = (first + b) * BLAN_BLOCK;
            const blan_k_winograd_kernels weights = {
                .weights = task->weights + out * problem->weight_out_step + (channels.first + c) * problem->weight_in_step,
                .lane_step = problem->weight_out_step,
                .lanes = c < channels.count ? smaller(BLAN_BLOCK, problem->out_channels - out) : 0,
                .flipped = problem->weight_flipped,
                .scale = task->scale != NULL ? task->scale + out : NULL,
            };
            if (task->kind.taps)
                task->tiles->winograd_pack_taps(packed, in_blocks, block * BLAN_BLOCK + c, &weights);
            else
                task->tiles->winograd_weights[transforms_of(task->kind)](packed + c * channel_floats + b * BLAN_BLOCK,
                                                                         element_floats, &weights);
        }
}

void blan_k_winograd_pack(const conv_problem *problem, winograd_kind kind, const float *weights, const double *scale,
                          float *packed, int threads)
{
    pack_task task = {problem, blan_k_tiles(), kind, weights, scale, packed};
    const size_t groups = divide_up(blocks_of(problem->out_channels), packed_blocks(task.tiles, kind));
    blan_k_parallel_for(threads, groups * in_blocks_total(problem), pack_block, &task);
}

/* ---- the schedule ---- */

typedef struct schedule {
    size_t tiles_y, tiles_x, tiles; /* of one image, and of the batch */
    size_t group, groups;           /* tiles in a group, and groups */
    bool by_outputs;                /* what the threads share out: output channels, not groups of tiles */
    size_t window_floats;           /* V of one worker: of one group, or of all tiles */
    size_t product_floats;          /* of one worker */
} schedule;

/* Of V aimed at for a group of tiles: U's stream needs the other half of the cache. */
static size_t group_floats(void) { return blan_k_cache_floats() / 2; }

static schedule plan(const conv_problem *problem, winograd_kind kind, int threads)
{
    const blan_k_tile_table *table = blan_k_tiles();
    const size_t strip = kind.taps ? table->taps_tiles : table->tile_pixels;
    const size_t least = kind.taps ? table->taps_group : LEAST_GROUP_TILES;
    const size_t elements = window_elements(kind), in_blocks = in_blocks_total(problem);
    const size_t channels = in_blocks * BLAN_BLOCK;
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    schedule s = {.tiles_y = divide_up(problem->out_height, SIDE), .tiles_x = divide_up(problem->out_width, SIDE)};
    s.tiles = problem->batch * s.tiles_y * s.tiles_x;
    const size_t fitting = group_floats() / (elements * channels) / strip * strip;
    const size_t most = smaller(MOST_GROUP_TILES, larger(least, fitting));
    s.by_outputs = workers > 1 && s.tiles < LEAST_TILES * workers;
    s.group = s.by_outputs ? smaller(s.tiles, most)
                           : divide_up(s.tiles, divide_up(divide_up(s.tiles, most), workers) * workers);
    if (kind.taps)
        s.group = smaller(s.tiles, divide_up(s.group, strip) * strip);
    s.groups = divide_up(s.tiles, s.group);
    s.window_floats = elements * element_step(in_blocks * s.group) * (s.by_outputs ? s.groups : 1);
    s.product_floats = elements * element_step(table->tile_blocks * s.group);
    return s;
}

size_t blan_k_winograd_workspace_count(const conv_problem *problem, winograd_kind kind, int threads)
{
    const schedule s = plan(problem, kind, threads);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    return (s.window_floats + s.product_floats) * workers;
}

/* ---- running ---- */

typedef struct run_task {
    const conv_problem *problem;
    const conv_epilogue *epilogue;
    const blan_k_tile_table *tiles;
    const float *packed;
    float *windows, *products;
    winograd_kind kind;
    schedule schedule;
    size_t group_blocks, output_groups, shares;
} run_task;

static size_t group_size(const schedule *s, size_t group) { return smaller(s->group, s->tiles - group * s->group); }

/* V of one input block of a group of tiles. */
static void transform_windows(const run_task *task, size_t group, size_t block, float *v)
{
    const conv_problem *problem = task->problem;
    const schedule *s = &task->schedule;
    const size_t in_blocks = in_blocks_total(problem), tiles = group_size(s, group);
    size_t local = block;
    const conv_input *input = input_of(problem, &local);
    const unsigned shift = shift_of(input->upsample);
    const size_t height = problem->in_height >> shift, width = problem->in_width >> shift;
    for (size_t i = 0; i < tiles; i++) {
        const tile_place at = place_of(group * s->group + i, s->tiles_y, s->tiles_x, SIDE);
        const blan_k_winograd_input window = {
            .plane = input->data + (at.image * blocks_of(input->channels) + local) * height * width * BLAN_BLOCK,
            .plane_width = width,
            .y = (ptrdiff_t)(at.y * task->kind.stride) - 1,
            .x = (ptrdiff_t)(at.x * task->kind.stride) - 1,
            .height = problem->in_height,
            .width = problem->in_width,
            .shift = shift,
        };
        task->tiles->winograd_input[transforms_of(task->kind)](v + (block * tiles + i) * BLAN_BLOCK,
                                                               element_step(in_blocks * tiles), &window);
    }
}

/* A group of tiles and one of output blocks, and where their products go: [element: product_step apart][block][tile]
   [16]. */
typedef struct product_group {
    size_t first, blocks, tiles;
    const float *v;
    float *products;
    size_t product_step;
} product_group;

/* The number of the weights that element `e` of a window is multiplied by: see tiles/winograd_strided.h. */
static size_t weights_of(winograd_kind kind, size_t e)
{
    return kind.stride == 2 ? smaller(e / 9, 5) * 6 + smaller(e % 9, 5) : e;
}

/* The products from transformed weights. Each element's are asked for while those before it are multiplied: they come
   from memory. */
static void multiply_transformed(const run_task *task, const product_group *g)
{
    const size_t in_blocks = in_blocks_total(task->problem), window_step = element_step(in_blocks * g->tiles);
    const size_t element_weights = in_blocks * BLAN_BLOCK * g->blocks * BLAN_BLOCK, block_step = g->tiles * BLAN_BLOCK;
    const float *weights = task->packed + g->first * block_weights(task->problem, task->tiles, task->kind);
    const size_t elements = window_elements(task->kind);
    for (size_t e = 0; e < elements; e++) {
        const float *element = weights + weights_of(task->kind, e) * element_weights;
        const size_t next = e + 1 < elements ? weights_of(task->kind, e + 1) : WEIGHT_ELEMENTS;
        const blan_k_product product = {
            .out = g->products + e * g->product_step,
            .out_block_step = block_step,
            .a = g->v + e * window_step,
            .a_block_step = block_step,
            .channels = in_blocks * BLAN_BLOCK,
            .weights = element,
            .ahead = weights + next * element_weights,
            .ahead_floats = g->blocks * BLAN_BLOCK,
        };
        task->tiles->multiply(g->tiles, g->blocks, &product);
    }
}

/* The products from taps. */
static void multiply_taps(const run_task *task, const product_group *g)
{
    const size_t in_blocks = in_blocks_total(task->problem);
    const size_t block_floats = block_weights(task->problem, task->tiles, task->kind);
    const size_t out_blocks = blocks_of(task->problem->out_channels);
    for (size_t b = 0; b < g->blocks; b++) {
        const float *taps = task->packed + (g->first + b) * block_floats;
        const blan_k_taps_product product = {
            .taps = taps,
            .next = g->first + b + 1 < out_blocks ? taps + block_floats : taps,
            .in_blocks = in_blocks,
            .v = g->v,
            .window_step = element_step(in_blocks * g->tiles),
            .block_step = g->tiles * BLAN_BLOCK,
            .products = g->products + b * g->tiles * BLAN_BLOCK,
            .product_step = g->product_step,
        };
        task->tiles->winograd_multiply_taps(g->tiles, &product);
    }
}

/* The outputs of one group of tiles in one group of output blocks. */
static void multiply_and_transform(const run_task *task, size_t group, size_t output_group, const float *v,
                                   float *products)
{
    const conv_problem *problem = task->problem;
    const conv_epilogue *epilogue = task->epilogue;
    const schedule *s = &task->schedule;
    const size_t tiles = group_size(s, group), out_blocks = blocks_of(problem->out_channels);
    const size_t first = output_group * task->group_blocks, blocks = smaller(task->group_blocks, out_blocks - first);
    const size_t product_step = element_step(blocks * tiles);
    const product_group g = {first, blocks, tiles, v, products, product_step};
    if (task->kind.taps)
        multiply_taps(task, &g);
    else
        multiply_transformed(task, &g);
    const size_t row = problem->out_width * BLAN_BLOCK, plane = problem->out_height * row;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < tiles; i++) {
            const tile_place at = place_of(group * s->group + i, s->tiles_y, s->tiles_x, SIDE);
            const size_t offset = (at.image * out_blocks + first + b) * plane + at.y * row + at.x * BLAN_BLOCK;
            const blan_k_winograd_output output = {
                .out = epilogue->out + offset,
                .residual = epilogue->residual != NULL ? epilogue->residual + offset : NULL,
                .row_step = row,
                .rows = problem->out_height - at.y,
                .columns = problem->out_width - at.x,
                .bias = epilogue->bias != NULL ? epilogue->bias + (first + b) * BLAN_BLOCK : NULL,
                .relu = epilogue->relu,
                .accumulate = epilogue->accumulate,
            };
            task->tiles->winograd_output[transforms_of(task->kind)](&output, products + (b * tiles + i) * BLAN_BLOCK,
                                                                    product_step);
        }
}

/* All tiles, and the output groups of one worker's share. */
static void run_share(void *context, size_t index, size_t worker)
{
    (void)worker;
    const run_task *task = context;
    const schedule *s = &task->schedule;
    const size_t in_blocks = in_blocks_total(task->problem), group_floats = s->window_floats / s->groups;
    float *windows = task->windows + index * s->window_floats;
    float *products = task->products + index * s->product_floats;
    for (size_t group = 0; group < s->groups; group++)
        for (size_t block = 0; block < in_blocks; block++)
            transform_windows(task, group, block, windows + group * group_floats);
    const size_t end = task->output_groups * (index + 1) / task->shares;
    for (size_t output_group = task->output_groups * index / task->shares; output_group < end; output_group++)
        for (size_t group = 0; group < s->groups; group++)
            multiply_and_transform(task, group, output_group, windows + group * group_floats, products);
}

static void run_tile_group(void *context, size_t group, size_t worker)
{
    const run_task *task = context;
    float *windows = task->windows + worker * task->schedule.window_floats;
    float *products = task->products + worker * task->schedule.product_floats;
    for (size_t block = 0; block < in_blocks_total(task->problem); block++)
        transform_windows(task, group, block, windows);
    for (size_t output_group = 0; output_group < task->output_groups; output_group++)
        multiply_and_transform(task, group, output_group, windows, products);
}

void blan_k_winograd_run(const conv_problem *problem, winograd_kind kind, const conv_epilogue *epilogue, const float *packed,
                         float *workspace, int threads)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const schedule s = plan(problem, kind, threads);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    run_task task = {
        .problem = problem,
        .epilogue = epilogue,
        .tiles = tiles,
        .packed = packed,
        .windows = workspace,
        .products = workspace + s.window_floats * workers,
        .kind = kind,
        .schedule = s,
        .group_blocks = tiles->tile_blocks,
        .output_groups = divide_up(blocks_of(problem->out_channels), tiles->tile_blocks),
    };
    task.shares = smaller(workers, task.output_groups);
    if (s.by_outputs) {
        blan_k_parallel_for(threads, task.shares, run_share, &task);
    } else {
        blan_k_parallel_for(threads, s.groups, run_tile_group, &task);
    }
}
