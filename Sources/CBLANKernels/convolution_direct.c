/*
 * Direct convolution: an implicit matrix product. A tile of output pixels, of one row or of several short ones, meets
 * each tap of the kernel as an entry: the pixels that the tap lies on, read where they are when they lie side by side,
 * copied together where padding, stride, enlargement or the end of a row come between. Concatenation and (transposed)
 * gradients differ in the entries alone. Taps that meet only padding are left out.
 *
 * Packed weights: [output group][input, tap][input block][16 in][blocks of the group][16 out].
 */
#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum {
    CHUNK_FLOATS = 64 * 1024, /* aimed at for the pixels of one task: they stay in the L2 cache */
    MOST_CHUNK_TILES = 32,
    MOST_TILE_PIXELS = 16,
    LEAST_STRIP = 8, /* pixels of a row that are a tile of their own; tiles of shorter rows go on in the next */
};

static size_t tap_count(const conv_problem *problem) { return problem->kernel * problem->kernel; }

static size_t entry_count(const conv_problem *problem) { return problem->input_count * tap_count(problem); }

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
    const float *weights;
    const double *scale;
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
                    double value = 0;
                    if (c < channels && out < problem->out_channels)
                        value = task->weights[out * problem->weight_out_step + (base + c) * problem->weight_in_step +
                                              source] *
                                (task->scale != NULL ? task->scale[out] : 1);
                    *packed++ = (float)value;
                }
            }
        }
    }
}

void blan_k_direct_pack(const conv_problem *problem, const float *weights, const double *scale, float *packed,
                        int threads)
{
    pack_task task = {problem, weights, scale, packed, blan_k_tiles()->tile_blocks};
    blan_k_parallel_for(threads, divide_up(blocks_of(problem->out_channels), task.group_blocks), pack_group, &task);
}

/* ---- tiles of output pixels ---- */

/* A transposed problem of stride s falls into s x s phases: pixels of one phase meet the same taps. */
static size_t phase_count(const conv_problem *problem)
{
    return problem->transposed ? problem->stride * problem->stride : 1;
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

/* Tiles that one row of a phase is cut into; 0 = rows are too short, tiles run on over them. */
static size_t row_tiles(const phase *p, size_t tile_pixels)
{
    return p->width >= smaller(LEAST_STRIP, tile_pixels) ? divide_up(p->width, tile_pixels) : 0;
}

static size_t phase_tiles(const conv_problem *problem, const phase *p, size_t tile_pixels)
{
    const size_t rows = problem->batch * p->height, tiles = row_tiles(p, tile_pixels);
    return tiles > 0 ? rows * tiles : divide_up(rows * p->width, tile_pixels);
}

static size_t tile_count(const conv_problem *problem, size_t tile_pixels)
{
    size_t count = 0;
    for (size_t index = 0; index < phase_count(problem); index++) {
        const phase p = phase_at(problem, index);
        count += phase_tiles(problem, &p, tile_pixels);
    }
    return count;
}

/* Pixels of a tile that lie in one row: (y, x + i * step) of an image, number `first` and on of the tile. */
typedef struct segment {
    size_t image, y, x, step, first, count;
} segment;

typedef struct tile {
    segment segments[MOST_TILE_PIXELS];
    size_t segment_count, pixels;
} tile;

static tile tile_at(const conv_problem *problem, size_t index, size_t tile_pixels)
{
    size_t phase_index = 0;
    phase p = phase_at(problem, 0);
    for (size_t tiles; index >= (tiles = phase_tiles(problem, &p, tile_pixels)); p = phase_at(problem, ++phase_index))
        index -= tiles;
    const size_t strips = row_tiles(&p, tile_pixels);
    size_t row, column, left;
    if (strips > 0) {
        row = index / strips;
        column = p.width * (index % strips) / strips;
        left = p.width * (index % strips + 1) / strips - column;
    } else {
        row = index * tile_pixels / p.width;
        column = index * tile_pixels % p.width;
        left = smaller(tile_pixels, problem->batch * p.height * p.width - index * tile_pixels);
    }
    tile result = {.segment_count = 0, .pixels = left};
    for (size_t first = 0; left > 0; row++, column = 0) {
        const size_t count = smaller(left, p.width - column);
        result.segments[result.segment_count++] = (segment){
            row / p.height, p.y + row % p.height * p.step, p.x + column * p.step, p.step, first, count};
        first += count;
        left -= count;
    }
    return result;
}

/* ---- what a tile reads ---- */

/* Where along one axis pixels starting at `place` meet `tap`: the first one's source, and false when it has none on
   the grid of the strides. The others follow stride by stride, or one by one in a transposed problem. */
static bool source_of(const conv_problem *problem, size_t place, size_t tap, ptrdiff_t *at)
{
    const ptrdiff_t stride = (ptrdiff_t)problem->stride, padding = (ptrdiff_t)problem->padding;
    if (!problem->transposed) {
        *at = (ptrdiff_t)place * stride + (ptrdiff_t)tap - padding;
        return true;
    }
    const ptrdiff_t seen = (ptrdiff_t)place + padding - (ptrdiff_t)tap;
    *at = seen / stride;
    return seen % stride == 0;
}

static size_t source_step(const conv_problem *problem) { return problem->transposed ? 1 : problem->stride; }

/* First channel of the row that `tap` meets from a segment, NULL for padding. */
static const float *source_row(const conv_problem *problem, const conv_input *input, const segment *s, size_t tap)
{
    ptrdiff_t y;
    if (!source_of(problem, s->y, tap / problem->kernel, &y) || y < 0 || (size_t)y >= problem->in_height)
        return NULL;
    const size_t height = problem->in_height / input->upsample, width = problem->in_width / input->upsample;
    return input->data +
           (s->image * blocks_of(input->channels) * height + (size_t)y / input->upsample) * width * BLAN_BLOCK;
}

/* Fills in what `tap` of an input brings to a tile; false when that is nothing but padding. Pixels that do not lie
   side by side are copied to `copies`. */
static bool fill_entry(const conv_problem *problem, const blan_k_tile_table *tiles, const conv_input *input,
                       const tile *t, size_t tap, float *copies, blan_k_direct_entry *entry)
{
    const size_t step = source_step(problem), blocks = blocks_of(input->channels), extent = problem->in_width;
    const size_t plane = extent / input->upsample * (problem->in_height / input->upsample) * BLAN_BLOCK;
    const float *rows[MOST_TILE_PIXELS];
    ptrdiff_t starts[MOST_TILE_PIXELS];
    bool any = false;
    for (size_t i = 0; i < t->segment_count; i++) {
        const segment *s = &t->segments[i];
        if (!source_of(problem, s->x, tap % problem->kernel, &starts[i]))
            return false;
        const bool met = starts[i] < (ptrdiff_t)extent && starts[i] + (ptrdiff_t)((s->count - 1) * step) >= 0;
        rows[i] = met ? source_row(problem, input, s, tap) : NULL;
        any |= rows[i] != NULL;
    }
    if (!any)
        return false;
    entry->in_blocks = blocks;
    if (tap_count(problem) > 1 && t->segment_count == 1 && step == 1 && input->upsample == 1 && starts[0] >= 0 &&
        (size_t)starts[0] + t->pixels <= extent) {
        entry->pixels = rows[0] + (size_t)starts[0] * BLAN_BLOCK;
        entry->block_step = plane;
        return true;
    }
    entry->pixels = copies;
    entry->block_step = t->pixels * BLAN_BLOCK;
    for (size_t i = 0; i < t->segment_count; i++)
        tiles->collect(t->segments[i].count, blocks, copies + t->segments[i].first * BLAN_BLOCK, entry->block_step,
                       rows[i], plane, starts[i], step, input->upsample, extent);
    return true;
}

/* A tile made ready: its entries, and where its pixels are written. */
typedef struct ready_tile {
    const blan_k_direct_entry *entry;
    size_t entries, pixels, places[MOST_TILE_PIXELS];
} ready_tile;

static size_t entry_floats(const conv_problem *problem)
{
    return aligned_count(entry_count(problem) * sizeof(blan_k_direct_entry) / sizeof(float));
}

/* Floats that a tile takes: its entries and copies of all that it reads. */
static size_t tile_floats(const conv_problem *problem, size_t tile_pixels)
{
    return entry_floats(problem) + in_blocks_total(problem) * tap_count(problem) * tile_pixels * BLAN_BLOCK;
}

static ready_tile prepare_tile(const conv_problem *problem, const blan_k_tile_table *tiles, size_t index, float *memory)
{
    const tile t = tile_at(problem, index, tiles->tile_pixels);
    blan_k_direct_entry *entry = (void *)memory;
    ready_tile ready = {.entry = entry, .pixels = t.pixels};
    float *copies = memory + entry_floats(problem);
    size_t weights = 0;
    for (size_t input = 0; input < problem->input_count; input++) {
        const size_t in_blocks = blocks_of(problem->inputs[input].channels);
        for (size_t tap = 0; tap < tap_count(problem); tap++, weights += in_blocks * BLAN_BLOCK * BLAN_BLOCK) {
            if (!fill_entry(problem, tiles, &problem->inputs[input], &t, tap, copies, entry))
                continue;
            entry->weights = weights;
            copies += in_blocks * t.pixels * BLAN_BLOCK;
            entry++;
        }
    }
    ready.entries = (size_t)(entry - ready.entry);
    const size_t image = blocks_of(problem->out_channels) * problem->out_height;
    for (size_t i = 0; i < t.segment_count; i++) {
        const segment *s = &t.segments[i];
        for (size_t p = 0; p < s->count; p++)
            ready.places[s->first + p] =
                ((s->image * image + s->y) * problem->out_width + s->x + p * s->step) * BLAN_BLOCK;
    }
    return ready;
}

/* ---- running ---- */

typedef struct run_task {
    const conv_problem *problem;
    const conv_epilogue *epilogue;
    const blan_k_tile_table *tiles;
    const float *packed;
    float *workspace;
    size_t worker_floats;
    size_t tile_count, chunk, chunks; /* tiles in all, of one task, and how many such chunks there are */
    size_t group_count, parts; /* output groups in all, and the parts they are cut into */
} run_task;

/* Tiles that are ready at once while the output groups pass over them: a group's weights are then read from the cache
   for all tiles but the first. */
static size_t chunk_tiles(const conv_problem *problem)
{
    const size_t fitting = CHUNK_FLOATS / tile_floats(problem, blan_k_tiles()->tile_pixels);
    return smaller(MOST_CHUNK_TILES, larger(1, fitting));
}

size_t blan_k_direct_workspace_count(const conv_problem *problem, int threads)
{
    return tile_floats(problem, blan_k_tiles()->tile_pixels) * chunk_tiles(problem) *
           (size_t)(threads < 1 ? 1 : threads);
}

static void run_chunk(void *context, size_t index, size_t worker)
{
    const run_task *task = context;
    const conv_problem *problem = task->problem;
    const conv_epilogue *epilogue = task->epilogue;
    const size_t group_blocks = task->tiles->tile_blocks, floats = tile_floats(problem, task->tiles->tile_pixels);
    /* A worker's tasks follow each other over the chunks of one part: its weights are read from memory once. */
    const size_t chunk = index % task->chunks, part = index / task->chunks;
    const size_t first_tile = chunk * task->chunk, tiles = smaller(task->chunk, task->tile_count - first_tile);
    float *memory = task->workspace + worker * task->worker_floats;
    ready_tile ready[MOST_CHUNK_TILES];
    for (size_t i = 0; i < tiles; i++)
        ready[i] = prepare_tile(problem, task->tiles, first_tile + i, memory + i * floats);
    const size_t out_blocks = blocks_of(problem->out_channels);
    const size_t plane = problem->out_height * problem->out_width * BLAN_BLOCK;
    const size_t last_group = task->group_count * (part + 1) / task->parts;
    for (size_t group = task->group_count * part / task->parts; group < last_group; group++) {
        const size_t block = group * group_blocks, blocks = smaller(group_blocks, out_blocks - block);
        const float *weights = task->packed + block * block_weights(problem);
        for (size_t i = 0; i < tiles; i++) {
            const blan_k_direct_tile current = {
                .entry = ready[i].entry,
                .entries = ready[i].entries,
                .places = ready[i].places,
                .out = epilogue->out + block * plane,
                .residual = epilogue->residual != NULL ? epilogue->residual + block * plane : NULL,
                .out_block_step = plane,
                .bias = epilogue->bias != NULL ? epilogue->bias + block * BLAN_BLOCK : NULL,
                .relu = epilogue->relu,
                .accumulate = epilogue->accumulate,
            };
            task->tiles->direct(ready[i].pixels, blocks, &current, weights);
        }
    }
}

/* Without neighbours, rows need not be told apart: an image is one long row, cut into tiles that fit it better. */
static conv_problem flattened(const conv_problem *problem)
{
    conv_problem flat = *problem;
    bool possible = problem->kernel == 1 && problem->stride == 1 && problem->padding == 0;
    for (size_t i = 0; i < problem->input_count; i++)
        possible = possible && problem->inputs[i].upsample == 1;
    if (possible) {
        flat.in_width *= flat.in_height;
        flat.out_width *= flat.out_height;
        flat.in_height = flat.out_height = 1;
    }
    return flat;
}

void blan_k_direct_run(const conv_problem *problem, const conv_epilogue *epilogue, const float *packed,
                       float *workspace, int threads)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const conv_problem flat = flattened(problem);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads), wanted_tasks = workers == 1 ? 1 : 4 * workers;
    const size_t count = tile_count(&flat, tiles->tile_pixels);
    /* Chunks as large as the cache allows, but enough of them to share out evenly; then the outputs are cut too. */
    const size_t chunk = larger(1, smaller(chunk_tiles(&flat), count / wanted_tasks));
    const size_t groups = divide_up(blocks_of(flat.out_channels), tiles->tile_blocks);
    const size_t chunks = divide_up(count, chunk), parts = smaller(groups, divide_up(wanted_tasks, chunks));
    run_task task = {
        .problem = &flat,
        .epilogue = epilogue,
        .tiles = tiles,
        .packed = packed,
        .workspace = workspace,
        .worker_floats = blan_k_direct_workspace_count(&flat, 1),
        .tile_count = count,
        .chunk = chunk,
        .chunks = chunks,
        .group_count = groups,
        .parts = parts,
    };
    blan_k_parallel_for(threads, chunks * parts, run_chunk, &task);
}
