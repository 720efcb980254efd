/*
 * LMIM's second layer, between two ReLUs, and the third, which has one output. Done as they are written they would be
 * half of a training step's multiplications.
 *
 * Forward, the inputs are a ReLU's outputs: those that are zero are left out (tiles/sparse.h). Behind it, h2 = relu(z2)
 * and score = w3 . h2, so that with d the score's gradient, m = [z2 > 0] and h1 the layer's input
 *
 *   d z2[p][j] = m[p][j] w3[j] d[p]
 *   d W2[j][k] = w3[j] sum over p of m[p][j] (d[p] h1[p][k])
 *   d h1[p][k] = d[p] sum over j of m[p][j] (w3[j] W2[j][k])
 *
 * Both sums are products with a matrix of zeros and ones, which the method of the Four Russians does with a quarter of
 * the additions and without multiplications (tiles/four_russians.h). Neither h1 nor h2 is kept: h1 is the features'
 * part, a map, plus the embedding's, a vector, and of h2 only m is needed.
 */
#include <math.h>
#include <string.h>

#include "include/blan_parallel.h"
#include "mutual_information_internal.h"

enum {
    TABLES = BLAN_SUMMED_CHANNELS / BLAN_SUBSET_ROWS, /* at once: they fit in half of the L1 cache */
    TABLES_FLOATS = TABLES * BLAN_SUBSET_FLOATS,
    PART_CHANNELS = 128, /* output channels from which a weight gradient's tables are worth making */
};

/* Lists of a pixel: one for so many input channels. */
static size_t lists_of(const blan_k_lmim_shape *s) { return divide_up(lmim_channels(s), BLAN_SUMMED_CHANNELS); }
/* Groups of output blocks that the sparse product takes together. */
static size_t groups_of(const blan_k_lmim_shape *s, const blan_k_tile_table *tiles)
{
    return divide_up(lmim_blocks(s), tiles->sparse_blocks);
}
/* The first output block of a group, and where the one before it ends. */
static size_t group_begin(const blan_k_lmim_shape *s, const blan_k_tile_table *tiles, size_t group)
{
    return lmim_blocks(s) * group / groups_of(s, tiles);
}
static size_t subset_rows(const blan_k_lmim_shape *s) { return divide_up(lmim_area(s), BLAN_SUBSET_ROWS); }

/* A worker's scratch of the forward pass: floats to its parts. */
typedef struct strip_layout {
    size_t active; /* blan_k_active, [lists][LMIM_STRIP][BLAN_SUMMED_CHANNELS] and two more */
    size_t counts; /* uint32_t, [lists][LMIM_STRIP] */
    size_t hidden; /* [blocks][LMIM_STRIP][16] */
    size_t total;
} strip_layout;

static strip_layout strip_layout_of(const blan_k_lmim_shape *s)
{
    const size_t lists = lists_of(s) * LMIM_STRIP;
    strip_layout layout = {.total = 0};
    layout.active = take(&layout.total, (lists * BLAN_SUMMED_CHANNELS + 2) * sizeof(blan_k_active) / sizeof(float));
    layout.counts = take(&layout.total, lists);
    layout.hidden = take(&layout.total, lmim_channels(s) * LMIM_STRIP);
    return layout;
}

void blan_k_lmim_hidden_layout(lmim_layout *layout, const blan_k_lmim_shape *s, size_t chunk, int threads)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const size_t channels = lmim_channels(s), area = lmim_area(s), blocks = lmim_blocks(s);
    size_t *total = &layout->total;
    layout->hidden_bias = take(total, channels);
    layout->sparse_weights = take(total, groups_of(s, tiles) * channels * tiles->sparse_blocks * BLAN_BLOCK);
    layout->weight_rows = take(total, blocks * channels * BLAN_BLOCK);
    layout->score_weights = take(total, channels);
    layout->losses = take(total, 2 * s->batch * lmim_strips(s) * sizeof(lmim_loss) / sizeof(float));
    layout->score_sums = take(total, channels);
    layout->active_sums = take(total, channels);
    layout->weight_sums = take(total, blocks * channels * BLAN_BLOCK);
    layout->map = take(total, chunk * channels * area);
    layout->d_map = take(total, chunk * channels * area);
    layout->scores = take(total, 2 * chunk * area);
    layout->strip_sums = take(total, 2 * chunk * lmim_strips(s) * 2 * channels);
    layout->d_strip_vectors = take(total, chunk * lmim_wide_strips(s) * 2 * channels);
    layout->by_location = take(total, 2 * chunk * channels / BLAN_SUBSET_ROWS * area / sizeof(float));
    layout->by_channel = take(total, 2 * chunk * subset_rows(s) * channels / sizeof(float));
    layout->scratch_floats = larger(strip_layout_of(s).total, TABLES_FLOATS + 2 * LMIM_WIDE * BLAN_BLOCK);
    layout->scratch = take(total, layout->scratch_floats * (threads < 1 ? 1 : (size_t)threads));
}

static float *scratch_of(const lmim_task *task, size_t worker)
{
    return lmim_part(task, task->layout.scratch) + worker * task->layout.scratch_floats;
}

/* The embedding's part of the first layer's output for map `map` of the chunk. */
static const float *vector_of(const lmim_task *task, size_t map)
{
    const bool fake = map >= task->images;
    const size_t n = task->first + map - (fake ? task->images : 0);
    const size_t row = fake ? lmim_fake_row(task->shape, n) : n;
    return lmim_part(task, task->layout.vectors) + row * lmim_channels(task->shape);
}

static uint8_t *by_location_of(const lmim_task *task, size_t map)
{
    return (uint8_t *)lmim_part(task, task->layout.by_location) +
           map * (lmim_channels(task->shape) / BLAN_SUBSET_ROWS) * lmim_area(task->shape);
}

static uint8_t *by_channel_of(const lmim_task *task, size_t map)
{
    return (uint8_t *)lmim_part(task, task->layout.by_channel) +
           map * subset_rows(task->shape) * lmim_channels(task->shape);
}

/* ---- weights ---- */

typedef struct pack_task {
    const lmim_task *task;
    const float *weights; /* [hidden][hidden] */
} pack_task;

/* All weights of one block of input channels, in both orders. */
static void pack_block(void *context, size_t block, size_t worker)
{
    (void)worker;
    const pack_task *pack = context;
    const lmim_task *task = pack->task;
    const blan_k_lmim_shape *s = task->shape;
    const size_t channels = lmim_channels(s), groups = groups_of(s, task->tiles);
    const size_t row = task->tiles->sparse_blocks * BLAN_BLOCK, first = block * BLAN_BLOCK;
    const size_t count = smaller(BLAN_BLOCK, s->hidden - first);
    float *rows = lmim_part(task, task->layout.weight_rows) + block * channels * BLAN_BLOCK;
    memset(rows, 0, channels * BLAN_BLOCK * sizeof *rows);
    for (size_t j = 0; j < s->hidden; j++)
        memcpy(rows + j * BLAN_BLOCK, pack->weights + j * s->hidden + first, count * sizeof *rows);
    for (size_t group = 0; group < groups; group++) {
        const size_t begin = group_begin(s, task->tiles, group) * BLAN_BLOCK;
        const size_t end = group_begin(s, task->tiles, group + 1) * BLAN_BLOCK;
        float *out = lmim_part(task, task->layout.sparse_weights) + (group * channels + first) * row;
        for (size_t j = begin; j < end; j++)
            for (size_t k = 0; k < BLAN_BLOCK; k++)
                out[k * row + j - begin] = rows[j * BLAN_BLOCK + k];
    }
}

void blan_k_lmim_hidden_begin(const lmim_task *task, const blan_k_lmim_weights *weights)
{
    pack_task pack = {task, weights->conv2_weight};
    blan_k_parallel_for(task->threads, lmim_blocks(task->shape), pack_block, &pack);
    lmim_copy_padded(task->shape, lmim_part(task, task->layout.hidden_bias), weights->conv2_bias);
    lmim_copy_padded(task->shape, lmim_part(task, task->layout.score_weights), weights->conv3_weight);
}

/* ---- forward ---- */

/* h2 of `count` locations from `first` on of map `map`: [blocks][LMIM_STRIP][16], in the scratch. */
static const float *hidden_strip(const lmim_task *task, size_t map, size_t first, size_t count, float *scratch)
{
    const blan_k_lmim_shape *s = task->shape;
    const strip_layout layout = strip_layout_of(s);
    blan_k_active *active = (blan_k_active *)(void *)(scratch + layout.active);
    uint32_t *counts = (uint32_t *)(void *)(scratch + layout.counts);
    float *hidden = scratch + layout.hidden;
    const size_t area = lmim_area(s), blocks = lmim_blocks(s), lists = lists_of(s), groups = groups_of(s, task->tiles);
    const size_t list_places = LMIM_STRIP * BLAN_SUMMED_CHANNELS, row = task->tiles->sparse_blocks * BLAN_BLOCK;
    const float *vector = vector_of(task, map);
    for (size_t list = 0; list < lists; list++) {
        const size_t block = list * BLAN_SUMMED_BLOCKS;
        task->tiles->list_active(count, smaller(BLAN_SUMMED_BLOCKS, blocks - block), active + list * list_places,
                                 counts + list * LMIM_STRIP,
                                 lmim_block(task, task->layout.map, map % task->images, block) + first * BLAN_BLOCK,
                                 area * BLAN_BLOCK, vector + block * BLAN_BLOCK);
    }
    for (size_t group = 0; group < groups; group++) {
        const size_t begin = group_begin(s, task->tiles, group), end = group_begin(s, task->tiles, group + 1);
        const float *weights = lmim_part(task, task->layout.sparse_weights) + group * lmim_channels(s) * row;
        for (size_t list = 0; list < lists; list++) {
            const blan_k_sparse_product product = {
                .out = hidden + begin * LMIM_STRIP * BLAN_BLOCK,
                .out_block_step = LMIM_STRIP * BLAN_BLOCK,
                .bias = list == 0 ? lmim_part(task, task->layout.hidden_bias) + begin * BLAN_BLOCK : NULL,
                .relu = list + 1 == lists,
                .active = active + list * list_places,
                .counts = counts + list * LMIM_STRIP,
                .weights = weights + list * BLAN_SUMMED_CHANNELS * row,
            };
            task->tiles->sparse_multiply(count, end - begin, &product);
        }
    }
    return hidden;
}

/* softplus(x), and its derivative, the sigmoid. */
static float softplus(float x, float *derivative)
{
    const float small = expf(-fabsf(x));
    *derivative = (x > 0 ? 1 : small) / (1 + small);
    return fmaxf(x, 0) + log1pf(small);
}

/* Scores, their losses and gradients on one strip of one map. */
static void score_strip(void *context, size_t index, size_t worker)
{
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t area = lmim_area(s), map = index / lmim_strips(s), strip = index % lmim_strips(s);
    const size_t channels = lmim_channels(s), block_floats = LMIM_STRIP * BLAN_BLOCK;
    const size_t first = strip * LMIM_STRIP, count = smaller(LMIM_STRIP, area - first);
    const bool fake = map >= task->images;
    const float *hidden = hidden_strip(task, map, first, count, scratch_of(task, worker));
    float *scores = lmim_part(task, l->scores) + map * area + first;
    task->tiles->lmim_score(count, lmim_blocks(s), scores, hidden, block_floats,
                            lmim_part(task, l->score_weights));
    const float sign = fake ? 1 : -1, factor = task->scale / ((float)s->batch * (float)area);
    lmim_loss sums = {0, 0};
    for (size_t i = 0; i < count; i++) {
        float derivative;
        sums.loss += softplus(sign * (scores[i] + task->score_bias), &derivative);
        scores[i] = sign * derivative * factor;
        sums.d_score += scores[i];
    }
    const size_t row = fake ? s->batch + task->first + map - task->images : task->first + map;
    ((lmim_loss *)(void *)lmim_part(task, l->losses))[row * lmim_strips(s) + strip] = sums;
    if (!task->backward)
        return;
    float *strip_sums = lmim_part(task, l->strip_sums) + index * 2 * channels;
    for (size_t block = 0; block < lmim_blocks(s); block++)
        task->tiles->lmim_score_backward(
            count, hidden + block * block_floats, scores, strip_sums + block * BLAN_BLOCK,
            strip_sums + channels + block * BLAN_BLOCK,
            by_location_of(task, map) + block * (BLAN_BLOCK / BLAN_SUBSET_ROWS) * area + first, area,
            by_channel_of(task, map) + first / BLAN_SUBSET_ROWS * channels + block * BLAN_BLOCK, channels);
}

/* sums[2][channels, to each of two places] += or = the `count` strips' in turn. */
static void add_strips(float *const sums[2], size_t channels, const float *strips, size_t count, bool add)
{
    for (size_t strip = 0; strip < count; strip++)
        for (size_t i = 0; i < 2; i++)
            for (size_t c = 0; c < channels; c++)
                sums[i][c] = (add || strip > 0 ? sums[i][c] : 0) + strips[(strip * 2 + i) * channels + c];
}

void blan_k_lmim_hidden_forward(const lmim_task *task)
{
    const lmim_layout *l = &task->layout;
    const size_t strips = 2 * task->images * lmim_strips(task->shape);
    blan_k_parallel_for(task->threads, strips, score_strip, (void *)task);
    if (task->backward)
        add_strips((float *[]){lmim_part(task, l->score_sums), lmim_part(task, l->active_sums)},
                   lmim_channels(task->shape), lmim_part(task, l->strip_sums), strips, task->first > 0);
}

/* ---- backward ---- */

/* Parts that the output channels are cut into when there are not blocks of input channels enough for all threads. */
static size_t weight_parts(const lmim_task *task)
{
    const size_t wanted = divide_up(4 * (size_t)task->threads, lmim_blocks(task->shape));
    return larger(1, smaller(wanted, lmim_channels(task->shape) / PART_CHANNELS));
}

/* weight_sums of one block of input channels and a part of the output channels, over all maps of the chunk. */
static void sum_weights(void *context, size_t index, size_t worker)
{
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const size_t parts = weight_parts(task), block = index / parts, part = index % parts;
    const size_t area = lmim_area(s), channels = lmim_channels(s);
    const size_t begin = lmim_blocks(s) * part / parts * BLAN_BLOCK;
    const size_t end = lmim_blocks(s) * (part + 1) / parts * BLAN_BLOCK;
    float *tables = scratch_of(task, worker);
    float *sums = lmim_part(task, task->layout.weight_sums) + (block * channels + begin) * BLAN_BLOCK;
    for (size_t map = 0; map < 2 * task->images; map++)
        for (size_t first = 0; first < area; first += BLAN_SUMMED_CHANNELS) {
            const size_t count = smaller(BLAN_SUMMED_CHANNELS, area - first);
            task->tiles->subset_sums(
                count, tables, lmim_block(task, task->layout.map, map % task->images, block) + first * BLAN_BLOCK,
                lmim_part(task, task->layout.scores) + map * area + first, vector_of(task, map) + block * BLAN_BLOCK);
            task->tiles->masked_sums(end - begin, divide_up(count, BLAN_SUBSET_ROWS), sums,
                                     task->first > 0 || map > 0 || first > 0, tables,
                                     by_channel_of(task, map) + first / BLAN_SUBSET_ROWS * channels + begin, channels);
        }
}

/* d_map and the vectors' gradients on one wide strip of one image and one block of the second layer's inputs. */
static void differentiate_map(void *context, size_t index, size_t worker)
{
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t area = lmim_area(s), blocks = lmim_blocks(s), channels = lmim_channels(s);
    const size_t block = index % blocks, strip = index / blocks % lmim_wide_strips(s);
    const size_t image = index / blocks / lmim_wide_strips(s);
    const size_t first = strip * LMIM_WIDE, count = smaller(LMIM_WIDE, area - first);
    float *tables = scratch_of(task, worker);
    float *const sums[2] = {tables + TABLES_FLOATS, tables + TABLES_FLOATS + LMIM_WIDE * BLAN_BLOCK};
    for (size_t channel = 0; channel < channels; channel += BLAN_SUMMED_CHANNELS) {
        const size_t rows = smaller(BLAN_SUMMED_CHANNELS, channels - channel);
        task->tiles->subset_sums(rows, tables,
                                 lmim_part(task, l->weight_rows) + (block * channels + channel) * BLAN_BLOCK,
                                 lmim_part(task, l->score_weights) + channel, NULL);
        for (size_t fake = 0; fake < 2; fake++)
            task->tiles->masked_sums(count, rows / BLAN_SUBSET_ROWS, sums[fake], channel > 0, tables,
                                     by_location_of(task, image + fake * task->images) +
                                         channel / BLAN_SUBSET_ROWS * area + first,
                                     area);
    }
    float *d_vectors = lmim_part(task, l->d_strip_vectors) +
                       (image * lmim_wide_strips(s) + strip) * 2 * channels + block * BLAN_BLOCK;
    blan_k_lmim_pair pairs[2];
    for (size_t fake = 0; fake < 2; fake++) {
        const size_t map = image + fake * task->images;
        pairs[fake] = (blan_k_lmim_pair){vector_of(task, map) + block * BLAN_BLOCK, sums[fake],
                                         lmim_part(task, l->scores) + map * area + first, d_vectors + fake * channels};
    }
    task->tiles->lmim_hidden_backward(count, lmim_block(task, l->d_map, image, block) + first * BLAN_BLOCK,
                                      lmim_block(task, l->map, image, block) + first * BLAN_BLOCK, pairs);
}

void blan_k_lmim_hidden_backward(const lmim_task *task)
{
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t channels = lmim_channels(s), blocks = lmim_blocks(s), strips = lmim_wide_strips(s);
    blan_k_parallel_for(task->threads, blocks * weight_parts(task), sum_weights, (void *)task);
    blan_k_parallel_for(task->threads, task->images * strips * blocks, differentiate_map, (void *)task);
    for (size_t image = 0; image < task->images; image++) {
        const size_t row = (task->first + image) * channels;
        add_strips((float *[]){lmim_part(task, l->d_vectors) + row, lmim_part(task, l->d_fake_vectors) + row}, channels,
                   lmim_part(task, l->d_strip_vectors) + image * strips * 2 * channels, strips, false);
    }
}

void blan_k_lmim_hidden_finish(const lmim_task *task, const blan_k_lmim_weights *d_weights, bool accumulate)
{
    const size_t hidden = task->shape->hidden, channels = lmim_channels(task->shape);
    const float *sums = lmim_part(task, task->layout.weight_sums);
    const float *score_sums = lmim_part(task, task->layout.score_sums);
    const float *active_sums = lmim_part(task, task->layout.active_sums);
    const float *score_weights = lmim_part(task, task->layout.score_weights);
    for (size_t j = 0; j < hidden; j++) {
        float *d_row = d_weights->conv2_weight + j * hidden;
        for (size_t k = 0; k < hidden; k++)
            d_row[k] = (accumulate ? d_row[k] : 0) +
                       score_weights[j] * sums[(k / BLAN_BLOCK * channels + j) * BLAN_BLOCK + k % BLAN_BLOCK];
        d_weights->conv2_bias[j] = (accumulate ? d_weights->conv2_bias[j] : 0) + score_weights[j] * active_sums[j];
        d_weights->conv3_weight[j] = (accumulate ? d_weights->conv3_weight[j] : 0) + score_sums[j];
    }
}
