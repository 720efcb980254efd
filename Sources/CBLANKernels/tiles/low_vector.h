/* Sixteen words, and what the tiles of both precisions share. */
#ifndef BLAN_LOW_VECTOR_H
#define BLAN_LOW_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "../low_dispatch.h"
#include "../vector.h"

typedef uint32_t v16u __attribute__((vector_size(64), aligned(64), may_alias));
typedef uint16_t u16x16 __attribute__((vector_size(32), aligned(32), may_alias));
typedef int8_t s8x16 __attribute__((vector_size(16), aligned(16), may_alias));

BLAN_INLINE v16u v16u_load(const uint32_t *address) { return *(const v16u *)address; }
BLAN_INLINE v16u v16u_splat(uint32_t x) { return (v16u){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

/* A map's pixels as a run of windows sees them: where they lie, or copied together, with zeros outside of the map. */
typedef struct low_patch {
    const float *pixels;
    size_t row_step;
} low_patch;

enum { LOW_MOST_PATCH = 6 * 18 };

/* rows x columns pixels from the run's first one on; `copy` holds as many blocks of 16. */
BLAN_INLINE low_patch low_patch_of(const low_windows *windows, const size_t rows, const size_t columns, float *copy)
{
    const size_t plane_row = windows->plane_width * BLAN_BLOCK;
    if (windows->y >= 0 && windows->x >= 0 && (size_t)windows->y + rows <= windows->height &&
        (size_t)windows->x + columns <= windows->width && windows->shift == 0)
        return (low_patch){windows->plane + (size_t)windows->y * plane_row + (size_t)windows->x * BLAN_BLOCK, plane_row};
    for (size_t y = 0; y < rows; y++) {
        const size_t row = (size_t)windows->y + y; /* above the map: wraps round to a huge number */
        const bool met = row < windows->height;
        const float *in = windows->plane + (met ? (row >> windows->shift) * plane_row : 0);
        for (size_t x = 0; x < columns; x++) {
            const size_t column = (size_t)windows->x + x;
            v16_store(copy + (y * columns + x) * BLAN_BLOCK,
                      met && column < windows->width ? v16_load(in + (column >> windows->shift) * BLAN_BLOCK)
                                                     : v16_splat(0));
        }
    }
    return (low_patch){copy, columns * BLAN_BLOCK};
}

/* Writes one value of a tile: [relu](value + bias + residual). */
BLAN_INLINE void low_write(const low_output *output, size_t offset, v16 value, v16 bias)
{
    value += bias;
    if (output->residual != NULL)
        value += v16_load(output->residual + offset);
    v16_store(output->out + offset, output->relu ? v16_relu(value) : value);
}

BLAN_INLINE v16 low_bias(const low_output *output)
{
    return output->bias != NULL ? v16_load(output->bias) : v16_splat(0);
}

#endif
