/* Puts functions in the place of the C library's that give out memory: each asks heap_grants, which the one source file of
   the program that includes this defines, and fails where it says no. */
#ifndef BLAN_TEST_HEAP_H
#define BLAN_TEST_HEAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool heap_grants(size_t bytes);

/* glibc's own names behind them. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return heap_grants(size) ? __libc_malloc(size) : NULL;
}

void *calloc(size_t number, size_t size)
{
    return heap_grants(number * size) ? __libc_calloc(number, size) : NULL;
}

void *realloc(void *block, size_t size)
{
    return heap_grants(size) ? __libc_realloc(block, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return heap_grants(size) ? __libc_memalign(alignment, size) : NULL;
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    if (!heap_grants(size))
        return ENOMEM;
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

#endif
