/* What the attentions and their gradients share: sizes, and bands of rows that one task pools. */
#ifndef BLAN_ATTENTION_INTERNAL_H
#define BLAN_ATTENTION_INTERNAL_H

#include "convolution_internal.h"
#include "include/blan_attention.h"

enum { KERNEL = 7, PADDING = 3, POOL_ROWS = 4 };

BLAN_INLINE size_t area_of(const blan_k_map *map) { return map->height * map->width; }
BLAN_INLINE size_t padded_channels(const blan_k_map *map) { return blocks_of(map->channels) * BLAN_BLOCK; }
BLAN_INLINE size_t bands_of(const blan_k_map *map) { return divide_up(map->height, POOL_ROWS); }

#endif
