/* The reconstruction head by plain loops over the enlarged map, sums in double. */
#include <math.h>
#include <stdlib.h>

#include "convolution_internal.h"
#include "include/blan_reconstruction.h"

enum { COLOURS = 3, KERNEL = 7, RADIUS = 3 };

/* One term of the convolution: which cell of the map and which weight meet. */
typedef struct term {
    size_t cell, weight;
} term;

/* The terms of one output pixel; returns how many. */
static size_t terms_of(const blan_k_reconstruction_shape *s, size_t n, size_t colour, size_t row, size_t column,
                       term *terms)
{
    size_t count = 0;
    for (size_t c = 0; c < s->channels; c++)
        for (size_t tap = 0; tap < KERNEL * KERNEL; tap++) {
            const size_t y = row + tap / KERNEL - RADIUS, x = column + tap % KERNEL - RADIUS;
            if (y >= s->height * s->factor || x >= s->width * s->factor)
                continue; /* padding: negative places wrap round to huge ones */
            const size_t plane = n * blocks_of(s->channels) + c / BLAN_BLOCK;
            terms[count++] = (term){
                ((plane * s->height + y / s->factor) * s->width + x / s->factor) * BLAN_BLOCK + c % BLAN_BLOCK,
                (colour * s->channels + c) * KERNEL * KERNEL + tap};
        }
    return count;
}

static void store(float *out, const double *values, size_t count, bool accumulate)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)((accumulate ? out[i] : 0) + values[i]);
}

double blan_k_reconstruction_reference(const blan_k_reconstruction_shape *shape, const float *map, const float *pixels,
                                       const float *weights, const float *bias, float scale, float *d_map,
                                       bool accumulate_map, float *d_weights, float *d_bias, bool accumulate_weights,
                                       float *reconstruction)
{
    const size_t height = shape->height * shape->factor, width = shape->width * shape->factor;
    const size_t elements = shape->batch * COLOURS * height * width;
    const size_t weight_count = COLOURS * shape->channels * KERNEL * KERNEL;
    const size_t map_count =
        shape->batch * blocks_of(shape->channels) * BLAN_BLOCK * shape->height * shape->width;
    term *terms = malloc(shape->channels * KERNEL * KERNEL * sizeof *terms);
    double *sums = calloc(map_count + weight_count + COLOURS, sizeof *sums);
    if (terms == NULL || sums == NULL) {
        free(terms);
        free(sums);
        return NAN;
    }
    double *map_sums = sums, *weight_sums = sums + map_count, *bias_sums = weight_sums + weight_count, loss = 0;
    for (size_t i = 0; i < elements; i++) {
        const size_t column = i % width, row = i / width % height, colour = i / width / height % COLOURS;
        const size_t count = terms_of(shape, i / width / height / COLOURS, colour, row, column, terms);
        double value = bias[colour];
        for (size_t t = 0; t < count; t++)
            value += (double)map[terms[t].cell] * weights[terms[t].weight];
        const double difference = value - pixels[i];
        loss += difference * difference;
        if (reconstruction != NULL)
            reconstruction[i] = (float)value;
        const double gradient = 2 * difference * scale / (double)elements;
        bias_sums[colour] += gradient;
        for (size_t t = 0; t < count; t++) {
            map_sums[terms[t].cell] += gradient * weights[terms[t].weight];
            weight_sums[terms[t].weight] += gradient * map[terms[t].cell];
        }
    }
    if (d_weights != NULL) {
        store(d_map, map_sums, map_count, accumulate_map);
        store(d_weights, weight_sums, weight_count, accumulate_weights);
        store(d_bias, bias_sums, COLOURS, accumulate_weights);
    }
    free(terms);
    free(sums);
    return loss / (double)elements;
}
