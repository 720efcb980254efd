/* How the losses that are convolutions inside lay out their workspace. */
#ifndef BLAN_TRAINING_WORKSPACE_H
#define BLAN_TRAINING_WORKSPACE_H

#include "convolution_internal.h"

/* The place of a part behind the others, `*total` floats from the workspace's start; *total becomes its end. */
BLAN_INLINE size_t take(size_t *total, size_t floats)
{
    const size_t place = *total;
    *total += aligned_count(floats);
    return place;
}

/* What a convolution needs forward and in both backward passes, which use the same place in turn. */
BLAN_INLINE size_t convolution_floats(const blan_k_conv_shape *layer, blan_k_conv_method method,
                                      blan_k_conv_method backward_method, int threads)
{
    const size_t forward = blan_k_conv_workspace_count(layer, method, threads);
    const size_t backward = blan_k_conv_backward_workspace_count(layer, backward_method, threads);
    return larger(larger(forward, backward), blan_k_conv_backward_weights_workspace_count(layer, threads));
}

#endif
