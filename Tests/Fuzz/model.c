/* Model files: a safetensors header, followed by as many zero bytes of tensors as the input's last four bytes say.
   Without that, nearly all of an input would be weights, and damage to them is of no interest to a parser. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PADDING = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t padding = 0;
    if (size >= sizeof padding) {
        size -= sizeof padding;
        memcpy(&padding, data + size, sizeof padding);
        padding %= MOST_PADDING;
    }
    uint8_t *file = calloc(1, size + padding + 1);
    PROMISED(file != NULL);
    memcpy(file, data, size);

    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 1;
    blan_model *model;
    const blan_status status = blan_model_load_memory(file, size + padding, &options, &model);
    promise_outcome(status, model);

    blan_explainer *explainer;
    promise_outcome(blan_explainer_load_memory(file, size + padding, &options, &explainer), explainer);
    blan_explainer_free(explainer);

    blan_detector *detector;
    promise_outcome(blan_detector_load_memory(file, size + padding, &options, &detector), detector);
    blan_detector_free(detector);
    free(file);
    if (model != NULL)
        use_and_free_model(model);
    return 0;
}
