/* The convolution's public face: what a shape means, which method runs it, and the calls to that method. */
#include "convolution_internal.h"

size_t blan_k_conv_out_height(const blan_k_conv_shape *shape)
{
    return (shape->in_height + 2 * shape->padding - shape->kernel) / shape->stride + 1;
}

size_t blan_k_conv_out_width(const blan_k_conv_shape *shape)
{
    return (shape->in_width + 2 * shape->padding - shape->kernel) / shape->stride + 1;
}

static size_t input_count(const blan_k_conv_shape *shape) { return shape->in_channels[1] > 0 ? 2 : 1; }

conv_problem blan_k_conv_forward_problem(const blan_k_conv_shape *shape, const float *in0, const float *in1)
{
    const size_t taps = shape->kernel * shape->kernel;
    return (conv_problem){
        .batch = shape->batch,
        .inputs = {{in0, shape->in_channels[0], shape->in_upsample[0]},
                   {in1, shape->in_channels[1], shape->in_upsample[1]}},
        .input_count = input_count(shape),
        .in_height = shape->in_height,
        .in_width = shape->in_width,
        .out_height = blan_k_conv_out_height(shape),
        .out_width = blan_k_conv_out_width(shape),
        .out_channels = shape->out_channels,
        .kernel = shape->kernel,
        .stride = shape->stride,
        .padding = shape->padding,
        .out_upsample = 1,
        .weight_out_step = (shape->in_channels[0] + shape->in_channels[1]) * taps,
        .weight_in_step = taps,
    };
}

conv_problem blan_k_conv_backward_problem(const blan_k_conv_shape *shape, size_t index, const float *d_out,
                                          bool as_forward)
{
    const size_t taps = shape->kernel * shape->kernel, factor = shape->in_upsample[index];
    return (conv_problem){
        .batch = shape->batch,
        .inputs = {{d_out, shape->out_channels, 1}, {NULL, 0, 1}},
        .input_count = 1,
        .in_height = blan_k_conv_out_height(shape),
        .in_width = blan_k_conv_out_width(shape),
        .out_height = shape->in_height / factor,
        .out_width = shape->in_width / factor,
        .out_channels = shape->in_channels[index],
        .kernel = shape->kernel,
        .stride = shape->stride,
        .padding = shape->padding,
        .transposed = !as_forward,
        .out_upsample = factor,
        .weight_out_step = taps,
        .weight_in_step = (shape->in_channels[0] + shape->in_channels[1]) * taps,
        .weight_flipped = as_forward,
    };
}

static size_t winograd_m(blan_k_conv_method method) { return method == BLAN_K_CONV_WINOGRAD2 ? 2 : 4; }

/* Measured (docs/performance.md): on maps of 8x8 and less the larger transformed weights of F(4x4) cost more bandwidth
   than its products save, and below 2 x 2 tiles most of a tile is wasted. */
static blan_k_conv_method choose(const conv_problem *problem)
{
    if (problem->kernel != 3 || problem->stride != 1 || problem->padding != 1 || problem->transposed)
        return BLAN_K_CONV_DIRECT;
    const size_t side = smaller(problem->out_height, problem->out_width);
    if (side <= 2 || problem->out_channels < BLAN_BLOCK)
        return BLAN_K_CONV_DIRECT;
    if (side <= 8 && problem->batch * problem->out_height * problem->out_width <= 64 && problem->out_channels >= 256)
        return BLAN_K_CONV_WINOGRAD2;
    return BLAN_K_CONV_WINOGRAD4;
}

blan_k_conv_method blan_k_conv_choose(const blan_k_conv_shape *shape, int threads)
{
    (void)threads;
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    return choose(&problem);
}

static size_t packed_count(const conv_problem *problem, blan_k_conv_method method)
{
    return method == BLAN_K_CONV_DIRECT ? blan_k_direct_packed_count(problem)
                                        : blan_k_winograd_packed_count(problem, winograd_m(method));
}

static void pack(const conv_problem *problem, blan_k_conv_method method, const float *weights, const float *scale,
                 float *packed, int threads)
{
    if (method == BLAN_K_CONV_DIRECT)
        blan_k_direct_pack(problem, weights, scale, packed, threads);
    else
        blan_k_winograd_pack(problem, winograd_m(method), weights, scale, packed, threads);
}

static size_t workspace_count(const conv_problem *problem, blan_k_conv_method method, int threads)
{
    return method == BLAN_K_CONV_DIRECT ? blan_k_direct_workspace_count(problem, threads)
                                        : blan_k_winograd_workspace_count(problem, winograd_m(method), threads);
}

static void run(const conv_problem *problem, blan_k_conv_method method, const conv_epilogue *epilogue,
                const float *packed, float *workspace, int threads)
{
    if (method == BLAN_K_CONV_DIRECT)
        blan_k_direct_run(problem, epilogue, packed, workspace, threads);
    else
        blan_k_winograd_run(problem, winograd_m(method), epilogue, packed, workspace, threads);
}

size_t blan_k_conv_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    return packed_count(&problem, method);
}

void blan_k_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights,
                      const float *scale, float *packed, int threads)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    pack(&problem, method, weights, scale, packed, threads);
}

size_t blan_k_conv_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    return workspace_count(&problem, method, threads);
}

void blan_k_conv_forward(const blan_k_conv_shape *shape, blan_k_conv_method method, float *out, const float *in0,
                         const float *in1, const float *packed, const float *bias, const float *residual, bool relu,
                         float *workspace, int threads)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, in0, in1);
    const conv_epilogue epilogue = {.out = out, .bias = bias, .residual = residual, .relu = relu};
    run(&problem, method, &epilogue, packed, workspace, threads);
}

/* The gradient of an enlarged input is collected by the direct method alone. */
static bool runs_as_forward(const blan_k_conv_shape *shape)
{
    return shape->kernel == 3 && shape->stride == 1 && shape->padding == 1 && shape->in_upsample[0] == 1 &&
           (shape->in_channels[1] == 0 || shape->in_upsample[1] == 1);
}

static conv_problem backward_problem(const blan_k_conv_shape *shape, blan_k_conv_method method, size_t index,
                                     const float *d_out)
{
    return blan_k_conv_backward_problem(shape, index, d_out, method != BLAN_K_CONV_DIRECT);
}

blan_k_conv_method blan_k_conv_backward_choose(const blan_k_conv_shape *shape, int threads)
{
    (void)threads;
    if (!runs_as_forward(shape))
        return BLAN_K_CONV_DIRECT;
    const conv_problem problem = blan_k_conv_backward_problem(shape, 0, NULL, true);
    return choose(&problem);
}

size_t blan_k_conv_backward_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method)
{
    size_t count = 0;
    for (size_t index = 0; index < input_count(shape); index++) {
        const conv_problem problem = backward_problem(shape, method, index, NULL);
        count += packed_count(&problem, method);
    }
    return count;
}

void blan_k_conv_backward_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights,
                               float *packed, int threads)
{
    const size_t taps = shape->kernel * shape->kernel;
    for (size_t index = 0; index < input_count(shape); index++) {
        const conv_problem problem = backward_problem(shape, method, index, NULL);
        pack(&problem, method, weights + index * shape->in_channels[0] * taps, NULL, packed, threads);
        packed += packed_count(&problem, method);
    }
}

size_t blan_k_conv_backward_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads)
{
    size_t count = 0;
    for (size_t index = 0; index < input_count(shape); index++) {
        const conv_problem problem = backward_problem(shape, method, index, NULL);
        count = larger(count, workspace_count(&problem, method, threads));
    }
    return count;
}

void blan_k_conv_backward_data(const blan_k_conv_shape *shape, blan_k_conv_method method, float *d_in0, float *d_in1,
                               bool accumulate0, bool accumulate1, const float *d_out, const float *packed,
                               float *workspace, int threads)
{
    float *const d_in[2] = {d_in0, d_in1};
    const bool accumulate[2] = {accumulate0, accumulate1};
    for (size_t index = 0; index < input_count(shape); index++) {
        const conv_problem problem = backward_problem(shape, method, index, d_out);
        const conv_epilogue epilogue = {.out = d_in[index], .accumulate = accumulate[index]};
        if (d_in[index] != NULL)
            run(&problem, method, &epilogue, packed, workspace, threads);
        packed += packed_count(&problem, method);
    }
}
