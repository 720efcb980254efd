/*
 * Pillow's resampling for 8-bit images (libImaging/Resample.c describes the method): each output pixel is a weighted sum
 * of the input pixels under a triangle that widens with the reduction. Weights are 22-bit fixed-point numbers, and the
 * sum is rounded and clipped to 8 bits after the horizontal and again after the vertical pass. Both passes go over the
 * image in bands of output rows: what lies between them is never more than a few megabytes, or what one output row takes.
 */
#include <math.h>
#include <string.h>

#include "include/blan_image_kernels.h"
#include "include/blan_parallel.h"

enum {
    PRECISION_BITS = 32 - 8 - 2,
    CHANNELS = 3,
    BAND_BYTES = 4 << 20, /* of narrowed rows */
};

/* The weights of one axis: output i is the sum of `count` inputs from `first` on. */
typedef struct axis {
    size_t taps; /* room for each output's weights */
    int32_t *weights;
    size_t *first, *count;
} axis;

static double scale_of(size_t in, size_t out) { return (double)in / (double)out; }

static size_t taps_of(size_t in, size_t out)
{
    const double scale = scale_of(in, out);
    return (size_t)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

static int add_bytes(size_t *total, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, 63, &bytes))
        return 0;
    return !__builtin_add_overflow(*total, bytes & ~(size_t)63, total);
}

static int add_axis_bytes(size_t *total, size_t in, size_t out)
{
    size_t weights;
    return !__builtin_mul_overflow(out, taps_of(in, out), &weights) && add_bytes(total, weights, sizeof(int32_t)) &&
           add_bytes(total, out, sizeof(size_t)) && add_bytes(total, out, sizeof(size_t)) &&
           add_bytes(total, taps_of(in, out), sizeof(double));
}

/* Narrowed rows that a band may have: at least those of one output row. */
static size_t band_rows(size_t in_height, size_t out_width, size_t out_height)
{
    const size_t fitting = BAND_BYTES / CHANNELS / out_width, taps = taps_of(in_height, out_height);
    const size_t rows = fitting > taps ? fitting : taps;
    return rows < in_height ? rows : in_height;
}

size_t blan_k_resize_workspace_bytes(size_t in_width, size_t in_height, size_t out_width, size_t out_height)
{
    size_t total = 64, row;
    if (__builtin_mul_overflow(out_width, (size_t)CHANNELS, &row) || !add_axis_bytes(&total, in_width, out_width) ||
        !add_axis_bytes(&total, in_height, out_height) ||
        !add_bytes(&total, band_rows(in_height, out_width, out_height), row))
        return 0;
    return total;
}

static void *take(char **memory, size_t bytes)
{
    void *result = *memory;
    *memory += (bytes + 63) & ~(size_t)63;
    return result;
}

static axis make_axis(size_t in, size_t out, char **memory)
{
    const double scale = scale_of(in, out), filter_scale = scale < 1 ? 1 : scale;
    axis a = {.taps = taps_of(in, out)};
    a.weights = take(memory, out * a.taps * sizeof *a.weights);
    a.first = take(memory, out * sizeof *a.first);
    a.count = take(memory, out * sizeof *a.count);
    double *exact = take(memory, a.taps * sizeof *exact);
    for (size_t i = 0; i < out; i++) {
        const double centre = ((double)i + 0.5) * scale;
        const double begin = centre - filter_scale + 0.5, end = centre + filter_scale + 0.5;
        a.first[i] = begin < 0 ? 0 : (size_t)begin;
        const size_t last = end > (double)in ? in : (size_t)end;
        a.count[i] = last - a.first[i];
        double total = 0;
        for (size_t tap = 0; tap < a.count[i]; tap++) {
            const double distance = fabs(((double)(tap + a.first[i]) - centre + 0.5) / filter_scale);
            exact[tap] = distance < 1 ? 1 - distance : 0;
            total += exact[tap];
        }
        for (size_t tap = 0; tap < a.count[i]; tap++) {
            const double weight = total != 0 ? exact[tap] / total : exact[tap];
            a.weights[i * a.taps + tap] = (int32_t)(0.5 + weight * (1 << PRECISION_BITS));
        }
    }
    return a;
}

/* Behind the last input that output i needs. */
static size_t end_of(const axis *a, size_t i) { return a->first[i] + a->count[i]; }

static uint8_t round_and_clip(int32_t sum)
{
    const int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

typedef struct resize_task {
    const blan_k_pixels *in;
    axis horizontal, vertical;
    size_t out_width, out_height;
    size_t first_row, first_in; /* the first output row of this band, and the first input row that it needs */
    uint8_t *narrowed;          /* [band_rows][out_width][3]: the band's input rows after the horizontal pass */
    uint8_t *rgb;
    float *planes;
    const float *table;
} resize_task;

static void narrow_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const resize_task *task = context;
    const blan_k_pixels *in = task->in;
    const axis *a = &task->horizontal;
    const uint8_t *row = in->data + (ptrdiff_t)(task->first_in + index) * in->row_step;
    const size_t r = in->channels[0], g = in->channels[1], b = in->channels[2], step = in->pixel_step;
    uint8_t *out = task->narrowed + index * task->out_width * CHANNELS;
    for (size_t x = 0; x < task->out_width; x++, out += CHANNELS) {
        const int32_t *weights = a->weights + x * a->taps;
        const uint8_t *pixel = row + a->first[x] * step;
        int32_t sums[CHANNELS] = {1 << (PRECISION_BITS - 1), 1 << (PRECISION_BITS - 1), 1 << (PRECISION_BITS - 1)};
        for (size_t tap = 0; tap < a->count[x]; tap++, pixel += step) {
            sums[0] += pixel[r] * weights[tap];
            sums[1] += pixel[g] * weights[tap];
            sums[2] += pixel[b] * weights[tap];
        }
        for (size_t c = 0; c < CHANNELS; c++)
            out[c] = round_and_clip(sums[c]);
    }
}

enum { STRIP = 192 }; /* bytes of a row summed at once: their sums stay in registers and the L1 cache */

static void shorten_row(void *context, size_t index, size_t worker)
{
    (void)worker;
    const resize_task *task = context;
    const axis *a = &task->vertical;
    const size_t row_bytes = task->out_width * CHANNELS, y = task->first_row + index;
    const int32_t *weights = a->weights + y * a->taps;
    const uint8_t *rows = task->narrowed + (a->first[y] - task->first_in) * row_bytes;
    for (size_t begin = 0; begin < row_bytes; begin += STRIP) {
        const size_t count = row_bytes - begin < STRIP ? row_bytes - begin : STRIP;
        int32_t sums[STRIP];
        for (size_t i = 0; i < count; i++)
            sums[i] = 1 << (PRECISION_BITS - 1);
        for (size_t tap = 0; tap < a->count[y]; tap++) {
            const uint8_t *row = rows + tap * row_bytes + begin;
            for (size_t i = 0; i < count; i++)
                sums[i] += row[i] * weights[tap];
        }
        if (task->planes == NULL) {
            for (size_t i = 0; i < count; i++)
                task->rgb[y * row_bytes + begin + i] = round_and_clip(sums[i]);
            continue;
        }
        /* STRIP and row_bytes are multiples of 3, so a strip begins with R. */
        const size_t plane = task->out_width * task->out_height;
        float *out = task->planes + y * task->out_width + begin / CHANNELS;
        for (size_t c = 0; c < CHANNELS; c++)
            for (size_t i = 0; i < count / CHANNELS; i++)
                out[c * plane + i] = task->table[c * 256 + round_and_clip(sums[i * CHANNELS + c])];
    }
}

void blan_k_resize(const blan_k_pixels *in, size_t out_width, size_t out_height, uint8_t *rgb, float *planes,
                   const float *table, void *workspace, int threads)
{
    char *memory = workspace;
    resize_task task = {
        .in = in, .out_width = out_width, .out_height = out_height, .rgb = rgb, .planes = planes, .table = table};
    task.horizontal = make_axis(in->width, out_width, &memory);
    task.vertical = make_axis(in->height, out_height, &memory);
    const size_t most = band_rows(in->height, out_width, out_height);
    task.narrowed = take(&memory, most * out_width * CHANNELS);
    for (size_t last; task.first_row < out_height; task.first_row = last + 1) {
        last = task.first_row;
        task.first_in = task.vertical.first[last];
        while (last + 1 < out_height && end_of(&task.vertical, last + 1) - task.first_in <= most)
            last++;
        blan_k_parallel_for(threads, end_of(&task.vertical, last) - task.first_in, narrow_row, &task);
        blan_k_parallel_for(threads, last + 1 - task.first_row, shorten_row, &task);
    }
}
