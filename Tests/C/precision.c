/* Reduced precision: load options, blan_quantize, and what both refuse. */
#include "check.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = FIXTURE_ATTRIBUTES, IMAGES = 4, LOGITS = IMAGES * 2 * N };

static blan_model *loaded(const char *path, blan_precision precision)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 2, options.precision = precision;
    blan_model *model;
    CHECK_OK(blan_model_load(path, &options, &model));
    return model;
}

static void logits_of(const blan_model *model, const float *pixels, float *logits)
{
    float probabilities[IMAGES * N];
    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.logits = logits;
    CHECK_OK(blan_predict_tensor(model, pixels, IMAGES, &options, probabilities));
    for (size_t i = 0; i < IMAGES * N; i++)
        CHECK(probabilities[i] >= 0 && probabilities[i] <= 1);
}

/* How far the logits are from those of f32, in root mean squares: untrained weights make them large. */
static float deviation(const blan_model *model, const float *pixels, const float *expected)
{
    float logits[LOGITS];
    logits_of(model, pixels, logits);
    double squares = 0, all = 0;
    for (size_t i = 0; i < LOGITS; i++) {
        squares += pow((double)logits[i] - (double)expected[i], 2);
        all += pow((double)expected[i], 2);
    }
    return (float)sqrt(squares / all);
}

static void quantised_models_predict(const float *pixels)
{
    float expected[LOGITS], difference;
    blan_model *plain = fixture_model(2);
    CHECK(blan_model_precision(plain) == BLAN_PRECISION_F32);
    logits_of(plain, pixels, expected);
    blan_model_free(plain);

    blan_quantize_options options = BLAN_QUANTIZE_OPTIONS_INIT;
    CHECK(options.precision == BLAN_PRECISION_INT8);
    options.pixels = pixels, options.batch = IMAGES, options.threads = 2;
    CHECK_OK(blan_quantize(fixture_model_path(), &options, fixture_path("int8")));
    options.precision = BLAN_PRECISION_BF16, options.pixels = NULL, options.batch = 0;
    CHECK_OK(blan_quantize(fixture_model_path(), &options, fixture_path("bf16")));

    const struct {
        const char *file;
        blan_precision asked, found;
        float bound; /* random layers multiply what rounding changes */
    } cases[] = {
        {"int8", BLAN_PRECISION_MODEL, BLAN_PRECISION_INT8, 0.2f}, {"int8", BLAN_PRECISION_F32, BLAN_PRECISION_F32, 0.1f},
        {"int8", BLAN_PRECISION_BF16, BLAN_PRECISION_BF16, 0.1f},  {"bf16", BLAN_PRECISION_MODEL, BLAN_PRECISION_BF16, 0.1f},
        {"bf16", BLAN_PRECISION_F32, BLAN_PRECISION_F32, 0.03f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blan_model *model = loaded(fixture_path(cases[i].file), cases[i].asked);
        CHECK(blan_model_precision(model) == cases[i].found);
        difference = deviation(model, pixels, expected);
        CHECK(difference > 0 && difference < cases[i].bound);
        blan_model_free(model);
    }
    blan_model *half = loaded(fixture_model_path(), BLAN_PRECISION_BF16);
    difference = deviation(half, pixels, expected);
    CHECK(difference > 0 && difference < 0.1f);
    blan_model_free(half);

    size_t whole, small;
    free(fixture_read(fixture_model_path(), &whole));
    free(fixture_read(fixture_path("int8"), &small));
    CHECK(small < whole / 2);
}

static void a_model_may_be_quantised_in_place(const float *pixels)
{
    size_t length;
    void *bytes = fixture_read(fixture_model_path(), &length);
    const char *path = fixture_file("place", bytes, length);
    free(bytes);
    blan_quantize_options options = BLAN_QUANTIZE_OPTIONS_INIT;
    options.pixels = pixels, options.batch = IMAGES;
    CHECK_OK(blan_quantize(path, &options, path));
    blan_model *model = loaded(path, BLAN_PRECISION_MODEL);
    CHECK(blan_model_precision(model) == BLAN_PRECISION_INT8);
    blan_model_free(model);
}

static void what_cannot_be_is_refused(const float *pixels)
{
    blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
    load.precision = BLAN_PRECISION_INT8;
    blan_model *model;
    CHECK_REFUSED(blan_model_load(fixture_model_path(), &load, &model), BLAN_ERROR_UNSUPPORTED, "blan quantize");

    const char *out = fixture_path("never");
    blan_quantize_options options = BLAN_QUANTIZE_OPTIONS_INIT;
    CHECK_REFUSED(blan_quantize(fixture_model_path(), NULL, out), BLAN_ERROR_INVALID_ARGUMENT, "images");
    CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, out), BLAN_ERROR_INVALID_ARGUMENT, "images");
    options.pixels = pixels, options.batch = IMAGES;
    const blan_precision wrong[] = {BLAN_PRECISION_F32, BLAN_PRECISION_MODEL, 77, -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.precision = wrong[i];
        CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, out), BLAN_ERROR_INVALID_ARGUMENT, "precision");
    }
    options.precision = BLAN_PRECISION_INT8;
    options.threads = -1;
    CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, out), BLAN_ERROR_INVALID_ARGUMENT, "threads");
    options.threads = 0;
    options.batch = (size_t)-1;
    CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, out), BLAN_ERROR_INVALID_ARGUMENT, "batch");
    options.batch = IMAGES;
    CHECK_REFUSED(blan_quantize(NULL, &options, out), BLAN_ERROR_INVALID_ARGUMENT, "model_path");
    CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out_path");
    CHECK_REFUSED(blan_quantize(fixture_path("nowhere"), &options, out), BLAN_ERROR_IO, "nowhere");
    CHECK_REFUSED(blan_quantize(fixture_model_path(), &options, "/nowhere/out"), BLAN_ERROR_IO, "/nowhere");
    CHECK(access(out, F_OK) != 0);

    CHECK(blan_model_precision(NULL) == BLAN_PRECISION_F32);
    CHECK(blan_precision_is_native(BLAN_PRECISION_F32));
    CHECK(!blan_precision_is_native(BLAN_PRECISION_MODEL) && !blan_precision_is_native(77));
    if (strcmp(blan_instruction_set(), "avx512") != 0)
        CHECK(!blan_precision_is_native(BLAN_PRECISION_BF16) && !blan_precision_is_native(BLAN_PRECISION_INT8));
}

int main(void)
{
    float *pixels = fixture_floats(IMAGES * FIXTURE_IMAGE_FLOATS, 5);
    quantised_models_predict(pixels);
    a_model_may_be_quantised_in_place(pixels);
    what_cannot_be_is_refused(pixels);
    free(pixels);
    return check_end();
}
