/* What the area resampling of 8-bit pixels does to whole rows. */
#include "../vector.h"

/* sums[i] += bytes[i] */
static void sum_bytes(size_t count, uint32_t *restrict sums, const uint8_t *restrict bytes)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += bytes[i];
}

/* values[i] = (values[i] / rows / columns[i] - offset) * factor */
static void finish_area(size_t count, float *restrict values, float rows, const float *restrict columns, float offset,
                        float factor)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (values[i] / rows / columns[i] - offset) * factor;
}
