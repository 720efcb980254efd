/* Counts the memory that a prediction takes from the heap: none, once there was a call of its batch size. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "heap.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_size_t blocks, bytes;

static bool heap_grants(size_t size)
{
    atomic_fetch_add(&blocks, 1);
    atomic_fetch_add(&bytes, size);
    return true;
}

static void calls_take_nothing(const blan_model *model, const float *pixels, size_t batch)
{
    float probabilities[8 * FIXTURE_ATTRIBUTES];
    CHECK_OK(blan_predict_tensor(model, pixels, batch, NULL, probabilities));
    const size_t blocks_before = blocks, bytes_before = bytes;
    for (int i = 0; i < 10; i++)
        CHECK_OK(blan_predict_tensor(model, pixels, batch, NULL, probabilities));
    if (!CHECK(blocks == blocks_before))
        fprintf(stderr, "    ten calls of batch %zu took %zu blocks, %zu bytes\n", batch, blocks - blocks_before,
                bytes - bytes_before);
}

int main(void)
{
    float *pixels = fixture_floats(8 * FIXTURE_IMAGE_FLOATS, 6);
    for (int32_t threads = 1; threads <= 2; threads++) {
        blan_model *model = fixture_model(threads);
        CHECK(blocks > 0);
        calls_take_nothing(model, pixels, 1);
        calls_take_nothing(model, pixels, 5);
        calls_take_nothing(model, pixels, 8);
        blan_model_free(model);
    }
    free(pixels);
    return check_end();
}
