/* Drivers of the elementwise work on parameters: buffers are cut into pieces of one size, whatever the threads. */
#include "include/blan_optimisers.h"

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { PIECE = 1 << 14 };

typedef struct piece_task {
    const blan_k_tile_table *tiles;
    size_t first, count;
    float *out, *m, *v;
    const float *in;
    const blan_k_adam *adam;
    float out_scale, in_scale;
    double *partial;
    uint64_t seed;
    uint32_t threshold;
} piece_task;

static size_t pieces_of(size_t count) { return divide_up(count, PIECE); }
static size_t piece_size(const piece_task *task, size_t index) { return smaller(PIECE, task->count - index * PIECE); }

static void adam_piece(void *context, size_t index, size_t worker)
{
    (void)worker;
    const piece_task *task = context;
    const size_t at = index * PIECE;
    task->tiles->adam(piece_size(task, index), task->out + at, task->in + at, task->m + at, task->v + at, task->adam);
}

void blan_k_adam_update(size_t count, float *w, const float *gradient, float *m, float *v, const blan_k_adam *adam,
                        int threads)
{
    piece_task task = {
        .tiles = blan_k_tiles(), .count = count, .out = w, .m = m, .v = v, .in = gradient, .adam = adam};
    blan_k_parallel_for(threads, pieces_of(count), adam_piece, &task);
}

static void sum_piece(void *context, size_t index, size_t worker)
{
    (void)worker;
    const piece_task *task = context;
    const size_t at = index * PIECE;
    task->tiles->scaled_sum(piece_size(task, index), task->out + at, task->out_scale, task->in + at, task->in_scale);
}

static void scaled_sum(size_t count, float *out, float out_scale, const float *in, float in_scale, int threads)
{
    piece_task task = {
        .tiles = blan_k_tiles(), .count = count, .out = out, .out_scale = out_scale, .in = in, .in_scale = in_scale};
    blan_k_parallel_for(threads, pieces_of(count), sum_piece, &task);
}

void blan_k_sgd_update(size_t count, float *w, const float *gradient, float learning_rate, float weight_decay,
                       float gradient_scale, int threads)
{
    const double rate = learning_rate;
    scaled_sum(count, w, (float)(1 - rate * weight_decay), gradient, (float)(-rate * gradient_scale), threads);
}

void blan_k_average_update(size_t count, float *average, const float *w, float decay, int threads)
{
    scaled_sum(count, average, decay, w, 1 - decay, threads);
}

void blan_k_accumulate(size_t count, float *sum, const float *term, int threads)
{
    scaled_sum(count, sum, 1, term, 1, threads);
}

static void squares_piece(void *context, size_t index, size_t worker)
{
    (void)worker;
    const piece_task *task = context;
    task->partial[index] = task->tiles->sum_of_squares(piece_size(task, index), task->in + index * PIECE);
}

size_t blan_k_sum_of_squares_partials(size_t count) { return pieces_of(count); }

double blan_k_sum_of_squares(size_t count, const float *values, double *partial, int threads)
{
    piece_task task = {.tiles = blan_k_tiles(), .count = count, .in = values, .partial = partial};
    blan_k_parallel_for(threads, pieces_of(count), squares_piece, &task);
    double total = 0;
    for (size_t index = 0; index < pieces_of(count); index++)
        total += partial[index];
    return total;
}

/* The finaliser of SplitMix64: seeds that differ in one bit give unlike keys. */
static uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void dropout_piece(void *context, size_t index, size_t worker)
{
    (void)worker;
    const piece_task *task = context;
    /* Pieces end at multiples of PIECE counted from the start of the whole, so that none crosses 2^32. */
    const size_t piece = (task->first / PIECE + index) * PIECE;
    const size_t start = larger(piece, task->first), end = smaller(piece + PIECE, task->first + task->count);
    const size_t at = start - task->first;
    /* The tile counts elements in 32 bits; what is above them takes part in the keys. */
    const uint64_t key = mixed(task->seed ^ mixed((uint64_t)start >> 32));
    const uint32_t keys[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    task->tiles->dropout(end - start, task->out + at, task->in + at, (uint32_t)start, keys, task->threshold,
                         task->in_scale);
}

void blan_k_dropout(size_t first, size_t count, float *out, const float *in, uint64_t seed, float probability,
                    int threads)
{
    piece_task task = {
        .tiles = blan_k_tiles(),
        .first = first,
        .count = count,
        .out = out,
        .in = in,
        .in_scale = 1 / (1 - probability),
        .seed = seed,
        .threshold = (uint32_t)(probability * (float)(1 << 24)),
    };
    blan_k_parallel_for(threads, pieces_of(first % PIECE + count), dropout_piece, &task);
}
