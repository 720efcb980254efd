/*
 * Drivers of batch normalisation. It is bound by memory, so statistics read the map once, forward once, and backward
 * twice: for the sums of each channel, then for the gradients that need them.
 *
 * A task is one channel block of a chunk of the batch's pixels; the number of chunks follows from the shape alone, and
 * their sums are combined in order.
 */
#include "include/blan_batch_norm.h"

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { WANTED_TASKS = 64, FEWEST_PIXELS = 512 };

/* Sums of one channel block over one chunk, in the workspace. */
typedef struct chunk_sums {
    double sum[BLAN_BLOCK], product[BLAN_BLOCK];
} chunk_sums;

/* What the second pass of backward needs of each channel, in the workspace. */
typedef struct block_constants {
    float factor[BLAN_BLOCK], offset[BLAN_BLOCK], slope[BLAN_BLOCK];
} block_constants;

_Static_assert(sizeof(block_constants) % sizeof(v16) == 0, "constants are loaded as vectors");

typedef struct norm_task {
    const blan_k_norm_shape *shape;
    const blan_k_tile_table *tiles;
    size_t chunks;
    const float *x, *mean, *inverse_std, *weight, *bias, *residual;
    float *out, *mean_out, *variance_out;
    bool relu;
    blan_k_moments *moments;
    const blan_k_batch_norm_gradient *gradient;
    chunk_sums *sums;
    block_constants *constants;
    float *local; /* [2][channels rounded up]: where only the sums are wanted */
} norm_task;

static size_t chunks_of(const blan_k_norm_shape *shape)
{
    const size_t wanted = divide_up(WANTED_TASKS, blocks_of(shape->channels));
    return larger(1, smaller(wanted, shape->batch * shape->area / FEWEST_PIXELS));
}

static norm_task task_of(const blan_k_norm_shape *shape)
{
    return (norm_task){.shape = shape, .tiles = blan_k_tiles(), .chunks = chunks_of(shape)};
}

static size_t task_count(const norm_task *task) { return blocks_of(task->shape->channels) * task->chunks; }

/* The constants come first: they are loaded as vectors. */
size_t blan_k_batch_norm_workspace_count(const blan_k_norm_shape *shape)
{
    const size_t blocks = blocks_of(shape->channels), chunks = blocks * chunks_of(shape);
    const size_t moments = chunks * sizeof(blan_k_moments);
    const size_t backward = blocks * sizeof(block_constants) + chunks * sizeof(chunk_sums);
    return larger(moments, backward) / sizeof(float);
}

/* A walk over the adjacent pixels of a task: each step is one image's part of the chunk. */
typedef struct walk {
    size_t block, pixel, end; /* pixels are numbered through the batch */
    size_t at, count;         /* of this step: floats from the map's start to its first pixel, and pixels */
} walk;

static walk begin_walk(const norm_task *task, size_t index)
{
    const size_t pixels = task->shape->batch * task->shape->area, chunk = index % task->chunks;
    return (walk){
        .block = index / task->chunks,
        .pixel = pixels * chunk / task->chunks,
        .end = pixels * (chunk + 1) / task->chunks,
    };
}

static bool next_step(const norm_task *task, walk *w)
{
    if (w->pixel >= w->end)
        return false;
    const size_t area = task->shape->area, image = w->pixel / area, place = w->pixel % area;
    w->count = smaller(area - place, w->end - w->pixel);
    w->at = ((image * blocks_of(task->shape->channels) + w->block) * area + place) * BLAN_BLOCK;
    w->pixel += w->count;
    return true;
}

/* ---- statistics ---- */

static void measure_chunk(void *context, size_t index, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    blan_k_moments moments = {0};
    for (walk w = begin_walk(task, index); next_step(task, &w);)
        task->tiles->norm_moments(w.count, task->x + w.at, &moments);
    task->moments[index] = moments;
}

static void combine_moments(void *context, size_t block, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    blan_k_moments whole = task->moments[block * task->chunks];
    for (size_t chunk = 1; chunk < task->chunks; chunk++) {
        const blan_k_moments *part = &task->moments[block * task->chunks + chunk];
        const double after = whole.count + part->count;
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
            const double delta = part->mean[lane] - whole.mean[lane];
            whole.mean[lane] += delta * (part->count / after);
            whole.squares[lane] += part->squares[lane] + delta * delta * (whole.count * part->count / after);
        }
        whole.count = after;
    }
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
        task->mean_out[block * BLAN_BLOCK + lane] = (float)whole.mean[lane];
        task->variance_out[block * BLAN_BLOCK + lane] = (float)(whole.squares[lane] / whole.count);
    }
}

void blan_k_batch_norm_statistics(const blan_k_norm_shape *shape, const float *x, float *mean, float *variance,
                                  float *workspace, int threads)
{
    norm_task task = task_of(shape);
    task.x = x;
    task.mean_out = mean;
    task.variance_out = variance;
    task.moments = (blan_k_moments *)workspace;
    blan_k_parallel_for(threads, task_count(&task), measure_chunk, &task);
    blan_k_parallel_for(1, blocks_of(shape->channels), combine_moments, &task);
}

/* ---- forward ---- */

static void normalise_chunk(void *context, size_t index, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    for (walk w = begin_walk(task, index); next_step(task, &w);) {
        const size_t channel = w.block * BLAN_BLOCK;
        task->tiles->norm_forward(w.count, task->out + w.at, task->x + w.at, task->mean + channel,
                                  task->inverse_std + channel, task->weight + channel, task->bias + channel,
                                  task->residual != NULL ? task->residual + w.at : NULL, task->relu);
    }
}

void blan_k_batch_norm_forward(const blan_k_norm_shape *shape, float *out, const float *x, const float *mean,
                               const float *inverse_std, const float *weight, const float *bias, const float *residual,
                               bool relu, int threads)
{
    norm_task task = task_of(shape);
    task.out = out;
    task.x = x;
    task.mean = mean;
    task.inverse_std = inverse_std;
    task.weight = weight;
    task.bias = bias;
    task.residual = residual;
    task.relu = relu;
    blan_k_parallel_for(threads, task_count(&task), normalise_chunk, &task);
}

/* ---- backward ---- */

static blan_k_norm_pixels pixels_at(const blan_k_batch_norm_gradient *gradient, size_t at)
{
    return (blan_k_norm_pixels){
        .d_out = gradient->d_out + at,
        .out = gradient->relu ? gradient->out + at : NULL,
        .x = gradient->x + at,
        .d_x = gradient->d_x + at,
        .d_residual = gradient->d_residual != NULL ? gradient->d_residual + at : NULL,
    };
}

static void sum_chunk(void *context, size_t index, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    chunk_sums sums = {0};
    for (walk w = begin_walk(task, index); next_step(task, &w);) {
        const blan_k_norm_pixels pixels = pixels_at(task->gradient, w.at);
        task->tiles->norm_sums(w.count, &pixels, task->gradient->mean + w.block * BLAN_BLOCK,
                               task->gradient->inverse_std + w.block * BLAN_BLOCK, sums.sum, sums.product);
    }
    task->sums[index] = sums;
}

/* What the second pass needs of a channel whose sums over `count` pixels are known. */
static void set_constants(const norm_task *task, size_t channel, double sum, double product, double count)
{
    const blan_k_batch_norm_gradient *gradient = task->gradient;
    block_constants *constants = &task->constants[channel / BLAN_BLOCK];
    const size_t lane = channel % BLAN_BLOCK;
    const double share = 1 / count, scale = (double)gradient->weight[channel] * gradient->inverse_std[channel];
    constants->factor[lane] = (float)scale;
    constants->offset[lane] = (float)(scale * sum * share);
    constants->slope[lane] = (float)(scale * product * share * gradient->inverse_std[channel]);
}

static void store_parameters(const blan_k_batch_norm_gradient *gradient, size_t channel, double sum, double product)
{
    if (gradient->accumulate_parameters) {
        product += gradient->d_weight[channel];
        sum += gradient->d_bias[channel];
    }
    gradient->d_weight[channel] = (float)product;
    gradient->d_bias[channel] = (float)sum;
}

/* The sums of one block's channels over all chunks: to `local`, or as constants where this batch is the whole. */
static void combine_sums(void *context, size_t block, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    const size_t channels = blocks_of(task->shape->channels) * BLAN_BLOCK;
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
        double sum = 0, product = 0;
        for (size_t chunk = 0; chunk < task->chunks; chunk++) {
            sum += task->sums[block * task->chunks + chunk].sum[lane];
            product += task->sums[block * task->chunks + chunk].product[lane];
        }
        const size_t channel = block * BLAN_BLOCK + lane;
        if (task->local != NULL) {
            task->local[channel] = (float)sum;
            task->local[channels + channel] = (float)product;
        } else {
            set_constants(task, channel, sum, product, (double)task->shape->batch * (double)task->shape->area);
        }
        store_parameters(task->gradient, channel, sum, product);
    }
}

static void write_chunk(void *context, size_t index, size_t worker)
{
    (void)worker;
    const norm_task *task = context;
    const blan_k_batch_norm_gradient *gradient = task->gradient;
    for (walk w = begin_walk(task, index); next_step(task, &w);) {
        const blan_k_norm_pixels pixels = pixels_at(gradient, w.at);
        const block_constants *constants = &task->constants[w.block];
        task->tiles->norm_backward(w.count, &pixels, gradient->mean + w.block * BLAN_BLOCK, constants->factor,
                                   constants->offset, gradient->frozen ? NULL : constants->slope,
                                   gradient->accumulate_residual);
    }
}

static norm_task backward_task(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                               float *workspace)
{
    norm_task task = task_of(shape);
    task.gradient = gradient;
    task.constants = (block_constants *)workspace;
    task.sums = (chunk_sums *)(task.constants + blocks_of(shape->channels));
    return task;
}

static void sum_channels(norm_task *task, int threads)
{
    blan_k_parallel_for(threads, task_count(task), sum_chunk, task);
    blan_k_parallel_for(1, blocks_of(task->shape->channels), combine_sums, task);
}

void blan_k_batch_norm_backward(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                float *workspace, int threads)
{
    norm_task task = backward_task(shape, gradient, workspace);
    sum_channels(&task, threads);
    blan_k_parallel_for(threads, task_count(&task), write_chunk, &task);
}

void blan_k_batch_norm_backward_sums(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                     float *sums, float *workspace, int threads)
{
    norm_task task = backward_task(shape, gradient, workspace);
    task.local = sums;
    sum_channels(&task, threads);
}

void blan_k_batch_norm_backward_totals(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                       const float *totals, double count, float *workspace, int threads)
{
    norm_task task = backward_task(shape, gradient, workspace);
    const size_t channels = blocks_of(shape->channels) * BLAN_BLOCK;
    for (size_t channel = 0; channel < channels; channel++)
        set_constants(&task, channel, totals[channel], totals[channels + channel], count);
    blan_k_parallel_for(threads, task_count(&task), write_chunk, &task);
}
