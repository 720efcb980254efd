/* CSV tables. The first byte chooses the part of the data and whether attributes are asked for. */
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const wanted[] = {"Smiling", "A"};
    const uint8_t choice = take_choice(&data, &size);
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_CSV;
    options.split = choice % 4 - 1;
    if (choice & 4) {
        options.attributes = wanted;
        options.attribute_count = 1 + (choice >> 3) % 2;
    }
    blan_dataset *dataset;
    promise_outcome(blan_dataset_open(memory_file(0, data, size), &options, &dataset), dataset);
    if (dataset != NULL)
        read_and_free_dataset(dataset);
    return 0;
}
