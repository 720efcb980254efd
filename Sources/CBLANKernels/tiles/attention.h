/* RDAM's passes over a blocked map: pooling over locations, pooling over channels, and the gated sum. */
#include "../vector.h"

#include <math.h>

/* Sum and maximum over `area` locations of one channel block, each location times its gate (NULL = 1). */
static void pool_locations(size_t area, const float *restrict map, const float *gate, float *restrict sum,
                           float *restrict maximum)
{
    v16 total = v16_splat(0), best = v16_splat(-INFINITY);
    for (size_t i = 0; i < area; i++) {
        v16 value = v16_load(map + i * BLAN_BLOCK);
        if (gate != NULL)
            value *= v16_splat(gate[i]);
        total += value;
        best = v16_max(best, value);
    }
    v16_store(sum, total);
    v16_store(maximum, best);
}

/* Mean and maximum over the channels of `count` adjacent locations; channel c counts gate[c] times (NULL = 1).
   Padding channels, which hold zero, are kept out of the maximum. */
static void pool_channels(size_t count, size_t channels, const float *restrict map, size_t block_step,
                          const float *gate, float *restrict mean, float *restrict maximum)
{
    const size_t blocks = (channels + BLAN_BLOCK - 1) / BLAN_BLOCK;
    v16i real;
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        real[lane] = (blocks - 1) * BLAN_BLOCK + lane < channels ? -1 : 0;
    for (size_t i = 0; i < count; i++) {
        v16 total = v16_splat(0), best = v16_splat(-INFINITY);
        for (size_t block = 0; block < blocks; block++) {
            v16 value = v16_load(map + block * block_step + i * BLAN_BLOCK);
            if (gate != NULL)
                value *= v16_load(gate + block * BLAN_BLOCK);
            total += value;
            if (block + 1 == blocks)
                value = v16_select(real, value, v16_splat(-INFINITY));
            best = v16_max(best, value);
        }
        float sum = 0, most = best[0];
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
            sum += total[lane];
            most = best[lane] > most ? best[lane] : most;
        }
        mean[i] = sum / (float)channels;
        maximum[i] = most;
    }
}

/* out = map * channel gate * location gate + residual on one channel block; each of the three may be NULL. */
static void attend(size_t area, float *restrict out, const float *restrict map, const float *channel_gate,
                   const float *location_gate, const float *restrict residual)
{
    const v16 channel = channel_gate != NULL ? v16_load(channel_gate) : v16_splat(1);
    for (size_t i = 0; i < area; i++) {
        v16 value = v16_load(map + i * BLAN_BLOCK) * channel;
        if (location_gate != NULL)
            value *= v16_splat(location_gate[i]);
        if (residual != NULL)
            value += v16_load(residual + i * BLAN_BLOCK);
        v16_store(out + i * BLAN_BLOCK, value);
    }
}
