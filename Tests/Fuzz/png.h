/* Checksums of PNG files, without which a decoder looks at nothing that was changed. */
#ifndef BLAN_FUZZ_PNG_H
#define BLAN_FUZZ_PNG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

static inline uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void put_big_endian(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Makes the checksum of every whole chunk right. */
static inline void repair_png(uint8_t *data, size_t size)
{
    if (size < 8 || memcmp(data, "\x89PNG", 4) != 0)
        return;
    for (size_t at = 8; size - at >= 12;) {
        const uint32_t length = big_endian(data + at);
        if (length > size - at - 12)
            return;
        put_big_endian(data + at + 8 + length, (uint32_t)crc32(0, data + at + 4, length + 4));
        at += 12 + length;
    }
}

#endif
