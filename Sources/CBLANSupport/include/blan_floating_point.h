#ifndef BLAN_FLOATING_POINT_H
#define BLAN_FLOATING_POINT_H

#include <fenv.h>

/* The calling thread's floating-point environment (rounding, flush-to-zero, traps, flags of both x87 and SSE) as it was
   before a call of the library. Threads that the call makes or uses take the environment over from it. */
typedef struct blan_s_floating_point {
    fenv_t callers;
} blan_s_floating_point;

/* Keeps the caller's environment and sets the default one: nearest rounding, subnormal numbers, no traps. */
blan_s_floating_point blan_s_floating_point_enter(void);

/* Puts the caller's environment back, its flags included. */
void blan_s_floating_point_leave(const blan_s_floating_point *state);

#endif
