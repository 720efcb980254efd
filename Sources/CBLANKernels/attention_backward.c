/* Drivers of the gradients of RDAM's attentions. The gates' inner values are computed again: the map's pooled values,
   and where its maxima are, cost one read of it. */
#include "include/blan_attention_backward.h"

#include <string.h>

#include "attention_internal.h"
#include "include/blan_parallel.h"

enum { TAPS = KERNEL * KERNEL, BAND = 128 };

/* ---- channel attention ---- */

typedef struct channel_task {
    const blan_k_map *map;
    const blan_k_tile_table *tiles;
    const blan_k_channel_mlp *mlp;
    const blan_k_channel_mlp_gradient *d_mlp;
    const float *gate, *d_gate;
    float *d_map;
    float *means, *maxima; /* [batch][padded channels] */
    int32_t *places;       /* where the maxima are */
    float *d_logits;       /* before the sigmoid */
    float *d_means, *d_maxima;
    float *hidden[2], *d_hidden[2]; /* [batch][hidden], of means and maxima, before the ReLU */
} channel_task;

size_t blan_k_channel_gate_backward_workspace_count(const blan_k_map *map, const blan_k_channel_mlp *mlp)
{
    return map->batch * (6 * padded_channels(map) + 4 * aligned_count(mlp->hidden));
}

static void pool_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const channel_task *task = context;
    const size_t area = area_of(task->map), at = index * BLAN_BLOCK;
    task->tiles->first_location(area, task->map->data + at * area, task->means + at, task->maxima + at,
                                task->places + at);
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        task->means[at + lane] /= (float)area;
}

static void differentiate_image(void *context, size_t image, size_t worker)
{
    (void)worker;
    const channel_task *task = context;
    const blan_k_channel_mlp *mlp = task->mlp;
    const size_t channels = task->map->channels, at = image * padded_channels(task->map);
    const float *pooled[2] = {task->means + at, task->maxima + at};
    float *d_pooled[2] = {task->d_means + at, task->d_maxima + at}, *d_logits = task->d_logits + at;
    for (size_t c = 0; c < padded_channels(task->map); c++) {
        const float gate = task->gate[at + c];
        d_logits[c] = c < channels ? task->d_gate[at + c] * gate * (1 - gate) : 0;
        d_pooled[0][c] = d_pooled[1][c] = 0;
    }
    for (size_t j = 0; j < mlp->hidden; j++) {
        const float *row = mlp->fc1_weight + j * channels;
        double gradient = 0;
        for (size_t c = 0; c < channels; c++)
            gradient += (double)d_logits[c] * mlp->fc2_weight[c * mlp->hidden + j];
        for (size_t way = 0; way < 2; way++) {
            double value = mlp->fc1_bias[j];
            for (size_t c = 0; c < channels; c++)
                value += (double)row[c] * pooled[way][c];
            const float d_hidden = value > 0 ? (float)gradient : 0;
            task->hidden[way][image * mlp->hidden + j] = (float)value;
            task->d_hidden[way][image * mlp->hidden + j] = d_hidden;
            for (size_t c = 0; c < channels; c++)
                d_pooled[way][c] += d_hidden * row[c];
        }
    }
    for (size_t c = 0; c < channels; c++)
        d_pooled[0][c] /= (float)area_of(task->map);
}

static void store(float *target, double value, bool accumulate)
{
    *target = (float)(accumulate ? *target + value : value);
}

/* Row j of fc1. */
static void sum_hidden(void *context, size_t j, size_t worker)
{
    (void)worker;
    const channel_task *task = context;
    const blan_k_channel_mlp_gradient *d_mlp = task->d_mlp;
    const size_t channels = task->map->channels, hidden = task->mlp->hidden, images = task->map->batch;
    double bias = 0;
    for (size_t n = 0; n < images; n++)
        bias += (double)task->d_hidden[0][n * hidden + j] + task->d_hidden[1][n * hidden + j];
    store(d_mlp->fc1_bias + j, bias, d_mlp->accumulate);
    for (size_t c = 0; c < channels; c++) {
        double weight = 0;
        for (size_t n = 0; n < images; n++) {
            const size_t at = n * padded_channels(task->map) + c;
            weight += (double)task->d_hidden[0][n * hidden + j] * task->means[at];
            weight += (double)task->d_hidden[1][n * hidden + j] * task->maxima[at];
        }
        store(d_mlp->fc1_weight + j * channels + c, weight, d_mlp->accumulate);
    }
}

/* Row c of fc2, whose bias counts twice. */
static void sum_outputs(void *context, size_t c, size_t worker)
{
    (void)worker;
    const channel_task *task = context;
    const blan_k_channel_mlp_gradient *d_mlp = task->d_mlp;
    const size_t hidden = task->mlp->hidden, images = task->map->batch, step = padded_channels(task->map);
    double bias = 0;
    for (size_t n = 0; n < images; n++)
        bias += 2 * (double)task->d_logits[n * step + c];
    store(d_mlp->fc2_bias + c, bias, d_mlp->accumulate);
    for (size_t j = 0; j < hidden; j++) {
        double weight = 0;
        for (size_t n = 0; n < images; n++)
            for (size_t way = 0; way < 2; way++) {
                const float value = task->hidden[way][n * hidden + j];
                weight += value > 0 ? (double)task->d_logits[n * step + c] * value : 0;
            }
        store(d_mlp->fc2_weight + c * hidden + j, weight, d_mlp->accumulate);
    }
}

static void spread_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const channel_task *task = context;
    const size_t at = index * BLAN_BLOCK;
    float *d_map = task->d_map + at * area_of(task->map);
    task->tiles->spread_channel(area_of(task->map), d_map, task->d_means + at);
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        d_map[(size_t)task->places[at + lane] * BLAN_BLOCK + lane] += task->d_maxima[at + lane];
}

void blan_k_channel_gate_backward(const blan_k_map *map, const blan_k_channel_mlp *mlp, const float *gate,
                                  const float *d_gate, float *d_map, const blan_k_channel_mlp_gradient *d_mlp,
                                  float *workspace, int threads)
{
    const size_t pooled = map->batch * padded_channels(map), hidden = map->batch * aligned_count(mlp->hidden);
    float *rows = workspace + 6 * pooled;
    channel_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .mlp = mlp,
        .d_mlp = d_mlp,
        .gate = gate,
        .d_gate = d_gate,
        .d_map = d_map,
        .means = workspace,
        .maxima = workspace + pooled,
        .places = (int32_t *)(workspace + 2 * pooled),
        .d_logits = workspace + 3 * pooled,
        .d_means = workspace + 4 * pooled,
        .d_maxima = workspace + 5 * pooled,
        .hidden = {rows, rows + hidden},
        .d_hidden = {rows + 2 * hidden, rows + 3 * hidden},
    };
    blan_k_parallel_for(threads, map->batch * blocks_of(map->channels), pool_block, &task);
    blan_k_parallel_for(threads, map->batch, differentiate_image, &task);
    blan_k_parallel_for(threads, mlp->hidden, sum_hidden, &task);
    blan_k_parallel_for(threads, map->channels, sum_outputs, &task);
    blan_k_parallel_for(threads, map->batch * blocks_of(map->channels), spread_block, &task);
}

/* ---- spatial attention ---- */

typedef struct spatial_task {
    const blan_k_map *map;
    const blan_k_tile_table *tiles;
    const float *weights, *gate, *d_gate;
    float *d_map;
    float *planes[2];   /* [batch][area]: mean and maximum over channels */
    int32_t *channels;  /* where the maxima are */
    float *d_logits;    /* before the sigmoid */
    float *d_planes[2]; /* the first is divided by the number of channels */
    float *tap_lanes;   /* [batch][2][TAPS][16] */
    float *d_weights;
    bool accumulate;
} spatial_task;

static size_t plane_count(const blan_k_map *map) { return aligned_count(map->batch * area_of(map)); }

size_t blan_k_spatial_gate_backward_workspace_count(const blan_k_map *map)
{
    return 6 * plane_count(map) + map->batch * 2 * TAPS * BLAN_BLOCK;
}

/* A few rows of one image: their first location, counted through the batch, and how many there are. */
static size_t band_start(const blan_k_map *map, size_t index, size_t *locations)
{
    const size_t row = index % bands_of(map) * POOL_ROWS;
    *locations = smaller(POOL_ROWS, map->height - row) * map->width;
    return index / bands_of(map) * area_of(map) + row * map->width;
}

/* The first channel block of location `at` of the batch in a map. */
static size_t location_offset(const blan_k_map *map, size_t at)
{
    const size_t area = area_of(map);
    return (at / area * blocks_of(map->channels) * area + at % area) * BLAN_BLOCK;
}

static void pool_band(void *context, size_t index, size_t worker)
{
    (void)worker;
    const spatial_task *task = context;
    size_t count;
    const size_t at = band_start(task->map, index, &count);
    task->tiles->first_channel(count, task->map->channels, task->map->data + location_offset(task->map, at),
                               area_of(task->map) * BLAN_BLOCK, task->planes[0] + at, task->planes[1] + at,
                               task->channels + at);
    for (size_t i = at; i < at + count; i++)
        task->d_logits[i] = task->d_gate[i] * task->gate[i] * (1 - task->gate[i]);
}

/* The outputs [*first, *end) along an axis whose tap `tap` lies inside. */
static void valid_range(size_t tap, size_t extent, size_t *first, size_t *end)
{
    *first = tap < PADDING ? PADDING - tap : 0;
    *end = extent + PADDING > tap ? smaller(extent, extent + PADDING - tap) : 0;
}

/* The gradients of one plane's 49 weights from one image: what each tap met, times the gradient at its output. */
static void correlate_plane(void *context, size_t index, size_t worker)
{
    (void)worker;
    const spatial_task *task = context;
    const size_t image = index / 2, width = task->map->width, height = task->map->height;
    const float *plane = task->planes[index % 2] + image * area_of(task->map);
    const float *d_logits = task->d_logits + image * area_of(task->map);
    float *lanes = task->tap_lanes + index * TAPS * BLAN_BLOCK;
    memset(lanes, 0, TAPS * BLAN_BLOCK * sizeof *lanes);
    for (size_t tap = 0; tap < TAPS; tap++) {
        size_t y0, y1, x0, x1;
        valid_range(tap / KERNEL, height, &y0, &y1);
        valid_range(tap % KERNEL, width, &x0, &x1);
        for (size_t y = y0; y < y1 && x0 < x1; y++)
            task->tiles->dot_lanes(x1 - x0, lanes + tap * BLAN_BLOCK, d_logits + y * width + x0,
                                   plane + (y + tap / KERNEL - PADDING) * width + x0 + tap % KERNEL - PADDING);
    }
}

static void sum_tap(void *context, size_t index, size_t worker)
{
    (void)worker;
    const spatial_task *task = context;
    double sum = 0;
    for (size_t n = 0; n < task->map->batch; n++)
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
            sum += task->tap_lanes[(n * 2 * TAPS + index) * BLAN_BLOCK + lane];
    store(task->d_weights + index, sum, task->accumulate);
}

/* One row of the planes' gradients: the convolution read backwards, so its taps are mirrored. */
static void differentiate_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const spatial_task *task = context;
    const size_t width = task->map->width, height = task->map->height, y = index % height;
    const float *d_logits = task->d_logits + (index - y) * width;
    for (size_t plane = 0; plane < 2; plane++) {
        float *row = task->d_planes[plane] + index * width;
        memset(row, 0, width * sizeof *row);
        for (size_t tap = 0; tap < TAPS; tap++) {
            const size_t from = y + tap / KERNEL - PADDING;
            size_t x0, x1;
            valid_range(tap % KERNEL, width, &x0, &x1);
            if (from < height && x0 < x1)
                task->tiles->scaled_sum(x1 - x0, row + x0, 1, d_logits + from * width + x0 + tap % KERNEL - PADDING,
                                        task->weights[plane * TAPS + TAPS - 1 - tap]);
        }
    }
    for (size_t x = 0; x < width; x++)
        task->d_planes[0][index * width + x] /= (float)task->map->channels;
}

static void spread_band(void *context, size_t index, size_t worker)
{
    (void)worker;
    const spatial_task *task = context;
    const size_t step = area_of(task->map) * BLAN_BLOCK;
    size_t count;
    const size_t at = band_start(task->map, index, &count);
    float *d_map = task->d_map + location_offset(task->map, at);
    for (size_t block = 0; block < blocks_of(task->map->channels); block++)
        task->tiles->spread_location(count, smaller(BLAN_BLOCK, task->map->channels - block * BLAN_BLOCK),
                                     d_map + block * step, task->d_planes[0] + at);
    for (size_t i = 0; i < count; i++) {
        const size_t channel = (size_t)task->channels[at + i];
        d_map[channel / BLAN_BLOCK * step + i * BLAN_BLOCK + channel % BLAN_BLOCK] += task->d_planes[1][at + i];
    }
}

void blan_k_spatial_gate_backward(const blan_k_map *map, const float *weights, const float *gate, const float *d_gate,
                                  float *d_map, float *d_weights, bool accumulate, float *workspace, int threads)
{
    const size_t plane = plane_count(map);
    spatial_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .weights = weights,
        .gate = gate,
        .d_gate = d_gate,
        .d_map = d_map,
        .planes = {workspace, workspace + plane},
        .channels = (int32_t *)(workspace + 2 * plane),
        .d_logits = workspace + 3 * plane,
        .d_planes = {workspace + 4 * plane, workspace + 5 * plane},
        .tap_lanes = workspace + 6 * plane,
        .d_weights = d_weights,
        .accumulate = accumulate,
    };
    blan_k_parallel_for(threads, map->batch * bands_of(map), pool_band, &task);
    blan_k_parallel_for(threads, map->batch * 2, correlate_plane, &task);
    blan_k_parallel_for(1, 2 * TAPS, sum_tap, &task);
    blan_k_parallel_for(threads, map->batch * map->height, differentiate_row, &task);
    blan_k_parallel_for(threads, map->batch * bands_of(map), spread_band, &task);
}

/* ---- the gated product ---- */

typedef struct multiply_task {
    const blan_k_map *map;
    const blan_k_tile_table *tiles;
    const float *channel_gate, *location_gate, *d_out;
    float *d_map, *d_channel_gate, *d_location_gate;
    float *channel_sums; /* [batch][parts][padded channels] */
    bool accumulate;
} multiply_task;

/* Parts of BAND locations: small enough for the gradients of a part's location gates to stay in the cache. */
static size_t parts_of(const blan_k_map *map) { return divide_up(area_of(map), BAND); }

size_t blan_k_multiply_backward_workspace_count(const blan_k_map *map)
{
    return map->batch * parts_of(map) * padded_channels(map);
}

static void multiply_part(void *context, size_t index, size_t worker)
{
    (void)worker;
    const multiply_task *task = context;
    const blan_k_map *map = task->map;
    const size_t area = area_of(map), image = index / parts_of(map), first = index % parts_of(map) * BAND;
    const size_t count = smaller(BAND, area - first), at = image * area + first;
    _Alignas(64) float lanes[BAND * BLAN_BLOCK];
    memset(lanes, 0, count * BLAN_BLOCK * sizeof *lanes);
    for (size_t block = 0; block < blocks_of(map->channels); block++) {
        const size_t place = location_offset(map, at) + block * area * BLAN_BLOCK;
        const size_t channel = image * padded_channels(map) + block * BLAN_BLOCK;
        const blan_k_gated_pixels pixels = {
            .map = map->data + place,
            .d_out = task->d_out + place,
            .channel_gate = task->channel_gate != NULL ? task->channel_gate + channel : NULL,
            .location_gate = task->location_gate != NULL ? task->location_gate + at : NULL,
            .d_map = task->d_map + place,
            .channel_sum = task->channel_sums + index * padded_channels(map) + block * BLAN_BLOCK,
            .location_lanes = task->d_location_gate != NULL ? lanes : NULL,
        };
        task->tiles->multiply_backward(count, &pixels, task->accumulate);
    }
    if (task->d_location_gate != NULL)
        task->tiles->sum_lanes(count, task->d_location_gate + at, lanes);
}

static void sum_parts(void *context, size_t image, size_t worker)
{
    (void)worker;
    const multiply_task *task = context;
    const size_t channels = padded_channels(task->map), parts = parts_of(task->map);
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t part = 0; part < parts; part++)
            sum += task->channel_sums[(image * parts + part) * channels + c];
        task->d_channel_gate[image * channels + c] = (float)sum;
    }
}

void blan_k_multiply_backward(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                              const float *d_out, float *d_map, bool accumulate_map, float *d_channel_gate,
                              float *d_location_gate, float *workspace, int threads)
{
    multiply_task task = {
        .map = map,
        .tiles = blan_k_tiles(),
        .channel_gate = channel_gate,
        .location_gate = location_gate,
        .d_out = d_out,
        .d_map = d_map,
        .d_channel_gate = d_channel_gate,
        .d_location_gate = d_location_gate,
        .channel_sums = workspace,
        .accumulate = accumulate_map,
    };
    blan_k_parallel_for(threads, map->batch * parts_of(map), multiply_part, &task);
    if (d_channel_gate != NULL)
        blan_k_parallel_for(threads, map->batch, sum_parts, &task);
}
