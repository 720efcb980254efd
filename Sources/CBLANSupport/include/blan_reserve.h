/* A reserve of memory for when malloc has none: Swift's runtime ends the process where it gets NULL for an object. */
#ifndef BLAN_RESERVE_H
#define BLAN_RESERVE_H

#include <stddef.h>

/* How many allocations the reserve has served since the process began, on all threads. A call of the library during
   which this rises has run out of memory: it gives back what it made and fails. */
size_t blan_s_reserve_uses(void);

#endif
