/* The body of isa_portable.c, isa_avx2.c and isa_avx512.c: every tile function, compiled for the including file's
   target, gathered in the table it names. Before: REGISTER_LANES, TILE_PIXELS, TILE_BLOCKS, OUTER_CHANNELS,
   SPARSE_BLOCKS, STEM_OUTER_PLANES and TILE_TABLE. */
#include "tiles/area.h"
#include "tiles/attention.h"
#include "tiles/attention_backward.h"
#include "tiles/batch_norm.h"
#include "tiles/chain.h"
#include "tiles/collect.h"
#include "tiles/direct.h"
#include "tiles/dot.h"
#include "tiles/four_russians.h"
#include "tiles/multiply.h"
#include "tiles/mutual_information.h"
#include "tiles/optimisers.h"
#include "tiles/outer.h"
#include "tiles/pooling.h"
#include "tiles/reconstruction.h"
#include "tiles/sparse.h"
#include "tiles/winograd.h"
#include "tiles/winograd_strided.h"
#include "tiles/stem.h"
#if TILE_PIXELS >= 14
#include "tiles/winograd_taps.h"
#else
#include "tiles/winograd_rows.h"
#endif

const blan_k_tile_table TILE_TABLE = {
    .tile_pixels = TILE_PIXELS,
    .tile_blocks = TILE_BLOCKS,
    .taps_tiles = TAPS_TILES,
    .taps_group = TAPS_GROUP,
    .taps = TAPS,
    .sparse_blocks = SPARSE_BLOCKS,
    .multiply = multiply,
    .direct = direct,
    .outer = outer,
    .collect = collect,
    .sum_locations = sum_locations,
    .sum_cells = sum_cells,
    .winograd_input = {winograd4_input, strided_input},
    .winograd_output = {winograd4_output, strided_output},
    .winograd_gradient = winograd4_gradient,
    .winograd3_output = winograd3_output,
    .winograd_weights = {winograd4_weights, strided_weights},
    .winograd_pack_taps = winograd4_pack_taps,
    .winograd_multiply_taps = winograd4_multiply_taps,
    .stem = stem,
    .stem_outer = stem_outer,
    .stem_pool = stem_pool,
    .pool_locations = pool_locations,
    .pool_channels = pool_channels,
    .attend = attend,
    .dot4 = dot4,
    .adam = adam,
    .scaled_sum = scaled_sum,
    .sum_of_squares = sum_of_squares,
    .dropout = dropout,
    .norm_moments = norm_moments,
    .norm_forward = norm_forward,
    .norm_sums = norm_sums,
    .norm_backward = norm_backward,
    .subset_sums = subset_sums,
    .masked_sums = masked_sums,
    .list_active = list_active,
    .sparse_multiply = sparse_multiply,
    .lmim_score = lmim_score,
    .lmim_score_backward = lmim_score_backward,
    .lmim_hidden_backward = lmim_hidden_backward,
    .phase_loss = phase_loss,
    .max_pool = max_pool,
    .max_pool_backward = max_pool_backward,
    .first_location = first_location,
    .first_channel = first_channel,
    .spread_channel = spread_channel,
    .spread_location = spread_location,
    .dot_lanes = dot_lanes,
    .multiply_backward = multiply_backward,
    .sum_lanes = sum_lanes,
    .valid_map = valid_map,
    .valid_planes = valid_planes,
    .pool_valid = pool_valid,
    .sum_bytes = sum_bytes,
    .finish_area = finish_area,
};
