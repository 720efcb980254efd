/*
 * Drivers of chains. A layer's rows follow each other; where it ends in a max-pool, the rows that its windows cover wait in
 * a ring of two or three.
 *
 * Packed weights: [output group][tap][in][blocks of the group][16 out], with as many blocks in a group as a tile takes.
 */
#include "include/blan_chain.h"

#include <string.h>

#include "convolution_internal.h"

static size_t conv_extent(const blan_k_chain_layer *layer, size_t extent)
{
    return extent < layer->kernel ? 0 : extent - layer->kernel + 1;
}

size_t blan_k_chain_extent(const blan_k_chain_layer *layer, size_t extent)
{
    const size_t inside = conv_extent(layer, extent);
    if (layer->pool == 0)
        return inside;
    /* The last window begins inside the map. */
    return inside == 0 ? 0 : inside < layer->pool ? 1 : divide_up(inside - layer->pool, 2) + 1;
}

static size_t group_weights(const blan_k_chain_layer *layer)
{
    return layer->in_channels * layer->kernel * layer->kernel * BLAN_BLOCK;
}

size_t blan_k_chain_packed_count(const blan_k_chain_layer *layer)
{
    return blocks_of(layer->out_channels) * group_weights(layer);
}

void blan_k_chain_pack(const blan_k_chain_layer *layer, const float *weights, float *packed)
{
    const size_t out_blocks = blocks_of(layer->out_channels), group = blan_k_tiles()->tile_blocks;
    const size_t taps = layer->kernel * layer->kernel;
    for (size_t first = 0; first < out_blocks; first += group) {
        const size_t channels = smaller(group, out_blocks - first) * BLAN_BLOCK;
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t in = 0; in < layer->in_channels; in++)
                for (size_t k = 0; k < channels; k++) {
                    const size_t out = first * BLAN_BLOCK + k;
                    *packed++ =
                        out < layer->out_channels ? weights[(out * layer->in_channels + in) * taps + tap] : 0;
                }
    }
}

/* A layer's input: planes, or a blocked map. */
typedef struct chain_input {
    const float *data;
    size_t height, width;
    size_t row_step, block_step;
    bool planes;
} chain_input;

/* One row of a layer's convolution, all output blocks, `block_step` floats apart. */
static void convolve_row(const blan_k_chain_layer *layer, const chain_input *in, size_t y, float *out, size_t block_step)
{
    const blan_k_tile_table *tiles = blan_k_tiles();
    const size_t width = conv_extent(layer, in->width), out_blocks = blocks_of(layer->out_channels);
    /* Tiles of about the same width: a narrow last one would leave most of the registers idle. */
    const size_t tile_count = divide_up(width, tiles->tile_pixels);
    for (size_t first = 0; first < out_blocks; first += tiles->tile_blocks) {
        const size_t blocks = smaller(tiles->tile_blocks, out_blocks - first);
        const float *w = layer->packed + first * group_weights(layer);
        for (size_t t = 0; t < tile_count; t++) {
            const size_t begin = width * t / tile_count, end = width * (t + 1) / tile_count;
            const blan_k_valid_tile tile = {
                .in = in->data + y * in->row_step + begin * (in->planes ? 1 : BLAN_BLOCK),
                .channels = layer->in_channels,
                .kernel = layer->kernel,
                .row_step = in->row_step,
                .block_step = in->block_step,
                .bias = layer->bias + first * BLAN_BLOCK,
                .slope = layer->slope != NULL ? layer->slope + first * BLAN_BLOCK : NULL,
                .out = out + first * block_step + begin * BLAN_BLOCK,
                .out_block_step = block_step,
            };
            (in->planes ? tiles->valid_planes : tiles->valid_map)(end - begin, blocks, &tile, w);
        }
    }
}

static void run_layer(const blan_k_chain_layer *layer, const chain_input *in, float *out, float *ring)
{
    const size_t conv_height = conv_extent(layer, in->height), conv_width = conv_extent(layer, in->width);
    const size_t height = blan_k_chain_extent(layer, in->height), width = blan_k_chain_extent(layer, in->width);
    const size_t out_blocks = blocks_of(layer->out_channels), block_step = height * width * BLAN_BLOCK;
    if (layer->pool == 0) {
        for (size_t y = 0; y < height; y++)
            convolve_row(layer, in, y, out + y * width * BLAN_BLOCK, block_step);
        return;
    }
    const size_t ring_block = conv_width * BLAN_BLOCK, ring_row = out_blocks * ring_block;
    size_t done = 0;
    for (size_t y = 0; y < height; y++) {
        const size_t first = 2 * y, end = smaller(first + layer->pool, conv_height);
        for (; done < end; done++)
            convolve_row(layer, in, done, ring + done % layer->pool * ring_row, ring_block);
        for (size_t block = 0; block < out_blocks; block++) {
            const float *rows[3] = {NULL};
            for (size_t row = first; row < end; row++)
                rows[row - first] = ring + row % layer->pool * ring_row + block * ring_block;
            blan_k_tiles()->pool_valid(width, conv_width, layer->pool, end - first,
                                       out + block * block_step + y * width * BLAN_BLOCK, rows);
        }
    }
}

/* Floats of the largest map that lands in each of the two halves of the scratch memory, and of the largest ring. */
static void measure(const blan_k_chain_layer *layers, size_t count, size_t height, size_t width, size_t halves[2],
                    size_t *ring)
{
    halves[0] = halves[1] = *ring = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t blocks = blocks_of(layers[i].out_channels);
        if (layers[i].pool != 0)
            *ring = larger(*ring, layers[i].pool * blocks * conv_extent(&layers[i], width) * BLAN_BLOCK);
        height = blan_k_chain_extent(&layers[i], height);
        width = blan_k_chain_extent(&layers[i], width);
        if (i + 1 < count)
            halves[i % 2] = larger(halves[i % 2], blocks * height * width * BLAN_BLOCK);
    }
}

size_t blan_k_chain_scratch_count(const blan_k_chain_layer *layers, size_t count, size_t height, size_t width)
{
    size_t halves[2], ring;
    measure(layers, count, height, width, halves, &ring);
    return halves[0] + halves[1] + ring;
}

void blan_k_chain_forward(const blan_k_chain_layer *layers, size_t count, float *out, const blan_k_chain_image *image,
                          float *scratch)
{
    size_t sizes[2], ring_size;
    measure(layers, count, image->height, image->width, sizes, &ring_size);
    float *const halves[2] = {scratch, scratch + sizes[0]}, *const ring = scratch + sizes[0] + sizes[1];
    chain_input in = {image->data, image->height, image->width, image->row_step, image->plane_step, true};
    for (size_t i = 0; i < count; i++) {
        float *map = i + 1 < count ? halves[i % 2] : out;
        run_layer(&layers[i], &in, map, ring);
        const size_t height = blan_k_chain_extent(&layers[i], in.height);
        const size_t width = blan_k_chain_extent(&layers[i], in.width);
        in = (chain_input){map, height, width, width * BLAN_BLOCK, height * width * BLAN_BLOCK, false};
    }
}
