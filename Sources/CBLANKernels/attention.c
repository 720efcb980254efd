/* Drivers of RDAM's attentions. */
#include "include/blan_attention.h"

#include <math.h>

#include "attention_internal.h"
#include "include/blan_parallel.h"

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

typedef struct attention_task {
    const blan_k_map *map;
    const blan_k_tile_table *tiles;
    const blan_k_channel_mlp *mlp;
    const float *channel_gate, *location_gate, *residual, *weights;
    float *sums, *maxima; /* pooled, see each task */
    float *hidden;        /* of the MLP, for each image */
    float *out;
} attention_task;

/* ---- channel attention ---- */

size_t blan_k_channel_gate_workspace_count(const blan_k_map *map, const blan_k_channel_mlp *mlp)
{
    return map->batch * (2 * padded_channels(map) + aligned_count(mlp->hidden));
}

static void pool_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const attention_task *task = context;
    const size_t area = area_of(task->map), image = index / blocks_of(task->map->channels);
    task->tiles->pool_locations(area, task->map->data + index * area * BLAN_BLOCK,
                                task->location_gate != NULL ? task->location_gate + image * area : NULL,
                                task->sums + index * BLAN_BLOCK, task->maxima + index * BLAN_BLOCK);
}

/* hidden[j] = relu(fc1 mean + b1)[j] + relu(fc1 max + b1)[j]: the second layer is linear, so both halves share it. */
static void mix_image(void *context, size_t image, size_t worker)
{
    (void)worker;
    const attention_task *task = context;
    const blan_k_channel_mlp *mlp = task->mlp;
    const size_t channels = task->map->channels;
    const float *sum = task->sums + image * padded_channels(task->map);
    const float *maximum = task->maxima + image * padded_channels(task->map);
    const float share = 1 / (float)area_of(task->map);
    float *hidden = task->hidden + image * aligned_count(mlp->hidden);
    for (size_t j = 0; j < mlp->hidden; j++) {
        float average = 0, most = 0;
        for (size_t c = 0; c < channels; c++) {
            average += mlp->fc1_weight[j * channels + c] * sum[c];
            most += mlp->fc1_weight[j * channels + c] * maximum[c];
        }
        hidden[j] = fmaxf(average * share + mlp->fc1_bias[j], 0) + fmaxf(most + mlp->fc1_bias[j], 0);
    }
    float *gate = task->out + image * padded_channels(task->map);
    for (size_t c = 0; c < padded_channels(task->map); c++) {
        float total = 0;
        if (c < channels) {
            for (size_t j = 0; j < mlp->hidden; j++)
                total += mlp->fc2_weight[c * mlp->hidden + j] * hidden[j];
            total = sigmoid(total + 2 * mlp->fc2_bias[c]);
        }
        gate[c] = total;
    }
}

void blan_k_channel_gate(const blan_k_map *map, const float *location_gate, const blan_k_channel_mlp *mlp, float *gate,
                         float *workspace, int threads)
{
    const size_t pooled = map->batch * padded_channels(map);
    attention_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .mlp = mlp,
        .location_gate = location_gate,
        .sums = workspace,
        .maxima = workspace + pooled,
        .hidden = workspace + 2 * pooled,
        .out = gate,
    };
    blan_k_parallel_for(threads, map->batch * blocks_of(map->channels), pool_block, &task);
    blan_k_parallel_for(threads, map->batch, mix_image, &task);
}

/* ---- spatial attention ---- */

size_t blan_k_spatial_gate_workspace_count(const blan_k_map *map)
{
    return 2 * aligned_count(map->batch * area_of(map));
}

static void pool_band(void *context, size_t index, size_t worker)
{
    (void)worker;
    const attention_task *task = context;
    const blan_k_map *map = task->map;
    const size_t area = area_of(map), image = index / bands_of(map);
    const size_t row = index % bands_of(map) * POOL_ROWS, rows = smaller(POOL_ROWS, map->height - row);
    const size_t at = image * area + row * map->width;
    task->tiles->pool_channels(
        rows * map->width, map->channels,
        map->data + (image * blocks_of(map->channels) * area + row * map->width) * BLAN_BLOCK, area * BLAN_BLOCK,
        task->channel_gate != NULL ? task->channel_gate + image * padded_channels(map) : NULL, task->sums + at,
        task->maxima + at);
}

static void convolve_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const attention_task *task = context;
    const blan_k_map *map = task->map;
    const size_t width = map->width, image = index / map->height, y = index % map->height;
    float *out = task->out + index * width;
    for (size_t x = 0; x < width; x++)
        out[x] = 0;
    const float *planes[2] = {task->sums + image * area_of(map), task->maxima + image * area_of(map)};
    for (size_t plane = 0; plane < 2; plane++)
        for (size_t ky = 0; ky < KERNEL; ky++) {
            const size_t row = y + ky - PADDING;
            if (row >= map->height)
                continue;
            const float *in = planes[plane] + row * width;
            const float *weights = task->weights + (plane * KERNEL + ky) * KERNEL;
            for (size_t kx = 0; kx < KERNEL; kx++) {
                const size_t first = kx < PADDING ? PADDING - kx : 0;
                const size_t last = kx > PADDING ? (width > kx - PADDING ? width - (kx - PADDING) : 0) : width;
                for (size_t x = first; x < last; x++)
                    out[x] += weights[kx] * in[x + kx - PADDING];
            }
        }
    for (size_t x = 0; x < width; x++)
        out[x] = sigmoid(out[x]);
}

void blan_k_spatial_gate(const blan_k_map *map, const float *channel_gate, const float *weights, float *gate,
                         float *workspace, int threads)
{
    attention_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .channel_gate = channel_gate,
        .weights = weights,
        .sums = workspace,
        .maxima = workspace + aligned_count(map->batch * area_of(map)),
        .out = gate,
    };
    blan_k_parallel_for(threads, map->batch * bands_of(map), pool_band, &task);
    blan_k_parallel_for(threads, map->batch * map->height, convolve_row, &task);
}

/* ---- the gated sum ---- */

static void attend_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const attention_task *task = context;
    const size_t area = area_of(task->map), image = index / blocks_of(task->map->channels);
    const size_t at = index * area * BLAN_BLOCK;
    task->tiles->attend(area, task->out + at, task->map->data + at,
                        task->channel_gate != NULL ? task->channel_gate + index * BLAN_BLOCK : NULL,
                        task->location_gate != NULL ? task->location_gate + image * area : NULL,
                        task->residual != NULL ? task->residual + at : NULL);
}

void blan_k_attend(const blan_k_map *map, const float *channel_gate, const float *location_gate, const float *residual,
                   float *out, int threads)
{
    attention_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .channel_gate = channel_gate,
        .location_gate = location_gate,
        .residual = residual,
        .out = out,
    };
    blan_k_parallel_for(threads, map->batch * blocks_of(map->channels), attend_block, &task);
}
