/* Tile functions for AVX-512: 14 pixels x 32 channels are twenty-eight of the thirty-two registers. */
#include "dispatch.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"))), \
                             apply_to = function)

#define REGISTER_LANES 16
#define TILE_PIXELS 14
#define TILE_BLOCKS 2
#define OUTER_CHANNELS 16
#define SPARSE_BLOCKS 6
#define STEM_OUTER_PLANES 3
#define TILE_TABLE blan_k_tiles_avx512

#include "isa_table.h"

#pragma clang attribute pop
