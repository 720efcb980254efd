/* Convolution and its gradients by plain loops: slow, short, and what the tests compare with. */
#include "convolution_internal.h"

/* Index of channel c at (y, x) of image n in a blocked map. */
static size_t at(size_t channels, size_t height, size_t width, size_t n, size_t c, size_t y, size_t x)
{
    return (((n * blocks_of(channels) + c / BLAN_BLOCK) * height + y) * width + x) * BLAN_BLOCK + c % BLAN_BLOCK;
}

/* One term of a convolution: which input cell, output cell and weight meet. */
typedef struct term {
    size_t input, in_cell, out_cell, weight;
} term;

typedef void (*visit)(void *context, const term *t);

/* Calls visit for every multiply-accumulate of the convolution that meets the map. */
static void for_each_term(const blan_k_conv_shape *s, visit function, void *context)
{
    const size_t height = blan_k_conv_out_height(s), width = blan_k_conv_out_width(s), taps = s->kernel * s->kernel;
    const size_t channels = s->in_channels[0] + s->in_channels[1];
    for (size_t n = 0; n < s->batch; n++)
        for (size_t k = 0; k < s->out_channels; k++)
            for (size_t y = 0; y < height; y++)
                for (size_t x = 0; x < width; x++)
                    for (size_t c = 0; c < channels; c++)
                        for (size_t tap = 0; tap < taps; tap++) {
                            const size_t row = y * s->stride + tap / s->kernel - s->padding;
                            const size_t column = x * s->stride + tap % s->kernel - s->padding;
                            if (row >= s->in_height || column >= s->in_width)
                                continue; /* padding: negative places wrap round to huge ones */
                            const size_t input = c >= s->in_channels[0], f = s->in_upsample[input];
                            const size_t local = input ? c - s->in_channels[0] : c;
                            const term t = {
                                .input = input,
                                .in_cell = at(s->in_channels[input], s->in_height / f, s->in_width / f, n, local,
                                              row / f, column / f),
                                .out_cell = at(s->out_channels, height, width, n, k, y, x),
                                .weight = (k * channels + c) * taps + tap,
                            };
                            function(context, &t);
                        }
}

typedef struct forward_context {
    const float *in[2], *weights;
    float *out;
} forward_context;

static void add_product(void *context, const term *t)
{
    forward_context *f = context;
    f->out[t->out_cell] += f->in[t->input][t->in_cell] * f->weights[t->weight];
}

void blan_k_conv_forward_reference(const blan_k_conv_shape *shape, float *out, const float *in0, const float *in1,
                                   const float *weights, const double *scale, const float *bias, const float *residual,
                                   bool relu)
{
    const size_t height = blan_k_conv_out_height(shape), width = blan_k_conv_out_width(shape);
    const size_t padded = blocks_of(shape->out_channels) * BLAN_BLOCK;
    for (size_t i = 0; i < shape->batch * padded * height * width; i++)
        out[i] = 0;
    forward_context context = {{in0, in1}, weights, out};
    for_each_term(shape, add_product, &context);
    for (size_t n = 0; n < shape->batch; n++)
        for (size_t k = 0; k < shape->out_channels; k++)
            for (size_t place = 0; place < height * width; place++) {
                const size_t i = at(shape->out_channels, height, width, n, k, place / width, place % width);
                float value = out[i] * (scale != NULL ? (float)scale[k] : 1) + (bias != NULL ? bias[k] : 0) +
                              (residual != NULL ? residual[i] : 0);
                out[i] = relu && value < 0 ? 0 : value;
            }
}

typedef struct backward_context {
    float *d_in[2], *d_weights;
    const float *in[2], *d_out, *weights;
} backward_context;

static void add_input_gradient(void *context, const term *t)
{
    backward_context *b = context;
    b->d_in[t->input][t->in_cell] += b->d_out[t->out_cell] * b->weights[t->weight];
}

static void add_weight_gradient(void *context, const term *t)
{
    backward_context *b = context;
    b->d_weights[t->weight] += b->d_out[t->out_cell] * b->in[t->input][t->in_cell];
}

void blan_k_conv_backward_data_reference(const blan_k_conv_shape *shape, float *d_in0, float *d_in1,
                                         const float *d_out, const float *weights)
{
    backward_context context = {.d_in = {d_in0, d_in1}, .d_out = d_out, .weights = weights};
    for (size_t i = 0; i < 2; i++) {
        const size_t f = shape->in_upsample[i], blocks = blocks_of(shape->in_channels[i]);
        if (blocks == 0)
            continue;
        const size_t count = shape->batch * blocks * BLAN_BLOCK * (shape->in_height / f) * (shape->in_width / f);
        for (size_t cell = 0; cell < count; cell++)
            context.d_in[i][cell] = 0;
    }
    for_each_term(shape, add_input_gradient, &context);
}

void blan_k_conv_backward_weights_reference(const blan_k_conv_shape *shape, float *d_weights, float *d_bias,
                                            const float *in0, const float *in1, const float *d_out)
{
    const size_t height = blan_k_conv_out_height(shape), width = blan_k_conv_out_width(shape);
    const size_t channels = shape->in_channels[0] + shape->in_channels[1];
    for (size_t i = 0; i < shape->out_channels * channels * shape->kernel * shape->kernel; i++)
        d_weights[i] = 0;
    backward_context context = {.in = {in0, in1}, .d_out = d_out, .d_weights = d_weights};
    for_each_term(shape, add_weight_gradient, &context);
    if (d_bias == NULL)
        return;
    for (size_t k = 0; k < shape->out_channels; k++) {
        double sum = 0;
        for (size_t n = 0; n < shape->batch; n++)
            for (size_t place = 0; place < height * width; place++)
                sum += d_out[at(shape->out_channels, height, width, n, k, place / width, place % width)];
        d_bias[k] = (float)sum;
    }
}
