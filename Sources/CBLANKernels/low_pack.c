/* Packing for reduced precision. Kernels are transformed in f32 and rounded at the end, on every instruction set
   alike. */
#include <math.h>
#include <string.h>

#include "include/blan_parallel.h"
#include "low_internal.h"

enum { MOST_ENTRIES = 49, MOST_GROUP_BLOCKS = 2 };

/* The points of tiles/winograd.h. */
static const float P = 0.70710678118654752f, Q = 1.41421356237309505f;

/* G g of one column or row. */
static void transform_line(size_t m, float *out, size_t step, const float *g, size_t g_step)
{
    const float g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step];
    out[0] = g0;
    if (m == 2) {
        out[step] = 0.5f * (g0 + g2) + 0.5f * g1;
        out[2 * step] = 0.5f * (g0 + g2) - 0.5f * g1;
        out[3 * step] = g2;
        return;
    }
    const float outer = -2.0f / 3 * (g0 + 0.5f * g2), middle = -2.0f / 3 * P * g1;
    const float outer2 = 1.0f / 6 * (g0 + 2 * g2), middle2 = 1.0f / 6 * Q * g1;
    out[step] = outer + middle;
    out[2 * step] = outer - middle;
    out[3 * step] = outer2 + middle2;
    out[4 * step] = outer2 - middle2;
    out[5 * step] = g2;
}

/* G g G^T of a 3x3 kernel. */
static void transform(size_t m, float *u, const float *g)
{
    const size_t n = m + 2;
    float half[18];
    for (size_t x = 0; x < 3; x++)
        transform_line(m, half + x, 3, g + x, 3);
    for (size_t y = 0; y < n; y++)
        transform_line(m, u + y * n, 1, half + y * 3, 1);
}

typedef struct pack_task {
    const low_problem *problem;
    const float *weights, *scale, *ranges;
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

/* The numbers to store for one output and input channel: taps, or transformed ones, times the input's steps. */
static void entries_of(const pack_task *task, size_t out, size_t channel, const float *steps, float *entries)
{
    const low_problem *p = task->problem;
    const float *weights = task->weights + out * p->conv.weight_out_step + channel * p->conv.weight_in_step;
    const float scale = task->scale != NULL ? task->scale[out] : 1;
    float taps[MOST_ENTRIES];
    for (size_t tap = 0; tap < p->taps; tap++)
        taps[tap] = weights[tap] * scale;
    if (p->m > 0)
        transform(p->m, entries, taps);
    else
        memcpy(entries, taps, p->taps * sizeof *taps);
    const size_t count = p->m > 0 ? p->elements : p->taps;
    for (size_t i = 0; steps != NULL && i < count; i++)
        entries[i] *= steps[p->m > 0 ? i : 0];
}

/* Writes one number where the multiplication looks for it. */
static void put(const low_problem *p, char *group, size_t blocks, size_t element, size_t depth, size_t channel,
                size_t lane, int integer, uint16_t bits)
{
    const size_t channels_in_word = BLAN_BLOCK / p->tiles->words, size = sizeof(uint32_t) / channels_in_word;
    const size_t word = ((element * p->depth + depth) * p->tiles->words + channel / channels_in_word) * blocks *
                            BLAN_BLOCK +
                        lane;
    char *at = group + word * sizeof(uint32_t) + channel % channels_in_word * size;
    const int8_t byte = (int8_t)integer;
    const int16_t wide = (int16_t)integer;
    switch (p->tiles->encoding) {
    case LOW_ENCODING_BF16: memcpy(at, &bits, sizeof bits); break;
    case LOW_ENCODING_INT16: memcpy(at, &wide, sizeof wide); break;
    case LOW_ENCODING_INT8: memcpy(at, &byte, sizeof byte); break;
    }
}

/* The output blocks that are multiplied together. */
static void pack_group(void *context, size_t index, size_t worker)
{
    (void)worker;
    const pack_task *task = context;
    const low_problem *p = task->problem;
    const size_t first = index * p->tiles->tile_blocks, blocks = smaller(p->tiles->tile_blocks, p->out_blocks - first);
    const size_t lanes = smaller(blocks * BLAN_BLOCK, p->conv.out_channels - first * BLAN_BLOCK);
    const size_t entries = p->m > 0 ? p->elements : p->taps, step = blocks * BLAN_BLOCK;
    char *group = task->packed + first * p->elements * p->depth * p->tiles->words * BLAN_BLOCK * sizeof(uint32_t);
    memset(group, 0, p->elements * p->depth * p->tiles->words * step * sizeof(uint32_t));
    float inverse[36][MOST_GROUP_BLOCKS * BLAN_BLOCK] = {{0}}, most[36] = {0};
    int32_t sums[36][MOST_GROUP_BLOCKS * BLAN_BLOCK] = {{0}};
    for (size_t e = 0; p->integers && e < p->elements; e++)
        most[e] = widest(p, task->ranges, e);
    /* Integers: the largest numbers first, then the scales that follow from them. */
    for (int pass = p->integers ? 0 : 1; pass < 2; pass++) {
        for (size_t block = 0; block < p->in_blocks; block++) {
            const low_channels channels = low_channels_of(&p->conv, block);
            for (size_t c = 0; c < channels.count; c++) {
                float steps[36];
                for (size_t e = 0; p->integers && e < p->elements; e++)
                    steps[e] = input_step(p, task->ranges, e, channels.first + c, most[e]);
                for (size_t lane = 0; lane < lanes; lane++) {
                    float values[MOST_ENTRIES];
                    entries_of(task, first * BLAN_BLOCK + lane, channels.first + c, p->integers ? steps : NULL, values);
                    for (size_t i = 0; i < entries; i++) {
                        const size_t e = p->m > 0 ? i : 0, depth = p->m > 0 ? block : i * p->in_blocks + block;
                        if (pass == 0) {
                            inverse[e][lane] = fmaxf(inverse[e][lane], fabsf(values[i]));
                            continue;
                        }
                        const int q = p->integers ? low_eight_bits(values[i] * inverse[e][lane]) : 0;
                        sums[e][lane] += q;
                        put(p, group, blocks, e, depth, c, lane, q, p->integers ? 0 : low_bfloat16(values[i]));
                    }
                }
            }
        }
        if (pass == 1)
            break;
        float *scale = (float *)(void *)(task->packed + p->scale_at) + first * p->elements * BLAN_BLOCK;
        for (size_t e = 0; e < p->elements; e++)
            for (size_t lane = 0; lane < step; lane++) {
                const float largest = inverse[e][lane];
                scale[e * step + lane] = largest / 127;
                inverse[e][lane] = largest > 0 ? 127 / largest : 0;
            }
    }
    if (!p->integers)
        return;
    /* Unsigned bytes are 128 too large: what that adds to a sum is known beforehand. */
    int32_t *start = (int32_t *)(void *)(task->packed + p->start_at) + first * p->elements * BLAN_BLOCK;
    for (size_t e = 0; e < p->elements; e++)
        for (size_t lane = 0; lane < step; lane++)
            start[e * step + lane] = p->tiles->encoding == LOW_ENCODING_INT8 ? -128 * sums[e][lane] : 0;
}

void blan_k_low_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, blan_k_low_precision precision,
                          const float *weights, const float *scale, const float *ranges, void *packed, int threads)
{
    const low_problem p = blan_k_low_problem(shape, method, precision, NULL, NULL);
    pack_task task = {&p, weights, scale, ranges, packed};
    blan_k_parallel_for(threads, divide_up(p.out_blocks, p.tiles->tile_blocks), pack_group, &task);
    float *input_scale = (float *)(void *)((char *)packed + p.input_scale_at);
    for (size_t e = 0; p.integers && e < p.elements; e++) {
        const float most = widest(&p, ranges, e);
        for (size_t block = 0; block < p.in_blocks; block++) {
            const low_channels channels = low_channels_of(&p.conv, block);
            for (size_t c = 0; c < BLAN_BLOCK; c++)
                input_scale[(block * p.elements + e) * BLAN_BLOCK + c] =
                    c < channels.count ? 1 / input_step(&p, ranges, e, channels.first + c, most) : 0;
        }
    }
}
