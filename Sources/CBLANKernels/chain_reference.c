/* One layer of a chain by plain loops: the oracle of the tests. */
#include <math.h>

#include "convolution_internal.h"
#include "include/blan_chain.h"

/* The convolution's output at one place, after the PReLU. */
static float convolved(const blan_k_chain_layer *layer, const float *in, size_t height, size_t width,
                       const float *weights, size_t out, size_t y, size_t x)
{
    const size_t kernel = layer->kernel;
    double sum = layer->bias[out];
    for (size_t c = 0; c < layer->in_channels; c++)
        for (size_t ky = 0; ky < kernel; ky++)
            for (size_t kx = 0; kx < kernel; kx++)
                sum += (double)weights[((out * layer->in_channels + c) * kernel + ky) * kernel + kx] *
                       in[(c * height + y + ky) * width + x + kx];
    return (float)(sum < 0 && layer->slope != NULL ? sum * layer->slope[out] : sum);
}

void blan_k_chain_layer_reference(const blan_k_chain_layer *layer, float *out, const float *in, size_t height,
                                  size_t width, const float *weights)
{
    const size_t conv_height = height - layer->kernel + 1, conv_width = width - layer->kernel + 1;
    const size_t stride = layer->pool == 0 ? 1 : 2, window = layer->pool == 0 ? 1 : layer->pool;
    for (size_t k = 0; k < layer->out_channels; k++)
        for (size_t y = 0; y < blan_k_chain_extent(layer, height); y++)
            for (size_t x = 0; x < blan_k_chain_extent(layer, width); x++) {
                float best = -INFINITY;
                for (size_t row = y * stride; row < smaller(y * stride + window, conv_height); row++)
                    for (size_t column = x * stride; column < smaller(x * stride + window, conv_width); column++)
                        best = fmaxf(best, convolved(layer, in, height, width, weights, k, row, column));
                *out++ = best;
            }
}
