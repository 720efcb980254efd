/* Batch normalisation by plain loops, one channel after the other: the oracle of the tests. */
#include "include/blan_batch_norm.h"

enum { BLOCK = 16 };

static size_t padded(const blan_k_norm_shape *shape) { return (shape->channels + BLOCK - 1) / BLOCK * BLOCK; }

/* Pixel `p` of the batch in channel c. */
static size_t cell(const blan_k_norm_shape *shape, size_t c, size_t p)
{
    const size_t image = p / shape->area, blocks = padded(shape) / BLOCK;
    return ((image * blocks + c / BLOCK) * shape->area + p % shape->area) * BLOCK + c % BLOCK;
}

void blan_k_batch_norm_statistics_reference(const blan_k_norm_shape *shape, const float *x, float *mean,
                                            float *variance)
{
    const size_t pixels = shape->batch * shape->area;
    for (size_t c = 0; c < padded(shape); c++) {
        double sum = 0, squares = 0;
        for (size_t p = 0; p < pixels && c < shape->channels; p++)
            sum += x[cell(shape, c, p)];
        const double centre = sum / (double)pixels;
        for (size_t p = 0; p < pixels && c < shape->channels; p++) {
            const double deviation = x[cell(shape, c, p)] - centre;
            squares += deviation * deviation;
        }
        mean[c] = (float)centre;
        variance[c] = (float)(squares / (double)pixels);
    }
}

void blan_k_batch_norm_forward_reference(const blan_k_norm_shape *shape, float *out, const float *x, const float *mean,
                                         const float *inverse_std, const float *weight, const float *bias,
                                         const float *residual, bool relu)
{
    for (size_t c = 0; c < padded(shape); c++)
        for (size_t p = 0; p < shape->batch * shape->area; p++) {
            const size_t i = cell(shape, c, p);
            double value = 0;
            if (c < shape->channels) {
                value = ((double)x[i] - mean[c]) * inverse_std[c] * weight[c] + bias[c];
                value += residual != NULL ? residual[i] : 0;
            }
            out[i] = relu && value < 0 ? 0 : (float)value;
        }
}

void blan_k_batch_norm_backward_reference(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient)
{
    const size_t pixels = shape->batch * shape->area;
    for (size_t c = 0; c < padded(shape); c++) {
        double sum = 0, product = 0;
        for (size_t p = 0; p < pixels && c < shape->channels; p++) {
            const size_t i = cell(shape, c, p);
            const double g = gradient->relu && !(gradient->out[i] > 0) ? 0 : gradient->d_out[i];
            sum += g;
            product += g * ((double)gradient->x[i] - gradient->mean[c]) * gradient->inverse_std[c];
        }
        for (size_t p = 0; p < pixels; p++) {
            const size_t i = cell(shape, c, p);
            double d_x = 0, g = 0;
            if (c < shape->channels) {
                const double xhat = ((double)gradient->x[i] - gradient->mean[c]) * gradient->inverse_std[c];
                g = gradient->relu && !(gradient->out[i] > 0) ? 0 : gradient->d_out[i];
                d_x = gradient->frozen ? g : g - sum / (double)pixels - xhat * product / (double)pixels;
                d_x *= (double)gradient->weight[c] * gradient->inverse_std[c];
            }
            if (gradient->d_residual != NULL)
                gradient->d_residual[i] = (float)(g + (gradient->accumulate_residual ? gradient->d_residual[i] : 0));
            gradient->d_x[i] = (float)d_x;
        }
        gradient->d_weight[c] = (float)(product + (gradient->accumulate_parameters ? gradient->d_weight[c] : 0));
        gradient->d_bias[c] = (float)(sum + (gradient->accumulate_parameters ? gradient->d_bias[c] : 0));
    }
}
