/* Packing for reduced precision. Kernels are transformed in f32 and rounded at the end, on every instruction set
   alike. */
#include <math.h>
#include <string.h>

#include "include/blan_parallel.h"
#include "low_internal.h"

enum { MOST_ENTRIES = 49, MOST_ELEMENTS = 36 };

/* The points of tiles/winograd.h. */
static const float P = 0.70710678118654752f, Q = 1.41421356237309505f;

/* Sixteen output channels at once. */
typedef float lanes[BLAN_BLOCK];

/* G g of one column or row. */
static void transform_line(size_t m, lanes *restrict out, size_t step, const lanes *restrict g, size_t g_step)
{
    for (size_t i = 0; i < BLAN_BLOCK; i++) {
        const float g0 = g[0][i], g1 = g[g_step][i], g2 = g[2 * g_step][i];
        out[0][i] = g0;
        if (m == 2) {
            out[step][i] = 0.5f * (g0 + g2) + 0.5f * g1;
            out[2 * step][i] = 0.5f * (g0 + g2) - 0.5f * g1;
            out[3 * step][i] = g2;
            continue;
        }
        const float outer = -2.0f / 3 * (g0 + 0.5f * g2), middle = -2.0f / 3 * P * g1;
        const float outer2 = 1.0f / 6 * (g0 + 2 * g2), middle2 = 1.0f / 6 * Q * g1;
        out[step][i] = outer + middle;
        out[2 * step][i] = outer - middle;
        out[3 * step][i] = outer2 + middle2;
        out[4 * step][i] = outer2 - middle2;
        out[5 * step][i] = g2;
    }
}

/* G g G^T of 3x3 kernels. */
static void transform(size_t m, lanes *restrict u, const lanes *restrict g)
{
    const size_t n = m + 2;
    lanes half[18];
    for (size_t x = 0; x < 3; x++)
        transform_line(m, half + x, 3, g + x, 3);
    for (size_t y = 0; y < n; y++)
        transform_line(m, u + y * n, 1, half + y * 3, 1);
}

typedef struct pack_task {
    const low_problem *problem;
    const float *weights, *ranges;
    const double *scale;
    char *packed;
} pack_task;

/* An input range of nothing would leave no resolution for what comes after all. */
static const float LEAST_SHARE = 1.0f / 256;

/* The largest range of an element over all channels. */
static float widest(const low_problem *problem, const float *ranges, size_t element)
{
    const size_t channels = problem->conv.inputs[0].channels + problem->conv.inputs[1].channels;
    float most = 0;
    for (size_t c = 0; c < channels; c++)
        most = fmaxf(most, ranges[element * channels + c]);
    return most > 0 ? most : 1;
}

/* How much one step of eight bits stands for, of an element and channel. */
static float input_step(const low_problem *problem, const float *ranges, size_t element, size_t channel, float most)
{
    const size_t channels = problem->conv.inputs[0].channels + problem->conv.inputs[1].channels;
    return fmaxf(ranges[element * channels + channel], LEAST_SHARE * most) / 127;
}

/* The numbers to store for the output channels from `out` on and one input channel: taps, or transformed ones, times the
   input's steps (integers). Outputs past the last are zero. */
static void entries_of(const pack_task *task, size_t out, size_t channel, const float *steps, lanes *restrict entries)
{
    const low_problem *p = task->problem;
    const size_t count = smaller(BLAN_BLOCK, p->conv.out_channels - out);
    lanes taps[MOST_ENTRIES];
    memset(taps, 0, p->taps * sizeof *taps);
    for (size_t i = 0; i < count; i++) {
        const float *weights =
            task->weights + (out + i) * p->conv.weight_out_step + channel * p->conv.weight_in_step;
        const float scale = task->scale != NULL ? (float)task->scale[out + i] : 1;
        for (size_t tap = 0; tap < p->taps; tap++)
            taps[tap][i] = weights[tap] * scale;
    }
    if (p->m == 2)
        transform(2, entries, taps);
    else if (p->m == 4)
        transform(4, entries, taps);
    else
        memcpy(entries, taps, p->taps * sizeof *taps);
    const size_t entry_count = p->m > 0 ? p->elements : p->taps;
    for (size_t e = 0; p->integers && e < entry_count; e++)
        for (size_t i = 0; i < BLAN_BLOCK; i++)
            entries[e][i] *= steps[p->m > 0 ? e : 0];
}

/* The steps of one input channel at every element. */
static void steps_of(const pack_task *task, size_t channel, const float *most, float *steps)
{
    const low_problem *p = task->problem;
    for (size_t e = 0; p->integers && e < p->elements; e++)
        steps[e] = input_step(p, task->ranges, e, channel, most[e]);
}

/* What an output block's integers are made with: for each element and output, first the largest number, then its
   reciprocal; and the sums of the integers. */
typedef struct block_scales {
    lanes inverse[MOST_ELEMENTS];
    int32_t sums[MOST_ELEMENTS][BLAN_BLOCK];
} block_scales;

static void find_scales(const pack_task *task, size_t out_block, const float *most, block_scales *scales)
{
    const low_problem *p = task->problem;
    const size_t entry_count = p->m > 0 ? p->elements : p->taps;
    const size_t channels = p->conv.inputs[0].channels + p->conv.inputs[1].channels;
    for (size_t c = 0; c < channels; c++) {
        float steps[MOST_ELEMENTS];
        lanes entries[MOST_ENTRIES];
        steps_of(task, c, most, steps);
        entries_of(task, out_block * BLAN_BLOCK, c, steps, entries);
        for (size_t e = 0; e < entry_count; e++)
            for (size_t i = 0; i < BLAN_BLOCK; i++) {
                float *largest = &scales->inverse[p->m > 0 ? e : 0][i];
                const float magnitude = entries[e][i] < 0 ? -entries[e][i] : entries[e][i];
                *largest = magnitude > *largest ? magnitude : *largest;
            }
    }
}

/* Adds sixteen numbers to the words that hold them. */
static void put(const low_problem *p, uint32_t *restrict words, size_t channel, const float *restrict numbers,
                const float *restrict inverse, int32_t *restrict sums)
{
    const size_t bits = p->tiles->encoding == LOW_ENCODING_INT8 ? 8 : 16, shift = channel % (32 / bits) * bits;
    for (size_t i = 0; i < BLAN_BLOCK; i++) {
        if (!p->integers) {
            words[i] |= (uint32_t)low_bfloat16(numbers[i]) << shift;
            continue;
        }
        const int q = low_eight_bits(numbers[i] * inverse[i]);
        sums[i] += q;
        words[i] |= ((uint32_t)q & ((1u << bits) - 1)) << shift;
    }
}

/* The output blocks that are multiplied together. */
static void pack_group(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const low_problem *p = task->problem;
    const size_t first = index * p->tiles->tile_blocks, blocks = smaller(p->tiles->tile_blocks, p->out_blocks - first);
    const size_t entry_count = p->m > 0 ? p->elements : p->taps, step = blocks * BLAN_BLOCK, words = p->tiles->words;
    uint32_t *group = (uint32_t *)(void *)task->packed + first * p->elements * p->depth * words * BLAN_BLOCK;
    memset(group, 0, p->elements * p->depth * words * step * sizeof *group);
    float most[MOST_ELEMENTS];
    for (size_t e = 0; p->integers && e < p->elements; e++)
        most[e] = widest(p, task->ranges, e);
    for (size_t b = 0; b < blocks; b++) {
        block_scales scales = {0};
        const size_t first_lane = first * p->elements * BLAN_BLOCK + b * BLAN_BLOCK;
        if (p->integers) {
            find_scales(task, first + b, most, &scales);
            float *scale = (float *)(void *)(task->packed + p->scale_at) + first_lane;
            for (size_t e = 0; e < p->elements; e++)
                for (size_t i = 0; i < BLAN_BLOCK; i++) {
                    const float largest = scales.inverse[e][i];
                    scale[e * step + i] = largest / 127;
                    scales.inverse[e][i] = largest > 0 ? 127 / largest : 0;
                }
        }
        for (size_t block = 0; block < p->in_blocks; block++) {
            const block_channels channels = channels_of(&p->conv, block);
            for (size_t c = 0; c < channels.count; c++) {
                float steps[MOST_ELEMENTS];
                lanes entries[MOST_ENTRIES];
                steps_of(task, channels.first + c, most, steps);
                entries_of(task, (first + b) * BLAN_BLOCK, channels.first + c, steps, entries);
                for (size_t i = 0; i < entry_count; i++) {
                    const size_t e = p->m > 0 ? i : 0, depth = p->m > 0 ? block : i * p->in_blocks + block;
                    put(p, group + ((e * p->depth + depth) * words + c * words / BLAN_BLOCK) * step + b * BLAN_BLOCK,
                        c, entries[i], scales.inverse[e], scales.sums[e]);
                }
            }
        }
        /* Unsigned bytes are 128 too large: what that adds to a sum is known beforehand. */
        int32_t *start = (int32_t *)(void *)(task->packed + p->start_at) + first_lane;
        for (size_t e = 0; p->integers && e < p->elements; e++)
            for (size_t i = 0; i < BLAN_BLOCK; i++)
                start[e * step + i] = p->tiles->encoding == LOW_ENCODING_INT8 ? -128 * scales.sums[e][i] : 0;
    }
}

void blan_k_low_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, blan_k_low_precision precision,
                          const float *weights, const double *scale, const float *ranges, void *packed, int threads)
{
    const low_problem p = blan_k_low_problem(shape, method, precision, NULL, NULL);
    pack_task task = {&p, weights, ranges, scale, packed};
    blan_k_parallel_for(threads, divide_up(p.out_blocks, p.tiles->tile_blocks), pack_group, &task);
    float *input_scale = (float *)(void *)((char *)packed + p.input_scale_at);
    for (size_t e = 0; p.integers && e < p.elements; e++) {
        const float most = widest(&p, ranges, e);
        for (size_t block = 0; block < p.in_blocks; block++) {
            const block_channels channels = channels_of(&p.conv, block);
            for (size_t c = 0; c < BLAN_BLOCK; c++)
                input_scale[(block * p.elements + e) * BLAN_BLOCK + c] =
                    c < channels.count ? 1 / input_step(&p, ranges, e, channels.first + c, most) : 0;
        }
    }
}
