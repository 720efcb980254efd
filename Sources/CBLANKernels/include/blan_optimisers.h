/* Updates of parameters, each touching memory once, and the elementwise work around them. Buffers are flat. */
#ifndef BLAN_OPTIMISERS_H
#define BLAN_OPTIMISERS_H

#include <stddef.h>
#include <stdint.h>

/* One step of Adam or AdamW as torch.optim computes it. */
typedef struct blan_k_adam {
    float learning_rate;
    double beta1, beta2; /* double: as a float 1 - 0.999 is off by 1.3e-5 of itself */
    float epsilon;
    float weight_decay;   /* AdamW's: w -= learning_rate * weight_decay * w first; 0 = plain Adam */
    float gradient_scale; /* the gradient is multiplied by this first: clipping, averaging */
    double correction1;   /* 1 - beta1^t */
    double correction2;   /* 1 - beta2^t */
} blan_k_adam;

/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon). */
void blan_k_adam_update(size_t count, float *w, const float *gradient, float *m, float *v, const blan_k_adam *adam,
                        int threads);

/* w -= learning_rate * (gradient_scale * gradient + weight_decay * w). */
void blan_k_sgd_update(size_t count, float *w, const float *gradient, float learning_rate, float weight_decay,
                       float gradient_scale, int threads);

/* average = decay * average + (1 - decay) * w. */
void blan_k_average_update(size_t count, float *average, const float *w, float decay, int threads);

/* Sum of squares in double, in an order that does not depend on the number of threads; inf or NaN when any element
   is. partial: blan_k_sum_of_squares_partials(count) doubles. */
size_t blan_k_sum_of_squares_partials(size_t count);
double blan_k_sum_of_squares(size_t count, const float *values, double *partial, int threads);

/* sum += term. */
void blan_k_accumulate(size_t count, float *sum, const float *term, int threads);

/* out[i] = in[i] / (1 - probability) where element i is kept, else 0: forward on values, backward on gradients. Element
   i is kept by a hash of seed and first + i, with probability 1 - probability (to 2^-24); 1 keeps none. `first`: elements
   of the whole that lie before these, a multiple of 16. out may be in. */
void blan_k_dropout(size_t first, size_t count, float *out, const float *in, uint64_t seed, float probability,
                    int threads);

void blan_k_adam_update_reference(size_t count, float *w, const float *gradient, float *m, float *v,
                                  const blan_k_adam *adam);

#endif
