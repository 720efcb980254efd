/*
 * Direct convolution: an implicit matrix product. A tile of output pixels, taken from anywhere in the batch, meets each
 * tap of the kernel through a table of pointers, so that padding, stride, enlargement, concatenation and (transposed)
 * gradients differ in the table alone. Taps that meet only padding are left out of it.
 *
 * Packed weights: [output group][input, tap][input block][16 in][blocks of the group][16 out].
 */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { TABLE_ENTRIES = 512 }; /* aimed at for the tables of one task: they stay in the L1 and L2 caches */

static size_t tap_count(const conv_problem *problem) { return problem->kernel * problem->kernel; }

/* Places of the enlarged map that one pixel in memory stands for, in a transposed problem. */
static size_t copies(const conv_problem *problem) { return problem->out_upsample * problem->out_upsample; }

static size_t entry_count(const conv_problem *problem)
{
    return problem->input_count * tap_count(problem) * copies(problem);
}

static size_t in_blocks_total(const conv_problem *problem)
{
    size_t blocks = 0;
    for (size_t i = 0; i < problem->input_count; i++)
        blocks += blocks_of(problem->inputs[i].channels);
    return blocks;
}

/* Floats of packed weights for each output block. */
static size_t block_weights(const conv_problem *problem)
{
    return in_blocks_total(problem) * tap_count(problem) * BLAN_BLOCK * BLAN_BLOCK;
}

size_t blan_k_direct_packed_count(const conv_problem *problem)
{
    return blocks_of(problem->out_channels) * block_weights(problem);
}

/* ---- packing ---- */

typedef struct pack_task {
    const conv_problem *problem;
    const float *weights, *scale;
    float *packed;
    size_t group_blocks;
} pack_task;

static void pack_group(void *context, size_t group, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const conv_problem *problem = task->problem;
    const size_t out_blocks = blocks_of(problem->out_channels), taps = tap_count(problem);
    const size_t first = group * task->group_blocks, blocks = smaller(task->group_blocks, out_blocks - first);
    float *packed = task->packed + first * block_weights(problem);
    size_t base = 0;
    for (size_t input = 0; input < problem->input_count; base += problem->inputs[input++].channels) {
        const size_t channels = problem->inputs[input].channels;
        for (size_t tap = 0; tap < taps; tap++) {
            const size_t source = problem->weight_flipped ? taps - 1 - tap : tap;
            for (size_t c = 0; c < blocks_of(channels) * BLAN_BLOCK; c++) {
                for (size_t k = 0; k < blocks * BLAN_BLOCK; k++) {
                    const size_t out = first * BLAN_BLOCK + k;
                    float value = 0;
                    if (c < channels && out < problem->out_channels) {
                        value = task->weights[out * problem->weight_out_step + (base + c) * problem->weight_in_step +
                                              source];
                        if (task->scale != NULL)
                            value *= task->scale[out];
                    }
                    *packed++ = value;
                }
            }
        }
    }
}

void blan_k_direct_pack(const conv_problem *problem, const float *weights, const float *scale, float *packed,
                        int threads)
{
    pack_task task = {problem, weights, scale, packed, blan_k_tiles()->tile_blocks};
    blan_k_parallel_for(threads, divide_up(blocks_of(problem->out_channels), task.group_blocks), pack_group, &task);
}

/* ---- tiles of output pixels ---- */

/* A transposed problem of stride s falls into s x s phases: pixels of one phase meet the same taps. */
static size_t phase_count(const conv_problem *problem)
{
    return problem->transposed && problem->out_upsample == 1 ? problem->stride * problem->stride : 1;
}

typedef struct phase {
    size_t y, x, step;    /* its pixels are (y + i * step, x + j * step) */
    size_t height, width; /* how many there are */
} phase;

static phase phase_at(const conv_problem *problem, size_t index)
{
    const size_t step = phase_count(problem) == 1 ? 1 : problem->stride;
    const size_t y = index / step, x = index % step;
    phase result = {y, x, step, 0, 0};
    if (y < problem->out_height && x < problem->out_width) {
        result.height = divide_up(problem->out_height - y, step);
        result.width = divide_up(problem->out_width - x, step);
    }
    return result;
}

static size_t phase_tiles(const conv_problem *problem, size_t index, size_t tile_pixels)
{
    const phase p = phase_at(problem, index);
    return divide_up(problem->batch * p.height * p.width, tile_pixels);
}

static size_t tile_count(const conv_problem *problem, size_t tile_pixels)
{
    size_t count = 0;
    for (size_t index = 0; index < phase_count(problem); index++)
        count += phase_tiles(problem, index, tile_pixels);
    return count;
}

typedef struct pixel {
    size_t image, y, x;
} pixel;

/* The pixels of tile `index`; returns how many. */
static size_t tile_at(const conv_problem *problem, size_t index, size_t tile_pixels, pixel *pixels)
{
    size_t phase_index = 0;
    for (size_t tiles; index >= (tiles = phase_tiles(problem, phase_index, tile_pixels)); phase_index++)
        index -= tiles;
    const phase p = phase_at(problem, phase_index);
    const size_t area = p.height * p.width, first = index * tile_pixels;
    const size_t count = smaller(tile_pixels, problem->batch * area - first);
    for (size_t i = 0; i < count; i++) {
        const size_t place = (first + i) % area;
        pixels[i] = (pixel){(first + i) / area, p.y + place / p.width * p.step, p.x + place % p.width * p.step};
    }
    return count;
}

/* ---- the pointer table ---- */

typedef struct table {
    const float **pixels;
    size_t *steps, *in_blocks, *weights;
    float **outputs;
    const float **residuals;
} table;

static size_t table_bytes(const conv_problem *problem, size_t tile_pixels)
{
    const size_t entries = entry_count(problem);
    return entries * (tile_pixels * 2 + 2) * sizeof(size_t) + tile_pixels * 2 * sizeof(size_t);
}

static table table_in(void *memory, const conv_problem *problem, size_t tile_pixels)
{
    const size_t entries = entry_count(problem);
    table t;
    t.pixels = memory;
    t.steps = (size_t *)(t.pixels + entries * tile_pixels);
    t.in_blocks = t.steps + entries * tile_pixels;
    t.weights = t.in_blocks + entries;
    t.outputs = (float **)(t.weights + entries);
    t.residuals = (const float **)(t.outputs + tile_pixels);
    return t;
}

/* Where along one axis the pixel at `place` meets `tap`: true and the source in *at, or false for padding. */
static bool source_of(const conv_problem *problem, size_t place, size_t copy, size_t tap, size_t extent, size_t *at)
{
    if (!problem->transposed) {
        const size_t seen = place * problem->stride + tap;
        *at = seen - problem->padding;
        return seen >= problem->padding && *at < extent;
    }
    const size_t seen = place * problem->out_upsample + copy + problem->padding;
    *at = (seen - tap) / problem->stride;
    return seen >= tap && (seen - tap) % problem->stride == 0 && *at < extent;
}

/* Fills in one entry; false when every pixel meets padding. */
static bool fill_entry(const conv_problem *problem, const conv_input *input, const pixel *pixels, size_t count,
                       size_t tile_pixels, size_t tap, size_t copy, const float **addresses, size_t *steps)
{
    static const float zeros[BLAN_BLOCK] __attribute__((aligned(64)));
    const size_t height = problem->in_height / input->upsample, width = problem->in_width / input->upsample;
    const size_t plane = height * width * BLAN_BLOCK, image = blocks_of(input->channels) * plane;
    const size_t factor = problem->out_upsample;
    bool any = false;
    for (size_t i = 0; i < tile_pixels; i++) {
        size_t y, x;
        const bool met =
            i < count &&
            source_of(problem, pixels[i].y, copy / factor, tap / problem->kernel, problem->in_height, &y) &&
            source_of(problem, pixels[i].x, copy % factor, tap % problem->kernel, problem->in_width, &x);
        any |= met;
        addresses[i] = met ? input->data + pixels[i].image * image +
                                 (y / input->upsample * width + x / input->upsample) * BLAN_BLOCK
                           : zeros;
        steps[i] = met ? plane : 0;
    }
    return any;
}

/* Fills in the whole table; returns the number of entries that meet anything. */
static size_t fill_table(const conv_problem *problem, const conv_epilogue *epilogue, const pixel *pixels, size_t count,
                         size_t tile_pixels, const table *t)
{
    size_t entries = 0, weights = 0;
    for (size_t input = 0; input < problem->input_count; input++) {
        const size_t in_blocks = blocks_of(problem->inputs[input].channels);
        for (size_t tap = 0; tap < tap_count(problem); tap++, weights += in_blocks * BLAN_BLOCK * BLAN_BLOCK) {
            for (size_t copy = 0; copy < copies(problem); copy++) {
                if (!fill_entry(problem, &problem->inputs[input], pixels, count, tile_pixels, tap, copy,
                                t->pixels + entries * tile_pixels, t->steps + entries * tile_pixels))
                    continue;
                t->in_blocks[entries] = in_blocks;
                t->weights[entries++] = weights;
            }
        }
    }
    const size_t plane = problem->out_height * problem->out_width * BLAN_BLOCK;
    const size_t image = blocks_of(problem->out_channels) * plane;
    for (size_t i = 0; i < count; i++) {
        const size_t at = pixels[i].image * image + (pixels[i].y * problem->out_width + pixels[i].x) * BLAN_BLOCK;
        t->outputs[i] = epilogue->out + at;
        t->residuals[i] = epilogue->residual != NULL ? epilogue->residual + at : NULL;
    }
    return entries;
}

/* ---- running ---- */

typedef struct run_task {
    const conv_problem *problem;
    const conv_epilogue *epilogue;
    const blan_k_tile_table *tiles;
    const float *packed;
    char *workspace;
    size_t worker_bytes;
    size_t tile_count, chunk; /* tiles in all, and of one task */
    size_t group_count, parts; /* output groups in all, and the parts they are cut into */
} run_task;

/* Tiles whose tables are kept at once while the output groups pass over them: a group's weights are then read from
   the cache for all tiles but the first. */
static size_t chunk_tiles(const conv_problem *problem) { return larger(1, TABLE_ENTRIES / entry_count(problem)); }

size_t blan_k_direct_workspace_count(const conv_problem *problem, int threads)
{
    const size_t bytes = table_bytes(problem, blan_k_tiles()->tile_pixels) * chunk_tiles(problem);
    return aligned_count(divide_up(bytes, sizeof(float))) * (size_t)(threads < 1 ? 1 : threads);
}

enum { MOST_CHUNK_TILES = TABLE_ENTRIES, MOST_TILE_PIXELS = 16 };

static void run_chunk(void *context, size_t index, size_t worker)
{
    const run_task *task = context;
    const conv_problem *problem = task->problem;
    const conv_epilogue *epilogue = task->epilogue;
    const size_t tile_pixels = task->tiles->tile_pixels, group_blocks = task->tiles->tile_blocks;
    const size_t bytes = table_bytes(problem, tile_pixels);
    const size_t chunk = index / task->parts, part = index % task->parts;
    const size_t first_tile = chunk * task->chunk, tiles = smaller(task->chunk, task->tile_count - first_tile);
    char *memory = task->workspace + worker * task->worker_bytes;
    size_t entries[MOST_CHUNK_TILES], counts[MOST_CHUNK_TILES];
    for (size_t i = 0; i < tiles; i++) {
        pixel pixels[MOST_TILE_PIXELS];
        const table t = table_in(memory + i * bytes, problem, tile_pixels);
        counts[i] = tile_at(problem, first_tile + i, tile_pixels, pixels);
        entries[i] = fill_table(problem, epilogue, pixels, counts[i], tile_pixels, &t);
    }
    const size_t out_blocks = blocks_of(problem->out_channels);
    const size_t plane = problem->out_height * problem->out_width * BLAN_BLOCK;
    const size_t last_group = task->group_count * (part + 1) / task->parts;
    for (size_t group = task->group_count * part / task->parts; group < last_group; group++) {
        const size_t block = group * group_blocks, blocks = smaller(group_blocks, out_blocks - block);
        const float *weights = task->packed + block * block_weights(problem);
        for (size_t i = 0; i < tiles; i++) {
            const table t = table_in(memory + i * bytes, problem, tile_pixels);
            float *outputs[MOST_TILE_PIXELS];
            const float *residuals[MOST_TILE_PIXELS];
            for (size_t p = 0; p < counts[i]; p++) {
                outputs[p] = t.outputs[p] + block * plane;
                residuals[p] = epilogue->residual != NULL ? t.residuals[p] + block * plane : NULL;
            }
            const blan_k_gather_tile tile = {
                .pixels = t.pixels,
                .steps = t.steps,
                .in_blocks = t.in_blocks,
                .weights = t.weights,
                .entries = entries[i],
                .outputs = outputs,
                .residuals = epilogue->residual != NULL ? residuals : NULL,
                .out_block_step = plane,
                .bias = epilogue->bias != NULL ? epilogue->bias + block * BLAN_BLOCK : NULL,
                .relu = epilogue->relu,
                .accumulate = epilogue->accumulate,
            };
            task->tiles->gather(counts[i], blocks, &tile, weights);
        }
    }
}

void blan_k_direct_run(const conv_problem *problem, const conv_epilogue *epilogue, const float *packed,
                       float *workspace, int threads)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const size_t workers = (size_t)(threads < 1 ? 1 : threads), wanted_tasks = workers == 1 ? 1 : 4 * workers;
    const size_t count = tile_count(problem, tiles->tile_pixels);
    /* Chunks as large as the tables allow, but enough of them to share out evenly; then the outputs are cut too. */
    const size_t chunk = larger(1, smaller(chunk_tiles(problem), count / wanted_tasks));
    const size_t groups = divide_up(blocks_of(problem->out_channels), tiles->tile_blocks);
    const size_t chunks = divide_up(count, chunk), parts = smaller(groups, divide_up(wanted_tasks, chunks));
    run_task task = {
        .problem = problem,
        .epilogue = epilogue,
        .tiles = tiles,
        .packed = packed,
        .workspace = (char *)workspace,
        .worker_bytes = blan_k_direct_workspace_count(problem, 1) * sizeof(float),
        .tile_count = count,
        .chunk = chunk,
        .group_count = groups,
        .parts = parts,
    };
    blan_k_parallel_for(threads, chunks * parts, run_chunk, &task);
}
