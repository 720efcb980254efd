/* Elementwise work on ranges of flat buffers at any address. Loops without a vector type in them are the compiler's to
   vectorise: no element meets another. */
#include "../vector.h"

#include <math.h>

typedef unsigned v16u __attribute__((vector_size(64)));

static void adam(size_t count, float *restrict w, const float *restrict gradient, float *restrict m, float *restrict v,
                 const blan_k_adam *rule)
{
    const float kept1 = (float)rule->beta1, fresh1 = (float)(1 - rule->beta1);
    const float kept2 = (float)rule->beta2, fresh2 = (float)(1 - rule->beta2);
    const float step = (float)(rule->learning_rate / rule->correction1);
    const float root = (float)(1 / sqrt(rule->correction2));
    const float decay = (float)(1 - (double)rule->learning_rate * rule->weight_decay);
    const float scale = rule->gradient_scale, epsilon = rule->epsilon;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient[i] * scale;
        m[i] = kept1 * m[i] + fresh1 * g;
        v[i] = kept2 * v[i] + fresh2 * g * g;
        w[i] = decay * w[i] - step * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

/* sum = sum_scale * sum + term_scale * term. */
static void scaled_sum(size_t count, float *restrict sum, float sum_scale, const float *restrict term, float term_scale)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = sum_scale * sum[i] + term_scale * term[i];
}

static double sum_of_squares(size_t count, const float *values)
{
    v16d lanes = {0};
    size_t i = 0;
    for (; i + BLAN_BLOCK <= count; i += BLAN_BLOCK) {
        const v16d wide = __builtin_convertvector(v16_load_any(values + i), v16d);
        lanes += wide * wide;
    }
    double total = 0;
    for (; i < count; i++)
        total += (double)values[i] * values[i];
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        total += lanes[lane];
    return total;
}

/* A bijection of 32 bits in which each bit of the input changes about half of the output's. */
BLAN_INLINE v16u scramble(v16u x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* The elements with indices first, first + 1, ... modulo 2^32; keys are the seed's. */
static void dropout(size_t count, float *out, const float *in, uint32_t first, const uint32_t keys[2],
                    uint32_t threshold, float scale)
{
    const v16u ladder = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < count; i += BLAN_BLOCK) {
        const size_t rest = count - i < BLAN_BLOCK ? count - i : BLAN_BLOCK;
        const v16u hash = scramble(scramble((ladder + (first + (uint32_t)i)) ^ keys[0]) + keys[1]);
        const v16i kept = (v16i)((hash >> 8) >= threshold);
        if (rest == BLAN_BLOCK) {
            v16_store_any(out + i, v16_select(kept, v16_load_any(in + i) * v16_splat(scale), v16_splat(0)));
            continue;
        }
        for (size_t lane = 0; lane < rest; lane++)
            out[i + lane] = kept[lane] ? in[i + lane] * scale : 0;
    }
}
