/*
 * Chains of small layers, as the networks of the MTCNN face detector have them: a convolution without padding at stride 1,
 * a bias, a PReLU, and a max-pool of stride 2 whose last window may reach over the edge (torch's ceil_mode).
 *
 * A chain runs on one image at a time, sequentially, in scratch memory that stays in the cache; callers run several
 * images, or parts of a large one, at the same time. The image is three planes; maps between layers are blocked,
 * [ceil(C / 16)][height][width][16] with padding channels zero, but only real channels are multiplied.
 */
#ifndef BLAN_CHAIN_H
#define BLAN_CHAIN_H

#include <stddef.h>

typedef struct blan_k_chain_layer {
    size_t in_channels, out_channels;
    size_t kernel;       /* square, at least 1 */
    size_t pool;         /* side of the max-pool's windows, 2 or 3; 0 = none */
    const float *packed; /* weights as blan_k_chain_pack leaves them */
    const float *bias;   /* out_channels rounded up to 16 */
    const float *slope;  /* of the PReLU, likewise; NULL = no PReLU */
} blan_k_chain_layer;

/* Three planes of floats. */
typedef struct blan_k_chain_image {
    const float *data;
    size_t height, width;
    size_t row_step, plane_step; /* floats */
} blan_k_chain_image;

/* Height or width after a layer; 0 where its window does not fit. */
size_t blan_k_chain_extent(const blan_k_chain_layer *layer, size_t extent);

/* Floats that a layer's packed weights take, and their packing from [out][in][kernel][kernel]. */
size_t blan_k_chain_packed_count(const blan_k_chain_layer *layer);
void blan_k_chain_pack(const blan_k_chain_layer *layer, const float *weights, float *packed);

/* Floats of scratch memory that a run on an image of this size needs. */
size_t blan_k_chain_scratch_count(const blan_k_chain_layer *layers, size_t count, size_t height, size_t width);

/* out = the last layer's map, blocked. The first layer has three input channels, and every window fits. Scratch and out
   are aligned to 64 bytes. Uses the calling thread alone. */
void blan_k_chain_forward(const blan_k_chain_layer *layers, size_t count, float *out, const blan_k_chain_image *image,
                          float *scratch);

/* One layer by plain loops, from unpacked weights; in and out are planar, [channels][height][width]. */
void blan_k_chain_layer_reference(const blan_k_chain_layer *layer, float *out, const float *in, size_t height,
                                  size_t width, const float *weights);

#endif
