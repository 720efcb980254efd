/* Fully connected layers with rounded weights: as linear.c, whose time at small batches is that of
   reading the weights. */
#include <math.h>
#include <string.h>

#include "include/blan_parallel.h"
#include "low_internal.h"

enum { ROWS = 4 };

static size_t row_bytes(size_t row, blan_k_low_precision precision)
{
    return precision == BLAN_K_LOW_BF16 ? row * sizeof(uint16_t) : row;
}

static size_t padded(size_t outputs) { return divide_up(outputs, ROWS) * ROWS; }

size_t blan_k_low_linear_packed_bytes(size_t outputs, size_t row, blan_k_low_precision precision)
{
    return padded(outputs) * (sizeof(float) + row_bytes(row, precision));
}

typedef struct pack_task {
    const float *weights;
    size_t outputs, channels, area;
    blan_k_low_precision precision;
    char *packed;
} pack_task;

/* Packed: [row][inputs], then a scale for each row. */
static void pack_row(void *context, size_t out, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const size_t row = blocks_of(task->channels) * task->area * BLAN_BLOCK, bytes = row_bytes(row, task->precision);
    const size_t inputs = task->channels * task->area;
    char *packed = task->packed + out * bytes;
    float *scale = (float *)(void *)(task->packed + padded(task->outputs) * bytes) + out;
    memset(packed, 0, bytes);
    *scale = 0;
    if (out >= task->outputs)
        return;
    const float *weights = task->weights + out * inputs;
    float most = 0;
    for (size_t i = 0; i < inputs; i++)
        most = fmaxf(most, fabsf(weights[i]));
    *scale = most / 127;
    const float inverse = most > 0 ? 127 / most : 0;
    for (size_t i = 0; i < inputs; i++) {
        const size_t c = i / task->area;
        const size_t at = (c / BLAN_BLOCK * task->area + i % task->area) * BLAN_BLOCK + c % BLAN_BLOCK;
        if (task->precision == BLAN_K_LOW_BF16)
            ((uint16_t *)(void *)packed)[at] = low_bfloat16(weights[i]);
        else
            ((int8_t *)packed)[at] = (int8_t)low_eight_bits(weights[i] * inverse);
    }
}

void blan_k_low_linear_pack(const float *weights, size_t outputs, size_t channels, size_t area,
                            blan_k_low_precision precision, void *packed, int threads)
{
    pack_task task = {weights, outputs, channels, area, precision, packed};
    blan_k_parallel_for(threads, padded(outputs), pack_row, &task);
}

typedef struct linear_task {
    size_t batch, inputs, outputs, out_step, row_bytes;
    float *out;
    const float *x, *bias, *scale;
    const char *packed;
    const low_table *tiles;
} linear_task;

static void run_rows(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const size_t first = index * ROWS;
    for (size_t n = 0; n < task->batch; n++) {
        float sums[ROWS];
        task->tiles->dot4(task->inputs, sums, task->x + n * task->inputs, task->packed + first * task->row_bytes,
                          task->row_bytes, task->scale + first);
        for (size_t row = 0; row < ROWS && first + row < task->outputs; row++)
            task->out[n * task->out_step + first + row] = sums[row] + task->bias[first + row];
    }
}

void blan_k_low_linear_forward(size_t batch, size_t inputs, size_t outputs, float *out, size_t out_step, const float *x,
                               blan_k_low_precision precision, const void *packed, const float *bias, int threads)
{
    for (size_t n = 0; n < batch; n++)
        memset(out + n * out_step + outputs, 0, (out_step - outputs) * sizeof *out);
    const size_t bytes = row_bytes(inputs, precision);
    linear_task task = {
        .batch = batch,
        .inputs = inputs,
        .outputs = outputs,
        .out_step = out_step,
        .row_bytes = bytes,
        .out = out,
        .x = x,
        .bias = bias,
        .scale = (const void *)((const char *)packed + padded(outputs) * bytes),
        .packed = packed,
        .tiles = blan_k_low_tiles(precision),
    };
    blan_k_parallel_for(threads, divide_up(outputs, ROWS), run_rows, &task);
}
