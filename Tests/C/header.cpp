// The header serves C++ as it stands: it compiles without a warning and links with C linkage.
#include <blan.h>

#include <cstdio>
#include <cstring>

int main()
{
    const blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
    const blan_decode_options decode = BLAN_DECODE_OPTIONS_INIT;
    const blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
    const blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
    const bool sized = load.struct_size == sizeof load && decode.struct_size == sizeof decode &&
                       predict.struct_size == sizeof predict && network.struct_size == sizeof network;

    blan_model *model = nullptr;
    const blan_status status = blan_model_load("/nowhere/model.safetensors", &load, &model);
    const bool refused = status == BLAN_ERROR_IO && model == nullptr &&
                         std::strstr(blan_last_error(), "/nowhere/model.safetensors") != nullptr;
    if (!sized || !refused)
        std::fprintf(stderr, "status %s, message \"%s\"\n", blan_status_name(status), blan_last_error());
    return sized && refused ? 0 : 1;
}
