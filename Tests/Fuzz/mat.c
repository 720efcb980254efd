/* MATLAB 5 files: LFWA's labels, or (an odd first byte) the file with its protocol beside good labels. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static char labels_folder[256], protocol_folder[256];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static const char *const persons[] = {"Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo/Bo_0001.jpg",
                                          "Cy_X/Cy_X_0001.jpg"};
    static const char *const roots[] = {"labels", "protocol"};
    for (int root = 0; root < 2; root++) {
        char path[128];
        scratch_directory(roots[root]);
        static const char *const folders[] = {"Ann_Lee", "Bo", "Cy_X"};
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "%s/%s", roots[root], folders[i]);
            scratch_directory(path);
        }
        for (int i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "%s/%s", roots[root], persons[i]);
            scratch_file(path);
        }
    }
    scratch_link("labels/lfw_att_40.mat", 0);
    scratch_link("protocol/indices_train_test.mat", 0);
    scratch_link("protocol/lfw_att_40.mat", 1);
    const bytes good = read_whole("Tests/Fixtures/mat/lfwa.mat");
    memory_file(1, good.data, good.size);
    free(good.data);
    snprintf(labels_folder, sizeof labels_folder, "%s/labels", scratch_folder());
    snprintf(protocol_folder, sizeof protocol_folder, "%s/protocol", scratch_folder());
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t choice = take_choice(&data, &size);
    const int is_protocol = choice % 2;
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_LFWA;
    options.split = is_protocol ? (choice & 2 ? BLAN_SPLIT_TRAIN : BLAN_SPLIT_TEST) : (choice >> 1) % 4 - 1;
    memory_file(0, data, size);
    blan_dataset *dataset;
    promise_outcome(blan_dataset_open(is_protocol ? protocol_folder : labels_folder, &options, &dataset), dataset);
    if (dataset != NULL)
        read_and_free_dataset(dataset);
    return 0;
}
