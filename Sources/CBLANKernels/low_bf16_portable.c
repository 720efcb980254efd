/* bfloat16 for any x86-64. */
#define LOW_PIXELS 4
#define LOW_BLOCKS 1
#define LOW_TABLE blan_k_low_bf16_portable

#include "tiles/low_bf16_emulated.h"
