/* RDAM's passes over a blocked map on the way back: pooling that remembers where the maximum was, gradients spread over
   channels and locations, and the gradient of the gated product. */
#include "../vector.h"

#include <math.h>
#include <stdint.h>

/* Sum and maximum over `area` locations of one channel block, and the first location that holds the maximum. */
static void first_location(size_t area, const float *restrict map, float *restrict sum, float *restrict maximum,
                           int32_t *restrict place)
{
    v16 total = v16_splat(0), best = v16_splat(-INFINITY);
    v16i where = {0}, here = {0};
    for (size_t i = 0; i < area; i++, here += 1) {
        const v16 value = v16_load(map + i * BLAN_BLOCK);
        const v16i larger = value > best;
        total += value;
        best = v16_select(larger, value, best);
        where = (larger & here) | (~larger & where);
    }
    v16_store(sum, total);
    v16_store(maximum, best);
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        place[lane] = where[lane];
}


/* Lane i of each is lane i ^ 8, i ^ 4, i ^ 2 or i ^ 1 of `a`: after four steps every lane has met all others. */
#define SWAPPED8(a) __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define SWAPPED4(a) __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define SWAPPED2(a) __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAPPED1(a) __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)

/* The largest lane, in every lane. */
BLAN_INLINE v16 v16_spread_max(v16 a)
{
    a = v16_max(a, SWAPPED8(a));
    a = v16_max(a, SWAPPED4(a));
    a = v16_max(a, SWAPPED2(a));
    return v16_max(a, SWAPPED1(a));
}

BLAN_INLINE v16i v16i_min(v16i a, v16i b)
{
    const v16i less = a < b;
    return (less & a) | (~less & b);
}

BLAN_INLINE int32_t v16i_least(v16i a)
{
    a = v16i_min(a, SWAPPED8(a));
    a = v16i_min(a, SWAPPED4(a));
    a = v16i_min(a, SWAPPED2(a));
    return v16i_min(a, SWAPPED1(a))[0];
}

/* Mean and maximum over the channels of `count` adjacent locations, and the first channel that holds the maximum.
   Padding channels are kept out of it. */
static void first_channel(size_t count, size_t channels, const float *restrict map, size_t block_step,
                          float *restrict mean, float *restrict maximum, int32_t *restrict channel)
{
    const size_t blocks = (channels + BLAN_BLOCK - 1) / BLAN_BLOCK;
    v16i real;
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        real[lane] = (blocks - 1) * BLAN_BLOCK + lane < channels ? -1 : 0;
    for (size_t i = 0; i < count; i++) {
        v16 total = v16_splat(0), best = v16_splat(-INFINITY);
        v16i where = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, here = where;
        for (size_t block = 0; block < blocks; block++, here += BLAN_BLOCK) {
            v16 value = v16_load(map + block * block_step + i * BLAN_BLOCK);
            total += value;
            if (block + 1 == blocks)
                value = v16_select(real, value, v16_splat(-INFINITY));
            const v16i larger = value > best;
            best = v16_select(larger, value, best);
            where = (larger & here) | (~larger & where);
        }
        const v16 most = v16_spread_max(best);
        const v16i holds = best == most;
        mean[i] = v16_sum(total) / (float)channels;
        maximum[i] = most[0];
        channel[i] = v16i_least((holds & where) | (~holds & INT32_MAX));
    }
}

/* d_map += share[channel] at every location of one channel block. */
static void spread_channel(size_t area, float *restrict d_map, const float *restrict share)
{
    const v16 value = v16_load(share);
    for (size_t i = 0; i < area * BLAN_BLOCK; i += BLAN_BLOCK)
        v16_store(d_map + i, v16_load(d_map + i) + value);
}

/* d_map += share[location] in the first `lanes` channels of one channel block. */
static void spread_location(size_t count, size_t lanes, float *restrict d_map, const float *restrict share)
{
    v16i real;
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        real[lane] = lane < lanes ? -1 : 0;
    for (size_t i = 0; i < count; i++) {
        float *cell = d_map + i * BLAN_BLOCK;
        v16_store(cell, v16_load(cell) + v16_select(real, v16_splat(share[i]), v16_splat(0)));
    }
}

/* The sum over the sixteen lanes of `sum` grows by the dot product of a and b, at any addresses. */
static void dot_lanes(size_t count, float *restrict sum, const float *restrict a, const float *restrict b)
{
    v16 lanes = v16_load(sum);
    size_t i = 0;
    for (; i + BLAN_BLOCK <= count; i += BLAN_BLOCK)
        lanes += v16_load_any(a + i) * v16_load_any(b + i);
    v16_store(sum, lanes);
    for (size_t lane = 0; i < count; i++, lane++)
        sum[lane] += a[i] * b[i];
}

static void multiply_backward(size_t count, const blan_k_gated_pixels *all, bool accumulate)
{
    const blan_k_gated_pixels pixels = *all; /* a copy, for no store can be one to these pointers */
    const v16 channel = pixels.channel_gate != NULL ? v16_load(pixels.channel_gate) : v16_splat(1);
    v16 channel_sum = v16_splat(0);
    for (size_t i = 0; i < count; i++) {
        const v16 gradient = v16_load(pixels.d_out + i * BLAN_BLOCK);
        const v16 product = gradient * v16_load(pixels.map + i * BLAN_BLOCK);
        const v16 location = v16_splat(pixels.location_gate != NULL ? pixels.location_gate[i] : 1);
        float *d_map = pixels.d_map + i * BLAN_BLOCK;
        const v16 d_value = gradient * channel * location;
        v16_store(d_map, accumulate ? v16_load(d_map) + d_value : d_value);
        channel_sum += product * location;
        if (pixels.location_lanes != NULL) {
            float *lanes = pixels.location_lanes + i * BLAN_BLOCK;
            v16_store(lanes, v16_load(lanes) + product * channel);
        }
    }
    v16_store(pixels.channel_sum, channel_sum);
}

static void sum_lanes(size_t count, float *restrict out, const float *restrict lanes)
{
    for (size_t i = 0; i < count; i++)
        out[i] = v16_sum(v16_load(lanes + i * BLAN_BLOCK));
}
