/* EXIF blocks in a JPEG and in a PNG file. The first byte chooses between a whole segment, with its own signature and
   length, and a block behind good ones. */
#include "png.h"
#include "support.h"

#include <stdlib.h>

static bytes jpeg, png;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    jpeg = read_whole("Tests/Fixtures/images/grey.jpg");
    png = read_whole("Tests/Fixtures/images/palette-4.png");
    return 0;
}

static void decode(const uint8_t *data, size_t size)
{
    blan_decode_options options = BLAN_DECODE_OPTIONS_INIT;
    options.maximum_pixels = 1 << 16;
    blan_bitmap *bitmap;
    promise_outcome(blan_bitmap_decode(data, size, &options, &bitmap), bitmap);
    blan_bitmap_free(bitmap);
}

/* The file with `inserted` at `place`. */
static uint8_t *insert(bytes file, size_t place, const uint8_t *inserted, size_t size)
{
    uint8_t *whole = malloc(file.size + size);
    PROMISED(whole != NULL);
    memcpy(whole, file.data, place);
    if (size > 0)
        memcpy(whole + place, inserted, size);
    memcpy(whole + place + size, file.data + place, file.size - place);
    return whole;
}

static void in_jpeg(const uint8_t *data, size_t size, int raw)
{
    static uint8_t segment[10 + 65536] = {0xff, 0xe1, 0, 0, 'E', 'x', 'i', 'f', 0, 0};
    size_t length = size;
    if (!raw) {
        memcpy(segment + 10, data, size);
        length = size + 10;
        segment[2] = (uint8_t)((length - 2) >> 8);
        segment[3] = (uint8_t)(length - 2);
    }
    uint8_t *whole = insert(jpeg, 2, raw ? data : segment, length);
    decode(whole, jpeg.size + length);
    free(whole);
}

static void in_png(const uint8_t *data, size_t size)
{
    static uint8_t chunk[12 + 65536] = {0, 0, 0, 0, 'e', 'X', 'I', 'f'};
    put_big_endian(chunk, (uint32_t)size);
    memcpy(chunk + 8, data, size);
    const size_t after_header = 8 + 25;
    uint8_t *whole = insert(png, after_header, chunk, size + 12);
    repair_png(whole, png.size + size + 12);
    decode(whole, png.size + size + 12);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int raw = take_choice(&data, &size) % 2 == 1;
    if (size == 0 || size > 65000)
        return 0;
    in_jpeg(data, size, raw);
    if (!raw)
        in_png(data, size);
    return 0;
}
