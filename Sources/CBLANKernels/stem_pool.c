/*
 * The stem for prediction: convolution, ReLU and max-pool in one pass.
 *
 * The 7x7 convolution of stride 2, its kernel grown to 8x8 by a row and a column of zeros, is a 4x4 convolution of stride
 * 1 over the image's phases: the pixels of its even and odd rows and columns are twelve channels of half the size. That
 * runs as Winograd's F(3x3, 4x4) on the windows and points of F(4x4, 3x3), with less than half of the products.
 *
 * Phases: [row][column][16], channel colour * 4 + row's phase * 2 + column's. Packed weights: as in
 * convolution_winograd.c.
 */
#include <math.h>
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "stem_internal.h"

enum {
    SIDE = 3, /* of a tile of outputs */
    WINDOW = 6,
    ELEMENTS = WINDOW * WINDOW,
    TAPS = 4, /* of a phase, along one axis */
    CHANNELS = STEM_PLANES * 4,
    BEFORE = 2, AFTER = 4, /* rows and columns of zeros around the phases; windows of the last tiles reach past the map */
    BAND_ROWS = 8, /* pooled rows of one task */
};

static size_t phase_height(const blan_k_stem_shape *shape) { return shape->height / 2 + BEFORE + AFTER; }
static size_t phase_width(const blan_k_stem_shape *shape) { return shape->width / 2 + BEFORE + AFTER; }

static size_t phase_floats(const blan_k_stem_shape *shape)
{
    return phase_height(shape) * phase_width(shape) * BLAN_BLOCK;
}

/* ---- packing ---- */

size_t blan_k_stem_pool_packed_count(const blan_k_stem_shape *shape)
{
    return blocks_of(shape->out_channels) * ELEMENTS * BLAN_BLOCK * BLAN_BLOCK;
}

/* G g G^T of the taps of one phase of one kernel: `kernel` is 7x7. */
static void transform_phase(double u[WINDOW][WINDOW], const float *kernel, size_t row_phase, size_t column_phase)
{
    const double p = sqrt(0.5), q = sqrt(2), first = -2.0 / 3, second = 1.0 / 6;
    const double transform[WINDOW][TAPS] = {
        {1, 0, 0, 0},
        {first, first * p, first / 2, first * p / 2},
        {first, -first * p, first / 2, -first * p / 2},
        {second, second * q, second * 2, second * q * 2},
        {second, -second * q, second * 2, -second * q * 2},
        {0, 0, 0, 1},
    };
    double half[WINDOW][TAPS] = {{0}};
    for (size_t y = 0; y < TAPS; y++)
        for (size_t x = 0; x < TAPS; x++) {
            const size_t row = 2 * y + row_phase, column = 2 * x + column_phase; /* of the kernel grown to 8x8 */
            if (row == 0 || column == 0)
                continue;
            for (size_t e = 0; e < WINDOW; e++)
                half[e][x] += transform[e][y] * kernel[(row - 1) * STEM_KERNEL + column - 1];
        }
    for (size_t y = 0; y < WINDOW; y++)
        for (size_t x = 0; x < WINDOW; x++) {
            u[y][x] = 0;
            for (size_t tap = 0; tap < TAPS; tap++)
                u[y][x] += half[y][tap] * transform[x][tap];
        }
}

void blan_k_stem_pool_pack(const blan_k_stem_shape *shape, const float *weights, const double *scale, float *packed)
{
    const size_t out_blocks = blocks_of(shape->out_channels), group_blocks = blan_k_tiles()->tile_blocks;
    memset(packed, 0, blan_k_stem_pool_packed_count(shape) * sizeof *packed);
    for (size_t out = 0; out < shape->out_channels; out++) {
        const size_t first = out / BLAN_BLOCK / group_blocks * group_blocks;
        const size_t blocks = smaller(group_blocks, out_blocks - first);
        float *place = packed + first * ELEMENTS * BLAN_BLOCK * BLAN_BLOCK + (out - first * BLAN_BLOCK);
        for (size_t c = 0; c < CHANNELS; c++) {
            double u[WINDOW][WINDOW];
            const float *kernel = weights + (out * STEM_PLANES + c / 4) * STEM_KERNEL * STEM_KERNEL;
            transform_phase(u, kernel, c / 2 % 2, c % 2);
            for (size_t e = 0; e < ELEMENTS; e++)
                place[(e * BLAN_BLOCK + c) * blocks * BLAN_BLOCK] =
                    (float)(u[e / WINDOW][e % WINDOW] * (scale != NULL ? scale[out] : 1));
        }
    }
}

/* ---- memory ---- */

typedef struct band_memory {
    size_t tiles;      /* of one row */
    size_t row;        /* floats of a row of the convolution: whole tiles */
    size_t block;      /* floats of a band's rows of one output block */
    size_t windows, products, rows; /* floats of each part of a worker's memory */
} band_memory;

static band_memory memory_of(const blan_k_stem_shape *shape)
{
    band_memory m = {.tiles = divide_up(shape->width / 2, SIDE)};
    m.row = m.tiles * SIDE * BLAN_BLOCK;
    m.block = divide_up(2 * BAND_ROWS + 1, SIDE) * SIDE * m.row;
    m.windows = ELEMENTS * element_step(m.tiles);
    m.products = ELEMENTS * element_step(blan_k_tiles()->tile_blocks * m.tiles);
    m.rows = blocks_of(shape->out_channels) * m.block;
    return m;
}

static size_t worker_floats(const band_memory *m) { return m->windows + m->products + m->rows; }

size_t blan_k_stem_pool_workspace_count(const blan_k_stem_shape *shape, int threads)
{
    const band_memory m = memory_of(shape);
    return shape->batch * phase_floats(shape) + (size_t)(threads < 1 ? 1 : threads) * worker_floats(&m);
}

/* ---- running ---- */

typedef struct pool_task {
    const blan_k_stem_shape *shape;
    const blan_k_tile_table *tiles;
    const float *pixels, *packed, *bias;
    float *phases, *out, *workers;
    band_memory memory;
} pool_task;

/* One row of an image's phases, zeros around the map included. */
static void split_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pool_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t image = index / phase_height(s), row = index % phase_height(s), width = s->width;
    float *out = task->phases + index * phase_width(s) * BLAN_BLOCK;
    memset(out, 0, phase_width(s) * BLAN_BLOCK * sizeof *out);
    if (row < BEFORE || row - BEFORE >= s->height / 2)
        return;
    for (size_t plane = 0; plane < STEM_PLANES; plane++)
        for (size_t phase = 0; phase < 2; phase++) {
            const float *in = task->pixels + ((image * STEM_PLANES + plane) * s->height + 2 * (row - BEFORE) + phase) * width;
            float *to = out + BEFORE * BLAN_BLOCK + plane * 4 + phase * 2;
            for (size_t x = 0; x < width / 2; x++)
                memcpy(to + x * BLAN_BLOCK, in + 2 * x, 2 * sizeof *in);
        }
}

/* One row of tiles: three rows of the convolution from row y on, all output blocks, without the bias. */
static void convolve_tiles(const pool_task *task, size_t image, size_t y, float *memory, float *rows)
{
    const blan_k_stem_shape *s = task->shape;
    const band_memory *m = &task->memory;
    const size_t tiles = m->tiles, out_blocks = blocks_of(s->out_channels), group_blocks = task->tiles->tile_blocks;
    const size_t window_step = element_step(tiles);
    float *windows = memory, *products = memory + m->windows;
    for (size_t i = 0; i < tiles; i++) {
        const blan_k_winograd_input window = {
            .plane = task->phases + image * phase_floats(s),
            .plane_width = phase_width(s),
            .y = (ptrdiff_t)y,
            .x = (ptrdiff_t)(i * SIDE),
            .height = phase_height(s),
            .width = phase_width(s),
        };
        task->tiles->winograd_input[0](windows + i * BLAN_BLOCK, window_step, &window);
    }
    for (size_t first = 0; first < out_blocks; first += group_blocks) {
        const size_t blocks = smaller(group_blocks, out_blocks - first), product_step = element_step(blocks * tiles);
        const float *weights = task->packed + first * ELEMENTS * BLAN_BLOCK * BLAN_BLOCK;
        for (size_t e = 0; e < ELEMENTS; e++) {
            const blan_k_product product = {
                .out = products + e * product_step,
                .out_block_step = tiles * BLAN_BLOCK,
                .a = windows + e * window_step,
                .channels = CHANNELS,
                .weights = weights + e * BLAN_BLOCK * blocks * BLAN_BLOCK,
                .ahead = windows + e * window_step,
            };
            task->tiles->multiply(tiles, blocks, &product);
        }
        for (size_t b = 0; b < blocks; b++)
            for (size_t i = 0; i < tiles; i++)
                task->tiles->winograd3_output(rows + (first + b) * m->block + i * SIDE * BLAN_BLOCK, m->row,
                                              products + (b * tiles + i) * BLAN_BLOCK, product_step);
    }
}

/* A band of pooled rows: its rows of the convolution go through memory of the worker's own. */
static void run_band(void *context, size_t index, size_t worker)
{
    const pool_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const band_memory *m = &task->memory;
    const size_t height = s->height / 4, width = s->width / 2, out_blocks = blocks_of(s->out_channels);
    const size_t bands = divide_up(height, BAND_ROWS), image = index / bands;
    const size_t first = index % bands * BAND_ROWS, last = smaller(first + BAND_ROWS, height);
    const size_t begin = first == 0 ? 0 : 2 * first - 1; /* of the convolution's rows */
    float *memory = task->workers + worker * worker_floats(m), *rows = memory + m->windows + m->products;
    for (size_t y = begin; y < 2 * last; y += SIDE)
        convolve_tiles(task, image, y, memory, rows + (y - begin) * m->row);
    for (size_t block = 0; block < out_blocks; block++)
        for (size_t y = first; y < last; y++) {
            const float *middle = rows + block * m->block + (2 * y - begin) * m->row;
            const float *const covered[3] = {y > 0 ? middle - m->row : NULL, middle, middle + m->row};
            task->tiles->stem_pool(width, task->out + ((image * out_blocks + block) * height + y) * (width / 2) * BLAN_BLOCK,
                                   covered, task->bias != NULL ? task->bias + block * BLAN_BLOCK : NULL);
        }
}

void blan_k_stem_pool_forward(const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed,
                              const float *bias, float *workspace, int threads)
{
    pool_task task = {.shape = shape,
                      .tiles = blan_k_tiles(),
                      .pixels = pixels,
                      .packed = packed,
                      .bias = bias,
                      .phases = workspace,
                      .out = out,
                      .workers = workspace + shape->batch * phase_floats(shape),
                      .memory = memory_of(shape)};
    blan_k_parallel_for(threads, shape->batch * phase_height(shape), split_row, &task);
    blan_k_parallel_for(threads, shape->batch * divide_up(shape->height / 4, BAND_ROWS), run_band, &task);
}
