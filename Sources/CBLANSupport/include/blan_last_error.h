/* The text behind blan_last_error(): one buffer a thread, so that an error can be told even when memory is short. */
#ifndef BLAN_LAST_ERROR_H
#define BLAN_LAST_ERROR_H

#include <stddef.h>

#define BLAN_LAST_ERROR_CAPACITY 2048

/* Stores up to BLAN_LAST_ERROR_CAPACITY - 1 bytes of a UTF-8 text for this thread, cut between characters. */
void blan_s_set_last_error(const char *text, size_t length);

/* This thread's text, zero-terminated; empty before the first. */
const char *blan_s_last_error(void);

#endif
