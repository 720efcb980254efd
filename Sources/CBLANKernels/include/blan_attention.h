/*
 * RDAM's channel attention (Eq. 2), spatial attention (Eq. 3) and gated residual sum on blocked maps. A gate is
 * computed from a map that may itself be gated, so that no gated map need be written between two attentions:
 * channel gates are [batch][channels rounded up to 16], location gates [batch][height * width].
 */
#ifndef BLAN_ATTENTION_H
#define BLAN_ATTENTION_H

#include <stddef.h>

typedef struct blan_k_map {
    const float *data; /* [batch][blocks][height][width][16] */
    size_t batch, channels, height, width;
} blan_k_map;

/* The shared MLP of Eq. 2: [hidden][channels], [hidden], [channels][hidden], [channels], as in the weights file. */
typedef struct blan_k_channel_mlp {
    const float *fc1_weight, *fc1_bias, *fc2_weight, *fc2_bias;
    size_t hidden;
} blan_k_channel_mlp;

/* gate = sigmoid(MLP(mean over locations) + MLP(max over locations)) of map * location_gate (NULL = 1). Workspace:
   blan_k_channel_gate_workspace_count floats. */
size_t blan_k_channel_gate_workspace_count(const blan_k_map *map, const blan_k_channel_mlp *mlp);
void blan_k_channel_gate(const blan_k_map *map, const float *location_gate, const blan_k_channel_mlp *mlp, float *gate,
                         float *workspace, int threads);

/* gate = sigmoid(conv7x7([mean; max] over channels)) of map * channel_gate (NULL = 1); weights: [2][7][7]. */
size_t blan_k_spatial_gate_workspace_count(const blan_k_map *map);
void blan_k_spatial_gate(const blan_k_map *map, const float *channel_gate, const float *weights, float *gate,
                         float *workspace, int threads);

/* out = map * channel_gate * location_gate + residual; NULL gates count as 1, a NULL residual as 0. */
void blan_k_attend(const blan_k_map *map, const float *channel_gate, const float *location_gate, const float *residual,
                   float *out, int threads);

/* The three again by plain loops. */
void blan_k_channel_gate_reference(const blan_k_map *map, const float *location_gate, const blan_k_channel_mlp *mlp,
                                   float *gate);
void blan_k_spatial_gate_reference(const blan_k_map *map, const float *channel_gate, const float *weights,
                                   float *gate);
void blan_k_attend_reference(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                             const float *residual, float *out);

#endif
