/*
 * A fully connected layer in training: three products by the serial OpenBLAS, cut into tasks whose sizes follow from
 * the shape alone, so that each number comes from the same call whatever the threads. Maps are flattened to the
 * weights' order first, and gradients of maps are blocked last.
 */
#include "include/blan_linear_backward.h"

#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"
#include "sgemm.h"

enum { OUTPUTS = 32, COLUMNS = 512 }; /* of a task */

static size_t inputs_of(const blan_k_linear_shape *shape) { return shape->channels * shape->area; }
static size_t out_step_of(const blan_k_linear_shape *shape) { return blocks_of(shape->outputs) * BLAN_BLOCK; }

size_t blan_k_linear_training_workspace_count(const blan_k_linear_shape *shape)
{
    return aligned_count(shape->batch * inputs_of(shape));
}

typedef struct linear_task {
    const blan_k_linear_shape *shape;
    const float *x, *weights, *bias, *d_out;
    float *out, *flat; /* flat: [batch][channels * area] */
    float *d_x, *d_weights, *d_bias;
    bool accumulate, accumulate_x;
} linear_task;

static void flatten_block(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const blan_k_linear_shape *s = task->shape;
    const size_t block = index % blocks_of(s->channels), image = index / blocks_of(s->channels);
    const size_t first = block * BLAN_BLOCK, channels = smaller(BLAN_BLOCK, s->channels - first);
    const float *x = task->x + index * s->area * BLAN_BLOCK;
    float *flat = task->flat + image * inputs_of(s) + first * s->area;
    for (size_t lane = 0; lane < channels; lane++)
        for (size_t i = 0; i < s->area; i++)
            flat[lane * s->area + i] = x[i * BLAN_BLOCK + lane];
}

static void flatten(const linear_task *task, int threads)
{
    blan_k_parallel_for(threads, task->shape->batch * blocks_of(task->shape->channels), flatten_block, (void *)task);
}

/* out = bias + flat * weights^T for a range of outputs. */
static void run_outputs(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const blan_k_linear_shape *s = task->shape;
    const size_t first = index * OUTPUTS, outputs = smaller(OUTPUTS, s->outputs - first);
    const size_t inputs = inputs_of(s), step = out_step_of(s);
    for (size_t n = 0; n < s->batch; n++)
        memcpy(task->out + n * step + first, task->bias + first, outputs * sizeof(float));
    blan_k_sgemm(false, true, s->batch, outputs, inputs, task->flat, inputs, task->weights + first * inputs, inputs, 1,
                 task->out + first, step);
}

void blan_k_linear_training_forward(const blan_k_linear_shape *shape, float *out, const float *x, const float *weights,
                                    const float *bias, float *workspace, int threads)
{
    linear_task task = {
        .shape = shape, .x = x, .weights = weights, .bias = bias, .out = out, .flat = workspace};
    const size_t step = out_step_of(shape);
    for (size_t n = 0; n < shape->batch; n++)
        memset(out + n * step + shape->outputs, 0, (step - shape->outputs) * sizeof *out);
    flatten(&task, threads);
    blan_k_parallel_for(threads, divide_up(shape->outputs, OUTPUTS), run_outputs, &task);
}

/* d_weights = or += d_out^T * flat, d_bias the same with ones, for a range of outputs. */
static void differentiate_weights(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const blan_k_linear_shape *s = task->shape;
    const size_t first = index * OUTPUTS, outputs = smaller(OUTPUTS, s->outputs - first);
    const size_t inputs = inputs_of(s), step = out_step_of(s);
    blan_k_sgemm(true, false, outputs, inputs, s->batch, task->d_out + first, step, task->flat, inputs,
                 task->accumulate ? 1 : 0, task->d_weights + first * inputs, inputs);
    for (size_t out = first; out < first + outputs; out++) {
        double sum = task->accumulate ? task->d_bias[out] : 0;
        for (size_t n = 0; n < s->batch; n++)
            sum += task->d_out[n * step + out];
        task->d_bias[out] = (float)sum;
    }
}

/* flat = d_out * weights for a range of inputs. */
static void differentiate_inputs(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const blan_k_linear_shape *s = task->shape;
    const size_t inputs = inputs_of(s), first = index * COLUMNS, columns = smaller(COLUMNS, inputs - first);
    blan_k_sgemm(false, false, s->batch, columns, s->outputs, task->d_out, out_step_of(s), task->weights + first, inputs,
                 0, task->flat + first, inputs);
}

static void block_gradient(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const blan_k_linear_shape *s = task->shape;
    const size_t block = index % blocks_of(s->channels), image = index / blocks_of(s->channels);
    const size_t first = block * BLAN_BLOCK, channels = smaller(BLAN_BLOCK, s->channels - first);
    const float *flat = task->flat + image * inputs_of(s) + first * s->area;
    float *d_x = task->d_x + index * s->area * BLAN_BLOCK;
    for (size_t i = 0; i < s->area; i++)
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
            const float gradient = lane < channels ? flat[lane * s->area + i] : 0;
            float *cell = d_x + i * BLAN_BLOCK + lane;
            *cell = task->accumulate_x ? *cell + gradient : gradient;
        }
}

void blan_k_linear_backward(const blan_k_linear_shape *shape, float *d_x, bool accumulate_x, float *d_weights,
                            float *d_bias, bool accumulate, const float *d_out, const float *x, const float *weights,
                            float *workspace, int threads)
{
    linear_task task = {
        .shape = shape,
        .x = x,
        .weights = weights,
        .d_out = d_out,
        .flat = workspace,
        .d_x = d_x,
        .d_weights = d_weights,
        .d_bias = d_bias,
        .accumulate = accumulate,
        .accumulate_x = accumulate_x,
    };
    flatten(&task, threads);
    blan_k_parallel_for(threads, divide_up(shape->outputs, OUTPUTS), differentiate_weights, &task);
    if (d_x == NULL)
        return;
    blan_k_parallel_for(threads, divide_up(inputs_of(shape), COLUMNS), differentiate_inputs, &task);
    blan_k_parallel_for(threads, shape->batch * blocks_of(shape->channels), block_gradient, &task);
}
