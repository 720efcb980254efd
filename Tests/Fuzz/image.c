/* JPEG and PNG files, decoded and prepared for the network. Three of four mutated PNG files get right checksums. */
#include "png.h"
#include "support.h"

#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

enum { MOST_PIXELS = 1 << 18, SIZE = 64 };

static blan_model *model;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char path[256];
    snprintf(path, sizeof path, "%s/model.safetensors", scratch_folder());
    const blan_network_options network = smallest_network(1);
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 1;
    PROMISED(blan_model_init(path, &network) == BLAN_OK);
    /* Swift keeps which case an enum is in a pointer's unused bits, so LeakSanitizer does not see what a model holds. */
    __lsan_disable();
    PROMISED(blan_model_load(path, &options, &model) == BLAN_OK);
    __lsan_enable();
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, capacity);
    if (seed % 4 != 0)
        repair_png(data, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    blan_decode_options options = BLAN_DECODE_OPTIONS_INIT;
    options.maximum_pixels = MOST_PIXELS;
    blan_bitmap *bitmap;
    promise_outcome(blan_bitmap_decode(data, size, &options, &bitmap), bitmap);
    if (bitmap == NULL)
        return 0;
    const blan_image image = blan_bitmap_image(bitmap);
    PROMISED(image.width > 0 && image.height > 0 && (int64_t)image.width * image.height <= MOST_PIXELS);
    unsigned sum = 0;
    for (int64_t i = 0; i < image.row_stride * image.height; i++)
        sum += image.data[i];
    static float pixels[3 * SIZE * SIZE];
    PROMISED(blan_preprocess(model, &image, pixels) == BLAN_OK && sum <= 255u * 3 * MOST_PIXELS);
    blan_bitmap_free(bitmap);
    return 0;
}
