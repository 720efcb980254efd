/* A fully connected layer. At small batches it is bound by reading its weights, so four rows of them meet every image
   while they sit in the cache. */
#include "include/blan_linear.h"

#include <string.h>

#include "convolution_internal.h"
#include "include/blan_parallel.h"

enum { ROWS = 4 };

size_t blan_k_linear_padded_outputs(size_t outputs) { return divide_up(outputs, ROWS) * ROWS; }

typedef struct pack_task {
    const float *weights;
    size_t channels, area;
    float *packed;
} pack_task;

static void pack_output(void *context, size_t out, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const size_t row = blocks_of(task->channels) * task->area * BLAN_BLOCK;
    const float *weights = task->weights + out * task->channels * task->area;
    float *packed = task->packed + out * row;
    for (size_t c = 0; c < blocks_of(task->channels) * BLAN_BLOCK; c++)
        for (size_t i = 0; i < task->area; i++)
            packed[(c / BLAN_BLOCK * task->area + i) * BLAN_BLOCK + c % BLAN_BLOCK] =
                c < task->channels ? *weights++ : 0;
}

void blan_k_linear_pack(const float *weights, size_t outputs, size_t channels, size_t area, float *packed, int threads)
{
    const size_t row = blocks_of(channels) * area * BLAN_BLOCK;
    pack_task task = {weights, channels, area, packed};
    blan_k_parallel_for(threads, outputs, pack_output, &task);
    memset(packed + outputs * row, 0, (blan_k_linear_padded_outputs(outputs) - outputs) * row * sizeof *packed);
}

typedef struct linear_task {
    size_t batch, inputs, outputs, out_step;
    float *out;
    const float *x, *packed, *bias;
    const blan_k_tile_table *tiles;
} linear_task;

static void run_rows(void *context, size_t index, size_t worker)
{
    (void)worker;
    const linear_task *task = context;
    const size_t first = index * ROWS;
    for (size_t n = 0; n < task->batch; n++) {
        float sums[ROWS];
        task->tiles->dot4(task->inputs, sums, task->x + n * task->inputs, task->packed + first * task->inputs,
                          task->inputs);
        for (size_t row = 0; row < ROWS && first + row < task->outputs; row++)
            task->out[n * task->out_step + first + row] = sums[row] + task->bias[first + row];
    }
}

void blan_k_linear_forward(size_t batch, size_t inputs, size_t outputs, float *out, size_t out_step, const float *x,
                           const float *packed, const float *bias, int threads)
{
    for (size_t n = 0; n < batch; n++)
        memset(out + n * out_step + outputs, 0, (out_step - outputs) * sizeof *out);
    linear_task task = {batch, inputs, outputs, out_step, out, x, packed, bias, blan_k_tiles()};
    blan_k_parallel_for(threads, divide_up(outputs, ROWS), run_rows, &task);
}
