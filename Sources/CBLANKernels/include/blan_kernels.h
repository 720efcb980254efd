/* Every kernel family. Maps, rows that are padded to sixteen floats, packed weights and workspaces are aligned to 64
   bytes. */
#ifndef BLAN_KERNELS_H
#define BLAN_KERNELS_H

#include "blan_attention.h"
#include "blan_attention_backward.h"
#include "blan_batch_norm.h"
#include "blan_chain.h"
#include "blan_convolution.h"
#include "blan_image_kernels.h"
#include "blan_isa.h"
#include "blan_linear.h"
#include "blan_linear_backward.h"
#include "blan_low_precision.h"
#include "blan_mutual_information.h"
#include "blan_optimisers.h"
#include "blan_parallel.h"
#include "blan_pooling.h"
#include "blan_reconstruction.h"
#include "blan_stem.h"

#endif
