/* Which instruction set the kernels run on. */
#ifndef BLAN_ISA_H
#define BLAN_ISA_H

typedef enum blan_k_isa { BLAN_K_ISA_PORTABLE, BLAN_K_ISA_AVX2, BLAN_K_ISA_AVX512 } blan_k_isa;

/* The best set that this CPU and its operating system support, or the one the environment variable BLAN_ISA names
   ("portable", "avx2", "avx512") where they support that. Read once. */
blan_k_isa blan_k_isa_current(void);

/* Its name. */
const char *blan_k_isa_name(void);

/* Switches the kernels that this thread calls to `isa`, or the best set below it that the CPU supports; returns the set
   in force. For tests: packed weights belong to the set they were packed under. */
blan_k_isa blan_k_isa_select(blan_k_isa isa);

#endif
