/* The max-pool by plain loops over channels and windows: the oracle of the tests. */
#include "include/blan_pooling.h"

#include <math.h>

enum { BLOCK = 16 };

static size_t outputs_of(size_t extent) { return (extent - 1) / 2 + 1; }

/* The window of output (y, x): next_cell gives, in reading order, the first channel of each input pixel in it. */
typedef struct window {
    const blan_k_pool_shape *shape;
    size_t y, x, tap;
} window;

static int next_cell(window *w, size_t *cell)
{
    while (w->tap < 9) {
        const size_t y = 2 * w->y + w->tap / 3 - 1, x = 2 * w->x + w->tap % 3 - 1;
        w->tap++;
        if (y < w->shape->height && x < w->shape->width) {
            *cell = (y * w->shape->width + x) * BLOCK;
            return 1;
        }
    }
    return 0;
}

void blan_k_max_pool_forward_reference(const blan_k_pool_shape *shape, float *out, const float *in)
{
    const size_t planes = shape->batch * ((shape->channels + BLOCK - 1) / BLOCK), width = outputs_of(shape->width);
    const size_t in_plane = shape->height * shape->width * BLOCK, out_plane = outputs_of(shape->height) * width * BLOCK;
    for (size_t plane = 0; plane < planes; plane++)
        for (size_t i = 0; i < out_plane; i++) {
            window w = {shape, i / BLOCK / width, i / BLOCK % width, 0};
            float most = -INFINITY;
            for (size_t cell; next_cell(&w, &cell);) {
                const float value = in[plane * in_plane + cell + i % BLOCK];
                most = value > most || isnan(value) ? value : most;
            }
            out[plane * out_plane + i] = most;
        }
}

void blan_k_max_pool_backward_reference(const blan_k_pool_shape *shape, float *d_in, const float *d_out,
                                        const float *in, const float *out)
{
    const size_t planes = shape->batch * ((shape->channels + BLOCK - 1) / BLOCK), width = outputs_of(shape->width);
    const size_t in_plane = shape->height * shape->width * BLOCK, out_plane = outputs_of(shape->height) * width * BLOCK;
    for (size_t i = 0; i < planes * in_plane; i++)
        d_in[i] = 0;
    for (size_t plane = 0; plane < planes; plane++)
        for (size_t i = 0; i < out_plane; i++) {
            window w = {shape, i / BLOCK / width, i / BLOCK % width, 0};
            for (size_t cell; next_cell(&w, &cell);) {
                const size_t at = plane * in_plane + cell + i % BLOCK;
                if (in[at] == out[plane * out_plane + i]) {
                    d_in[at] += d_out[plane * out_plane + i];
                    break;
                }
            }
        }
}
