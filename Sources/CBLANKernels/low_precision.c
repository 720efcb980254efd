/* The public face of convolutions in reduced precision: which method runs a shape, and the calls to it. */
#include "include/blan_low_precision.h"

#include "low_internal.h"

enum { CACHE_LINE = 64 };

static size_t aligned_bytes(size_t bytes) { return divide_up(bytes, CACHE_LINE) * CACHE_LINE; }

/* Measured (docs/performance.md). On the smallest maps most of a run of windows lies outside; at 8x8 F(4x4)'s weights
   cost more bandwidth than its products save. */
blan_k_conv_method blan_k_low_conv_choose(const blan_k_conv_shape *shape, blan_k_low_precision precision)
{
    const conv_problem conv = blan_k_conv_forward_problem(shape, NULL, NULL);
    const size_t side = smaller(conv.out_height, conv.out_width);
    if (conv.kernel != 3 || conv.stride != 1 || conv.padding != 1 || side <= 4 || !enlarges_by_shifts(&conv))
        return BLAN_K_CONV_DIRECT;
    return precision == BLAN_K_LOW_BF16 && side > 8 ? BLAN_K_CONV_WINOGRAD4 : BLAN_K_CONV_WINOGRAD2;
}

size_t blan_k_low_range_elements(blan_k_conv_method method) { return method == BLAN_K_CONV_DIRECT ? 1 : 16; }

low_problem blan_k_low_problem(const blan_k_conv_shape *shape, blan_k_conv_method method,
                               blan_k_low_precision precision, const float *in0, const float *in1)
{
    low_problem p = {
        .conv = blan_k_conv_forward_problem(shape, in0, in1),
        .tiles = blan_k_low_tiles(precision),
        .m = method == BLAN_K_CONV_DIRECT ? 0 : method == BLAN_K_CONV_WINOGRAD2 ? 2 : 4,
        .integers = precision == BLAN_K_LOW_INT8,
    };
    p.taps = p.conv.kernel * p.conv.kernel;
    for (size_t i = 0; i < p.conv.input_count; i++)
        p.in_blocks += blocks_of(p.conv.inputs[i].channels);
    p.out_blocks = blocks_of(p.conv.out_channels);
    p.elements = p.m == 0 ? 1 : (p.m + 2) * (p.m + 2);
    p.depth = p.m == 0 ? p.taps * p.in_blocks : p.in_blocks;
    const size_t lanes = p.elements * p.out_blocks * BLAN_BLOCK;
    p.start_at = lanes * p.depth * p.tiles->words * sizeof(uint32_t);
    p.scale_at = p.start_at + (p.integers ? lanes * sizeof(int32_t) : 0);
    p.input_scale_at = p.scale_at + (p.integers ? lanes * sizeof(float) : 0);
    p.packed_bytes = p.input_scale_at + (p.integers ? p.in_blocks * p.elements * BLAN_BLOCK * sizeof(float) : 0);
    return p;
}

low_packed blan_k_low_packed(const low_problem *problem, const void *packed)
{
    const char *bytes = packed;
    return (low_packed){
        .words = (const void *)bytes,
        .start = problem->integers ? (const void *)(bytes + problem->start_at) : NULL,
        .scale = problem->integers ? (const void *)(bytes + problem->scale_at) : NULL,
        .input_scale = problem->integers ? (const void *)(bytes + problem->input_scale_at) : NULL,
    };
}

size_t blan_k_low_conv_packed_bytes(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                    blan_k_low_precision precision)
{
    return blan_k_low_problem(shape, method, precision, NULL, NULL).packed_bytes;
}

size_t blan_k_low_conv_workspace_bytes(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                       blan_k_low_precision precision, int threads)
{
    const low_problem problem = blan_k_low_problem(shape, method, precision, NULL, NULL);
    return aligned_bytes(problem.m == 0 ? blan_k_low_direct_workspace_bytes(&problem, threads)
                                        : blan_k_low_winograd_workspace_bytes(&problem, threads));
}

void blan_k_low_conv_forward(const blan_k_conv_shape *shape, blan_k_conv_method method, blan_k_low_precision precision,
                             float *out, const float *in0, const float *in1, const void *packed, const float *bias,
                             const float *residual, bool relu, void *workspace, int threads)
{
    const low_problem problem = blan_k_low_problem(shape, method, precision, in0, in1);
    const conv_epilogue epilogue = {.out = out, .bias = bias, .residual = residual, .relu = relu};
    const low_packed weights = blan_k_low_packed(&problem, packed);
    if (problem.m == 0)
        blan_k_low_direct_run(&problem, &epilogue, &weights, workspace, threads);
    else
        blan_k_low_winograd_run(&problem, &epilogue, &weights, workspace, threads);
}
