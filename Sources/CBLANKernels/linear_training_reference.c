/* A fully connected layer and its gradients by plain loops, sums in double: the oracle of the tests. */
#include "include/blan_linear_backward.h"

enum { BLOCK = 16 };

static size_t padded(size_t channels) { return (channels + BLOCK - 1) / BLOCK * BLOCK; }

/* Place of input i, counted in C, H, W order, in image n of a blocked map. */
static size_t cell(const blan_k_linear_shape *shape, size_t n, size_t i)
{
    const size_t c = i / shape->area;
    return ((n * padded(shape->channels) / BLOCK + c / BLOCK) * shape->area + i % shape->area) * BLOCK + c % BLOCK;
}

void blan_k_linear_training_forward_reference(const blan_k_linear_shape *shape, float *out, const float *x,
                                              const float *weights, const float *bias)
{
    const size_t inputs = shape->channels * shape->area;
    for (size_t n = 0; n < shape->batch; n++)
        for (size_t o = 0; o < padded(shape->outputs); o++) {
            double sum = o < shape->outputs ? bias[o] : 0;
            for (size_t i = 0; i < inputs && o < shape->outputs; i++)
                sum += (double)weights[o * inputs + i] * x[cell(shape, n, i)];
            out[n * padded(shape->outputs) + o] = (float)sum;
        }
}

void blan_k_linear_backward_reference(const blan_k_linear_shape *shape, float *d_x, bool accumulate_x,
                                      float *d_weights, float *d_bias, bool accumulate, const float *d_out,
                                      const float *x, const float *weights)
{
    const size_t inputs = shape->channels * shape->area, step = padded(shape->outputs);
    for (size_t o = 0; o < shape->outputs; o++) {
        double sum = accumulate ? d_bias[o] : 0;
        for (size_t n = 0; n < shape->batch; n++)
            sum += d_out[n * step + o];
        d_bias[o] = (float)sum;
        for (size_t i = 0; i < inputs; i++) {
            double product = accumulate ? d_weights[o * inputs + i] : 0;
            for (size_t n = 0; n < shape->batch; n++)
                product += (double)d_out[n * step + o] * x[cell(shape, n, i)];
            d_weights[o * inputs + i] = (float)product;
        }
    }
    for (size_t n = 0; d_x != NULL && n < shape->batch; n++)
        for (size_t i = 0; i < padded(shape->channels) * shape->area; i++) {
            double sum = accumulate_x ? d_x[cell(shape, n, i)] : 0;
            for (size_t o = 0; o < shape->outputs && i < inputs; o++)
                sum += (double)d_out[n * step + o] * weights[o * inputs + i];
            d_x[cell(shape, n, i)] = (float)sum;
        }
}
