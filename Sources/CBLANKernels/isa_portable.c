/* Tile functions for any x86-64 (SSE2: sixteen 4-float registers). */
#include "dispatch.h"

#define REGISTER_LANES 4
#define TILE_PIXELS 2
#define TILE_BLOCKS 1
#define OUTER_CHANNELS 2
#define SPARSE_BLOCKS 2
#define STEM_OUTER_PLANES 1
#define TILE_TABLE blan_k_tiles_portable

/* For processors of before 2013: a quarter smaller is worth more to all others than speed is here. */
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#include "isa_table.h"
#pragma clang attribute pop
