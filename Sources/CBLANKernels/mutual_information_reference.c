/* LMIM by plain loops in double: every pair runs through the whole discriminator, location by location. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_mutual_information.h"

typedef struct reference {
    const blan_k_lmim_shape *shape;
    const blan_k_lmim_weights *weights;
    const float *const *features;
    const float *embeddings;
    float scale;
    /* of one location: the input [F(u); T] and the two hidden layers with their gradients */
    double *input, *hidden1, *hidden2, *d_input, *d_hidden1, *d_hidden2;
    /* sums of the gradients over everything, in the order of blan_k_lmim_weights */
    double *d_conv1, *d_bias1, *d_conv2, *d_bias2, *d_conv3, d_bias3;
    double *d_features[2], *d_embeddings; /* like the arrays of the call */
} reference;

static size_t inputs_of(const blan_k_lmim_shape *s)
{
    return s->feature_channels[0] + s->feature_channels[1] + s->embedding;
}

static size_t feature_floats(const blan_k_lmim_shape *s, size_t i)
{
    if (s->feature_channels[i] == 0)
        return 0;
    const size_t f = s->feature_upsample[i];
    return s->batch * blocks_of(s->feature_channels[i]) * BLAN_BLOCK * (s->height / f) * (s->width / f);
}

static size_t embedding_row(const blan_k_lmim_shape *s) { return blocks_of(s->embedding) * BLAN_BLOCK; }

/* Where feature `c` of the concatenation at location (y, x) of image n lies: its map in *map, and its index there. */
static size_t feature_at(const blan_k_lmim_shape *s, size_t n, size_t c, size_t y, size_t x, size_t *map)
{
    *map = c >= s->feature_channels[0];
    const size_t local = *map ? c - s->feature_channels[0] : c, f = s->feature_upsample[*map];
    const size_t height = s->height / f, width = s->width / f, blocks = blocks_of(s->feature_channels[*map]);
    return (((n * blocks + local / BLAN_BLOCK) * height + y / f) * width + x / f) * BLAN_BLOCK + local % BLAN_BLOCK;
}

/* out = weights in + bias, with ReLU when asked. */
static void layer(double *out, const double *in, const float *weights, const float *bias, size_t outputs,
                  size_t inputs, bool relu)
{
    for (size_t k = 0; k < outputs; k++) {
        out[k] = bias[k];
        for (size_t c = 0; c < inputs; c++)
            out[k] += (double)weights[k * inputs + c] * in[c];
        if (relu && out[k] < 0)
            out[k] = 0;
    }
}

/* d_in = weights^T d_out; d_weights += d_out in^T; d_bias += d_out. */
static void layer_backward(double *d_in, double *d_weights, double *d_bias, const double *d_out, const double *in,
                           const float *weights, size_t outputs, size_t inputs)
{
    for (size_t c = 0; c < inputs; c++)
        d_in[c] = 0;
    for (size_t k = 0; k < outputs; k++) {
        d_bias[k] += d_out[k];
        for (size_t c = 0; c < inputs; c++) {
            d_in[c] += (double)weights[k * inputs + c] * d_out[k];
            d_weights[k * inputs + c] += d_out[k] * in[c];
        }
    }
}

static void mask(double *gradient, const double *value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value[i] <= 0)
            gradient[i] = 0;
}

/* One location of image n's features with image t's embedding; returns its loss. */
static double run_location(reference *r, size_t n, size_t t, size_t y, size_t x, bool fake, bool backward)
{
    const blan_k_lmim_shape *s = r->shape;
    const blan_k_lmim_weights *w = r->weights;
    const size_t features = s->feature_channels[0] + s->feature_channels[1], inputs = inputs_of(s);
    for (size_t c = 0; c < inputs; c++) {
        if (c >= features) {
            r->input[c] = r->embeddings[t * embedding_row(s) + c - features];
            continue;
        }
        size_t map;
        const size_t at = feature_at(s, n, c, y, x, &map);
        r->input[c] = r->features[map][at];
    }
    double score;
    layer(r->hidden1, r->input, w->conv1_weight, w->conv1_bias, s->hidden, inputs, true);
    layer(r->hidden2, r->hidden1, w->conv2_weight, w->conv2_bias, s->hidden, s->hidden, true);
    layer(&score, r->hidden2, w->conv3_weight, w->conv3_bias, 1, s->hidden, false);
    const double sign = fake ? 1 : -1, share = 1 / ((double)s->batch * (double)(s->height * s->width));
    const double loss = fmax(sign * score, 0) + log1p(exp(-fabs(score)));
    if (!backward)
        return loss * share;
    const double d_score = sign / (1 + exp(-sign * score)) * share * r->scale;
    layer_backward(r->d_hidden2, r->d_conv3, &r->d_bias3, &d_score, r->hidden2, w->conv3_weight, 1, s->hidden);
    mask(r->d_hidden2, r->hidden2, s->hidden);
    layer_backward(r->d_hidden1, r->d_conv2, r->d_bias2, r->d_hidden2, r->hidden1, w->conv2_weight, s->hidden,
                   s->hidden);
    mask(r->d_hidden1, r->hidden1, s->hidden);
    layer_backward(r->d_input, r->d_conv1, r->d_bias1, r->d_hidden1, r->input, w->conv1_weight, s->hidden, inputs);
    for (size_t c = 0; c < inputs; c++) {
        if (c >= features) {
            r->d_embeddings[t * embedding_row(s) + c - features] += r->d_input[c];
            continue;
        }
        size_t map;
        const size_t at = feature_at(s, n, c, y, x, &map);
        r->d_features[map][at] += r->d_input[c];
    }
    return loss * share;
}

static void store(float *out, const double *values, size_t count, bool accumulate)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)((accumulate ? out[i] : 0) + values[i]);
}

double blan_k_lmim_reference(const blan_k_lmim_shape *shape, const blan_k_lmim_weights *weights,
                             const float *const features[2], const float *embeddings, float scale,
                             const blan_k_lmim_weights *d_weights, bool accumulate_weights,
                             float *const d_features[2], const bool accumulate_features[2], float *d_embeddings)
{
    const size_t hidden = shape->hidden, inputs = inputs_of(shape), rows = shape->batch + (shape->borrows ? 1 : 0);
    const size_t counts[] = {inputs, hidden, hidden, inputs, hidden, hidden, hidden * inputs, hidden,
                             hidden * hidden, hidden, hidden, feature_floats(shape, 0), feature_floats(shape, 1),
                             rows * embedding_row(shape)};
    size_t total = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        total += counts[i];
    double *memory = calloc(total, sizeof *memory);
    if (memory == NULL)
        return NAN;
    reference r = {.shape = shape, .weights = weights, .features = features, .embeddings = embeddings, .scale = scale};
    double **const parts[] = {&r.input,   &r.hidden1, &r.hidden2, &r.d_input, &r.d_hidden1,     &r.d_hidden2,
                              &r.d_conv1, &r.d_bias1, &r.d_conv2, &r.d_bias2, &r.d_conv3,       &r.d_features[0],
                              &r.d_features[1], &r.d_embeddings};
    double *next = memory;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; next += counts[i++])
        *parts[i] = next;

    double loss = 0;
    for (size_t n = 0; n < shape->batch; n++)
        for (size_t y = 0; y < shape->height; y++)
            for (size_t x = 0; x < shape->width; x++) {
                loss += run_location(&r, n, n, y, x, false, d_weights != NULL);
                loss += run_location(&r, n, shape->borrows ? n + 1 : (n + 1) % shape->batch, y, x, true, d_weights != NULL);
            }
    if (d_weights != NULL) {
        store(d_weights->conv1_weight, r.d_conv1, hidden * inputs, accumulate_weights);
        store(d_weights->conv1_bias, r.d_bias1, hidden, accumulate_weights);
        store(d_weights->conv2_weight, r.d_conv2, hidden * hidden, accumulate_weights);
        store(d_weights->conv2_bias, r.d_bias2, hidden, accumulate_weights);
        store(d_weights->conv3_weight, r.d_conv3, hidden, accumulate_weights);
        store(d_weights->conv3_bias, &r.d_bias3, 1, accumulate_weights);
        for (size_t i = 0; i < 2; i++)
            if (feature_floats(shape, i) > 0)
                store(d_features[i], r.d_features[i], feature_floats(shape, i), accumulate_features[i]);
        store(d_embeddings, r.d_embeddings, rows * embedding_row(shape), true);
    }
    free(memory);
    return loss;
}
