/* The convolutions of BLAN, each with how often it occurs, as they are at width 64 and 256x256 pixels; other widths and
   sizes scale channels and maps. Not among them are the stem and LMIM's second layer, which heads.c times. */
#ifndef BLAN_BENCHMARK_LAYERS_H
#define BLAN_BENCHMARK_LAYERS_H

#include "blan_convolution.h"

typedef struct layer {
    const char *name;
    size_t times;
    bool training_only;
    bool fixed_outputs; /* the output channels do not scale with the width */
    blan_k_conv_shape shape;
} layer;

#define ONE_INPUT(c, size, out, k, s, p) {1, {c, 0}, {1, 1}, size, size, out, k, s, p}
#define TWO_INPUTS(c, size, out) {1, {c, c}, {1, 2}, size, size, out, 3, 1, 1}

static const layer layers[] = {
    {"encoder 1  64>64", 6, false, false, ONE_INPUT(64, 64, 64, 3, 1, 1)},
    {"encoder 2  64>128 s2", 1, false, false, ONE_INPUT(64, 64, 128, 3, 2, 1)},
    {"encoder 2  shortcut", 1, false, false, ONE_INPUT(64, 64, 128, 1, 2, 0)},
    {"encoder 2  128>128", 7, false, false, ONE_INPUT(128, 32, 128, 3, 1, 1)},
    {"encoder 3  128>256 s2", 1, false, false, ONE_INPUT(128, 32, 256, 3, 2, 1)},
    {"encoder 3  shortcut", 1, false, false, ONE_INPUT(128, 32, 256, 1, 2, 0)},
    {"encoder 3  256>256", 11, false, false, ONE_INPUT(256, 16, 256, 3, 1, 1)},
    {"encoder 4  256>512 s2", 1, false, false, ONE_INPUT(256, 16, 512, 3, 2, 1)},
    {"encoder 4  shortcut", 1, false, false, ONE_INPUT(256, 16, 512, 1, 2, 0)},
    {"encoder 4  512>512", 5, false, false, ONE_INPUT(512, 8, 512, 3, 1, 1)},
    {"decoder 3  512>256", 1, false, false, ONE_INPUT(512, 8, 256, 3, 1, 1)},
    {"decoder 3  shortcut", 1, false, false, ONE_INPUT(512, 8, 256, 1, 1, 0)},
    {"decoder 3  256>256", 11, false, false, ONE_INPUT(256, 8, 256, 3, 1, 1)},
    {"decoder 2  256>128", 1, false, false, ONE_INPUT(256, 16, 128, 3, 1, 1)},
    {"decoder 2  shortcut", 1, false, false, ONE_INPUT(256, 16, 128, 1, 1, 0)},
    {"decoder 2  128>128", 7, false, false, ONE_INPUT(128, 16, 128, 3, 1, 1)},
    {"decoder 1  128>64", 1, false, false, ONE_INPUT(128, 32, 64, 3, 1, 1)},
    {"decoder 1  shortcut", 1, false, false, ONE_INPUT(128, 32, 64, 1, 1, 0)},
    {"decoder 1  64>64", 5, false, false, ONE_INPUT(64, 32, 64, 3, 1, 1)},
    {"attention 1", 1, false, false, TWO_INPUTS(64, 64, 64)},
    {"attention 2", 1, false, false, TWO_INPUTS(128, 32, 128)},
    {"attention 3", 1, false, false, TWO_INPUTS(256, 16, 256)},
    {"classifier 1 5x5 s4", 1, false, false, ONE_INPUT(64, 64, 32, 5, 4, 2)},
    {"classifier 2 3x3 s2", 1, false, false, ONE_INPUT(128, 32, 64, 3, 2, 1)},
    {"classifier 3 3x3 s2", 1, false, false, ONE_INPUT(256, 16, 128, 3, 2, 1)},
    {"classifier 4 3x3 s2", 1, false, false, ONE_INPUT(512, 8, 256, 3, 2, 1)},
    {"classifier 1 1x1", 1, false, false, ONE_INPUT(32, 16, 16, 1, 1, 0)},
    {"classifier 2 1x1", 1, false, false, ONE_INPUT(64, 16, 16, 1, 1, 0)},
    {"classifier 3 1x1", 1, false, false, ONE_INPUT(128, 8, 64, 1, 1, 0)},
    {"classifier 4 1x1", 1, false, false, ONE_INPUT(256, 4, 256, 1, 1, 0)},
    {"reconstruction phases", 1, true, true, ONE_INPUT(64, 64, 48, 3, 1, 1)},
    {"LMIM 1 features", 1, true, false, ONE_INPUT(64, 64, 512, 1, 1, 0)},
    {"LMIM 2 features", 1, true, false, ONE_INPUT(128, 32, 512, 1, 1, 0)},
    {"LMIM 3 features", 1, true, false, ONE_INPUT(256, 16, 512, 1, 1, 0)},
    {"LMIM 4 features", 1, true, false, ONE_INPUT(512, 8, 512, 1, 1, 0)},
};

enum { LAYER_COUNT = sizeof layers / sizeof *layers };

#undef ONE_INPUT
#undef TWO_INPUTS

/* The shape of a layer for `batch` images of a network of this width and image size. */
static blan_k_conv_shape layer_shape(const layer *l, size_t batch, size_t width, size_t size)
{
    blan_k_conv_shape s = l->shape;
    s.batch = batch;
    s.in_channels[0] = s.in_channels[0] * width / 64;
    s.in_channels[1] = s.in_channels[1] * width / 64;
    s.out_channels = l->fixed_outputs ? s.out_channels : s.out_channels * width / 64;
    s.in_height = s.in_height * size / 256;
    s.in_width = s.in_width * size / 256;
    return s;
}

#endif
