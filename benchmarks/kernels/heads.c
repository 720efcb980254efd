/*
 * Times what a training step runs besides convolutions.c's layers: the stem and its weight gradient, and the two heads
 * that only training has, LMIM (each level: loss and all gradients) and the reconstruction. Milliseconds an image.
 *
 * Usage: heads [threads] [batch] [width] [size]
 */
#include <stdio.h>
#include <stdlib.h>

#include "blan_isa.h"
#include "blan_mutual_information.h"
#include "blan_reconstruction.h"
#include "blan_stem.h"
#include "timing.h"

static size_t blocked(size_t channels) { return (channels + 15) / 16 * 16; }

typedef struct problem {
    int threads;
    size_t batch, width, size;
} problem;

typedef void (*call)(void *context);

static void report(const problem *p, const char *name, call function, void *context)
{
    double least;
    const double median = time_call(function, context, &least);
    printf("%-28s %8.3f %8.3f\n", name, median * 1e3 / (double)p->batch, least * 1e3 / (double)p->batch);
}

/* ---- stem ---- */

typedef struct stem_context {
    blan_k_stem_shape shape;
    float *pixels, *packed, *out, *d_weights, *workspace;
    int threads;
} stem_context;

static void stem_forward(void *context)
{
    const stem_context *c = context;
    blan_k_stem_forward(&c->shape, c->out, c->pixels, c->packed, NULL, c->workspace, c->threads);
}

static void stem_weights(void *context)
{
    const stem_context *c = context;
    blan_k_stem_backward_weights(&c->shape, c->d_weights, false, c->pixels, c->out, c->workspace, c->threads);
}

static void time_stem(const problem *p)
{
    stem_context c = {.shape = {p->batch, p->size, p->size, p->width}, .threads = p->threads};
    const size_t forward = blan_k_stem_workspace_count(&c.shape);
    const size_t backward = blan_k_stem_backward_weights_workspace_count(&c.shape);
    c.pixels = noise(p->batch * 3 * p->size * p->size);
    c.packed = noise(blan_k_stem_packed_count(&c.shape));
    c.out = noise(p->batch * blocked(p->width) * p->size * p->size / 4);
    c.d_weights = noise(p->width * 147);
    c.workspace = noise(forward > backward ? forward : backward);
    report(p, "stem, forward", stem_forward, &c);
    report(p, "stem, weight gradient", stem_weights, &c);
    free(c.pixels), free(c.packed), free(c.out), free(c.d_weights), free(c.workspace);
}

/* ---- LMIM ---- */

typedef struct lmim_context {
    blan_k_lmim_shape shape;
    blan_k_lmim_weights weights, d_weights;
    float *features, *d_features, *embeddings, *d_embeddings, *workspace;
    int threads;
} lmim_context;

static void lmim(void *context)
{
    const lmim_context *c = context;
    const float *const features[2] = {c->features, NULL};
    float *const d_features[2] = {c->d_features, NULL};
    const bool accumulate[2] = {false, false};
    blan_k_lmim(&c->shape, &c->weights, features, c->embeddings, 0.1f, &c->d_weights, false, d_features, accumulate,
                c->d_embeddings, c->workspace, c->threads);
}

static blan_k_lmim_weights lmim_weights(size_t hidden, size_t inputs)
{
    return (blan_k_lmim_weights){noise(hidden * inputs), noise(hidden), noise(hidden * hidden),
                                 noise(hidden),          noise(hidden), noise(1)};
}

static void free_weights(const blan_k_lmim_weights *w)
{
    free(w->conv1_weight), free(w->conv1_bias), free(w->conv2_weight), free(w->conv2_bias), free(w->conv3_weight);
    free(w->conv3_bias);
}

static void time_lmim(const problem *p)
{
    for (size_t level = 0; level < 4; level++) {
        const size_t channels = p->width << level, side = p->size / 4 >> level, hidden = 8 * p->width;
        lmim_context c = {.shape = {.batch = p->batch,
                                    .feature_channels = {channels, 0},
                                    .feature_upsample = {1, 1},
                                    .height = side,
                                    .width = side,
                                    .embedding = hidden,
                                    .hidden = hidden},
                          .threads = p->threads};
        const size_t map = p->batch * blocked(channels) * side * side;
        c.weights = lmim_weights(hidden, channels + hidden);
        c.d_weights = lmim_weights(hidden, channels + hidden);
        c.features = noise(map), c.d_features = noise(map);
        c.embeddings = noise(p->batch * blocked(hidden)), c.d_embeddings = noise(p->batch * blocked(hidden));
        c.workspace = noise(blan_k_lmim_workspace_count(&c.shape, p->threads));
        char name[32];
        snprintf(name, sizeof name, "LMIM %zu", level + 1);
        report(p, name, lmim, &c);
        free_weights(&c.weights), free_weights(&c.d_weights);
        free(c.features), free(c.d_features), free(c.embeddings), free(c.d_embeddings), free(c.workspace);
    }
}

/* ---- reconstruction ---- */

typedef struct reconstruction_context {
    blan_k_reconstruction_shape shape;
    float *map, *pixels, *weights, *bias, *d_map, *d_weights, *d_bias, *workspace;
    int threads;
} reconstruction_context;

static void reconstruction(void *context)
{
    const reconstruction_context *c = context;
    blan_k_reconstruction(&c->shape, c->map, c->pixels, c->weights, c->bias, 0.1f, c->d_map, false, c->d_weights,
                          c->d_bias, false, NULL, c->workspace, c->threads);
}

static void time_reconstruction(const problem *p)
{
    reconstruction_context c = {.shape = {p->batch, p->width, p->size / 4, p->size / 4, 4}, .threads = p->threads};
    const size_t map = p->batch * blocked(p->width) * p->size * p->size / 16;
    c.map = noise(map), c.d_map = noise(map), c.pixels = noise(p->batch * 3 * p->size * p->size);
    c.weights = noise(3 * p->width * 49), c.d_weights = noise(3 * p->width * 49), c.bias = noise(3);
    c.d_bias = noise(3);
    c.workspace = noise(blan_k_reconstruction_workspace_count(&c.shape, p->threads));
    report(p, "reconstruction", reconstruction, &c);
    free(c.map), free(c.d_map), free(c.pixels), free(c.weights), free(c.d_weights), free(c.bias), free(c.d_bias);
    free(c.workspace);
}

int main(int argc, char **argv)
{
    const problem p = {
        .threads = argc > 1 ? atoi(argv[1]) : 2,
        .batch = argc > 2 ? (size_t)atoi(argv[2]) : 8,
        .width = argc > 3 ? (size_t)atoi(argv[3]) : 64,
        .size = argc > 4 ? (size_t)atoi(argv[4]) : 256,
    };
    printf("%d threads, batch %zu, width %zu, %zux%zu, %s; milliseconds an image\n", p.threads, p.batch, p.width,
           p.size, p.size, blan_k_isa_name());
    printf("%-28s %8s %8s\n", "", "median", "least");
    time_stem(&p);
    time_lmim(&p);
    time_reconstruction(&p);
    return 0;
}
