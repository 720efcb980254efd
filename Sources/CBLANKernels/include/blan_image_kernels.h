/* Resizing of 8-bit images: to the number equal to Pillow's resize(BILINEAR), or by area as torch's interpolate does. */
#ifndef BLAN_IMAGE_KERNELS_H
#define BLAN_IMAGE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Pixels as they lie in memory. */
typedef struct blan_k_pixels {
    const uint8_t *data;  /* first pixel of the top row */
    size_t width, height; /* at least 1 */
    ptrdiff_t row_step;   /* bytes between rows; may be negative */
    size_t pixel_step;    /* bytes between pixels of a row */
    uint8_t channels[3];  /* where R, G and B stand in a pixel */
} blan_k_pixels;

/* Bytes of workspace that a resize needs; 0 when the number does not fit. */
size_t blan_k_resize_workspace_bytes(size_t in_width, size_t in_height, size_t out_width, size_t out_height);

/* Antialiased triangle filter in two passes, rounded to 8 bits after each. Writes rgb ([out_height][out_width][3]),
   or where planes is not NULL the values table[channel * 256 + value] to planes ([3][out_height][out_width]). */
void blan_k_resize(const blan_k_pixels *in, size_t out_width, size_t out_height, uint8_t *rgb, float *planes,
                   const float *table, void *workspace, int threads);

/* A similarity: the source pixel of the output pixel (x, y) is (a x - b y + tx, b x + a y + ty). */
typedef struct blan_k_similarity {
    double a, b, tx, ty;
} blan_k_similarity;

/* rgb ([out_height][out_width][3]) = pixels sampled bilinearly through the similarity; coordinates are of pixel
   centres, and places outside the image take its nearest pixel. */
void blan_k_warp(const blan_k_pixels *in, const blan_k_similarity *similarity, size_t out_width, size_t out_height,
                 uint8_t *rgb, int threads);

/* A part of an area resampling: the rectangle (in_x, in_y), in_width x in_height of an image becomes out_width x
   out_height pixels, of which (x, y), width x height are wanted. Values v become (v - offset) * factor. All sizes are at
   least 1 and at most 2^24; no output pixel touches more than 2^24 input pixels. */
typedef struct blan_k_area {
    size_t in_x, in_y, in_width, in_height;
    size_t out_width, out_height;
    size_t x, y, width, height;
    float offset, factor;
} blan_k_area;

size_t blan_k_area_workspace_bytes(const blan_k_pixels *in, const blan_k_area *area);

/* Writes the wanted part to three planes; steps are floats. Workspace is aligned to 64 bytes. Uses the calling thread
   alone. */
void blan_k_area_resample(const blan_k_pixels *in, const blan_k_area *area, float *planes, size_t row_step,
                          size_t plane_step, void *workspace);
void blan_k_area_resample_reference(const blan_k_pixels *in, const blan_k_area *area, float *planes, size_t row_step,
                                    size_t plane_step);

#endif
