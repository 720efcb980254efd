/* Loading, saving and importing models. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = FIXTURE_ATTRIBUTES };

static void memory_gives_what_the_file_gives(const float *pixels)
{
    size_t length;
    void *bytes = fixture_read(fixture_model_path(), &length);
    blan_model *from_file = fixture_model(1), *from_memory;
    CHECK_OK(blan_model_load_memory(bytes, length, NULL, &from_memory));
    memset(bytes, 0xff, length); /* the model keeps nothing of it */
    free(bytes);

    float file[N], memory[N];
    CHECK_OK(blan_predict_tensor(from_file, pixels, 1, NULL, file));
    CHECK_OK(blan_predict_tensor(from_memory, pixels, 1, NULL, memory));
    CHECK(memcmp(file, memory, sizeof file) == 0);
    blan_model_free(from_memory);
    blan_model_free(from_file);
}

static void damaged_memory_is_refused(void)
{
    size_t length;
    unsigned char *bytes = fixture_read(fixture_model_path(), &length);
    blan_model *model = (blan_model *)1;
    const size_t cuts[] = {1, 7, 8, 100, length / 2, length - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        CHECK_REFUSED(blan_model_load_memory(bytes, cuts[i], NULL, &model), BLAN_ERROR_FORMAT, "");
        CHECK(model == NULL && blan_last_error()[0] != '\0');
    }
    memset(bytes, 0xff, 8); /* a header of 2^64 - 1 bytes */
    CHECK_REFUSED(blan_model_load_memory(bytes, length, NULL, &model), BLAN_ERROR_FORMAT, "header");
    free(bytes);
}

static void a_seed_makes_a_model(void)
{
    size_t first_length, same_length, other_length;
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.width = 8, options.input_size = 64, options.seed = 1;
    CHECK_OK(blan_model_init(fixture_path("first"), &options));
    CHECK_OK(blan_model_init(fixture_path("same"), &options));
    options.seed = 2;
    CHECK_OK(blan_model_init(fixture_path("other"), &options));
    void *first = fixture_read(fixture_path("first"), &first_length);
    void *same = fixture_read(fixture_path("same"), &same_length);
    void *other = fixture_read(fixture_path("other"), &other_length);
    CHECK(first_length == same_length && memcmp(first, same, first_length) == 0);
    CHECK(first_length == other_length && memcmp(first, other, first_length) != 0);
    free(first), free(same), free(other);
}

static void own_attributes_stay_with_the_model(const float *pixels)
{
    const char *const names[] = {"Glad", "Bärtig", "With \"quotes\""};
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.width = 8, options.input_size = 64, options.variant = 1;
    options.attributes = names, options.attribute_count = 3;
    CHECK_OK(blan_model_init(fixture_path("own"), &options));
    blan_model *model;
    CHECK_OK(blan_model_load(fixture_path("own"), NULL, &model));
    CHECK(blan_model_attribute_count(model) == 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(strcmp(blan_model_attribute_name(model, i), names[i]) == 0);
    CHECK(blan_model_attention_count(model) == 0);

    float probabilities[4] = {-1, -1, -1, -1};
    CHECK_OK(blan_predict_tensor(model, pixels, 1, NULL, probabilities));
    for (size_t i = 0; i < 3; i++)
        CHECK(probabilities[i] >= 0 && probabilities[i] <= 1);
    CHECK(probabilities[3] == -1);
    blan_model_free(model);
}

static void an_encoder_is_taken_over(const float *pixels)
{
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.width = 16, options.input_size = FIXTURE_INPUT_SIZE, options.seed = 99;
    CHECK_OK(blan_model_init(fixture_path("donor"), &options));
    CHECK_OK(blan_import_encoder(fixture_path("donor"), fixture_model_path(), fixture_path("joined")));
    blan_model *plain = fixture_model(1), *joined;
    CHECK_OK(blan_model_load(fixture_path("joined"), NULL, &joined));
    float before[N], after[N];
    CHECK_OK(blan_predict_tensor(plain, pixels, 1, NULL, before));
    CHECK_OK(blan_predict_tensor(joined, pixels, 1, NULL, after));
    CHECK(memcmp(before, after, sizeof before) != 0);
    blan_model_free(joined);
    blan_model_free(plain);

    options.width = 8;
    CHECK_OK(blan_model_init(fixture_path("narrow"), &options));
    CHECK_REFUSED(blan_import_encoder(fixture_path("narrow"), fixture_model_path(), fixture_path("never")),
                  BLAN_ERROR_SHAPE, "conv1.weight");
    CHECK(access(fixture_path("never"), F_OK) != 0);
}

static void a_loaded_file_may_go(const float *pixels)
{
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.width = 8, options.input_size = 64;
    const char *path = fixture_path("passing");
    CHECK_OK(blan_model_init(path, &options));
    blan_model *model;
    CHECK_OK(blan_model_load(path, NULL, &model));
    CHECK(truncate(path, 0) == 0 && remove(path) == 0);
    float probabilities[N];
    CHECK_OK(blan_predict_tensor(model, pixels, 1, NULL, probabilities));
    blan_model_free(model);
}

static void a_file_tells_its_network(void)
{
    blan_model_file *file = (blan_model_file *)1;
    CHECK_REFUSED(blan_model_file_open(NULL, &file), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK(file == NULL);
    CHECK_REFUSED(blan_model_file_open("/nowhere/x.safetensors", &file), BLAN_ERROR_IO, "/nowhere/x.safetensors");
    CHECK_REFUSED(blan_model_file_open(fixture_model_path(), NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK(blan_model_file_graph(NULL) == NULL);
    blan_model_file_free(NULL);

    CHECK_OK(blan_model_file_open(fixture_model_path(), &file));
    const char *graph = blan_model_file_graph(file);
    CHECK(graph != NULL && graph[0] == '{');
    CHECK(strstr(graph, "\"operation\":\"fuse_scores\"") != NULL && strstr(graph, "lmim") == NULL);

    enum { WEIGHT = 5 * N };
    float weight[WEIGHT + 1];
    weight[WEIGHT] = -1;
    CHECK_OK(blan_model_file_tensor(file, "fusion.weight", weight, WEIGHT));
    for (int i = 0; i < WEIGHT; i++)
        CHECK(weight[i] == 0.2f); /* as a new model has it */
    CHECK(weight[WEIGHT] == -1);
    CHECK_REFUSED(blan_model_file_tensor(file, "fusion.weight", weight, WEIGHT - 1), BLAN_ERROR_SHAPE, "[5, 40]");
    CHECK_REFUSED(blan_model_file_tensor(file, "lmim.0.conv1.weight", weight, 1), BLAN_ERROR_INVALID_ARGUMENT, "lmim");
    CHECK_REFUSED(blan_model_file_tensor(NULL, "fusion.weight", weight, 1), BLAN_ERROR_INVALID_ARGUMENT, "file is");
    CHECK_REFUSED(blan_model_file_tensor(file, NULL, weight, 1), BLAN_ERROR_INVALID_ARGUMENT, "name is NULL");
    CHECK_REFUSED(blan_model_file_tensor(file, "fusion.weight", NULL, 1), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    blan_model_file_free(file);
}

int main(void)
{
    float *pixels = fixture_floats(FIXTURE_IMAGE_FLOATS, 3);
    memory_gives_what_the_file_gives(pixels);
    damaged_memory_is_refused();
    a_seed_makes_a_model();
    own_attributes_stay_with_the_model(pixels);
    an_encoder_is_taken_over(pixels);
    a_loaded_file_may_go(pixels);
    a_file_tells_its_network();
    free(pixels);
    return check_end();
}
