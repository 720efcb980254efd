/* Convolution in reduced precision by plain loops: every number is rounded as the fast kernels round it, everything else
   is done in double. */
#include <math.h>

#include "low_internal.h"

/* Winograd's matrices (tiles/winograd.h): B^T and G have n rows, A^T has m. */
typedef struct matrices {
    size_t m, n;
    double b[6][6], g[6][3], a[4][6];
} matrices;

static matrices matrices_of(size_t m)
{
    if (m == 2)
        return (matrices){2,
                          4,
                          {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
                          {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
                          {{1, 1, 1, 0}, {0, 1, -1, -1}}};
    matrices w = {.m = 4, .n = 6};
    const double points[5] = {0, sqrt(0.5), -sqrt(0.5), sqrt(2), -sqrt(2)};
    for (size_t i = 0; i < 5; i++) {
        /* Row i of B^T: the coefficients of the product of (x - q) over all other points q. */
        double polynomial[6] = {1}, scale = 1;
        size_t degree = 0;
        for (size_t k = 0; k < 5; k++) {
            if (k == i)
                continue;
            scale *= points[i] - points[k];
            for (size_t d = ++degree; d > 0; d--)
                polynomial[d] = polynomial[d - 1] - points[k] * polynomial[d];
            polynomial[0] *= -points[k];
        }
        for (size_t d = 0; d < 6; d++)
            w.b[i][d] = polynomial[d];
        for (size_t d = 0; d < 3; d++)
            w.g[i][d] = pow(points[i], (double)d) / scale;
        for (size_t d = 0; d < 4; d++)
            w.a[d][i] = pow(points[i], (double)d);
    }
    const double last[6] = {0, 1, 0, -2.5, 0, 1};
    for (size_t d = 0; d < 6; d++)
        w.b[5][d] = last[d];
    w.g[5][2] = w.a[3][5] = 1;
    return w;
}

static double round_bf16(double value)
{
    const uint32_t bits = (uint32_t)low_bfloat16((float)value) << 16;
    float rounded;
    memcpy(&rounded, &bits, sizeof rounded);
    return (double)rounded;
}

/* What numbers are rounded by. */
typedef struct rounding {
    const blan_k_conv_shape *shape;
    blan_k_low_precision precision;
    size_t elements;
    const float *ranges;
    float least[36]; /* of the ranges that count, for each element */
} rounding;

static void find_least(rounding *r)
{
    const size_t channels = r->shape->in_channels[0] + r->shape->in_channels[1];
    for (size_t e = 0; e < r->elements; e++) {
        float most = 0;
        for (size_t c = 0; c < channels; c++)
            most = fmaxf(most, r->ranges[e * channels + c]);
        r->least[e] = (most > 0 ? most : 1) / 256;
    }
}

static double input_step(const rounding *r, size_t e, size_t c)
{
    const size_t channels = r->shape->in_channels[0] + r->shape->in_channels[1];
    return (double)fmaxf(r->ranges[e * channels + c], r->least[e]) / 127;
}

static double round_input(const rounding *r, size_t e, size_t c, double value)
{
    if (r->precision == BLAN_K_LOW_BF16)
        return round_bf16(value);
    const double step = input_step(r, e, c);
    return fmin(fmax(rint(value / step), -128), 127) * step;
}

static double round_weight(const rounding *r, double value, double step, double most)
{
    if (r->precision == BLAN_K_LOW_BF16)
        return round_bf16(value);
    return most > 0 ? rint(value * step / most * 127) * most / 127 / step : 0;
}

static double read(const blan_k_conv_shape *s, const float *const in[2], size_t n, size_t c, size_t y, size_t x)
{
    if (y >= s->in_height || x >= s->in_width)
        return 0; /* padding: negative places wrap round to huge ones */
    const size_t second = c >= s->in_channels[0], f = s->in_upsample[second];
    const size_t local = second ? c - s->in_channels[0] : c;
    const size_t height = s->in_height / f, width = s->in_width / f;
    return (double)in[second][(((n * blocks_of(s->in_channels[second]) + local / BLAN_BLOCK) * height + y / f) * width +
                               x / f) * BLAN_BLOCK + local % BLAN_BLOCK];
}

/* One transformed element of a 3x3 kernel. */
static double weight_element(const matrices *w, const float *g, double scale, size_t e)
{
    double sum = 0;
    for (size_t y = 0; y < 3; y++)
        for (size_t x = 0; x < 3; x++)
            sum += w->g[e / w->n][y] * w->g[e % w->n][x] * (double)g[y * 3 + x];
    return sum * scale;
}

typedef struct reference {
    rounding rounding;
    const float *in[2], *weights;
    const double *scale;
    matrices w;
} reference;

/* The largest |weight x input step| of an output channel and element: what its eight bits reach to. */
static double widest_weight(const reference *r, size_t k, size_t e)
{
    const blan_k_conv_shape *s = r->rounding.shape;
    const size_t channels = s->in_channels[0] + s->in_channels[1], taps = s->kernel * s->kernel;
    const double scale = r->scale != NULL ? r->scale[k] : 1;
    double most = 0;
    for (size_t c = 0; c < channels; c++) {
        const float *g = r->weights + (k * channels + c) * taps;
        const double step = input_step(&r->rounding, e, c);
        if (r->w.m > 0)
            most = fmax(most, fabs(weight_element(&r->w, g, scale, e) * step));
        for (size_t tap = 0; r->w.m == 0 && tap < taps; tap++)
            most = fmax(most, fabs((double)g[tap] * scale * step));
    }
    return most;
}

/* The sum over channels (and taps) for element e of the window at (y, x). */
static double product(const reference *r, size_t n, size_t k, size_t e, size_t y, size_t x, double most)
{
    const blan_k_conv_shape *s = r->rounding.shape;
    const size_t channels = s->in_channels[0] + s->in_channels[1], taps = s->kernel * s->kernel;
    const double scale = r->scale != NULL ? r->scale[k] : 1;
    const bool integers = r->rounding.precision == BLAN_K_LOW_INT8;
    double sum = 0;
    for (size_t c = 0; c < channels; c++) {
        const float *g = r->weights + (k * channels + c) * taps;
        const double step = integers ? input_step(&r->rounding, e, c) : 1;
        if (r->w.m > 0) {
            double value = 0;
            for (size_t i = 0; i < r->w.n; i++)
                for (size_t j = 0; j < r->w.n; j++)
                    value += r->w.b[e / r->w.n][i] * r->w.b[e % r->w.n][j] * read(s, r->in, n, c, y + i, x + j);
            sum += round_input(&r->rounding, e, c, value) *
                   round_weight(&r->rounding, weight_element(&r->w, g, scale, e), step, most);
            continue;
        }
        for (size_t tap = 0; tap < taps; tap++)
            sum += round_input(&r->rounding, 0, c, read(s, r->in, n, c, y + tap / s->kernel, x + tap % s->kernel)) *
                   round_weight(&r->rounding, (double)g[tap] * scale, step, most);
    }
    return sum;
}

void blan_k_low_conv_forward_reference(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                       blan_k_low_precision precision, float *out, const float *in0, const float *in1,
                                       const float *weights, const double *scale, const float *ranges,
                                       const float *bias, const float *residual, bool relu)
{
    reference r = {{shape, precision, 1, ranges, {0}}, {in0, in1}, weights, scale, {.m = 0}};
    if (method != BLAN_K_CONV_DIRECT) {
        r.w = matrices_of(method == BLAN_K_CONV_WINOGRAD2 ? 2 : 4);
        r.rounding.elements = r.w.n * r.w.n;
    }
    if (precision == BLAN_K_LOW_INT8)
        find_least(&r.rounding);
    const size_t height = blan_k_conv_out_height(shape), width = blan_k_conv_out_width(shape);
    const size_t m = r.w.m > 0 ? r.w.m : 1;
    for (size_t k = 0; k < shape->out_channels; k++) {
        double most[36] = {0};
        for (size_t e = 0; precision == BLAN_K_LOW_INT8 && e < r.rounding.elements; e++)
            most[e] = widest_weight(&r, k, e);
        for (size_t n = 0; n < shape->batch; n++)
            for (size_t y = 0; y < height; y += m)
                for (size_t x = 0; x < width; x += m) {
                    double products[36];
                    for (size_t e = 0; e < r.rounding.elements; e++)
                        products[e] = product(&r, n, k, e, y * shape->stride - shape->padding,
                                              x * shape->stride - shape->padding, most[e]);
                    for (size_t i = 0; i < m && y + i < height; i++)
                        for (size_t j = 0; j < m && x + j < width; j++) {
                            double value = r.w.m > 0 ? 0 : products[0];
                            for (size_t e = 0; r.w.m > 0 && e < r.rounding.elements; e++)
                                value += r.w.a[i][e / r.w.n] * r.w.a[j][e % r.w.n] * products[e];
                            const size_t at = (((n * blocks_of(shape->out_channels) + k / BLAN_BLOCK) * height + y + i) *
                                                   width + x + j) * BLAN_BLOCK + k % BLAN_BLOCK;
                            value += (bias != NULL ? (double)bias[k] : 0) +
                                     (residual != NULL ? (double)residual[at] : 0);
                            out[at] = (float)(relu ? fmax(value, 0) : value);
                        }
                }
    }
}
