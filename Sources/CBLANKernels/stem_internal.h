/* What the stem's drivers share: the kernel's size, and pixels copied into planes padded by three, so that no tap needs a
   check. */
#ifndef BLAN_STEM_INTERNAL_H
#define BLAN_STEM_INTERNAL_H

#include "include/blan_stem.h"

enum { STEM_KERNEL = 7, STEM_PLANES = 3 };

/* Floats of a padded row, a padded plane and a padded image. */
size_t blan_k_stem_padded_row(const blan_k_stem_shape *shape);
size_t blan_k_stem_padded_plane(const blan_k_stem_shape *shape);
size_t blan_k_stem_padded_image(const blan_k_stem_shape *shape);

/* Copies a whole batch. */
void blan_k_stem_pad(const blan_k_stem_shape *shape, float *padded, const float *pixels, int threads);

/* Writes one row of the convolution with its ReLU, `out_block_step` floats from one output block to the next. */
typedef void (*stem_row)(void *context, size_t worker, size_t image, size_t y, float *out, size_t out_block_step);

/* Floats of one worker's rows between the convolution and the pool. */
size_t blan_k_stem_band_count(const blan_k_stem_shape *shape);

/* The max-pool over rows that `convolve` makes, in bands. bands: a worker's floats for each thread. */
void blan_k_stem_pool_bands(const blan_k_stem_shape *shape, float *out, float *bands, stem_row convolve, void *context,
                            int threads);

#endif
