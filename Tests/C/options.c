/* The rules of struct_size: an older program's smaller struct and a newer one's larger struct. */
#include "check.h"
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

/* A struct as a header to come might have it: with fields that this library does not know. */
typedef struct newer_load_options {
    blan_load_options known;
    uint64_t added;
} newer_load_options;

typedef struct newer_predict_options {
    blan_predict_options known;
    float *added;
} newer_predict_options;

static void smaller_structs_leave_the_rest_at_its_defaults(const float *pixels)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.struct_size = offsetof(blan_load_options, precision);
    options.threads = 2;
    options.precision = 77; /* past the end: not looked at */
    blan_model *model;
    CHECK_OK(blan_model_load(fixture_model_path(), &options, &model));
    CHECK(blan_model_threads(model) == 2);

    float probabilities[FIXTURE_ATTRIBUTES], scores[5 * FIXTURE_ATTRIBUTES * 2] = {0}, logit = 0;
    blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
    predict.struct_size = offsetof(blan_predict_options, logits);
    predict.scores = scores;
    predict.logits = &logit; /* past the end: not written to */
    CHECK_OK(blan_predict_tensor(model, pixels, 1, &predict, probabilities));
    CHECK(scores[0] != 0 && scores[5 * FIXTURE_ATTRIBUTES * 2 - 1] != 0);
    CHECK(logit == 0);
    blan_model_free(model);
}

static void larger_structs_are_read_while_the_rest_is_zero(const float *pixels)
{
    newer_load_options options = {BLAN_LOAD_OPTIONS_INIT, 0};
    options.known.struct_size = sizeof options;
    options.known.threads = 1;
    blan_model *model;
    CHECK_OK(blan_model_load(fixture_model_path(), &options.known, &model));
    blan_model *refused = model;
    options.added = 1;
    CHECK_REFUSED(blan_model_load(fixture_model_path(), &options.known, &refused), BLAN_ERROR_UNSUPPORTED, "bytes");
    CHECK(refused == NULL);

    float probabilities[FIXTURE_ATTRIBUTES];
    newer_predict_options predict = {BLAN_PREDICT_OPTIONS_INIT, NULL};
    predict.known.struct_size = sizeof predict;
    CHECK_OK(blan_predict_tensor(model, pixels, 1, &predict.known, probabilities));
    predict.added = probabilities;
    CHECK_REFUSED(blan_predict_tensor(model, pixels, 1, &predict.known, probabilities), BLAN_ERROR_UNSUPPORTED,
                  "bytes");
    blan_model_free(model);
}

static void sizes_that_no_header_had_are_refused(const float *pixels)
{
    const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX};
    blan_model *model = fixture_model(1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
        blan_decode_options decode = BLAN_DECODE_OPTIONS_INIT;
        blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
        blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
        load.struct_size = decode.struct_size = network.struct_size = predict.struct_size = sizes[i];

        blan_model *loaded;
        blan_bitmap *bitmap;
        float probabilities[FIXTURE_ATTRIBUTES];
        CHECK_REFUSED(blan_model_load(fixture_model_path(), &load, &loaded), BLAN_ERROR_INVALID_ARGUMENT,
                      "struct_size");
        CHECK_REFUSED(blan_bitmap_decode("x", 1, &decode, &bitmap), BLAN_ERROR_INVALID_ARGUMENT, "struct_size");
        CHECK_REFUSED(blan_model_init(fixture_path("no"), &network), BLAN_ERROR_INVALID_ARGUMENT, "struct_size");
        CHECK_REFUSED(blan_predict_tensor(model, pixels, 1, &predict, probabilities), BLAN_ERROR_INVALID_ARGUMENT,
                      "struct_size");
    }
    blan_model_free(model);
}

static void the_initialisers_give_what_null_gives(const float *pixels)
{
    blan_model *model = fixture_model(1), *other;
    const blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
    CHECK_OK(blan_model_load(fixture_model_path(), &load, &other));
    CHECK(blan_model_threads(other) == blan_default_threads());
    blan_model_free(other);

    const blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
    float with[FIXTURE_ATTRIBUTES], without[FIXTURE_ATTRIBUTES];
    CHECK_OK(blan_predict_tensor(model, pixels, 1, &predict, with));
    CHECK_OK(blan_predict_tensor(model, pixels, 1, NULL, without));
    CHECK(memcmp(with, without, sizeof with) == 0);
    blan_model_free(model);
}

int main(void)
{
    float *pixels = fixture_floats(FIXTURE_IMAGE_FLOATS, 1);
    smaller_structs_leave_the_rest_at_its_defaults(pixels);
    larger_structs_are_read_while_the_rest_is_zero(pixels);
    sizes_that_no_header_had_are_refused(pixels);
    the_initialisers_give_what_null_gives(pixels);
    free(pixels);
    return check_end();
}
