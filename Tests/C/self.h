/* What the process itself holds, as the kernel counts it. */
#ifndef BLAN_TEST_SELF_H
#define BLAN_TEST_SELF_H

#include <stddef.h>

/* Bytes of memory that are resident; 0 where the kernel does not say. */
size_t self_resident(void);

/* Open files, folders, sockets. */
size_t self_handles(void);

size_t self_threads(void);

#endif
