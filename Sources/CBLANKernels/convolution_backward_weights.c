/* The gradient of a convolution's weights and bias: which method runs it, and what the methods share. */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { MOST_BIAS_CHUNKS = 8 };

static weight_gradient gradient_of(const blan_k_conv_shape *shape)
{
    return (weight_gradient){
        .shape = shape,
        .tiles = blan_k_tiles(),
        .in_blocks = blocks_of(shape->in_channels[0]) + blocks_of(shape->in_channels[1]),
        .out_blocks = blocks_of(shape->out_channels),
        .out_height = blan_k_conv_out_height(shape),
        .out_width = blan_k_conv_out_width(shape),
    };
}

weight_block blan_k_weight_block(const weight_gradient *g, size_t block)
{
    const blan_k_conv_shape *s = g->shape;
    const size_t first_blocks = blocks_of(s->in_channels[0]), input = block >= first_blocks;
    const size_t local = input ? block - first_blocks : block, factor = s->in_upsample[input];
    const size_t height = s->in_height / factor, width = s->in_width / factor, plane = height * width * BLAN_BLOCK;
    return (weight_block){
        .channel = (input ? s->in_channels[0] : 0) + local * BLAN_BLOCK,
        .channels = smaller(BLAN_BLOCK, s->in_channels[input] - local * BLAN_BLOCK),
        .data = g->in[input] + local * plane,
        .image = blocks_of(s->in_channels[input]) * plane,
        .factor = factor,
        .width = width,
    };
}

void blan_k_store_taps(const weight_gradient *g, size_t block, size_t channel, const float *taps, size_t step)
{
    const blan_k_conv_shape *s = g->shape;
    const size_t count = s->kernel * s->kernel, row = (s->in_channels[0] + s->in_channels[1]) * count;
    const size_t lanes = smaller(BLAN_BLOCK, s->out_channels - block * BLAN_BLOCK);
    float *target = g->d_weights + block * BLAN_BLOCK * row + channel * count;
    for (size_t lane = 0; lane < lanes; lane++, target += row)
        for (size_t tap = 0; tap < count; tap++)
            target[tap] = (g->accumulate ? target[tap] : 0) + taps[tap * step + lane];
}

/* ---- the method ---- */

/* Below 3x3 outputs most of a tile would be wasted. */
static bool runs_as_winograd(const weight_gradient *g)
{
    const conv_problem problem = blan_k_conv_forward_problem(g->shape, NULL, NULL);
    return problem.kernel == 3 && problem.stride == 1 && problem.padding == 1 &&
           smaller(problem.out_height, problem.out_width) > 2 && enlarges_by_shifts(&problem);
}

/* ---- the bias ---- */

typedef struct bias_task {
    const weight_gradient *gradient;
    float *sums; /* [chunks][blocks][16] */
    size_t chunks;
} bias_task;

static size_t bias_chunks(const weight_gradient *g) { return smaller(g->shape->batch, MOST_BIAS_CHUNKS); }

static void sum_bias(void *context, size_t index, size_t worker)
{
    (void)worker;
    const bias_task *task = context;
    const weight_gradient *g = task->gradient;
    const size_t chunk = index / g->out_blocks, block = index % g->out_blocks, area = g->out_height * g->out_width;
    const size_t last = g->shape->batch * (chunk + 1) / task->chunks;
    float *sum = task->sums + index * BLAN_BLOCK, image[BLAN_BLOCK] __attribute__((aligned(64)));
    memset(sum, 0, BLAN_BLOCK * sizeof *sum);
    for (size_t n = g->shape->batch * chunk / task->chunks; n < last; n++) {
        g->tiles->sum_locations(area, g->d_out + (n * g->out_blocks + block) * area * BLAN_BLOCK, image);
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
            sum[lane] += image[lane];
    }
}

static void bias_gradient(const weight_gradient *g, float *d_bias, float *workspace, int threads)
{
    bias_task task = {g, workspace, bias_chunks(g)};
    const size_t channels = g->out_blocks * BLAN_BLOCK;
    blan_k_parallel_for(threads, task.chunks * g->out_blocks, sum_bias, &task);
    for (size_t k = 0; k < g->shape->out_channels; k++) {
        float sum = 0;
        for (size_t chunk = 0; chunk < task.chunks; chunk++)
            sum += workspace[chunk * channels + k];
        d_bias[k] = (g->accumulate ? d_bias[k] : 0) + sum;
    }
}

/* ---- the calls ---- */

size_t blan_k_conv_backward_weights_workspace_count(const blan_k_conv_shape *shape, int threads)
{
    const weight_gradient g = gradient_of(shape);
    return larger(runs_as_winograd(&g) ? blan_k_winograd_weights_workspace_count(&g)
                                       : blan_k_direct_weights_workspace_count(&g, threads),
                  bias_chunks(&g) * g.out_blocks * BLAN_BLOCK);
}

void blan_k_conv_backward_weights(const blan_k_conv_shape *shape, float *d_weights, float *d_bias, bool accumulate,
                                  const float *in0, const float *in1, const float *d_out, float *workspace,
                                  int threads)
{
    weight_gradient g = gradient_of(shape);
    g.in[0] = in0;
    g.in[1] = in1;
    g.d_out = d_out;
    g.d_weights = d_weights;
    g.accumulate = accumulate;
    if (runs_as_winograd(&g))
        blan_k_winograd_weights(&g, workspace, threads);
    else
        blan_k_direct_weights(&g, workspace, threads);
    if (d_bias != NULL)
        bias_gradient(&g, d_bias, workspace, threads);
}
