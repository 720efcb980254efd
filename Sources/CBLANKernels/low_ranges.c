/* How far what a convolution rounds reaches: measured once, when a model is calibrated, so plain loops will do. */
#include <math.h>

#include "include/blan_parallel.h"
#include "low_internal.h"

typedef struct range_task {
    const conv_problem *conv;
    float *ranges;
    size_t elements;
} range_task;

static v16 absolute(v16 x) { return v16_max(x, -x); }

static v16 pixel_at(const conv_problem *conv, const conv_input *input, const float *plane, size_t y, size_t x)
{
    if (y >= conv->in_height || x >= conv->in_width)
        return v16_splat(0); /* padding: negative places wrap round to huge ones */
    const size_t width = conv->in_width / input->upsample;
    return v16_load(plane + (y / input->upsample * width + x / input->upsample) * BLAN_BLOCK);
}

/* B^T d B of the 4x4 window whose first pixel is (y, x). */
static void window_at(const conv_problem *conv, const conv_input *input, const float *plane, size_t y, size_t x,
                      v16 window[4][4])
{
    for (size_t column = 0; column < 4; column++) {
        v16 d[4];
        for (size_t row = 0; row < 4; row++)
            d[row] = pixel_at(conv, input, plane, y + row, x + column);
        window[0][column] = d[0] - d[2];
        window[1][column] = d[1] + d[2];
        window[2][column] = d[2] - d[1];
        window[3][column] = d[1] - d[3];
    }
    for (size_t row = 0; row < 4; row++) {
        const v16 d0 = window[row][0], d1 = window[row][1], d2 = window[row][2], d3 = window[row][3];
        window[row][0] = d0 - d2;
        window[row][1] = d1 + d2;
        window[row][2] = d2 - d1;
        window[row][3] = d1 - d3;
    }
}

static void measure_block(void *context, size_t block, size_t worker)
{
    (void)worker;
    const range_task *task = context;
    const conv_problem *conv = task->conv;
    const block_channels channels = channels_of(conv, block);
    const conv_input *input = input_of(conv, &block);
    const size_t area = conv->in_height / input->upsample * (conv->in_width / input->upsample);
    v16 most[16];
    for (size_t e = 0; e < task->elements; e++)
        most[e] = v16_splat(0);
    for (size_t image = 0; image < conv->batch; image++) {
        const float *plane = input->data + (image * blocks_of(input->channels) + block) * area * BLAN_BLOCK;
        for (size_t i = 0; task->elements == 1 && i < area; i++)
            most[0] = v16_max(absolute(v16_load(plane + i * BLAN_BLOCK)), most[0]);
        for (size_t y = 0; task->elements > 1 && y < conv->out_height; y += 2)
            for (size_t x = 0; x < conv->out_width; x += 2) {
                v16 window[4][4];
                window_at(conv, input, plane, y - 1, x - 1, window);
                for (size_t e = 0; e < 16; e++)
                    most[e] = v16_max(absolute(window[e / 4][e % 4]), most[e]);
            }
    }
    const size_t all = conv->inputs[0].channels + conv->inputs[1].channels;
    for (size_t e = 0; e < task->elements; e++)
        for (size_t c = 0; c < channels.count; c++) {
            float *range = &task->ranges[e * all + channels.first + c];
            *range = fmaxf(*range, most[e][c]);
        }
}

void blan_k_low_conv_ranges(const blan_k_conv_shape *shape, blan_k_conv_method method, float *ranges, const float *in0,
                            const float *in1, int threads)
{
    const conv_problem conv = blan_k_conv_forward_problem(shape, in0, in1);
    range_task task = {&conv, ranges, blan_k_low_range_elements(method)};
    size_t blocks = 0;
    for (size_t i = 0; i < conv.input_count; i++)
        blocks += blocks_of(conv.inputs[i].channels);
    blan_k_parallel_for(threads, blocks, measure_block, &task);
}
