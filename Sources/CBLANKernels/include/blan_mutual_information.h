/*
 * LMIM (Deep InfoMax's concat-and-convolve discriminator) of one level: its loss and all gradients in one call.
 *
 * At every location u the vector [F(u); T] passes 1x1 convolutions (features + embedding) -> hidden -> hidden -> 1, ReLU
 * between. The first layer splits into W_F F + W_T T: F's part serves its real pair (F_n, T_n) and its fake pair
 * (F_n, T_(n+1), cyclic: F of the previous image with this image's T) alike, T's part is one vector for each image.
 * loss = mean softplus(-score of real pairs) + mean softplus(score of fake pairs), over batch and locations.
 *
 * Images are worked on in chunks, so that the hidden maps of a whole batch never exist at once.
 */
#ifndef BLAN_MUTUAL_INFORMATION_H
#define BLAN_MUTUAL_INFORMATION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_lmim_shape {
    size_t batch;               /* at least 2, or 1 that borrows */
    bool borrows;               /* whether the last image's fake pair takes an embedding from outside the batch */
    size_t feature_channels[2]; /* of each feature map; [1] = 0 for one */
    size_t feature_upsample[2]; /* the map lies in memory at height / f x width / f (nearest-neighbour enlargement) */
    size_t height, width;       /* of the level */
    size_t embedding, hidden;
} blan_k_lmim_shape;

/* Weights, or their gradients, as in the weights file: [hidden][features + embedding], [hidden], [hidden][hidden],
   [hidden], [1][hidden], [1]. */
typedef struct blan_k_lmim_weights {
    float *conv1_weight, *conv1_bias, *conv2_weight, *conv2_bias, *conv3_weight, *conv3_bias;
} blan_k_lmim_weights;

size_t blan_k_lmim_workspace_count(const blan_k_lmim_shape *shape, int threads);

/* The loss; and, unless d_weights is NULL, `scale` times its gradients: of the weights (overwritten, or with
   accumulate_weights added to), of the features (blocked, in memory's resolution; overwritten or added to as
   accumulate_features says; NULL where not wanted) and of the embeddings (added to).
   features[i]: [batch][blocks][height / f][width / f][16]; embeddings and d_embeddings: [batch][embedding rounded up to
   16]; with `borrows` one row more, of the image whose embedding is borrowed: T_(n+1) of the last image n, in place of
   the first image's. */
double blan_k_lmim(const blan_k_lmim_shape *shape, const blan_k_lmim_weights *weights, const float *const features[2],
                   const float *embeddings, float scale, const blan_k_lmim_weights *d_weights, bool accumulate_weights,
                   float *const d_features[2], const bool accumulate_features[2], float *d_embeddings,
                   float *workspace, int threads);

/* The same by plain loops without splitting, allocating what it needs; NaN when memory runs out. For tests. */
double blan_k_lmim_reference(const blan_k_lmim_shape *shape, const blan_k_lmim_weights *weights,
                             const float *const features[2], const float *embeddings, float scale,
                             const blan_k_lmim_weights *d_weights, bool accumulate_weights,
                             float *const d_features[2], const bool accumulate_features[2], float *d_embeddings);

#endif
