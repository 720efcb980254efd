/* RDAM's attentions by plain loops over channels and locations: the oracle of the tests. */
#include "include/blan_attention.h"

#include <math.h>

enum { BLOCK = 16, KERNEL = 7 };

static size_t blocks_of(const blan_k_map *map) { return (map->channels + BLOCK - 1) / BLOCK; }

static size_t cell(const blan_k_map *map, size_t n, size_t c, size_t place)
{
    return ((n * blocks_of(map) + c / BLOCK) * map->height * map->width + place) * BLOCK + c % BLOCK;
}

/* The map's value after its gates. */
static float gated(const blan_k_map *map, const float *channel_gate, const float *location_gate, size_t n, size_t c,
                   size_t place)
{
    float value = map->data[cell(map, n, c, place)];
    if (channel_gate != NULL)
        value *= channel_gate[n * blocks_of(map) * BLOCK + c];
    if (location_gate != NULL)
        value *= location_gate[n * map->height * map->width + place];
    return value;
}

static double mlp_output(const blan_k_map *map, const float *location_gate, const blan_k_channel_mlp *mlp, size_t n,
                         size_t out, int pool_maximum)
{
    const size_t area = map->height * map->width;
    double result = mlp->fc2_bias[out];
    for (size_t j = 0; j < mlp->hidden; j++) {
        double hidden = mlp->fc1_bias[j];
        for (size_t c = 0; c < map->channels; c++) {
            double pooled = pool_maximum ? -INFINITY : 0;
            for (size_t place = 0; place < area; place++) {
                const double value = gated(map, NULL, location_gate, n, c, place);
                pooled = pool_maximum ? fmax(pooled, value) : pooled + value / (double)area;
            }
            hidden += mlp->fc1_weight[j * map->channels + c] * pooled;
        }
        result += mlp->fc2_weight[out * mlp->hidden + j] * fmax(hidden, 0);
    }
    return result;
}

void blan_k_channel_gate_reference(const blan_k_map *map, const float *location_gate, const blan_k_channel_mlp *mlp,
                                   float *gate)
{
    for (size_t n = 0; n < map->batch; n++)
        for (size_t c = 0; c < blocks_of(map) * BLOCK; c++)
            gate[n * blocks_of(map) * BLOCK + c] =
                c >= map->channels ? 0
                                   : (float)(1 / (1 + exp(-mlp_output(map, location_gate, mlp, n, c, 0) -
                                                          mlp_output(map, location_gate, mlp, n, c, 1))));
}

void blan_k_spatial_gate_reference(const blan_k_map *map, const float *channel_gate, const float *weights,
                                   float *gate)
{
    for (size_t n = 0; n < map->batch; n++)
        for (size_t place = 0; place < map->height * map->width; place++) {
            double total = 0;
            for (size_t tap = 0; tap < KERNEL * KERNEL; tap++) {
                const size_t y = place / map->width + tap / KERNEL - KERNEL / 2;
                const size_t x = place % map->width + tap % KERNEL - KERNEL / 2;
                if (y >= map->height || x >= map->width)
                    continue;
                double mean = 0, most = -INFINITY;
                for (size_t c = 0; c < map->channels; c++) {
                    const double value = gated(map, channel_gate, NULL, n, c, y * map->width + x);
                    mean += value / (double)map->channels;
                    most = fmax(most, value);
                }
                total += weights[tap] * mean + weights[KERNEL * KERNEL + tap] * most;
            }
            gate[n * map->height * map->width + place] = (float)(1 / (1 + exp(-total)));
        }
}

void blan_k_attend_reference(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                             const float *residual, float *out)
{
    for (size_t n = 0; n < map->batch; n++)
        for (size_t c = 0; c < blocks_of(map) * BLOCK; c++)
            for (size_t place = 0; place < map->height * map->width; place++) {
                const size_t i = cell(map, n, c, place);
                out[i] = gated(map, channel_gate, location_gate, n, c, place) + (residual != NULL ? residual[i] : 0);
            }
}
