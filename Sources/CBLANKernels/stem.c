/* The stem's convolution alone, as training needs it. */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "stem_internal.h"

enum { PADDING = 3, KERNEL = STEM_KERNEL, PLANES = STEM_PLANES, TAPS = PLANES * KERNEL * KERNEL };

/* A row is read to the end of the last tile, which may reach up to 2 * 16 pixels past the map. */
size_t blan_k_stem_padded_row(const blan_k_stem_shape *shape)
{
    return aligned_count(shape->width + 2 * PADDING + 32);
}

size_t blan_k_stem_padded_plane(const blan_k_stem_shape *shape)
{
    return (shape->height + 2 * PADDING) * blan_k_stem_padded_row(shape);
}

size_t blan_k_stem_padded_image(const blan_k_stem_shape *shape) { return PLANES * blan_k_stem_padded_plane(shape); }

size_t blan_k_stem_packed_count(const blan_k_stem_shape *shape)
{
    return blocks_of(shape->out_channels) * TAPS * BLAN_BLOCK;
}

void blan_k_stem_pack(const blan_k_stem_shape *shape, const float *weights, const double *scale, float *packed)
{
    const size_t out_blocks = blocks_of(shape->out_channels), tile_blocks = blan_k_tiles()->tile_blocks;
    for (size_t first = 0; first < out_blocks; first += tile_blocks) {
        const size_t channels = smaller(tile_blocks, out_blocks - first) * BLAN_BLOCK;
        for (size_t tap = 0; tap < TAPS; tap++)
            for (size_t k = 0; k < channels; k++) {
                const size_t out = first * BLAN_BLOCK + k;
                *packed++ = out < shape->out_channels
                                ? (float)(weights[out * TAPS + tap] * (scale != NULL ? scale[out] : 1))
                                : 0;
            }
    }
}

typedef struct stem_task {
    const blan_k_stem_shape *shape;
    const blan_k_tile_table *tiles;
    const float *pixels, *packed, *bias;
    float *padded, *out;
} stem_task;

static void pad_plane(void *context, size_t index, size_t worker)
{
    (void)worker;
    const stem_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t row = blan_k_stem_padded_row(s), count = blan_k_stem_padded_plane(s);
    float *plane = task->padded + index * count;
    memset(plane, 0, count * sizeof *plane);
    for (size_t y = 0; y < s->height; y++)
        memcpy(plane + (y + PADDING) * row + PADDING, task->pixels + (index * s->height + y) * s->width,
               s->width * sizeof *plane);
}

void blan_k_stem_pad(const blan_k_stem_shape *shape, float *padded, const float *pixels, int threads)
{
    stem_task task = {.shape = shape, .pixels = pixels, .padded = padded};
    blan_k_parallel_for(threads, shape->batch * PLANES, pad_plane, &task);
}

/* One row of the convolution, all output blocks, `out_block_step` floats apart. */
static void convolve_row(const stem_task *task, size_t image, size_t y, float *out, size_t out_block_step)
{
    const blan_k_stem_shape *s = task->shape;
    const size_t width = s->width / 2, out_blocks = blocks_of(s->out_channels);
    const size_t tile_blocks = task->tiles->tile_blocks;
    /* Strips of equal length: 128 pixels are ten of 13 rather than nine of 14 and a short one, which costs as much. */
    const size_t strip = divide_up(width, divide_up(width, task->tiles->tile_pixels));
    const float *plane = task->padded + image * blan_k_stem_padded_image(s) + 2 * y * blan_k_stem_padded_row(s);
    for (size_t first = 0; first < out_blocks; first += tile_blocks)
        for (size_t x = 0; x < width; x += strip)
            task->tiles->stem(smaller(strip, width - x), smaller(tile_blocks, out_blocks - first),
                              out + first * out_block_step + x * BLAN_BLOCK, out_block_step, plane + 2 * x,
                              blan_k_stem_padded_row(s), blan_k_stem_padded_plane(s),
                              task->packed + first * TAPS * BLAN_BLOCK,
                              task->bias != NULL ? task->bias + first * BLAN_BLOCK : NULL);
}

static void run_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const stem_task *task = context;
    const blan_k_stem_shape *s = task->shape;
    const size_t height = s->height / 2, row = s->width / 2 * BLAN_BLOCK, image = index / height, y = index % height;
    convolve_row(task, image, y, task->out + (image * blocks_of(s->out_channels) * height + y) * row,
                 height * row);
}

size_t blan_k_stem_workspace_count(const blan_k_stem_shape *shape)
{
    return shape->batch * blan_k_stem_padded_image(shape);
}

void blan_k_stem_forward(const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed,
                         const float *bias, float *workspace, int threads)
{
    stem_task task = {.shape = shape,
                      .tiles = blan_k_tiles(),
                      .packed = packed,
                      .bias = bias,
                      .padded = workspace,
                      .out = out};
    blan_k_stem_pad(shape, workspace, pixels, threads);
    blan_k_parallel_for(threads, shape->batch * (shape->height / 2), run_row, &task);
}

void blan_k_stem_forward_reference(const blan_k_stem_shape *shape, float *out, const float *pixels,
                                   const float *weights, const double *scale, const float *bias)
{
    const size_t height = shape->height / 2, width = shape->width / 2, blocks = blocks_of(shape->out_channels);
    memset(out, 0, shape->batch * blocks * height * width * BLAN_BLOCK * sizeof *out);
    for (size_t n = 0; n < shape->batch; n++)
        for (size_t k = 0; k < shape->out_channels; k++)
            for (size_t y = 0; y < height; y++)
                for (size_t x = 0; x < width; x++) {
                    float sum = 0;
                    for (size_t tap = 0; tap < TAPS; tap++) {
                        const size_t plane = tap / (KERNEL * KERNEL);
                        const size_t row = 2 * y + tap / KERNEL % KERNEL - PADDING, column = 2 * x + tap % KERNEL - PADDING;
                        if (row < shape->height && column < shape->width)
                            sum += weights[k * TAPS + tap] *
                                   pixels[((n * PLANES + plane) * shape->height + row) * shape->width + column];
                    }
                    out[(((n * blocks + k / BLAN_BLOCK) * height + y) * width + x) * BLAN_BLOCK + k % BLAN_BLOCK] =
                        sum * (scale != NULL ? (float)scale[k] : 1) + (bias != NULL ? bias[k] : 0);
                }
}
