/* LFWA's labels as text, beside a few photos of persons. The first byte chooses the part and the protocol. */
#include "support.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    scratch_directory("Ann_Lee");
    scratch_file("Ann_Lee/Ann_Lee_0001.jpg");
    scratch_file("Ann_Lee/Ann_Lee_0002.jpg");
    scratch_directory("Bo");
    scratch_file("Bo/Bo_0001.jpg");
    scratch_directory("Cy_X");
    scratch_file("Cy_X/Cy_X_0001.png");
    scratch_link("lfw_att_40.txt", 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t choice = take_choice(&data, &size);
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_LFWA;
    options.split = choice % 4 - 1;
    options.lfwa_protocol = (choice >> 2) % 2;
    memory_file(0, data, size);
    blan_dataset *dataset;
    promise_outcome(blan_dataset_open(scratch_folder(), &options, &dataset), dataset);
    if (dataset != NULL)
        read_and_free_dataset(dataset);
    return 0;
}
