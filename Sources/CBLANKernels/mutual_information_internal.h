/* What LMIM's drivers share: mutual_information.c, which runs the first layer and puts everything together, and
   mutual_information_hidden.c, which runs the second and the third. */
#ifndef BLAN_MUTUAL_INFORMATION_INTERNAL_H
#define BLAN_MUTUAL_INFORMATION_INTERNAL_H

#include <string.h>

#include "include/blan_mutual_information.h"
#include "training_workspace.h"

enum {
    LMIM_STRIP = 64, /* locations of one task forward: their lists and hidden maps stay in the L2 cache */
    LMIM_WIDE = 512, /* of one task backward, which begins with tables of all weights */
};

/* A layer's weights as the weights file holds them, and packed for both directions. */
typedef struct layer_place {
    size_t weights, forward, backward;
} layer_place;

/* Floats from the workspace's start to each part. A chunk is some images; channels are the hidden ones, rounded up to
   blocks. */
typedef struct lmim_layout {
    layer_place feature, embedding;
    size_t embedding_bias, hidden_bias; /* [channels] */
    size_t sparse_weights; /* the second layer's, [groups of blocks][channels in][sparse_blocks][16 out] */
    size_t weight_rows;    /* the same, [blocks in][channels out][16 in] */
    size_t score_weights;  /* [channels] */
    size_t d_feature, d_embedding; /* gradients of the two parts of the first layer's weights */
    size_t vectors;        /* [rows][channels]: W_T T + bias */
    size_t d_vectors;      /* the same: from the real pair of each image */
    size_t d_fake_vectors; /* [batch][channels]: of the next image, from each image's fake pair */
    size_t losses;         /* [2 * batch][strips]: lmim_loss */
    size_t score_sums;     /* [channels]: d(third layer's weights) */
    size_t active_sums;    /* [channels]: the sums of score gradients where the second layer's output is not zero */
    size_t weight_sums;    /* [blocks in][channels out][16 in]: d(second layer's weights) / score_weights[out] */
    /* of a chunk; of two maps for each image, the real ones come before the fake ones */
    size_t map, d_map;         /* [images][blocks][area][16]: W_F F */
    size_t scores;             /* [2 * images][area], then their gradients */
    size_t strip_sums;         /* [2 * images][strips][2][channels]: shares of score_sums and of active_sums */
    size_t d_strip_vectors;    /* [images][wide strips][2][channels]: shares of d_vectors and of d_fake_vectors */
    size_t by_location;        /* bytes, [2 * images][channels / 4][area]: see tiles/mutual_information.h */
    size_t by_channel;         /* bytes, [2 * images][area / 4][channels] */
    size_t scratch, scratch_floats; /* of each worker */
    size_t convolution, total;
} lmim_layout;

/* What one strip of scores adds up to. */
typedef struct lmim_loss {
    double loss, d_score;
} lmim_loss;

typedef struct lmim_task {
    const blan_k_lmim_shape *shape;
    const blan_k_tile_table *tiles;
    lmim_layout layout;
    float *workspace;
    float score_bias, scale;
    bool backward;
    size_t first, images; /* the chunk being worked on */
    int threads;
} lmim_task;

BLAN_INLINE size_t lmim_area(const blan_k_lmim_shape *s) { return s->height * s->width; }
BLAN_INLINE size_t lmim_blocks(const blan_k_lmim_shape *s) { return blocks_of(s->hidden); }
BLAN_INLINE size_t lmim_channels(const blan_k_lmim_shape *s) { return lmim_blocks(s) * BLAN_BLOCK; }
BLAN_INLINE size_t lmim_strips(const blan_k_lmim_shape *s) { return divide_up(lmim_area(s), LMIM_STRIP); }
BLAN_INLINE size_t lmim_wide_strips(const blan_k_lmim_shape *s) { return divide_up(lmim_area(s), LMIM_WIDE); }
/* The row of embeddings that the fake pair of image n meets. */
BLAN_INLINE size_t lmim_fake_row(const blan_k_lmim_shape *s, size_t n)
{
    return s->borrows ? n + 1 : (n + 1) % s->batch;
}

/* A vector of the hidden channels, filled up to blocks. */
BLAN_INLINE void lmim_copy_padded(const blan_k_lmim_shape *s, float *out, const float *values)
{
    memcpy(out, values, s->hidden * sizeof *out);
    memset(out + s->hidden, 0, (lmim_channels(s) - s->hidden) * sizeof *out);
}

BLAN_INLINE float *lmim_part(const lmim_task *task, size_t place) { return task->workspace + place; }

/* Channel block `block` of image `image` of the chunk in the maps at `place`. */
BLAN_INLINE float *lmim_block(const lmim_task *task, size_t place, size_t image, size_t block)
{
    return lmim_part(task, place) + (image * lmim_blocks(task->shape) + block) * lmim_area(task->shape) * BLAN_BLOCK;
}

/* Takes the parts of the second and the third layer, for chunks of `chunk` images. */
void blan_k_lmim_hidden_layout(lmim_layout *layout, const blan_k_lmim_shape *shape, size_t chunk, int threads);

/* Packs both layers' weights. */
void blan_k_lmim_hidden_begin(const lmim_task *task, const blan_k_lmim_weights *weights);

/* From the chunk's map and the vectors: scores, losses, and with `backward` what the next one needs; the first chunk
   begins score_sums and active_sums, others add to them. */
void blan_k_lmim_hidden_forward(const lmim_task *task);

/* d_map, d_vectors and d_fake_vectors of the chunk; begins weight_sums, or adds to them. */
void blan_k_lmim_hidden_backward(const lmim_task *task);

/* Writes both layers' gradients, but the score's bias. */
void blan_k_lmim_hidden_finish(const lmim_task *task, const blan_k_lmim_weights *d_weights, bool accumulate);

#endif
