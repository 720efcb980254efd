/* CelebA's two text files, separated by a NUL byte: labels, then the partition. The first byte chooses the part. */
#include "support.h"

#include <stddef.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    scratch_directory("img_align_celeba");
    scratch_link("list_attr_celeba.txt", 0);
    scratch_link("list_eval_partition.txt", 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_CELEBA;
    options.split = take_choice(&data, &size) % 4 - 1;
    part labels, partition;
    cut_at_nul(data, size, &labels, &partition);
    memory_file(0, labels.bytes, labels.size);
    memory_file(1, partition.bytes, partition.size);
    blan_dataset *dataset;
    promise_outcome(blan_dataset_open(scratch_folder(), &options, &dataset), dataset);
    if (dataset != NULL)
        read_and_free_dataset(dataset);
    return 0;
}
