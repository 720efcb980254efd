/* Counts the memory that a prediction takes from the heap: none, once there was a call of its batch size. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own names behind the functions that this program puts in their place. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_size_t blocks, bytes;

static void count(size_t size)
{
    atomic_fetch_add(&blocks, 1);
    atomic_fetch_add(&bytes, size);
}

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size)
{
    count(size);
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    count(size);
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
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
