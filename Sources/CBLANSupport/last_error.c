#include "include/blan_last_error.h"

#include <string.h>

static _Thread_local char last_error[BLAN_LAST_ERROR_CAPACITY];

void blan_s_set_last_error(const char *text, size_t length)
{
    if (length >= BLAN_LAST_ERROR_CAPACITY) {
        length = BLAN_LAST_ERROR_CAPACITY - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(last_error, text, length);
    last_error[length] = '\0';
}

const char *blan_s_last_error(void) { return last_error; }
