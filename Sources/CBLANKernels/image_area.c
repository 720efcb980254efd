/*
 * Area resampling, torch's interpolate(mode="area"): each output pixel is the mean of the input pixels that it touches,
 * from floor(i in / out) to ceil((i + 1) in / out) on either axis. Sums of bytes are whole numbers and exact; rows are
 * summed first, all at once, then their columns.
 */
#include <string.h>

#include "convolution_internal.h"
#include "include/blan_image_kernels.h"

static size_t first_of(size_t i, size_t in, size_t out) { return i * in / out; }
static size_t end_of(size_t i, size_t in, size_t out) { return divide_up((i + 1) * in, out); }

/* The columns of the image that the wanted columns touch. */
static size_t touched_columns(const blan_k_area *area)
{
    return end_of(area->x + area->width - 1, area->in_width, area->out_width) -
           first_of(area->x, area->in_width, area->out_width);
}

/* Where a wanted column begins in the row of sums, and how many pixels it touches. */
typedef struct area_column {
    uint32_t first, count;
} area_column;

typedef struct area_workspace {
    uint32_t *sums;
    float *counts;
    area_column *columns;
} area_workspace;

static size_t sum_count(const blan_k_pixels *in, const blan_k_area *area)
{
    return aligned_count(touched_columns(area) * in->pixel_step);
}

size_t blan_k_area_workspace_bytes(const blan_k_pixels *in, const blan_k_area *area)
{
    return sum_count(in, area) * sizeof(uint32_t) + aligned_count(area->width) * sizeof(float) +
           area->width * sizeof(area_column);
}

static area_workspace prepare(const blan_k_pixels *in, const blan_k_area *area, void *memory)
{
    area_workspace w = {.sums = memory};
    w.counts = (float *)(w.sums + sum_count(in, area));
    w.columns = (area_column *)(w.counts + aligned_count(area->width));
    const size_t left = first_of(area->x, area->in_width, area->out_width);
    for (size_t x = 0; x < area->width; x++) {
        const size_t first = first_of(area->x + x, area->in_width, area->out_width);
        const size_t count = end_of(area->x + x, area->in_width, area->out_width) - first;
        w.columns[x] = (area_column){(uint32_t)((first - left) * in->pixel_step), (uint32_t)count};
        w.counts[x] = (float)count;
    }
    return w;
}

void blan_k_area_resample(const blan_k_pixels *in, const blan_k_area *area, float *planes, size_t row_step,
                          size_t plane_step, void *workspace)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const area_workspace w = prepare(in, area, workspace);
    const size_t left = first_of(area->x, area->in_width, area->out_width);
    const size_t bytes = touched_columns(area) * in->pixel_step, step = in->pixel_step;
    const uint8_t *corner = in->data + (ptrdiff_t)area->in_y * in->row_step + (area->in_x + left) * step;
    for (size_t y = 0; y < area->height; y++) {
        const size_t top = first_of(area->y + y, area->in_height, area->out_height);
        const size_t bottom = end_of(area->y + y, area->in_height, area->out_height);
        memset(w.sums, 0, bytes * sizeof *w.sums);
        for (size_t row = top; row < bottom; row++)
            tiles->sum_bytes(bytes, w.sums, corner + (ptrdiff_t)row * in->row_step);
        float *const red = planes + y * row_step, *const green = red + plane_step, *const blue = green + plane_step;
        for (size_t x = 0; x < area->width; x++) {
            const uint32_t *pixel = w.sums + w.columns[x].first;
            uint32_t r = 0, g = 0, b = 0;
            for (uint32_t i = 0; i < w.columns[x].count; i++, pixel += step) {
                r += pixel[in->channels[0]];
                g += pixel[in->channels[1]];
                b += pixel[in->channels[2]];
            }
            red[x] = (float)r;
            green[x] = (float)g;
            blue[x] = (float)b;
        }
        for (size_t c = 0; c < 3; c++)
            tiles->finish_area(area->width, red + c * plane_step, (float)(bottom - top), w.counts, area->offset,
                               area->factor);
    }
}

void blan_k_area_resample_reference(const blan_k_pixels *in, const blan_k_area *area, float *planes, size_t row_step,
                                    size_t plane_step)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < area->height; y++)
            for (size_t x = 0; x < area->width; x++) {
                const size_t top = first_of(area->y + y, area->in_height, area->out_height);
                const size_t bottom = end_of(area->y + y, area->in_height, area->out_height);
                const size_t first = first_of(area->x + x, area->in_width, area->out_width);
                const size_t end = end_of(area->x + x, area->in_width, area->out_width);
                double sum = 0;
                for (size_t row = top; row < bottom; row++)
                    for (size_t column = first; column < end; column++)
                        sum += in->data[(ptrdiff_t)(area->in_y + row) * in->row_step +
                                        (ptrdiff_t)((area->in_x + column) * in->pixel_step + in->channels[c])];
                const double mean = sum / (double)((bottom - top) * (end - first));
                planes[c * plane_step + y * row_step + x] = (float)((mean - area->offset) * area->factor);
            }
}
