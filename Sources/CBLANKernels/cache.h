/* The size of the CPU's caches, by which drivers cut their work. */
#ifndef BLAN_CACHE_H
#define BLAN_CACHE_H

#include <stddef.h>

/* Floats that fit in the L2 cache of one core. The same in every call of a process. */
size_t blan_k_cache_floats(void);

#endif
