/* The baseline of the target: four lanes suit SSE2 and NEON. */
#define LANES 4
#define ISA portable
#include "vector.h"
#pragma clang attribute push
