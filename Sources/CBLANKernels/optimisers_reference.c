/* Adam element by element, in double: the oracle of the tests. */
#include "include/blan_optimisers.h"

#include <math.h>

void blan_k_adam_update_reference(size_t count, float *w, const float *gradient, float *m, float *v,
                                  const blan_k_adam *adam)
{
    for (size_t i = 0; i < count; i++) {
        const double g = (double)gradient[i] * adam->gradient_scale;
        const double mean = adam->beta1 * m[i] + (1 - adam->beta1) * g;
        const double square = adam->beta2 * v[i] + (1 - adam->beta2) * g * g;
        const double decayed = w[i] - (double)adam->learning_rate * adam->weight_decay * w[i];
        const double root = sqrt(square) / sqrt(adam->correction2) + adam->epsilon;
        w[i] = (float)(decayed - adam->learning_rate / adam->correction1 * mean / root);
        m[i] = (float)mean;
        v[i] = (float)square;
    }
}
