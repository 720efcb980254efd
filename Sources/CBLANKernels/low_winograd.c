/*
 * Winograd convolution in reduced precision: as convolution_winograd.c, but windows are rounded when they are
 * transformed, and multiplied with weights that were rounded when they were packed.
 *
 * Tiles are taken in runs of four side by side, a row's last run reaching over its end where it must. A group of runs is
 * worked on at once, small enough that its windows V stay in the L2 cache. Threads share out the groups; where the
 * weights are large and the tiles few, V of all tiles is made first and the threads share out the output channels, so
 * that each reads its own part of the weights alone.
 *
 * V: [element][input block][run][words of four tiles].
 */
#include "include/blan_parallel.h"
#include "low_internal.h"

enum {
    GROUP_BYTES = 384 * 1024, /* of V aimed at for a group of runs */
    MOST_GROUP_RUNS = 12,
    LEAST_RUNS = 2, /* a thread's share below which V is shared in any case */
};

typedef struct schedule {
    size_t tiles_y, tiles_x, runs_x, runs; /* of one image; runs in all */
    size_t group, groups;                  /* runs in a group, and groups */
    bool shared;
    size_t window_words;   /* V of one group */
    size_t product_floats; /* of one worker */
} schedule;

/* Words from one element of V to the next. */
static size_t window_step(const low_problem *p, size_t runs)
{
    return element_step(divide_up(p->in_blocks * runs * LOW_RUN * p->tiles->words, BLAN_BLOCK));
}

static size_t product_step(size_t blocks, size_t runs) { return element_step(blocks * runs * LOW_RUN); }

static schedule plan(const low_problem *p, int threads)
{
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    schedule s = {.tiles_y = divide_up(p->conv.out_height, p->m), .tiles_x = divide_up(p->conv.out_width, p->m)};
    s.runs_x = divide_up(s.tiles_x, LOW_RUN);
    s.runs = p->conv.batch * s.tiles_y * s.runs_x;
    const size_t run_bytes = p->elements * p->in_blocks * LOW_RUN * p->tiles->words * sizeof(uint32_t);
    const size_t most = smaller(MOST_GROUP_RUNS, larger(1, GROUP_BYTES / run_bytes));
    s.shared = workers > 1 && (s.runs < LEAST_RUNS * workers || p->start_at > 2 * s.runs * run_bytes);
    s.group = s.shared ? divide_up(s.runs, divide_up(s.runs, most))
                       : divide_up(s.runs, divide_up(divide_up(s.runs, most), workers) * workers);
    s.groups = divide_up(s.runs, s.group);
    s.window_words = p->elements * window_step(p, s.group);
    s.product_floats = p->elements * product_step(p->tiles->tile_blocks, s.group);
    return s;
}

size_t blan_k_low_winograd_workspace_bytes(const low_problem *problem, int threads)
{
    const schedule s = plan(problem, threads);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    return s.window_words * (s.shared ? s.groups : workers) * sizeof(uint32_t) +
           s.product_floats * workers * sizeof(float);
}

typedef struct run_task {
    const low_problem *problem;
    const conv_epilogue *epilogue;
    const low_packed *packed;
    uint32_t *windows;
    float *products;
    schedule schedule;
    size_t output_groups;
} run_task;

static size_t group_size(const schedule *s, size_t group) { return smaller(s->group, s->runs - group * s->group); }

/* Where a run lies, which is so many tiles of a row that is as wide as whole runs. */
static tile_place run_place(const schedule *s, size_t run, size_t m)
{
    return place_of(run * LOW_RUN, s->tiles_y, s->runs_x * LOW_RUN, m);
}

/* V of one input block of a group of runs. */
static void transform_windows(const run_task *task, size_t group, size_t block, uint32_t *v)
{
    const low_problem *p = task->problem;
    const schedule *s = &task->schedule;
    const size_t runs = group_size(s, group), run_words = LOW_RUN * p->tiles->words;
    size_t local = block;
    const conv_input *input = input_of(&p->conv, &local);
    const unsigned shift = shift_of(input->upsample);
    const size_t height = p->conv.in_height >> shift, width = p->conv.in_width >> shift;
    for (size_t i = 0; i < runs; i++) {
        const tile_place at = run_place(s, group * s->group + i, p->m);
        const low_windows windows = {
            .plane = input->data + (at.image * blocks_of(input->channels) + local) * height * width * BLAN_BLOCK,
            .plane_width = width,
            .y = (ptrdiff_t)at.y - 1,
            .x = (ptrdiff_t)at.x - 1,
            .height = p->conv.in_height,
            .width = p->conv.in_width,
            .shift = shift,
            .scale = p->integers ? task->packed->input_scale + block * p->elements * BLAN_BLOCK : NULL,
        };
        p->tiles->input[p->m / 4](v + (block * runs + i) * run_words, window_step(p, runs), &windows);
    }
}

/* The outputs of one group of runs in one group of output blocks. */
static void multiply_and_transform(const run_task *task, size_t group, size_t output_group, const uint32_t *v,
                                   float *products)
{
    const low_problem *p = task->problem;
    const conv_epilogue *epilogue = task->epilogue;
    const schedule *s = &task->schedule;
    const size_t runs = group_size(s, group), words = p->tiles->words;
    const size_t first = output_group * p->tiles->tile_blocks;
    const size_t blocks = smaller(p->tiles->tile_blocks, p->out_blocks - first), lanes = blocks * BLAN_BLOCK;
    const uint32_t *weights = task->packed->words + first * p->elements * p->depth * words * BLAN_BLOCK;
    const size_t first_lane = first * p->elements * BLAN_BLOCK;
    const size_t window = window_step(p, runs), product = product_step(blocks, runs);
    const size_t block_step = runs * LOW_RUN * BLAN_BLOCK;
    /* Strips of equal length: a last one of few tiles would read all weights for little. */
    const size_t strip = divide_up(runs, divide_up(runs, p->tiles->tile_pixels / LOW_RUN));
    for (size_t e = 0; e < p->elements; e++)
        for (size_t i = 0; i < runs; i += strip)
            p->tiles->multiply(smaller(strip, runs - i) * LOW_RUN, blocks,
                               products + e * product + i * LOW_RUN * BLAN_BLOCK, block_step,
                               v + e * window + i * LOW_RUN * words, runs * LOW_RUN * words, p->in_blocks,
                               weights + e * p->depth * words * lanes,
                               p->integers ? task->packed->start + first_lane + e * lanes : NULL);
    const size_t row = p->conv.out_width * BLAN_BLOCK, plane = p->conv.out_height * row;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < runs; i++) {
            const tile_place at = run_place(s, group * s->group + i, p->m);
            for (size_t t = 0; t < LOW_RUN && at.x + t * p->m < p->conv.out_width; t++) {
                const size_t x = at.x + t * p->m;
                const size_t offset = (at.image * p->out_blocks + first + b) * plane + at.y * row + x * BLAN_BLOCK;
                const low_output output = {
                    .out = epilogue->out + offset,
                    .residual = epilogue->residual != NULL ? epilogue->residual + offset : NULL,
                    .row_step = row,
                    .rows = p->conv.out_height - at.y,
                    .columns = p->conv.out_width - x,
                    .bias = epilogue->bias != NULL ? epilogue->bias + (first + b) * BLAN_BLOCK : NULL,
                    .scale = p->integers ? task->packed->scale + first_lane + b * BLAN_BLOCK : NULL,
                    .scale_step = lanes,
                    .relu = epilogue->relu,
                };
                p->tiles->output[p->m / 4](&output, products + b * block_step + (i * LOW_RUN + t) * BLAN_BLOCK,
                                           product);
            }
        }
}

static void transform_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const run_task *task = context;
    const size_t in_blocks = task->problem->in_blocks, group = index / in_blocks;
    transform_windows(task, group, index % in_blocks, task->windows + group * task->schedule.window_words);
}

static void run_output_group(void *context, size_t index, size_t worker)
{
    const run_task *task = context;
    float *products = task->products + worker * task->schedule.product_floats;
    for (size_t group = 0; group < task->schedule.groups; group++)
        multiply_and_transform(task, group, index, task->windows + group * task->schedule.window_words, products);
}

static void run_group(void *context, size_t group, size_t worker)
{
    const run_task *task = context;
    uint32_t *windows = task->windows + worker * task->schedule.window_words;
    float *products = task->products + worker * task->schedule.product_floats;
    for (size_t block = 0; block < task->problem->in_blocks; block++)
        transform_windows(task, group, block, windows);
    for (size_t output_group = 0; output_group < task->output_groups; output_group++)
        multiply_and_transform(task, group, output_group, windows, products);
}

void blan_k_low_winograd_run(const low_problem *problem, const conv_epilogue *epilogue, const low_packed *packed,
                             void *workspace, int threads)
{
    const schedule s = plan(problem, threads);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    run_task task = {
        .problem = problem,
        .epilogue = epilogue,
        .packed = packed,
        .windows = workspace,
        .products = (float *)workspace + s.window_words * (s.shared ? s.groups : workers),
        .schedule = s,
        .output_groups = divide_up(problem->out_blocks, problem->tiles->tile_blocks),
    };
    if (s.shared) {
        blan_k_parallel_for(threads, s.groups * problem->in_blocks, transform_block, &task);
        blan_k_parallel_for(threads, task.output_groups, run_output_group, &task);
    } else {
        blan_k_parallel_for(threads, s.groups, run_group, &task);
    }
}
