/* `blan.config`, the JSON with a model's configuration, in an otherwise good model file. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static bytes model_file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char path[256];
    snprintf(path, sizeof path, "%s/model.safetensors", scratch_folder());
    const blan_network_options network = smallest_network(6);
    PROMISED(blan_model_init(path, &network) == BLAN_OK);
    model_file = read_whole(path);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes changed = with_metadata(model_file, "blan.config", (part){data, size});
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 1;
    blan_model *model;
    promise_outcome(blan_model_load_memory(changed.data, changed.size, &options, &model), model);
    free(changed.data);
    if (model != NULL)
        use_and_free_model(model);
    return 0;
}
