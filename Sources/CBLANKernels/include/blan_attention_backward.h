/*
 * Gradients of RDAM's attentions (blan_attention.h). Gates have the layout they have there; gradients of the MLP and of
 * the 7x7 kernel have that of the weights file and are overwritten or, with `accumulate`, added to. d_map is always
 * added to: a gated map has a gradient from its product already.
 */
#ifndef BLAN_ATTENTION_BACKWARD_H
#define BLAN_ATTENTION_BACKWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "blan_attention.h"

typedef struct blan_k_channel_mlp_gradient {
    float *fc1_weight, *fc1_bias, *fc2_weight, *fc2_bias;
    bool accumulate;
} blan_k_channel_mlp_gradient;

/* Through gate = sigmoid(MLP(mean) + MLP(max)) of `map`; d_gate is the gate's gradient. Where several locations hold
   the maximum, the first gets the gradient, as in PyTorch's max over a flattened map (adaptive_max_pool2d). */
size_t blan_k_channel_gate_backward_workspace_count(const blan_k_map *map, const blan_k_channel_mlp *mlp);
void blan_k_channel_gate_backward(const blan_k_map *map, const blan_k_channel_mlp *mlp, const float *gate,
                                  const float *d_gate, float *d_map, const blan_k_channel_mlp_gradient *d_mlp,
                                  float *workspace, int threads);

/* Through gate = sigmoid(conv7x7([mean; max] over channels)) of `map`; weights and d_weights: [2][7][7]. Where several
   channels hold the maximum, the first gets the gradient. */
size_t blan_k_spatial_gate_backward_workspace_count(const blan_k_map *map);
void blan_k_spatial_gate_backward(const blan_k_map *map, const float *weights, const float *gate, const float *d_gate,
                                  float *d_map, float *d_weights, bool accumulate, float *workspace, int threads);

/* Through out = map * channel_gate * location_gate (a NULL gate counts as 1, its gradient is then NULL too):
   d_map = d_out * gates, or += with accumulate_map; the gates' gradients are overwritten. */
size_t blan_k_multiply_backward_workspace_count(const blan_k_map *map);
void blan_k_multiply_backward(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                              const float *d_out, float *d_map, bool accumulate_map, float *d_channel_gate,
                              float *d_location_gate, float *workspace, int threads);

void blan_k_channel_gate_backward_reference(const blan_k_map *map, const blan_k_channel_mlp *mlp, const float *gate,
                                            const float *d_gate, float *d_map,
                                            const blan_k_channel_mlp_gradient *d_mlp);
void blan_k_spatial_gate_backward_reference(const blan_k_map *map, const float *weights, const float *gate,
                                            const float *d_gate, float *d_map, float *d_weights, bool accumulate);
void blan_k_multiply_backward_reference(const blan_k_map *map, const float *channel_gate, const float *location_gate,
                                        const float *d_out, float *d_map, bool accumulate_map, float *d_channel_gate,
                                        float *d_location_gate);

#endif
