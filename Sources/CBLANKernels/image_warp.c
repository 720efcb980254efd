/* Bilinear sampling through a similarity transform. */
#include <math.h>

#include "include/blan_image_kernels.h"
#include "include/blan_parallel.h"

typedef struct warp_task {
    const blan_k_pixels *in;
    const blan_k_similarity *similarity;
    size_t out_width;
    uint8_t *rgb;
} warp_task;

/* The two neighbours of a coordinate and the share of the second. */
static void neighbours(double at, size_t extent, size_t *low, size_t *high, double *share)
{
    const double last = (double)(extent - 1);
    const double inside = at < 0 ? 0 : at > last ? last : at;
    *low = (size_t)inside;
    *high = *low + 1 < extent ? *low + 1 : *low;
    *share = inside - (double)*low;
}

static void warp_row(void *context, size_t y, size_t worker)
{
    (void)worker;
    const warp_task *task = context;
    const blan_k_pixels *in = task->in;
    const blan_k_similarity *s = task->similarity;
    for (size_t x = 0; x < task->out_width; x++) {
        size_t left, right, top, bottom;
        double across, down;
        neighbours(s->a * (double)x - s->b * (double)y + s->tx, in->width, &left, &right, &across);
        neighbours(s->b * (double)x + s->a * (double)y + s->ty, in->height, &top, &bottom, &down);
        const uint8_t *upper = in->data + (ptrdiff_t)top * in->row_step;
        const uint8_t *lower = in->data + (ptrdiff_t)bottom * in->row_step;
        for (size_t c = 0; c < 3; c++) {
            const size_t l = left * in->pixel_step + in->channels[c], r = right * in->pixel_step + in->channels[c];
            const double above = upper[l] + (upper[r] - upper[l]) * across;
            const double below = lower[l] + (lower[r] - lower[l]) * across;
            task->rgb[(y * task->out_width + x) * 3 + c] = (uint8_t)lrint(above + (below - above) * down);
        }
    }
}

void blan_k_warp(const blan_k_pixels *in, const blan_k_similarity *similarity, size_t out_width, size_t out_height,
                 uint8_t *rgb, int threads)
{
    warp_task task = {in, similarity, out_width, rgb};
    blan_k_parallel_for(threads, out_height, warp_row, &task);
}
