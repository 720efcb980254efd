/* The convolution's public face: what a shape means, which method runs it, and the calls to that method. */
#include "convolution_internal.h"
#include "include/blan_isa.h"
#include "include/blan_parallel.h"

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
        .weight_out_step = (shape->in_channels[0] + shape->in_channels[1]) * taps,
        .weight_in_step = taps,
    };
}

conv_problem blan_k_conv_backward_problem(const blan_k_conv_shape *shape, size_t index, const float *d_out,
                                          bool as_forward)
{
    const size_t taps = shape->kernel * shape->kernel;
    return (conv_problem){
        .batch = shape->batch,
        .inputs = {{d_out, shape->out_channels, 1}, {NULL, 0, 1}},
        .input_count = 1,
        .in_height = blan_k_conv_out_height(shape),
        .in_width = blan_k_conv_out_width(shape),
        .out_height = shape->in_height,
        .out_width = shape->in_width,
        .out_channels = shape->in_channels[index],
        .kernel = shape->kernel,
        .stride = shape->stride,
        .padding = shape->padding,
        .transposed = !as_forward,
        .weight_out_step = taps,
        .weight_in_step = (shape->in_channels[0] + shape->in_channels[1]) * taps,
        .weight_flipped = as_forward,
    };
}

static winograd_kind kind_of(blan_k_conv_method method)
{
    return (winograd_kind){method == BLAN_K_CONV_WINOGRAD4_TAPS, method == BLAN_K_CONV_WINOGRAD4_STRIDED ? 2 : 1};
}

/* Measured (docs/performance.md): over a few tiles the transformed weights of F(4x4) cost more bandwidth and memory than
   their making, so weights are transformed on the way. With thirty-two registers a quarter of the memory is kept, at up to
   a seventh of the products' time; with sixteen half of it, at up to a tenth, for which weights must be many. Below 2 x 2
   tiles most of a tile is wasted. By one image, whatever the batch: what is computed of an image must not depend on its
   company, nor on how a batch is divided among processes. */
enum { MOST_TAPS_TILES = 16, LEAST_TAPS_CHANNELS = 128, LEAST_STRIDED_TILES = 4 };

static blan_k_conv_method choose(const conv_problem *problem)
{
    if (problem->kernel != 3 || problem->stride > 2 || problem->padding != 1 || problem->transposed ||
        !enlarges_by_shifts(problem))
        return BLAN_K_CONV_DIRECT;
    const size_t side = smaller(problem->out_height, problem->out_width);
    if (side <= 2 || problem->out_channels < BLAN_BLOCK)
        return BLAN_K_CONV_DIRECT;
    const size_t tiles = divide_up(problem->out_height, 4) * divide_up(problem->out_width, 4);
    if (problem->stride == 2)
        return tiles >= LEAST_STRIDED_TILES && blan_k_isa_current() != BLAN_K_ISA_AVX512 ? BLAN_K_CONV_WINOGRAD4_STRIDED
                                                                                         : BLAN_K_CONV_DIRECT;
    const bool many = problem->out_channels >= LEAST_TAPS_CHANNELS || blan_k_isa_current() == BLAN_K_ISA_AVX512;
    if (tiles <= MOST_TAPS_TILES && many)
        return BLAN_K_CONV_WINOGRAD4_TAPS;
    return BLAN_K_CONV_WINOGRAD4;
}

blan_k_conv_method blan_k_conv_choose(const blan_k_conv_shape *shape)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    return choose(&problem);
}

static size_t packed_count(const conv_problem *problem, blan_k_conv_method method)
{
    return method == BLAN_K_CONV_DIRECT ? blan_k_direct_packed_count(problem)
                                        : blan_k_winograd_packed_count(problem, kind_of(method));
}

static void pack(const conv_problem *problem, blan_k_conv_method method, const float *weights, const double *scale,
                 float *packed, int threads)
{
    if (method == BLAN_K_CONV_DIRECT)
        blan_k_direct_pack(problem, weights, scale, packed, threads);
    else
        blan_k_winograd_pack(problem, kind_of(method), weights, scale, packed, threads);
}

static size_t workspace_count(const conv_problem *problem, blan_k_conv_method method, int threads)
{
    return method == BLAN_K_CONV_DIRECT ? blan_k_direct_workspace_count(problem, threads)
                                        : blan_k_winograd_workspace_count(problem, kind_of(method), threads);
}

static void run(const conv_problem *problem, blan_k_conv_method method, const conv_epilogue *epilogue,
                const float *packed, float *workspace, int threads)
{
    if (method == BLAN_K_CONV_DIRECT)
        blan_k_direct_run(problem, epilogue, packed, workspace, threads);
    else
        blan_k_winograd_run(problem, kind_of(method), epilogue, packed, workspace, threads);
}

size_t blan_k_conv_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method)
{
    const conv_problem problem = blan_k_conv_forward_problem(shape, NULL, NULL);
    return packed_count(&problem, method);
}

void blan_k_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights,
                      const double *scale, float *packed, int threads)
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

/* ---- the gradient of the inputs ---- */

enum { ENLARGED_FLOATS = 1 << 20 }; /* aimed at for the gradient of an enlarged input before its cells are summed */

static bool runs_as_forward(const blan_k_conv_shape *shape)
{
    return shape->kernel == 3 && shape->stride == 1 && shape->padding == 1;
}

static conv_problem backward_problem(const blan_k_conv_shape *shape, blan_k_conv_method method, size_t index,
                                     const float *d_out)
{
    return blan_k_conv_backward_problem(shape, index, d_out, method != BLAN_K_CONV_DIRECT);
}

blan_k_conv_method blan_k_conv_backward_choose(const blan_k_conv_shape *shape)
{
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

/* Floats of one image's gradient of an input as the convolution saw it. */
static size_t enlarged_floats(const conv_problem *problem)
{
    return blocks_of(problem->out_channels) * problem->out_height * problem->out_width * BLAN_BLOCK;
}

/* Images whose enlarged gradients exist at once. */
static size_t enlarged_images(const conv_problem *problem)
{
    return smaller(problem->batch, larger(1, ENLARGED_FLOATS / enlarged_floats(problem)));
}

size_t blan_k_conv_backward_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads)
{
    size_t count = 0;
    for (size_t index = 0; index < input_count(shape); index++) {
        conv_problem problem = backward_problem(shape, method, index, NULL);
        if (shape->in_upsample[index] == 1) {
            count = larger(count, workspace_count(&problem, method, threads));
            continue;
        }
        const size_t images = enlarged_images(&problem), enlarged = images * enlarged_floats(&problem);
        const size_t last = problem.batch % images;
        problem.batch = images;
        count = larger(count, enlarged + workspace_count(&problem, method, threads));
        problem.batch = last > 0 ? last : images;
        count = larger(count, enlarged + workspace_count(&problem, method, threads));
    }
    return count;
}

typedef struct shrink_task {
    const conv_problem *problem;
    const blan_k_tile_table *tiles;
    float *out;
    const float *enlarged;
    size_t factor;
    bool accumulate;
} shrink_task;

/* Sums the factor x factor cells of the enlarged gradient for one row in memory. */
static void shrink_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const shrink_task *task = context;
    const size_t row = task->problem->out_width * BLAN_BLOCK;
    task->tiles->sum_cells(task->problem->out_width / task->factor, task->factor,
                           task->out + index * (row / task->factor), task->enlarged + index * task->factor * row, row,
                           task->accumulate);
}

/* Nearest-neighbour enlargement copied each cell: its gradient is the sum over the copies. */
static void run_enlarged(conv_problem problem, blan_k_conv_method method, float *out, size_t factor, bool accumulate,
                         const float *packed, float *workspace, int threads)
{
    const size_t images = enlarged_images(&problem), batch = problem.batch;
    const size_t rows = blocks_of(problem.out_channels) * (problem.out_height / factor);
    const size_t d_out_image = blocks_of(problem.inputs[0].channels) * problem.in_height * problem.in_width * BLAN_BLOCK;
    const float *d_out = problem.inputs[0].data;
    float *scratch = workspace + images * enlarged_floats(&problem);
    const conv_epilogue epilogue = {.out = workspace};
    for (size_t first = 0; first < batch; first += images) {
        problem.batch = smaller(images, batch - first);
        problem.inputs[0].data = d_out + first * d_out_image;
        run(&problem, method, &epilogue, packed, scratch, threads);
        shrink_task task = {&problem, blan_k_tiles(), out + first * enlarged_floats(&problem) / (factor * factor),
                            workspace, factor, accumulate};
        blan_k_parallel_for(threads, problem.batch * rows, shrink_row, &task);
    }
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
        if (d_in[index] != NULL && shape->in_upsample[index] == 1)
            run(&problem, method, &epilogue, packed, workspace, threads);
        else if (d_in[index] != NULL)
            run_enlarged(problem, method, d_in[index], shape->in_upsample[index], accumulate[index], packed,
                         workspace, threads);
        packed += packed_count(&problem, method);
    }
}
