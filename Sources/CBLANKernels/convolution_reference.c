#include "convolution_shape.h"

/* Plain loops over real channels; every array access goes through these two. */
static size_t blocked_index(
    size_t channels, size_t height, size_t width, size_t image, size_t channel, size_t y, size_t x)
{
    const size_t block = image * blan_k_blocks(channels) + channel / 16;
    return ((block * height + y) * width + x) * 16 + channel % 16;
}

static size_t weight_index(const blan_k_conv_shape *s, size_t out, size_t in, size_t ky, size_t kx)
{
    return ((out * (s->in_channels[0] + s->in_channels[1]) + in) * s->kernel + ky) * s->kernel + kx;
}

static size_t output_index(const blan_k_conv_shape *s, size_t image, size_t channel, size_t y, size_t x)
{
    return blocked_index(
        s->out_channels, blan_k_conv_out_height(s), blan_k_conv_out_width(s), image, channel, y, x);
}

/* Where the pixel that tap (ky, kx) of output (y, x) reads lies in the input that holds torch channel `in`;
   false in the padding. */
static bool input_index(
    const blan_k_conv_shape *s, size_t image, size_t in, size_t y, size_t x, size_t ky, size_t kx, size_t *input,
    size_t *index)
{
    const size_t row = y * s->stride + ky, column = x * s->stride + kx, p = s->padding;
    if (row < p || row - p >= s->in_height || column < p || column - p >= s->in_width)
        return false;
    *input = in >= s->in_channels[0];
    const size_t channel = in - (*input ? s->in_channels[0] : 0), factor = s->in_upsample[*input];
    *index = blocked_index(
        s->in_channels[*input], blan_k_stored_height(s, *input), blan_k_stored_width(s, *input), image, channel,
        (row - p) / factor, (column - p) / factor);
    return true;
}

static double one_output(
    const blan_k_conv_shape *s, const float *const inputs[2], const float *weights, size_t image, size_t out,
    size_t y, size_t x)
{
    double sum = 0;
    size_t input, index;
    for (size_t in = 0; in < s->in_channels[0] + s->in_channels[1]; in++)
        for (size_t ky = 0; ky < s->kernel; ky++)
            for (size_t kx = 0; kx < s->kernel; kx++)
                if (input_index(s, image, in, y, x, ky, kx, &input, &index))
                    sum += (double)weights[weight_index(s, out, in, ky, kx)] * (double)inputs[input][index];
    return sum;
}

void blan_k_conv_forward_reference(
    const blan_k_conv_shape *s, float *out, const float *in0, const float *in1, const float *weights,
    const float *bias, const float *residual, bool relu)
{
    const float *const inputs[2] = {in0, in1};
    for (size_t image = 0; image < s->batch; image++)
        for (size_t k = 0; k < blan_k_blocks(s->out_channels) * 16; k++)
            for (size_t y = 0; y < blan_k_conv_out_height(s); y++)
                for (size_t x = 0; x < blan_k_conv_out_width(s); x++) {
                    const size_t index = output_index(s, image, k, y, x);
                    double value = k < s->out_channels ? one_output(s, inputs, weights, image, k, y, x) : 0;
                    value += (bias ? (double)bias[k] : 0) + (residual ? (double)residual[index] : 0);
                    out[index] = (float)(relu && value < 0 ? 0 : value);
                }
}

/* Pixels of the convolution's view that are copies of stored pixel (row, column) are visited in turn. */
static double one_input_gradient(
    const blan_k_conv_shape *s, const float *d_out, const float *weights, size_t image, size_t in, size_t row,
    size_t column)
{
    double sum = 0;
    for (size_t ky = 0; ky < s->kernel; ky++)
        for (size_t kx = 0; kx < s->kernel; kx++) {
            const size_t py = row + s->padding, px = column + s->padding;
            if (py < ky || px < kx || (py - ky) % s->stride || (px - kx) % s->stride)
                continue;
            const size_t y = (py - ky) / s->stride, x = (px - kx) / s->stride;
            if (y >= blan_k_conv_out_height(s) || x >= blan_k_conv_out_width(s))
                continue;
            for (size_t k = 0; k < s->out_channels; k++)
                sum += (double)weights[weight_index(s, k, in, ky, kx)] * (double)d_out[output_index(s, image, k, y, x)];
        }
    return sum;
}

void blan_k_conv_backward_data_reference(
    const blan_k_conv_shape *s, float *d_in0, float *d_in1, bool accumulate0, bool accumulate1, const float *d_out,
    const float *weights)
{
    float *const gradients[2] = {d_in0, d_in1};
    const bool accumulate[2] = {accumulate0, accumulate1};
    for (size_t input = 0; input < 2; input++) {
        if (!gradients[input] || s->in_channels[input] == 0)
            continue;
        const size_t height = blan_k_stored_height(s, input), width = blan_k_stored_width(s, input);
        const size_t factor = s->in_upsample[input], channels = s->in_channels[input];
        for (size_t image = 0; image < s->batch; image++)
            for (size_t c = 0; c < blan_k_blocks(channels) * 16; c++)
                for (size_t y = 0; y < height; y++)
                    for (size_t x = 0; x < width; x++) {
                        const size_t index = blocked_index(channels, height, width, image, c, y, x);
                        double value = accumulate[input] ? (double)gradients[input][index] : 0;
                        for (size_t dy = 0; dy < factor && c < channels; dy++)
                            for (size_t dx = 0; dx < factor; dx++)
                                value += one_input_gradient(
                                    s, d_out, weights, image, c + (input ? s->in_channels[0] : 0), y * factor + dy,
                                    x * factor + dx);
                        gradients[input][index] = (float)value;
                    }
    }
}

static double one_weight_gradient(
    const blan_k_conv_shape *s, const float *const inputs[2], const float *d_out, size_t out, size_t in, size_t ky,
    size_t kx)
{
    double sum = 0;
    size_t input, index;
    for (size_t image = 0; image < s->batch; image++)
        for (size_t y = 0; y < blan_k_conv_out_height(s); y++)
            for (size_t x = 0; x < blan_k_conv_out_width(s); x++)
                if (input_index(s, image, in, y, x, ky, kx, &input, &index))
                    sum += (double)d_out[output_index(s, image, out, y, x)] * (double)inputs[input][index];
    return sum;
}

void blan_k_conv_backward_weights_reference(
    const blan_k_conv_shape *s, float *d_weights, float *d_bias, bool accumulate, const float *in0,
    const float *in1, const float *d_out)
{
    const float *const inputs[2] = {in0, in1};
    for (size_t k = 0; k < s->out_channels; k++) {
        for (size_t in = 0; in < s->in_channels[0] + s->in_channels[1]; in++)
            for (size_t ky = 0; ky < s->kernel; ky++)
                for (size_t kx = 0; kx < s->kernel; kx++) {
                    float *cell = &d_weights[weight_index(s, k, in, ky, kx)];
                    const double sum = one_weight_gradient(s, inputs, d_out, k, in, ky, kx);
                    *cell = (float)(accumulate ? (double)*cell + sum : sum);
                }
        if (!d_bias)
            continue;
        double sum = accumulate ? (double)d_bias[k] : 0;
        for (size_t image = 0; image < s->batch; image++)
            for (size_t y = 0; y < blan_k_conv_out_height(s); y++)
                for (size_t x = 0; x < blan_k_conv_out_width(s); x++)
                    sum += (double)d_out[output_index(s, image, k, y, x)];
        d_bias[k] = (float)sum;
    }
}
