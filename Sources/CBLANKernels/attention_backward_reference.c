/* Gradients of RDAM's attentions by plain loops, location by location: the oracle of the tests. */
#include "include/blan_attention_backward.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16, KERNEL = 7, TAPS = KERNEL * KERNEL };

static size_t padded(const blan_k_map *map) { return (map->channels + BLOCK - 1) / BLOCK * BLOCK; }
static size_t area_of(const blan_k_map *map) { return map->height * map->width; }

static size_t cell(const blan_k_map *map, size_t n, size_t c, size_t place)
{
    return ((n * padded(map) / BLOCK + c / BLOCK) * area_of(map) + place) * BLOCK + c % BLOCK;
}

/* Mean of a channel, its maximum and the first location that holds it. */
static void pool_channel(const blan_k_map *map, size_t n, size_t c, double pooled[2], size_t *where)
{
    pooled[0] = 0;
    *where = 0;
    for (size_t place = 0; place < area_of(map); place++) {
        pooled[0] += map->data[cell(map, n, c, place)] / (double)area_of(map);
        if (map->data[cell(map, n, c, place)] > map->data[cell(map, n, c, *where)])
            *where = place;
    }
    pooled[1] = map->data[cell(map, n, c, *where)];
}

static double logit_gradient(double gate, double d_gate) { return d_gate * gate * (1 - gate); }

/* Hidden unit j of image n before the ReLU, of means (way 0) or maxima (way 1). */
static double hidden_unit(const blan_k_map *map, const blan_k_channel_mlp *mlp, size_t n, size_t j, size_t way)
{
    double value = mlp->fc1_bias[j];
    for (size_t c = 0; c < map->channels; c++) {
        double pooled[2];
        size_t where;
        pool_channel(map, n, c, pooled, &where);
        value += mlp->fc1_weight[j * map->channels + c] * pooled[way];
    }
    return value;
}

/* Additions in float: a weight's gradient grows by one image's part at a time. */
void blan_k_channel_gate_backward_reference(const blan_k_map *map, const blan_k_channel_mlp *mlp, const float *gate,
                                            const float *d_gate, float *d_map,
                                            const blan_k_channel_mlp_gradient *d_mlp)
{
    const size_t channels = map->channels, hidden = mlp->hidden;
    if (!d_mlp->accumulate) {
        memset(d_mlp->fc1_weight, 0, hidden * channels * sizeof(float));
        memset(d_mlp->fc1_bias, 0, hidden * sizeof(float));
        memset(d_mlp->fc2_weight, 0, hidden * channels * sizeof(float));
        memset(d_mlp->fc2_bias, 0, channels * sizeof(float));
    }
    for (size_t n = 0; n < map->batch; n++) {
        const float *g = gate + n * padded(map), *d_g = d_gate + n * padded(map);
        for (size_t c = 0; c < channels; c++)
            d_mlp->fc2_bias[c] += (float)(2 * logit_gradient(g[c], d_g[c]));
        for (size_t way = 0; way < 2; way++)
            for (size_t j = 0; j < hidden; j++) {
                const double value = hidden_unit(map, mlp, n, j, way);
                double d_hidden = 0;
                for (size_t c = 0; c < channels && value > 0; c++) {
                    const double d_logit = logit_gradient(g[c], d_g[c]);
                    d_mlp->fc2_weight[c * hidden + j] += (float)(d_logit * value);
                    d_hidden += d_logit * mlp->fc2_weight[c * hidden + j];
                }
                d_mlp->fc1_bias[j] += (float)d_hidden;
                for (size_t c = 0; c < channels; c++) {
                    double pooled[2];
                    size_t where;
                    pool_channel(map, n, c, pooled, &where);
                    d_mlp->fc1_weight[j * channels + c] += (float)(d_hidden * pooled[way]);
                    const double d_pooled = d_hidden * mlp->fc1_weight[j * channels + c];
                    if (way == 1)
                        d_map[cell(map, n, c, where)] += (float)d_pooled;
                    for (size_t place = 0; way == 0 && place < area_of(map); place++)
                        d_map[cell(map, n, c, place)] += (float)(d_pooled / (double)area_of(map));
                }
            }
    }
}

/* Mean over the channels of a location, their maximum and the first channel that holds it. */
static void pool_location(const blan_k_map *map, size_t n, size_t place, double pooled[2], size_t *where)
{
    pooled[0] = 0;
    *where = 0;
    for (size_t c = 0; c < map->channels; c++) {
        pooled[0] += map->data[cell(map, n, c, place)] / (double)map->channels;
        if (map->data[cell(map, n, c, place)] > map->data[cell(map, n, *where, place)])
            *where = c;
    }
    pooled[1] = map->data[cell(map, n, *where, place)];
}

void blan_k_spatial_gate_backward_reference(const blan_k_map *map, const float *weights, const float *gate,
                                            const float *d_gate, float *d_map, float *d_weights, bool accumulate)
{
    double sums[2 * TAPS] = {0};
    for (size_t n = 0; n < map->batch; n++)
        for (size_t from = 0; from < area_of(map); from++) {
            double pooled[2], d_pooled[2] = {0};
            size_t where;
            pool_location(map, n, from, pooled, &where);
            for (size_t tap = 0; tap < TAPS; tap++) {
                /* The output whose window's tap lies on this location. */
                const size_t y = from / map->width + KERNEL / 2 - tap / KERNEL;
                const size_t x = from % map->width + KERNEL / 2 - tap % KERNEL;
                if (y >= map->height || x >= map->width)
                    continue;
                const size_t to = n * area_of(map) + y * map->width + x;
                const double d_logit = logit_gradient(gate[to], d_gate[to]);
                for (size_t way = 0; way < 2; way++) {
                    sums[way * TAPS + tap] += d_logit * pooled[way];
                    d_pooled[way] += d_logit * weights[way * TAPS + tap];
                }
            }
            for (size_t c = 0; c < map->channels; c++)
                d_map[cell(map, n, c, from)] += (float)(d_pooled[0] / (double)map->channels);
            d_map[cell(map, n, where, from)] += (float)d_pooled[1];
        }
    for (size_t tap = 0; tap < 2 * TAPS; tap++)
        d_weights[tap] = (float)(sums[tap] + (accumulate ? d_weights[tap] : 0));
}

void blan_k_multiply_backward_reference(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                                        const float *d_out, float *d_map, bool accumulate_map, float *d_channel_gate,
                                        float *d_location_gate)
{
    for (size_t n = 0; n < map->batch; n++) {
        for (size_t c = 0; c < padded(map); c++) {
            double sum = 0;
            for (size_t place = 0; place < area_of(map); place++) {
                const size_t i = cell(map, n, c, place);
                const double channel = channel_gate != NULL ? channel_gate[n * padded(map) + c] : 1;
                const double location = location_gate != NULL ? location_gate[n * area_of(map) + place] : 1;
                sum += map->data[i] * location * d_out[i];
                d_map[i] = (float)(channel * location * d_out[i] + (accumulate_map ? d_map[i] : 0));
            }
            if (d_channel_gate != NULL)
                d_channel_gate[n * padded(map) + c] = (float)sum;
        }
        for (size_t place = 0; d_location_gate != NULL && place < area_of(map); place++) {
            double sum = 0;
            for (size_t c = 0; c < map->channels; c++) {
                const double channel = channel_gate != NULL ? channel_gate[n * padded(map) + c] : 1;
                sum += map->data[cell(map, n, c, place)] * channel * d_out[cell(map, n, c, place)];
            }
            d_location_gate[n * area_of(map) + place] = (float)sum;
        }
    }
}
