/*
 * Times the training kernels that memory bounds at BLAN's shapes (width 64, 256x256): milliseconds a call, and bytes a
 * second, counting each array as often as the kernel's passes must read or write it, beside those of a copy of a large
 * buffer by the same threads.
 *
 * Usage: training [threads] [batch] [part of a kernel's name]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blan_attention_backward.h"
#include "blan_batch_norm.h"
#include "blan_isa.h"
#include "blan_linear_backward.h"
#include "blan_optimisers.h"
#include "blan_parallel.h"
#include "blan_pooling.h"
#include "timing.h"

enum { PARAMETERS = 10 << 20, HIDDEN = 4, INPUTS = 4096, OUTPUTS = 512 };

/* What every kernel works on; `channels` x `side` x `side` is the map of the row being timed. */
static struct {
    size_t batch, channels, side;
    int threads;
    float *maps[5], *vectors[6], *workspace, *parameters[4];
} bench;

static blan_k_norm_shape norm_shape(void)
{
    return (blan_k_norm_shape){bench.batch, bench.channels, bench.side * bench.side};
}

static blan_k_map gated_map(void)
{
    return (blan_k_map){bench.maps[0], bench.batch, bench.channels, bench.side, bench.side};
}

static void norm_statistics(void)
{
    const blan_k_norm_shape shape = norm_shape();
    blan_k_batch_norm_statistics(&shape, bench.maps[0], bench.vectors[4], bench.vectors[5], bench.workspace,
                                 bench.threads);
}

static void norm_forward(void)
{
    const blan_k_norm_shape shape = norm_shape();
    blan_k_batch_norm_forward(&shape, bench.maps[2], bench.maps[0], bench.vectors[0], bench.vectors[1],
                              bench.vectors[2], bench.vectors[3], bench.maps[1], true, bench.threads);
}

static void norm_backward(void)
{
    const blan_k_norm_shape shape = norm_shape();
    const blan_k_batch_norm_gradient gradient = {
        .d_out = bench.maps[0], .out = bench.maps[1], .x = bench.maps[2], .mean = bench.vectors[0],
        .inverse_std = bench.vectors[1], .weight = bench.vectors[2], .d_x = bench.maps[3],
        .d_residual = bench.maps[4], .d_weight = bench.vectors[4], .d_bias = bench.vectors[5], .relu = true};
    blan_k_batch_norm_backward(&shape, &gradient, bench.workspace, bench.threads);
}

static blan_k_pool_shape pool_shape(void)
{
    return (blan_k_pool_shape){bench.batch, bench.channels, bench.side, bench.side};
}

static void pool_forward(void)
{
    const blan_k_pool_shape shape = pool_shape();
    blan_k_max_pool_forward(&shape, bench.maps[1], bench.maps[0], bench.threads);
}

static void pool_backward(void)
{
    const blan_k_pool_shape shape = pool_shape();
    blan_k_max_pool_backward(&shape, bench.maps[3], bench.maps[2], bench.maps[0], bench.maps[1], bench.threads);
}

static void product_backward(void)
{
    const blan_k_map map = gated_map();
    blan_k_multiply_backward(&map, bench.parameters[0], bench.parameters[1], bench.maps[1], bench.maps[2], false,
                             bench.maps[3], bench.maps[4], bench.workspace, bench.threads);
}

static void channel_backward(void)
{
    const blan_k_map map = gated_map();
    const blan_k_channel_mlp mlp = {bench.vectors[0], bench.vectors[1], bench.vectors[2], bench.vectors[3], HIDDEN};
    const blan_k_channel_mlp_gradient gradient = {bench.maps[1], bench.vectors[4], bench.maps[2], bench.vectors[5],
                                                  false};
    blan_k_channel_gate_backward(&map, &mlp, bench.parameters[0], bench.parameters[1], bench.maps[3], &gradient,
                                 bench.workspace, bench.threads);
}

static void spatial_backward(void)
{
    const blan_k_map map = gated_map();
    blan_k_spatial_gate_backward(&map, bench.vectors[0], bench.parameters[0], bench.parameters[1], bench.maps[3],
                                 bench.vectors[4], false, bench.workspace, bench.threads);
}

static blan_k_linear_shape linear_shape(void) { return (blan_k_linear_shape){bench.batch, INPUTS / 16, 16, OUTPUTS}; }

static void linear_forward(void)
{
    const blan_k_linear_shape shape = linear_shape();
    blan_k_linear_training_forward(&shape, bench.maps[1], bench.maps[0], bench.parameters[0], bench.parameters[1],
                                   bench.workspace, bench.threads);
}

static void linear_backward(void)
{
    const blan_k_linear_shape shape = linear_shape();
    blan_k_linear_backward(&shape, bench.maps[2], false, bench.parameters[2], bench.parameters[3], false,
                           bench.maps[1], bench.maps[0], bench.parameters[0], bench.workspace, bench.threads);
}

static void adam(void)
{
    const blan_k_adam rule = {1e-3f, 0.9, 0.999, 1e-8f, 0, 1, 0.1, 0.001};
    blan_k_adam_update(PARAMETERS, bench.parameters[0], bench.parameters[1], bench.parameters[2], bench.parameters[3],
                       &rule, bench.threads);
}

static void accumulate(void)
{
    blan_k_accumulate(PARAMETERS, bench.parameters[0], bench.parameters[1], bench.threads);
}

static void squares(void)
{
    (void)blan_k_sum_of_squares(PARAMETERS, bench.parameters[1], (double *)bench.workspace, bench.threads);
}

static void dropout(void)
{
    blan_k_dropout(0, PARAMETERS, bench.parameters[0], bench.parameters[1], 1, 0.5f, bench.threads);
}

enum { COPY_PIECES = 64 };

static void copy_piece(void *context, size_t index, size_t worker)
{
    (void)context, (void)worker;
    const size_t piece = PARAMETERS / COPY_PIECES;
    memcpy(bench.parameters[0] + index * piece, bench.parameters[1] + index * piece, piece * sizeof(float));
}

static void copy(void) { blan_k_parallel_for(bench.threads, COPY_PIECES, copy_piece, NULL); }

/* A kernel, its map, and what it reads and writes: maps, and floats that do not grow with the batch. */
typedef struct row {
    const char *name;
    void (*run)(void);
    size_t channels, side;
    double maps, floats;
} row;

static const row rows[] = {
    {"memcpy", copy, 16, 1, 0, 2.0 * PARAMETERS},
    {"batch norm statistics", norm_statistics, 64, 128, 1, 0},
    {"batch norm forward", norm_forward, 64, 128, 3, 0},
    {"batch norm backward", norm_backward, 64, 128, 8, 0},
    {"batch norm statistics", norm_statistics, 64, 64, 1, 0},
    {"batch norm forward", norm_forward, 64, 64, 3, 0},
    {"batch norm backward", norm_backward, 64, 64, 8, 0},
    {"batch norm statistics", norm_statistics, 512, 8, 1, 0},
    {"batch norm forward", norm_forward, 512, 8, 3, 0},
    {"batch norm backward", norm_backward, 512, 8, 8, 0},
    {"max-pool forward", pool_forward, 64, 128, 1.25, 0},
    {"max-pool backward", pool_backward, 64, 128, 2.5, 0},
    {"gated product backward", product_backward, 64, 64, 3, 0},
    {"channel gate backward", channel_backward, 64, 64, 3, 0},
    {"spatial gate backward", spatial_backward, 64, 64, 3, 0},
    {"linear 4096 to 512", linear_forward, 16, 1, 0, 1.0 * INPUTS * OUTPUTS},
    {"linear backward", linear_backward, 16, 1, 0, 2.0 * INPUTS * OUTPUTS},
    {"Adam", adam, 16, 1, 0, 7.0 * PARAMETERS},
    {"accumulate", accumulate, 16, 1, 0, 3.0 * PARAMETERS},
    {"sum of squares", squares, 16, 1, 0, 1.0 * PARAMETERS},
    {"dropout", dropout, 16, 1, 0, 2.0 * PARAMETERS},
};

int main(int argc, char **argv)
{
    bench.threads = argc > 1 ? atoi(argv[1]) : 2;
    bench.batch = argc > 2 ? (size_t)atoi(argv[2]) : 8;
    const char *part = argc > 3 ? argv[3] : "";
    const size_t largest = bench.batch * 64 * 128 * 128;
    for (size_t i = 0; i < 5; i++)
        bench.maps[i] = noise(largest);
    for (size_t i = 0; i < 6; i++)
        bench.vectors[i] = noise(512);
    for (size_t i = 0; i < 4; i++)
        bench.parameters[i] = noise(PARAMETERS);
    for (size_t i = 0; i < PARAMETERS; i++)
        bench.parameters[3][i] *= bench.parameters[3][i];
    bench.workspace = noise(largest);
    printf("%d threads, batch %zu, %s\n%-24s %14s %9s %9s %7s\n", bench.threads, bench.batch, blan_k_isa_name(),
           "kernel", "map", "median ms", "least ms", "GB/s");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strstr(rows[i].name, part) == NULL)
            continue;
        bench.channels = rows[i].channels;
        bench.side = rows[i].side;
        double samples[SAMPLES];
        size_t calls = 1;
        for (int sample = -2; sample < SAMPLES; sample++) {
            const double start = now();
            for (size_t call = 0; call < calls; call++)
                rows[i].run();
            const double seconds = (now() - start) / (double)calls;
            if (sample < 0) /* the first calls warm up, and tell how many make a measurable sample */
                calls = (size_t)(0.02 / seconds) + 1;
            else
                samples[sample] = seconds;
        }
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        const double map = (double)(bench.batch * bench.channels * bench.side * bench.side);
        const double bytes = (rows[i].maps * map + rows[i].floats) * sizeof(float);
        char shape[32] = "";
        if (rows[i].maps > 0)
            snprintf(shape, sizeof shape, "%zux%zux%zu", bench.channels, bench.side, bench.side);
        printf("%-24s %14s %9.3f %9.3f %7.1f\n", rows[i].name, shape, samples[SAMPLES / 2] * 1e3, samples[0] * 1e3,
               bytes / samples[SAMPLES / 2] * 1e-9);
    }
    return 0;
}
