/* The reconstruction's error in phase layout: a lane of a channel block is one colour and phase, so the pixel that it
   stands for lies at a fixed offset from the location's own. */
#include "../vector.h"

/* Over `width` adjacent locations of one channel block: phases = factor * (phases - pixels) in the first `lanes` lanes,
   0 in the others. Returns the sum of the squares of the differences. */
static float phase_loss(size_t width, float *restrict phases, const float *restrict pixels, size_t pixel_step,
                        const size_t *restrict offsets, size_t lanes, float factor)
{
    v16 sum = v16_splat(0);
    v16i real;
    size_t at[BLAN_BLOCK];
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
        real[lane] = lane < lanes ? -1 : 0;
        at[lane] = offsets[lane < lanes ? lane : 0];
    }
    for (size_t x = 0; x < width; x++, pixels += pixel_step) {
        v16 wanted;
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
            wanted[lane] = pixels[at[lane]];
        const v16 difference = v16_select(real, v16_load(phases + x * BLAN_BLOCK) - wanted, v16_splat(0));
        sum += difference * difference;
        v16_store(phases + x * BLAN_BLOCK, v16_splat(factor) * difference);
    }
    return v16_sum(sum);
}
