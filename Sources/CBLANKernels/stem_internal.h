/* What the stem's two drivers share: pixels copied into planes padded by three, so that no tap needs a check. */
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

#endif
