/*
 * Driver of the reconstruction head. Channel (colour * factor + py) * factor + px of the phase map is the colour's
 * pixels (factor * y + py, factor * x + px). Tap k of the 7x7 kernel meets, from phase p, the enlarged map's row
 * factor * y + p + k - 3, which is row y + floor((p + k - 3) / factor) of the map: one of y - 1, y, y + 1 as factor
 * is at least 4.
 */
#include "include/blan_reconstruction.h"

#include <string.h>

#include "include/blan_parallel.h"
#include "training_workspace.h"

enum { COLOURS = 3, KERNEL = 7, RADIUS = 3, TAPS = KERNEL * KERNEL, PHASE_TAPS = 9, CHUNK_LOCATIONS = 16384 };

static size_t phase_channels(const blan_k_reconstruction_shape *s) { return COLOURS * s->factor * s->factor; }

static size_t chunk_images(const blan_k_reconstruction_shape *s)
{
    return smaller(s->batch, larger(1, CHUNK_LOCATIONS / (s->height * s->width)));
}

static blan_k_conv_shape phase_convolution(const blan_k_reconstruction_shape *s, size_t images)
{
    return (blan_k_conv_shape){.batch = images,
                               .in_channels = {s->channels, 0},
                               .in_upsample = {1, 1},
                               .in_height = s->height,
                               .in_width = s->width,
                               .out_channels = phase_channels(s),
                               .kernel = 3,
                               .stride = 1,
                               .padding = 1};
}

/* The tap of the 3x3 kernel (of one axis) that tap `tap` of the 7x7 kernel belongs to in phase `phase`. */
static size_t phase_tap(size_t factor, size_t phase, size_t tap) { return (phase + tap + factor - RADIUS) / factor; }

/* ---- the workspace ---- */

/* Floats from the workspace's start to each part. */
typedef struct head_layout {
    size_t weights, bias;           /* of the phase convolution; then their gradients */
    size_t d_weights, d_bias;
    size_t forward, backward;       /* packed weights */
    size_t phases;                  /* [chunk][blocks][height][width][16]: the reconstruction, then its gradient */
    size_t losses;                  /* [batch][height] doubles */
    size_t convolution, total;
} head_layout;

static size_t phase_floats(const blan_k_conv_shape *layer, int threads)
{
    return convolution_floats(layer, blan_k_conv_choose(layer), blan_k_conv_backward_choose(layer),
                              threads);
}

static head_layout layout_of(const blan_k_reconstruction_shape *s, int threads)
{
    const size_t chunk = chunk_images(s), channels = blocks_of(phase_channels(s)) * BLAN_BLOCK;
    const size_t weights = phase_channels(s) * s->channels * PHASE_TAPS;
    const blan_k_conv_shape whole = phase_convolution(s, chunk);
    const blan_k_conv_shape last = phase_convolution(s, s->batch % chunk == 0 ? chunk : s->batch % chunk);
    head_layout layout = {.total = 0};
    layout.weights = take(&layout.total, weights);
    layout.bias = take(&layout.total, channels);
    layout.d_weights = take(&layout.total, weights);
    layout.d_bias = take(&layout.total, channels);
    layout.forward = take(&layout.total, blan_k_conv_packed_count(&whole, blan_k_conv_choose(&whole)));
    layout.backward =
        take(&layout.total, blan_k_conv_backward_packed_count(&whole, blan_k_conv_backward_choose(&whole)));
    layout.phases = take(&layout.total, chunk * channels * s->height * s->width);
    layout.losses = take(&layout.total, s->batch * s->height * sizeof(double) / sizeof(float));
    layout.convolution = take(&layout.total, larger(phase_floats(&whole, threads), phase_floats(&last, threads)));
    return layout;
}

size_t blan_k_reconstruction_workspace_count(const blan_k_reconstruction_shape *shape, int threads)
{
    return layout_of(shape, threads).total;
}

/* ---- one call ---- */

typedef struct head_task {
    const blan_k_reconstruction_shape *shape;
    const blan_k_tile_table *tiles;
    head_layout layout;
    float *workspace;
    const float *pixels;
    const float *weights;
    float *reconstruction;
    float *d_weights;
    bool accumulate_weights;
    float factor;         /* of the gradient: 2 * scale / elements */
    size_t first, images; /* the chunk being worked on */
} head_task;

static size_t image_pixels(const blan_k_reconstruction_shape *s)
{
    return COLOURS * s->height * s->factor * s->width * s->factor;
}

/* Floats from a location's own pixel, (factor * y, factor * x) of the first colour, to channel `channel`'s. */
static size_t channel_offset(const blan_k_reconstruction_shape *s, size_t channel)
{
    const size_t f = s->factor, colour = channel / (f * f), py = channel / f % f, px = channel % f;
    return (colour * s->height * f + py) * s->width * f + px;
}

/* The 3x3 weights of one output channel: each is the sum of the 7x7 kernel's taps that it stands for. */
static void sum_taps(void *context, size_t channel, size_t worker)
{
    (void)worker;
    const head_task *task = context;
    const blan_k_reconstruction_shape *s = task->shape;
    const size_t f = s->factor, colour = channel / (f * f), py = channel / f % f, px = channel % f;
    float *sums = task->workspace + task->layout.weights + channel * s->channels * PHASE_TAPS;
    memset(sums, 0, s->channels * PHASE_TAPS * sizeof *sums);
    for (size_t c = 0; c < s->channels; c++)
        for (size_t tap = 0; tap < TAPS; tap++)
            sums[c * PHASE_TAPS + phase_tap(f, py, tap / KERNEL) * 3 + phase_tap(f, px, tap % KERNEL)] +=
                task->weights[(colour * s->channels + c) * TAPS + tap];
}

static void write_row(const head_task *task, size_t image, size_t y, size_t channel, const float *row)
{
    const blan_k_reconstruction_shape *s = task->shape;
    float *out = task->reconstruction + image * image_pixels(s) + y * s->factor * s->width * s->factor;
    for (size_t lane = 0; lane < BLAN_BLOCK && channel + lane < phase_channels(s); lane++)
        for (size_t x = 0; x < s->width; x++)
            out[channel_offset(s, channel + lane) + x * s->factor] = row[x * BLAN_BLOCK + lane];
}

/* Error and gradient of one row of locations, in all phases and colours. */
static void loss_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const head_task *task = context;
    const blan_k_reconstruction_shape *s = task->shape;
    const size_t image = index / s->height, y = index % s->height, blocks = blocks_of(phase_channels(s));
    const float *pixels =
        task->pixels + (task->first + image) * image_pixels(s) + y * s->factor * s->width * s->factor;
    double loss = 0;
    for (size_t block = 0; block < blocks; block++) {
        float *row = task->workspace + task->layout.phases +
                     ((image * blocks + block) * s->height + y) * s->width * BLAN_BLOCK;
        const size_t lanes = smaller(BLAN_BLOCK, phase_channels(s) - block * BLAN_BLOCK);
        size_t offsets[BLAN_BLOCK];
        for (size_t lane = 0; lane < lanes; lane++)
            offsets[lane] = channel_offset(s, block * BLAN_BLOCK + lane);
        if (task->reconstruction != NULL)
            write_row(task, task->first + image, y, block * BLAN_BLOCK, row);
        loss += task->tiles->phase_loss(s->width, row, pixels, s->factor, offsets, lanes, task->factor);
    }
    ((double *)(void *)(task->workspace + task->layout.losses))[task->first * s->height + index] = loss;
}

/* The gradient of a tap of the 7x7 kernel: the sum, over the phases, of the 3x3 tap that it went into. `index` counts
   the kernels of all colours and channels. */
static void fold_kernel(void *context, size_t index, size_t worker)
{
    (void)worker;
    const head_task *task = context;
    const blan_k_reconstruction_shape *s = task->shape;
    const size_t f = s->factor, phases = f * f, colour = index / s->channels, c = index % s->channels;
    const float *sums = task->workspace + task->layout.d_weights;
    float *d_kernel = task->d_weights + index * TAPS;
    for (size_t tap = 0; tap < TAPS; tap++) {
        float sum = 0;
        for (size_t phase = 0; phase < phases; phase++)
            sum += sums[((colour * phases + phase) * s->channels + c) * PHASE_TAPS +
                        phase_tap(f, phase / f, tap / KERNEL) * 3 + phase_tap(f, phase % f, tap % KERNEL)];
        d_kernel[tap] = task->accumulate_weights ? d_kernel[tap] + sum : sum;
    }
}

static void fold_bias(const head_task *task, float *d_bias)
{
    const size_t phases = task->shape->factor * task->shape->factor;
    const float *sums = task->workspace + task->layout.d_bias;
    for (size_t colour = 0; colour < COLOURS; colour++) {
        float sum = 0;
        for (size_t phase = 0; phase < phases; phase++)
            sum += sums[colour * phases + phase];
        d_bias[colour] = task->accumulate_weights ? d_bias[colour] + sum : sum;
    }
}

double blan_k_reconstruction(const blan_k_reconstruction_shape *shape, const float *map, const float *pixels,
                             const float *weights, const float *bias, float scale, float *d_map, bool accumulate_map,
                             float *d_weights, float *d_bias, bool accumulate_weights, float *reconstruction,
                             float *workspace, int threads)
{
    const head_layout l = layout_of(shape, threads);
    const size_t elements = shape->batch * image_pixels(shape), chunk = chunk_images(shape);
    const size_t image = blocks_of(shape->channels) * shape->height * shape->width * BLAN_BLOCK;
    head_task task = {
        .shape = shape,
        .tiles = blan_k_tiles(),
        .layout = l,
        .workspace = workspace,
        .pixels = pixels,
        .weights = weights,
        .reconstruction = reconstruction,
        .d_weights = d_weights,
        .accumulate_weights = accumulate_weights,
        .factor = (float)(2.0 * (double)scale / (double)elements),
    };
    const blan_k_conv_shape whole = phase_convolution(shape, chunk);
    const blan_k_conv_method method = blan_k_conv_choose(&whole);
    const blan_k_conv_method backward_method = blan_k_conv_backward_choose(&whole);
    blan_k_parallel_for(threads, phase_channels(shape), sum_taps, &task);
    for (size_t channel = 0; channel < phase_channels(shape); channel++)
        workspace[l.bias + channel] = bias[channel / (shape->factor * shape->factor)];
    for (size_t channel = phase_channels(shape); channel < blocks_of(phase_channels(shape)) * BLAN_BLOCK; channel++)
        workspace[l.bias + channel] = 0;
    blan_k_conv_pack(&whole, method, workspace + l.weights, NULL, workspace + l.forward, threads);
    if (d_weights != NULL)
        blan_k_conv_backward_pack(&whole, backward_method, workspace + l.weights, workspace + l.backward, threads);

    for (; task.first < shape->batch; task.first += task.images) {
        task.images = smaller(chunk, shape->batch - task.first);
        const blan_k_conv_shape layer = phase_convolution(shape, task.images);
        const float *in = map + task.first * image;
        float *phases = workspace + l.phases;
        blan_k_conv_forward(&layer, method, phases, in, NULL, workspace + l.forward, workspace + l.bias, NULL, false,
                            workspace + l.convolution, threads);
        blan_k_parallel_for(threads, task.images * shape->height, loss_row, &task);
        if (d_weights == NULL)
            continue;
        blan_k_conv_backward_data(&layer, backward_method, at_image(d_map, task.first, image), NULL, accumulate_map,
                                  false, phases, workspace + l.backward, workspace + l.convolution, threads);
        blan_k_conv_backward_weights(&layer, workspace + l.d_weights, workspace + l.d_bias, task.first > 0, in, NULL,
                                     phases, workspace + l.convolution, threads);
    }
    if (d_weights != NULL) {
        blan_k_parallel_for(threads, COLOURS * shape->channels, fold_kernel, &task);
        fold_bias(&task, d_bias);
    }

    const double *losses = (const double *)(const void *)(workspace + l.losses);
    double loss = 0;
    for (size_t row = 0; row < shape->batch * shape->height; row++)
        loss += losses[row];
    return loss / (double)elements;
}
