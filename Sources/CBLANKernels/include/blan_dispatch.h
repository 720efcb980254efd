/* Which instruction set the kernels use. */
#ifndef BLAN_DISPATCH_H
#define BLAN_DISPATCH_H

#include <stdbool.h>

typedef enum { BLAN_K_ISA_PORTABLE, BLAN_K_ISA_AVX2, BLAN_K_ISA_AVX512 } blan_k_isa;

/* The set in use: the best that the CPU offers, or the one that the environment's BLAN_ISA (portable, avx2 or
   avx512) names; when the CPU lacks that one, the best below it. Decided once, at the first call; thread-safe. */
blan_k_isa blan_k_isa_in_use(void);

/* The same as a word: "portable", "avx2" or "avx512". */
const char *blan_k_isa_name(void);

/* Forces a set from now on, for tests that sweep them. False, and no change, when the CPU lacks it. No kernel may
   run meanwhile. Packed weights are the same for every set. */
bool blan_k_set_isa_for_testing(blan_k_isa isa);

#endif
