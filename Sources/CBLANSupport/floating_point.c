#include "include/blan_floating_point.h"

blan_s_floating_point blan_s_floating_point_enter(void)
{
    blan_s_floating_point state;
    fegetenv(&state.callers);
    fesetenv(FE_DFL_ENV); /* glibc's also clears flush-to-zero and denormals-are-zero */
    return state;
}

void blan_s_floating_point_leave(const blan_s_floating_point *state) { fesetenv(&state->callers); }
