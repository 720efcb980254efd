/*
 * Driver of LMIM. The 1x1 convolutions are the direct method's; what lies between them is done by the passes of
 * tiles/mutual_information.h.
 *
 * The hidden maps of a chunk of images lie one after the other: those of its real pairs, then those of its fake pairs,
 * so that the second layer is one convolution of twice as many images.
 */
#include "include/blan_mutual_information.h"

#include <math.h>
#include <string.h>

#include "include/blan_parallel.h"
#include "training_workspace.h"

enum {
    CHUNK_LOCATIONS = 2048, /* of a chunk: its hidden maps stay in the L3 cache */
    STRIP = 256,            /* locations of one task of the score */
};

static size_t area_of(const blan_k_lmim_shape *s) { return s->height * s->width; }
static size_t feature_count(const blan_k_lmim_shape *s) { return s->feature_channels[0] + s->feature_channels[1]; }
static size_t hidden_blocks(const blan_k_lmim_shape *s) { return blocks_of(s->hidden); }
static size_t strips_of(const blan_k_lmim_shape *s) { return divide_up(area_of(s), STRIP); }
/* Rows of embeddings, and which of them the fake pair of image n meets. */
static size_t rows_of(const blan_k_lmim_shape *s) { return s->batch + (s->borrows ? 1 : 0); }
static size_t fake_row(const blan_k_lmim_shape *s, size_t n) { return s->borrows ? n + 1 : (n + 1) % s->batch; }
static size_t chunk_images(const blan_k_lmim_shape *s)
{
    return smaller(s->batch, larger(1, CHUNK_LOCATIONS / area_of(s)));
}

/* W_F on the features of `images` images. */
static blan_k_conv_shape feature_layer(const blan_k_lmim_shape *s, size_t images)
{
    return (blan_k_conv_shape){.batch = images,
                               .in_channels = {s->feature_channels[0], s->feature_channels[1]},
                               .in_upsample = {s->feature_upsample[0],
                                               s->feature_channels[1] > 0 ? s->feature_upsample[1] : 1},
                               .in_height = s->height,
                               .in_width = s->width,
                               .out_channels = s->hidden,
                               .kernel = 1,
                               .stride = 1};
}

/* W_T on the embeddings of the whole batch. */
static blan_k_conv_shape embedding_layer(const blan_k_lmim_shape *s)
{
    return (blan_k_conv_shape){.batch = rows_of(s),
                               .in_channels = {s->embedding, 0},
                               .in_upsample = {1, 1},
                               .in_height = 1,
                               .in_width = 1,
                               .out_channels = s->hidden,
                               .kernel = 1,
                               .stride = 1};
}

/* The second layer on the real and fake hidden maps of `images` images. */
static blan_k_conv_shape hidden_layer(const blan_k_lmim_shape *s, size_t images)
{
    return (blan_k_conv_shape){.batch = 2 * images,
                               .in_channels = {s->hidden, 0},
                               .in_upsample = {1, 1},
                               .in_height = s->height,
                               .in_width = s->width,
                               .out_channels = s->hidden,
                               .kernel = 1,
                               .stride = 1};
}

/* ---- the workspace ---- */

/* A layer's weights as the weights file holds them, packed for both directions, and its bias filled up to blocks. */
typedef struct layer_place {
    size_t weights, forward, backward, bias;
} layer_place;

/* Floats from the workspace's start to each part. */
typedef struct lmim_layout {
    layer_place feature, embedding, hidden;
    size_t score_weights;             /* [blocks * 16] */
    size_t d_feature, d_embedding;    /* gradients of the two parts of the first layer's weights */
    size_t vectors;                   /* [rows][blocks * 16]: W_T T + bias */
    size_t real_sums;                 /* the same: d(vector) of each image from its real pair */
    size_t fake_sums;                 /* [batch][blocks * 16]: d(vector) of the next image from each image's fake pair */
    size_t score_sums;                /* [2 * batch][blocks * 16]: d(third layer's weights) of each map */
    size_t scores;                    /* [2 * chunk][area], then their gradients */
    size_t strips;                    /* [2 * batch][strips]: strip_sums */
    size_t maps1, maps2, d_maps1;     /* [2 * chunk][blocks][area][16] */
    size_t convolution, total;
} lmim_layout;

/* What one strip of scores adds up to. */
typedef struct strip_sums {
    double loss, d_score;
} strip_sums;

static layer_place take_layer(lmim_layout *layout, const blan_k_conv_shape *layer)
{
    layer_place place;
    place.weights = take(&layout->total, layer->out_channels * (layer->in_channels[0] + layer->in_channels[1]));
    place.forward = take(&layout->total, blan_k_conv_packed_count(layer, BLAN_K_CONV_DIRECT));
    place.backward = take(&layout->total, blan_k_conv_backward_packed_count(layer, BLAN_K_CONV_DIRECT));
    place.bias = take(&layout->total, blocks_of(layer->out_channels) * BLAN_BLOCK);
    return place;
}

static lmim_layout layout_of(const blan_k_lmim_shape *s, int threads)
{
    const size_t chunk = chunk_images(s), area = area_of(s), channels = hidden_blocks(s) * BLAN_BLOCK;
    const size_t last = s->batch % chunk == 0 ? chunk : s->batch % chunk; /* images of the last chunk */
    const blan_k_conv_shape layers[] = {feature_layer(s, chunk), hidden_layer(s, chunk), embedding_layer(s),
                                        feature_layer(s, last), hidden_layer(s, last)};
    lmim_layout layout = {.total = 0};
    layout.feature = take_layer(&layout, &layers[0]);
    layout.hidden = take_layer(&layout, &layers[1]);
    layout.embedding = take_layer(&layout, &layers[2]);
    layout.score_weights = take(&layout.total, channels);
    layout.d_feature = take(&layout.total, s->hidden * feature_count(s));
    layout.d_embedding = take(&layout.total, s->hidden * s->embedding);
    layout.vectors = take(&layout.total, rows_of(s) * channels);
    layout.real_sums = take(&layout.total, rows_of(s) * channels);
    layout.fake_sums = take(&layout.total, s->batch * channels);
    layout.score_sums = take(&layout.total, 2 * s->batch * channels);
    layout.scores = take(&layout.total, 2 * chunk * area);
    layout.strips = take(&layout.total, 2 * s->batch * strips_of(s) * sizeof(strip_sums) / sizeof(float));
    layout.maps1 = take(&layout.total, 2 * chunk * channels * area);
    layout.maps2 = take(&layout.total, 2 * chunk * channels * area);
    layout.d_maps1 = take(&layout.total, 2 * chunk * channels * area);
    size_t floats = 0;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        floats = larger(floats, convolution_floats(&layers[i], BLAN_K_CONV_DIRECT, BLAN_K_CONV_DIRECT, threads));
    layout.convolution = take(&layout.total, floats);
    return layout;
}

size_t blan_k_lmim_workspace_count(const blan_k_lmim_shape *shape, int threads)
{
    return layout_of(shape, threads).total;
}

/* ---- one call ---- */

typedef struct lmim_task {
    const blan_k_lmim_shape *shape;
    const blan_k_tile_table *tiles;
    lmim_layout layout;
    float *workspace;
    float score_bias, scale;
    size_t first, images; /* the chunk being worked on */
    int threads;
} lmim_task;

static float *part(const lmim_task *task, size_t place) { return task->workspace + place; }

/* Channel block `block` of map `index` of the chunk in the maps at `place`; fake maps follow the real ones. */
static float *block_at(const lmim_task *task, size_t place, size_t index, size_t block)
{
    const size_t blocks = hidden_blocks(task->shape);
    return part(task, place) + (index * blocks + block) * area_of(task->shape) * BLAN_BLOCK;
}

/* The part for channel block `block` of row `row` of an array of [rows][blocks * 16]. */
static float *vector_at(const lmim_task *task, size_t place, size_t row, size_t block)
{
    return part(task, place) + (row * hidden_blocks(task->shape) + block) * BLAN_BLOCK;
}

static void pack_layer(const lmim_task *task, const blan_k_conv_shape *layer, const layer_place *place,
                       const float *weights, size_t row, size_t offset, const float *bias)
{
    const size_t channels = layer->in_channels[0] + layer->in_channels[1];
    float *own = part(task, place->weights);
    for (size_t k = 0; k < layer->out_channels; k++)
        memcpy(own + k * channels, weights + k * row + offset, channels * sizeof *own);
    blan_k_conv_pack(layer, BLAN_K_CONV_DIRECT, own, NULL, part(task, place->forward), task->threads);
    blan_k_conv_backward_pack(layer, BLAN_K_CONV_DIRECT, own, part(task, place->backward), task->threads);
    memset(part(task, place->bias), 0, blocks_of(layer->out_channels) * BLAN_BLOCK * sizeof *own);
    if (bias != NULL)
        memcpy(part(task, place->bias), bias, layer->out_channels * sizeof *own);
}

static void run_layer(const lmim_task *task, const blan_k_conv_shape *layer, const layer_place *place, float *out,
                      const float *in0, const float *in1, bool relu)
{
    blan_k_conv_forward(layer, BLAN_K_CONV_DIRECT, out, in0, in1, part(task, place->forward), part(task, place->bias),
                        NULL, relu, part(task, task->layout.convolution), task->threads);
}

static void hidden_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const size_t image = index / hidden_blocks(s), block = index % hidden_blocks(s), n = task->first + image;
    task->tiles->lmim_hidden(area_of(s), block_at(task, task->layout.maps1, image, block),
                             block_at(task, task->layout.maps1, task->images + image, block),
                             vector_at(task, task->layout.vectors, n, block),
                             vector_at(task, task->layout.vectors, fake_row(s, n), block));
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
    (void)worker;
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const size_t area = area_of(s), map = index / strips_of(s), strip = index % strips_of(s);
    const size_t first = strip * STRIP, count = smaller(STRIP, area - first);
    const bool fake = map >= task->images;
    float *scores = part(task, task->layout.scores) + map * area + first;
    task->tiles->lmim_score(count, hidden_blocks(s), scores,
                            block_at(task, task->layout.maps2, map, 0) + first * BLAN_BLOCK, area * BLAN_BLOCK,
                            part(task, task->layout.score_weights));
    const float sign = fake ? 1 : -1, factor = task->scale / ((float)s->batch * (float)area);
    strip_sums sums = {0, 0};
    for (size_t i = 0; i < count; i++) {
        float derivative;
        sums.loss += softplus(sign * (scores[i] + task->score_bias), &derivative);
        scores[i] = sign * derivative * factor;
        sums.d_score += scores[i];
    }
    const size_t row = fake ? s->batch + task->first + map - task->images : task->first + map;
    ((strip_sums *)(void *)part(task, task->layout.strips))[row * strips_of(s) + strip] = sums;
}

static void score_backward_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const size_t map = index / hidden_blocks(s), block = index % hidden_blocks(s);
    const size_t row = map < task->images ? task->first + map : s->batch + task->first + map - task->images;
    task->tiles->lmim_score_backward(area_of(s), block_at(task, task->layout.maps2, map, block),
                                     part(task, task->layout.scores) + map * area_of(s),
                                     part(task, task->layout.score_weights) + block * BLAN_BLOCK,
                                     vector_at(task, task->layout.score_sums, row, block));
}

static void hidden_backward_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const lmim_task *task = context;
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t real = index / hidden_blocks(s), block = index % hidden_blocks(s), fake = task->images + real;
    task->tiles->lmim_hidden_backward(area_of(s), block_at(task, l->d_maps1, real, block),
                                      block_at(task, l->d_maps1, fake, block), block_at(task, l->maps1, real, block),
                                      block_at(task, l->maps1, fake, block),
                                      vector_at(task, l->real_sums, task->first + real, block),
                                      vector_at(task, l->fake_sums, task->first + real, block));
}

/* The chunk's hidden maps, scores and losses. */
static void forward_chunk(lmim_task *task, const float *in0, const float *in1)
{
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const blan_k_conv_shape feature = feature_layer(s, task->images), hidden = hidden_layer(s, task->images);
    run_layer(task, &feature, &l->feature, block_at(task, l->maps1, task->images, 0), in0, in1, false);
    blan_k_parallel_for(task->threads, task->images * hidden_blocks(s), hidden_block, task);
    run_layer(task, &hidden, &l->hidden, part(task, l->maps2), part(task, l->maps1), NULL, true);
    blan_k_parallel_for(task->threads, 2 * task->images * strips_of(s), score_strip, task);
}

static void backward_chunk(lmim_task *task, const float *in0, const float *in1,
                           const blan_k_lmim_weights *d_weights, bool accumulate_weights, float *d_in0, float *d_in1,
                           const bool accumulate_features[2])
{
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const blan_k_conv_shape feature = feature_layer(s, task->images), hidden = hidden_layer(s, task->images);
    float *workspace = part(task, l->convolution);
    const int threads = task->threads;
    blan_k_parallel_for(threads, 2 * task->images * hidden_blocks(s), score_backward_block, task);
    blan_k_conv_backward_weights(&hidden, d_weights->conv2_weight, d_weights->conv2_bias,
                                 accumulate_weights || task->first > 0, part(task, l->maps1), NULL,
                                 part(task, l->maps2), workspace, threads);
    blan_k_conv_backward_data(&hidden, BLAN_K_CONV_DIRECT, part(task, l->d_maps1), NULL, false, false,
                              part(task, l->maps2), part(task, l->hidden.backward), workspace, threads);
    blan_k_parallel_for(threads, task->images * hidden_blocks(s), hidden_backward_block, task);
    blan_k_conv_backward_weights(&feature, part(task, l->d_feature), NULL, task->first > 0, in0, in1,
                                 part(task, l->d_maps1), workspace, threads);
    blan_k_conv_backward_data(&feature, BLAN_K_CONV_DIRECT, d_in0, d_in1, accumulate_features[0],
                              accumulate_features[1], part(task, l->d_maps1), part(task, l->feature.backward),
                              workspace, threads);
}

/* Writes `count` values spread over rows of `row` floats. */
static void store_rows(float *out, size_t row, const float *values, size_t rows, size_t count, bool accumulate)
{
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < count; i++)
            out[k * row + i] = (accumulate ? out[k * row + i] : 0) + values[k * count + i];
}

/* Gradients that are known when all chunks are done: of the embeddings, the first layer and the third. */
static void finish_backward(const lmim_task *task, const float *embeddings, const blan_k_lmim_weights *d_weights,
                            bool accumulate, float *d_embeddings)
{
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t channels = hidden_blocks(s) * BLAN_BLOCK, inputs = feature_count(s) + s->embedding;
    float *d_vectors = part(task, l->real_sums);
    const float *fake_sums = part(task, l->fake_sums), *score_sums = part(task, l->score_sums);
    if (s->borrows) /* no real pair here met the borrowed vector */
        memset(d_vectors + s->batch * channels, 0, channels * sizeof *d_vectors);
    for (size_t n = 0; n < s->batch; n++) /* the fake pair of F_n met the vector of image n + 1 */
        for (size_t c = 0; c < channels; c++)
            d_vectors[fake_row(s, n) * channels + c] += fake_sums[n * channels + c];
    const blan_k_conv_shape layer = embedding_layer(s);
    float *workspace = part(task, l->convolution);
    /* The bias may be added to, the weights' part comes from zero: it is added to its rows below. */
    memset(part(task, l->d_embedding), 0, s->hidden * s->embedding * sizeof(float));
    blan_k_conv_backward_weights(&layer, part(task, l->d_embedding), d_weights->conv1_bias, accumulate, embeddings,
                                 NULL, d_vectors, workspace, task->threads);
    /* Of the first layer's weights, the features' bias is the embeddings': both see the sum of the same gradients. */
    blan_k_conv_backward_data(&layer, BLAN_K_CONV_DIRECT, d_embeddings, NULL, true, false, d_vectors,
                              part(task, l->embedding.backward), workspace, task->threads);
    store_rows(d_weights->conv1_weight, inputs, part(task, l->d_feature), s->hidden, feature_count(s), accumulate);
    store_rows(d_weights->conv1_weight + feature_count(s), inputs, part(task, l->d_embedding), s->hidden,
               s->embedding, accumulate);
    for (size_t k = 0; k < s->hidden; k++) {
        float sum = 0;
        for (size_t map = 0; map < 2 * s->batch; map++)
            sum += score_sums[map * channels + k];
        store_rows(d_weights->conv3_weight + k, 1, &sum, 1, 1, accumulate);
    }
}

double blan_k_lmim(const blan_k_lmim_shape *shape, const blan_k_lmim_weights *weights, const float *const features[2],
                   const float *embeddings, float scale, const blan_k_lmim_weights *d_weights, bool accumulate_weights,
                   float *const d_features[2], const bool accumulate_features[2], float *d_embeddings,
                   float *workspace, int threads)
{
    lmim_task task = {
        .shape = shape,
        .tiles = blan_k_tiles(),
        .layout = layout_of(shape, threads),
        .workspace = workspace,
        .score_bias = weights->conv3_bias[0],
        .scale = scale,
        .threads = threads,
    };
    const lmim_layout *l = &task.layout;
    const size_t chunk = chunk_images(shape), inputs = feature_count(shape) + shape->embedding;
    const blan_k_conv_shape feature = feature_layer(shape, chunk), hidden = hidden_layer(shape, chunk);
    const blan_k_conv_shape embedding = embedding_layer(shape);
    pack_layer(&task, &feature, &l->feature, weights->conv1_weight, inputs, 0, NULL);
    pack_layer(&task, &embedding, &l->embedding, weights->conv1_weight, inputs, feature_count(shape),
               weights->conv1_bias);
    pack_layer(&task, &hidden, &l->hidden, weights->conv2_weight, shape->hidden, 0, weights->conv2_bias);
    memset(part(&task, l->score_weights), 0, hidden_blocks(shape) * BLAN_BLOCK * sizeof(float));
    memcpy(part(&task, l->score_weights), weights->conv3_weight, shape->hidden * sizeof(float));
    run_layer(&task, &embedding, &l->embedding, part(&task, l->vectors), embeddings, NULL, false);

    size_t image[2]; /* floats of an image of each feature map */
    for (size_t i = 0; i < 2; i++)
        image[i] = blocks_of(feature.in_channels[i]) * (shape->height / feature.in_upsample[i]) *
                   (shape->width / feature.in_upsample[i]) * BLAN_BLOCK;
    const bool two = shape->feature_channels[1] > 0;
    for (; task.first < shape->batch; task.first += task.images) {
        task.images = smaller(chunk, shape->batch - task.first);
        const float *in0 = features[0] + task.first * image[0];
        const float *in1 = two ? features[1] + task.first * image[1] : NULL;
        forward_chunk(&task, in0, in1);
        if (d_weights != NULL)
            backward_chunk(&task, in0, in1, d_weights, accumulate_weights, d_features[0] + task.first * image[0],
                           two ? d_features[1] + task.first * image[1] : NULL, accumulate_features);
    }
    if (d_weights != NULL)
        finish_backward(&task, embeddings, d_weights, accumulate_weights, d_embeddings);

    const strip_sums *strips = (const strip_sums *)(const void *)part(&task, l->strips);
    double loss = 0, d_bias = 0;
    for (size_t i = 0; i < 2 * shape->batch * strips_of(shape); i++) {
        loss += strips[i].loss;
        d_bias += strips[i].d_score;
    }
    if (d_weights != NULL)
        d_weights->conv3_bias[0] = (accumulate_weights ? d_weights->conv3_bias[0] : 0) + (float)d_bias;
    return loss / ((double)shape->batch * (double)area_of(shape));
}
