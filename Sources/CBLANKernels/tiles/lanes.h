/* The lanes of a block that fit in one register. What holds dozens of values at once works on a block register by
   register, so that they need not go through memory; on AVX-512 a block is one. Before: REGISTER_LANES. */
#ifndef BLAN_TILES_LANES_H
#define BLAN_TILES_LANES_H

#include "../vector.h"

typedef float vl __attribute__((vector_size(REGISTER_LANES * 4), aligned(REGISTER_LANES * 4), may_alias));
typedef int vli __attribute__((vector_size(REGISTER_LANES * 4), aligned(REGISTER_LANES * 4), may_alias));

BLAN_INLINE vl vl_load(const float *address) { return *(const vl *)address; }
BLAN_INLINE void vl_store(float *address, vl value) { *(vl *)address = value; }
BLAN_INLINE vl vl_zero(void) { return (vl){0}; }
BLAN_INLINE vl vl_relu(vl a) { return (vl)((a > vl_zero()) & (vli)a); }

#endif
