/*
 * The stem in reduced precision. Pixels are rounded into padded planes; a row of a window, seven pixels and one that
 * meets a weight of zero, is eight numbers that lie side by side there. Two such rows are a block of sixteen channels, so
 * that a window is a column of the matrix that the direct method's micro-kernel multiplies.
 */
#include "include/blan_parallel.h"
#include "low_internal.h"
#include "stem_internal.h"

enum {
    PADDING = 3,
    ROWS = STEM_PLANES * STEM_KERNEL, /* of a window */
    ROW = 8,                          /* numbers of a row of a window */
    TAPS = ROWS * STEM_KERNEL,
    DEPTH = (ROWS + 1) / 2, /* blocks of a window */
    CHUNK_RUNS = 12,
    CHUNK_PIXELS = CHUNK_RUNS * LOW_RUN,
};

/* Bytes from the start of packed weights, which are [output group][block][word][blocks][16]; the rest as in low_problem. */
typedef struct stem_layout {
    const low_table *tiles;
    bool integers;
    size_t out_blocks, number; /* bytes of a number */
    size_t start_at, scale_at, input_scale_at, packed_bytes;
    size_t row_bytes, plane_bytes; /* of padded planes */
} stem_layout;

static stem_layout layout_of(const blan_k_stem_shape *shape, blan_k_low_precision precision)
{
    stem_layout l = {.tiles = blan_k_low_tiles(precision), .integers = precision == BLAN_K_LOW_INT8};
    l.out_blocks = blocks_of(shape->out_channels);
    l.number = l.tiles->encoding == LOW_ENCODING_INT8 ? 1 : 2;
    const size_t lanes = l.out_blocks * BLAN_BLOCK;
    l.start_at = lanes * DEPTH * l.tiles->words * sizeof(uint32_t);
    l.scale_at = l.start_at + lanes * sizeof(int32_t);
    l.input_scale_at = l.scale_at + lanes * sizeof(float);
    l.packed_bytes = l.input_scale_at + BLAN_BLOCK * sizeof(float);
    /* Sixteen pixels are rounded at once, and a run is read to its end: a row has room for both. */
    l.row_bytes = aligned_count((shape->width + 2 * PADDING + 2 * BLAN_BLOCK) * l.number);
    l.plane_bytes = (shape->height + 2 * PADDING) * l.row_bytes;
    return l;
}

size_t blan_k_low_stem_packed_bytes(const blan_k_stem_shape *shape, blan_k_low_precision precision)
{
    return layout_of(shape, precision).packed_bytes;
}

/* Where tap `tap` stands among a block's channels and blocks. */
static size_t channel_of(size_t tap) { return tap / STEM_KERNEL * ROW + tap % STEM_KERNEL; }

void blan_k_low_stem_pack(const blan_k_stem_shape *shape, blan_k_low_precision precision, const float *weights,
                          const double *scale, const float *ranges, void *packed)
{
    const stem_layout l = layout_of(shape, precision);
    memset(packed, 0, l.packed_bytes);
    int32_t *start = (void *)((char *)packed + l.start_at);
    float *scales = (void *)((char *)packed + l.scale_at), *input_scale = (void *)((char *)packed + l.input_scale_at);
    float steps[STEM_PLANES] = {1, 1, 1};
    for (size_t plane = 0; l.integers && plane < STEM_PLANES; plane++) {
        steps[plane] = (ranges[plane] > 0 ? ranges[plane] : 1) / 127;
        input_scale[plane] = 1 / steps[plane];
    }
    const size_t in_word = BLAN_BLOCK / l.tiles->words, bits = 8 * l.number;
    for (size_t out = 0; out < shape->out_channels; out++) {
        const size_t group = out / BLAN_BLOCK / l.tiles->tile_blocks * l.tiles->tile_blocks;
        const size_t lanes = smaller(l.tiles->tile_blocks, l.out_blocks - group) * BLAN_BLOCK;
        uint32_t *words = (uint32_t *)packed + group * DEPTH * l.tiles->words * BLAN_BLOCK + (out - group * BLAN_BLOCK);
        const float factor = scale != NULL ? (float)scale[out] : 1;
        float values[TAPS], most = 0;
        for (size_t tap = 0; tap < TAPS; tap++) {
            values[tap] = weights[out * TAPS + tap] * factor * steps[tap / (STEM_KERNEL * STEM_KERNEL)];
            most = fmaxf(most, fabsf(values[tap]));
        }
        const float inverse = most > 0 ? 127 / most : 0;
        scales[out] = most / 127;
        for (size_t tap = 0; tap < TAPS; tap++) {
            const size_t channel = channel_of(tap);
            const int q = l.integers ? low_eight_bits(values[tap] * inverse) : 0;
            const uint32_t number = l.integers ? (uint32_t)q & ((1u << bits) - 1) : low_bfloat16(values[tap]);
            words[channel / in_word * lanes] |= number << channel % in_word * bits;
            if (l.tiles->encoding == LOW_ENCODING_INT8)
                start[out] -= 128 * q;
        }
    }
}

size_t blan_k_low_stem_pool_workspace_bytes(const blan_k_stem_shape *shape, blan_k_low_precision precision,
                                            int threads)
{
    const stem_layout l = layout_of(shape, precision);
    const size_t gathered = DEPTH * CHUNK_RUNS * LOW_RUN * l.tiles->words * sizeof(uint32_t);
    const size_t products = l.tiles->tile_blocks * CHUNK_PIXELS * BLAN_BLOCK * sizeof(float);
    return shape->batch * STEM_PLANES * l.plane_bytes + (size_t)(threads < 1 ? 1 : threads) *
                                                            (gathered + products +
                                                             blan_k_stem_band_count(shape) * sizeof(float));
}

typedef struct low_stem_task {
    const blan_k_stem_shape *shape;
    stem_layout layout;
    const float *pixels, *bias;
    const char *packed;
    char *planes;
    uint32_t *gathered;
    float *products;
} low_stem_task;

/* One padded row: rounded pixels, zeros around them. */
static void round_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const low_stem_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const stem_layout *l = &task->layout;
    const size_t rows = s->height + 2 * PADDING, plane = index / rows, y = index % rows - PADDING;
    char *row = task->planes + index * l->row_bytes;
    memset(row, l->tiles->encoding == LOW_ENCODING_INT8 ? 128 : 0, l->row_bytes);
    if (y >= s->height)
        return; /* above the image: wraps round to a huge number */
    const float scale = l->integers ? ((const float *)(const void *)(task->packed + l->input_scale_at))[plane % STEM_PLANES] : 1;
    const float *pixels = task->pixels + (plane * s->height + y) * s->width;
    for (size_t x = 0; x < s->width; x += BLAN_BLOCK) {
        const size_t count = smaller(BLAN_BLOCK, s->width - x);
        float last[BLAN_BLOCK] = {0};
        const bool whole = count == BLAN_BLOCK;
        if (!whole)
            memcpy(last, pixels + x, count * sizeof *last);
        l->tiles->round(row + (PADDING + x) * l->number, whole ? pixels + x : last, scale);
    }
}

/* One row of the windows of `runs` runs of outputs: the first window's begins at `from`, the next two numbers on. out: its
   half of a block's words. */
static void gather_row(const stem_layout *l, const char *from, size_t runs, uint32_t *restrict out)
{
    const bool bytes = l->tiles->encoding == LOW_ENCODING_INT8;
    for (size_t run = 0; run < runs; run++, out += LOW_RUN * l->tiles->words)
        for (size_t p = 0; p < LOW_RUN; p++, from += 2 * l->number)
            if (bytes) {
                uint32_t numbers[2];
                memcpy(numbers, from, sizeof numbers);
                out[p] = numbers[0];
                out[LOW_RUN + p] = numbers[1];
            } else {
                memcpy(out + 8 * p, from, 4 * sizeof *out);
            }
}

/* The windows of `runs` runs of outputs, the first one's being at `pixels` of the first plane. */
static void gather(const stem_layout *l, const char *pixels, size_t runs, uint32_t *gathered)
{
    const size_t run_words = LOW_RUN * l->tiles->words;
    const size_t second_half = l->tiles->encoding == LOW_ENCODING_INT8 ? 2 * LOW_RUN : 4;
    memset(gathered + (DEPTH - 1) * runs * run_words, 0, runs * run_words * sizeof *gathered);
    for (size_t row = 0; row < ROWS; row++)
        gather_row(l, pixels + row / STEM_KERNEL * l->plane_bytes + row % STEM_KERNEL * l->row_bytes, runs,
                   gathered + row / 2 * runs * run_words + row % 2 * second_half);
}

static void convolve_row(void *context, size_t worker, size_t image, size_t y, float *out, size_t out_block_step)
{
    const low_stem_task *task = context;
    const stem_layout *l = &task->layout;
    const size_t width = task->shape->width / 2, run_words = LOW_RUN * l->tiles->words;
    const char *pixels = task->planes + image * STEM_PLANES * l->plane_bytes + 2 * y * l->row_bytes;
    uint32_t *gathered = task->gathered + worker * DEPTH * CHUNK_RUNS * run_words;
    float *products = task->products + worker * l->tiles->tile_blocks * CHUNK_PIXELS * BLAN_BLOCK;
    size_t places[CHUNK_PIXELS];
    for (size_t p = 0; p < CHUNK_PIXELS; p++)
        places[p] = p * BLAN_BLOCK;
    const int32_t *start = (const void *)(task->packed + l->start_at);
    const float *scales = (const void *)(task->packed + l->scale_at);
    for (size_t x = 0; x < width; x += CHUNK_PIXELS) {
        const size_t count = smaller(CHUNK_PIXELS, width - x), runs = divide_up(count, LOW_RUN);
        gather(l, pixels + 2 * x * l->number, runs, gathered);
        const size_t strip = divide_up(runs, divide_up(runs, l->tiles->tile_pixels / LOW_RUN));
        const size_t block_step = runs * LOW_RUN * BLAN_BLOCK;
        for (size_t first = 0; first < l->out_blocks; first += l->tiles->tile_blocks) {
            const size_t blocks = smaller(l->tiles->tile_blocks, l->out_blocks - first);
            for (size_t i = 0; i < runs; i += strip)
                l->tiles->multiply(smaller(strip, runs - i) * LOW_RUN, blocks, products + i * LOW_RUN * BLAN_BLOCK,
                                   block_step, gathered + i * run_words, runs * run_words, DEPTH,
                                   (const uint32_t *)(const void *)task->packed +
                                       first * DEPTH * l->tiles->words * BLAN_BLOCK,
                                   l->integers ? start + first * BLAN_BLOCK : NULL);
            for (size_t b = 0; b < blocks; b++) {
                const low_output output = {
                    .out = out + (first + b) * out_block_step + x * BLAN_BLOCK,
                    .bias = task->bias != NULL ? task->bias + (first + b) * BLAN_BLOCK : NULL,
                    .scale = l->integers ? scales + (first + b) * BLAN_BLOCK : NULL,
                    .relu = true,
                };
                l->tiles->finish(count, &output, places, products + b * block_step);
            }
        }
    }
}

void blan_k_low_stem_pool_forward(const blan_k_stem_shape *shape, blan_k_low_precision precision, float *out,
                                  const float *pixels, const void *packed, const float *bias, void *workspace,
                                  int threads)
{
    const stem_layout l = layout_of(shape, precision);
    const size_t workers = (size_t)(threads < 1 ? 1 : threads);
    char *memory = workspace;
    low_stem_task task = {.shape = shape, .layout = l, .pixels = pixels, .bias = bias, .packed = packed};
    float *bands = (void *)memory;
    memory += workers * blan_k_stem_band_count(shape) * sizeof(float);
    task.products = (void *)memory;
    memory += workers * l.tiles->tile_blocks * CHUNK_PIXELS * BLAN_BLOCK * sizeof(float);
    task.gathered = (void *)memory;
    memory += workers * DEPTH * CHUNK_RUNS * LOW_RUN * l.tiles->words * sizeof(uint32_t);
    task.planes = memory;
    blan_k_parallel_for(threads, shape->batch * STEM_PLANES * (shape->height + 2 * PADDING), round_row, &task);
    blan_k_stem_pool_bands(shape, out, bands, convolve_row, &task, threads);
}
