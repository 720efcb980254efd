/*
 * Driver of LMIM: its first layer, whose 1x1 convolutions are the direct method's, and what puts the layers together.
 * The second and the third are mutual_information_hidden.c's.
 */
#include <string.h>

#include "mutual_information_internal.h"

enum { CHUNK_LOCATIONS = 2048 }; /* of a chunk, unless an image has more: its hidden maps stay in the L3 cache */

static size_t feature_count(const blan_k_lmim_shape *s) { return s->feature_channels[0] + s->feature_channels[1]; }
/* Rows of embeddings. */
static size_t rows_of(const blan_k_lmim_shape *s) { return s->batch + (s->borrows ? 1 : 0); }
static size_t chunk_images(const blan_k_lmim_shape *s)
{
    return smaller(s->batch, larger(1, CHUNK_LOCATIONS / lmim_area(s)));
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

static layer_place take_layer(lmim_layout *layout, const blan_k_conv_shape *layer)
{
    layer_place place;
    place.weights = take(&layout->total, layer->out_channels * (layer->in_channels[0] + layer->in_channels[1]));
    place.forward = take(&layout->total, blan_k_conv_packed_count(layer, BLAN_K_CONV_DIRECT));
    place.backward = take(&layout->total, blan_k_conv_backward_packed_count(layer, BLAN_K_CONV_DIRECT));
    return place;
}

static lmim_layout layout_of(const blan_k_lmim_shape *s, int threads)
{
    const size_t chunk = chunk_images(s), channels = lmim_channels(s);
    const size_t last = s->batch % chunk == 0 ? chunk : s->batch % chunk; /* images of the last chunk */
    const blan_k_conv_shape layers[] = {feature_layer(s, chunk), embedding_layer(s), feature_layer(s, last)};
    lmim_layout layout = {.total = 0};
    layout.feature = take_layer(&layout, &layers[0]);
    layout.embedding = take_layer(&layout, &layers[1]);
    layout.embedding_bias = take(&layout.total, channels);
    layout.d_feature = take(&layout.total, s->hidden * feature_count(s));
    layout.d_embedding = take(&layout.total, s->hidden * s->embedding);
    layout.vectors = take(&layout.total, rows_of(s) * channels);
    layout.d_vectors = take(&layout.total, rows_of(s) * channels);
    layout.d_fake_vectors = take(&layout.total, s->batch * channels);
    blan_k_lmim_hidden_layout(&layout, s, chunk, threads);
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

static void pack_layer(const lmim_task *task, const blan_k_conv_shape *layer, const layer_place *place,
                       const float *weights, size_t row, size_t offset)
{
    const size_t channels = layer->in_channels[0] + layer->in_channels[1];
    float *own = lmim_part(task, place->weights);
    for (size_t k = 0; k < layer->out_channels; k++)
        memcpy(own + k * channels, weights + k * row + offset, channels * sizeof *own);
    blan_k_conv_pack(layer, BLAN_K_CONV_DIRECT, own, NULL, lmim_part(task, place->forward), task->threads);
    blan_k_conv_backward_pack(layer, BLAN_K_CONV_DIRECT, own, lmim_part(task, place->backward), task->threads);
}

static void run_layer(const lmim_task *task, const blan_k_conv_shape *layer, const layer_place *place, float *out,
                      const float *in0, const float *in1, const float *bias)
{
    blan_k_conv_forward(layer, BLAN_K_CONV_DIRECT, out, in0, in1, lmim_part(task, place->forward), bias, NULL, false,
                        lmim_part(task, task->layout.convolution), task->threads);
}

static void backward_chunk(const lmim_task *task, const float *in0, const float *in1, float *d_in0, float *d_in1,
                           const bool accumulate_features[2])
{
    const lmim_layout *l = &task->layout;
    const blan_k_conv_shape feature = feature_layer(task->shape, task->images);
    float *workspace = lmim_part(task, l->convolution);
    blan_k_lmim_hidden_backward(task);
    blan_k_conv_backward_weights(&feature, lmim_part(task, l->d_feature), NULL, task->first > 0, in0, in1,
                                 lmim_part(task, l->d_map), workspace, task->threads);
    blan_k_conv_backward_data(&feature, BLAN_K_CONV_DIRECT, d_in0, d_in1, accumulate_features[0],
                              accumulate_features[1], lmim_part(task, l->d_map),
                              lmim_part(task, l->feature.backward), workspace, task->threads);
}

/* Writes `count` values spread over rows of `row` floats. */
static void store_rows(float *out, size_t row, const float *values, size_t rows, size_t count, bool accumulate)
{
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < count; i++)
            out[k * row + i] = (accumulate ? out[k * row + i] : 0) + values[k * count + i];
}

/* Gradients that are known when all chunks are done: of the embeddings and of all weights. */
static void finish_backward(const lmim_task *task, const float *embeddings, const blan_k_lmim_weights *d_weights,
                            bool accumulate, float *d_embeddings)
{
    const blan_k_lmim_shape *s = task->shape;
    const lmim_layout *l = &task->layout;
    const size_t channels = lmim_channels(s), inputs = feature_count(s) + s->embedding;
    float *d_vectors = lmim_part(task, l->d_vectors);
    const float *d_fake_vectors = lmim_part(task, l->d_fake_vectors);
    if (s->borrows) /* no real pair here met the borrowed vector */
        memset(d_vectors + s->batch * channels, 0, channels * sizeof *d_vectors);
    for (size_t n = 0; n < s->batch; n++) /* the fake pair of F_n met the vector of image n + 1 */
        for (size_t c = 0; c < channels; c++)
            d_vectors[lmim_fake_row(s, n) * channels + c] += d_fake_vectors[n * channels + c];
    const blan_k_conv_shape layer = embedding_layer(s);
    float *workspace = lmim_part(task, l->convolution);
    /* The bias may be added to, the weights' part comes from zero: it is added to its rows below. */
    memset(lmim_part(task, l->d_embedding), 0, s->hidden * s->embedding * sizeof(float));
    /* Of the first layer's weights, the features' bias is the embeddings': both see the sum of the same gradients. */
    blan_k_conv_backward_weights(&layer, lmim_part(task, l->d_embedding), d_weights->conv1_bias, accumulate, embeddings,
                                 NULL, d_vectors, workspace, task->threads);
    blan_k_conv_backward_data(&layer, BLAN_K_CONV_DIRECT, d_embeddings, NULL, true, false, d_vectors,
                              lmim_part(task, l->embedding.backward), workspace, task->threads);
    store_rows(d_weights->conv1_weight, inputs, lmim_part(task, l->d_feature), s->hidden, feature_count(s), accumulate);
    store_rows(d_weights->conv1_weight + feature_count(s), inputs, lmim_part(task, l->d_embedding), s->hidden,
               s->embedding, accumulate);
    blan_k_lmim_hidden_finish(task, d_weights, accumulate);
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
        .backward = d_weights != NULL,
        .threads = threads,
    };
    const lmim_layout *l = &task.layout;
    const size_t chunk = chunk_images(shape), inputs = feature_count(shape) + shape->embedding;
    const blan_k_conv_shape first_chunk = feature_layer(shape, chunk), embedding = embedding_layer(shape);
    float *bias = lmim_part(&task, l->embedding_bias);
    lmim_copy_padded(shape, bias, weights->conv1_bias);
    pack_layer(&task, &first_chunk, &l->feature, weights->conv1_weight, inputs, 0);
    pack_layer(&task, &embedding, &l->embedding, weights->conv1_weight, inputs, feature_count(shape));
    run_layer(&task, &embedding, &l->embedding, lmim_part(&task, l->vectors), embeddings, NULL, bias);
    blan_k_lmim_hidden_begin(&task, weights);

    size_t image[2]; /* floats of an image of each feature map */
    for (size_t i = 0; i < 2; i++)
        image[i] = blocks_of(first_chunk.in_channels[i]) * (shape->height / first_chunk.in_upsample[i]) *
                   (shape->width / first_chunk.in_upsample[i]) * BLAN_BLOCK;
    const bool two = shape->feature_channels[1] > 0;
    for (; task.first < shape->batch; task.first += task.images) {
        task.images = smaller(chunk, shape->batch - task.first);
        const float *in0 = features[0] + task.first * image[0];
        const float *in1 = two ? features[1] + task.first * image[1] : NULL;
        const blan_k_conv_shape feature = feature_layer(shape, task.images);
        run_layer(&task, &feature, &l->feature, lmim_part(&task, l->map), in0, in1, NULL);
        blan_k_lmim_hidden_forward(&task);
        if (d_weights != NULL)
            backward_chunk(&task, in0, in1, at_image(d_features[0], task.first, image[0]),
                           two ? at_image(d_features[1], task.first, image[1]) : NULL, accumulate_features);
    }
    if (d_weights != NULL)
        finish_backward(&task, embeddings, d_weights, accumulate_weights, d_embeddings);

    const lmim_loss *losses = (const lmim_loss *)(const void *)lmim_part(&task, l->losses);
    double loss = 0, d_bias = 0;
    for (size_t i = 0; i < 2 * shape->batch * lmim_strips(shape); i++) {
        loss += losses[i].loss;
        d_bias += losses[i].d_score;
    }
    if (d_weights != NULL)
        d_weights->conv3_bias[0] = (accumulate_weights ? d_weights->conv3_bias[0] : 0) + (float)d_bias;
    return loss / ((double)shape->batch * (double)lmim_area(shape));
}
