#include "include/blan_reserve.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* libblan.so is linked with --wrap for the functions at the end: what the code in it calls malloc is __wrap_malloc here,
   and __real_malloc is the system's. Where it is not linked so, in tests of a module, nothing of this is used, and the
   real functions, then unknown, are NULL.

   The memory lies in pages that do not exist before they are touched. A block is as large as a power of two, with a header
   in front; blocks that are given back wait in a list for the next of their size. The library's own buffers do not come
   from these functions but from aligned_alloc and mmap, whose failure is an error in itself. */

/* The header takes as much as the largest alignment that anybody asks for. */
enum { RESERVE = 16 << 20, HEADER = 64, SMALLEST = 7, SIZES = 25 };

typedef struct header {
    size_t exponent; /* of the block's size, header included */
    struct header *next;
} header;

_Static_assert(sizeof(header) <= HEADER, "a block's content begins behind its header");

static _Alignas(64) unsigned char reserve[RESERVE];
static size_t taken;
static header *given_back[SIZES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_size_t uses;

size_t blan_s_reserve_uses(void)
{
    return atomic_load_explicit(&uses, memory_order_relaxed);
}

static int is_ours(const void *block)
{
    return (uintptr_t)block - (uintptr_t)reserve < RESERVE;
}

static header *header_of(void *block)
{
    return (header *)(void *)((unsigned char *)block - HEADER);
}

static size_t room_of(void *block)
{
    return ((size_t)1 << header_of(block)->exponent) - HEADER;
}

/* A block of the reserve, its content as it may be; NULL where it is used up, too. */
static void *take(size_t size)
{
    size_t exponent = SMALLEST;
    while (exponent < SIZES && ((size_t)1 << exponent) - HEADER < size)
        exponent++;
    if (exponent == SIZES)
        return NULL;
    pthread_mutex_lock(&lock);
    header *found = given_back[exponent];
    if (found != NULL)
        given_back[exponent] = found->next;
    else if (((size_t)1 << exponent) <= RESERVE - taken) {
        found = (header *)(void *)(reserve + taken);
        taken += (size_t)1 << exponent;
    }
    pthread_mutex_unlock(&lock);
    if (found == NULL)
        return NULL;
    found->exponent = exponent;
    atomic_fetch_add_explicit(&uses, 1, memory_order_relaxed);
    return (unsigned char *)found + HEADER;
}

static void give_back(void *block)
{
    header *freed = header_of(block);
    pthread_mutex_lock(&lock);
    freed->next = given_back[freed->exponent];
    given_back[freed->exponent] = freed;
    pthread_mutex_unlock(&lock);
}

/* ---- in the place of the system's ---- */

#define REAL(result, name, ...) extern result __real_##name(__VA_ARGS__) __attribute__((weak))
REAL(void *, malloc, size_t);
REAL(void *, calloc, size_t, size_t);
REAL(void *, realloc, void *, size_t);
REAL(void, free, void *);
REAL(size_t, malloc_usable_size, void *);
REAL(int, posix_memalign, void **, size_t, size_t);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
size_t __wrap_malloc_usable_size(void *block);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap__Znwm(size_t size);
void *__wrap__Znam(size_t size);
void *__wrap__ZnwmSt11align_val_t(size_t size, size_t alignment);
void __wrap__ZdlPv(void *block);
void __wrap__ZdlPvm(void *block, size_t size);
void __wrap__ZdaPv(void *block);
void __wrap__ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment);

void *__wrap_malloc(size_t size)
{
    void *block = __real_malloc(size);
    return block != NULL ? block : take(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = __real_calloc(count, size);
    if (block != NULL || (size > 0 && count > SIZE_MAX / size))
        return block;
    block = take(count * size);
    return block != NULL ? memset(block, 0, count * size) : NULL;
}

void *__wrap_realloc(void *block, size_t size)
{
    if (block == NULL)
        return __wrap_malloc(size);
    if (!is_ours(block)) {
        void *moved = __real_realloc(block, size);
        if (moved != NULL || size == 0)
            return moved;
    }
    void *moved = __wrap_malloc(size);
    if (moved == NULL)
        return NULL;
    const size_t room = __wrap_malloc_usable_size(block);
    memcpy(moved, block, room < size ? room : size);
    __wrap_free(block);
    return moved;
}

void __wrap_free(void *block)
{
    if (is_ours(block))
        give_back(block);
    else
        __real_free(block);
}

size_t __wrap_malloc_usable_size(void *block)
{
    return is_ours(block) ? room_of(block) : __real_malloc_usable_size(block);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    const int code = __real_posix_memalign(block, alignment, size);
    if (code != ENOMEM || alignment > HEADER)
        return code;
    *block = take(size);
    return *block != NULL ? 0 : code;
}

char *__wrap_strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* C++'s new and delete, of the Swift runtime. */
void *__wrap__Znwm(size_t size) { return __wrap_malloc(size); }
void *__wrap__Znam(size_t size) { return __wrap_malloc(size); }
void *__wrap__ZnwmSt11align_val_t(size_t size, size_t alignment)
{
    void *block = NULL;
    return __wrap_posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}
void __wrap__ZdlPv(void *block) { __wrap_free(block); }
void __wrap__ZdlPvm(void *block, size_t size) { (void)size, __wrap_free(block); }
void __wrap__ZdaPv(void *block) { __wrap_free(block); }
void __wrap__ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
    (void)size, (void)alignment, __wrap_free(block);
}
