/* Tile functions for AVX2 and FMA: 6 pixels x 16 channels are twelve of the sixteen registers. */
#include "dispatch.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define REGISTER_LANES 8
#define TILE_PIXELS 6
#define TILE_BLOCKS 1
#define OUTER_CHANNELS 4
#define SPARSE_BLOCKS 6
#define STEM_OUTER_PLANES 1
#define TILE_TABLE blan_k_tiles_avx2

#include "isa_table.h"

#pragma clang attribute pop
