/* Every function, given NULL and numbers out of range, answers with a status and a message that names the argument. */
#include "check.h"
#include "fixture.h"
#include "images.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const blan_pixel_format no_format = 99;

static void the_library_answers_without_a_handle(void)
{
    CHECK(strlen(blan_version()) > 0);
    CHECK(strlen(blan_instruction_set()) > 0);
    CHECK(strlen(blan_openmp_runtime()) > 0);
    CHECK(blan_default_threads() >= 1);
}

static void loading_names_the_argument(void)
{
    blan_model *model = (blan_model *)1;
    CHECK_REFUSED(blan_model_load(NULL, NULL, &model), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK(model == NULL);
    CHECK_REFUSED(blan_model_load("", NULL, &model), BLAN_ERROR_INVALID_ARGUMENT, "path is empty");
    CHECK_REFUSED(blan_model_load(fixture_model_path(), NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_model_load("/nowhere/x.safetensors", NULL, &model), BLAN_ERROR_IO, "/nowhere/x.safetensors");
    CHECK_REFUSED(blan_model_load("/", NULL, &model), BLAN_ERROR_IO, "/");

    CHECK_REFUSED(blan_model_load_memory(NULL, 10, NULL, &model), BLAN_ERROR_INVALID_ARGUMENT, "bytes is NULL");
    CHECK_REFUSED(blan_model_load_memory("", 0, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_model_load_memory("", 0, NULL, &model), BLAN_ERROR_FORMAT, "");
    CHECK_REFUSED(blan_model_load_memory("{}", SIZE_MAX, NULL, &model), BLAN_ERROR_FORMAT, "");
    CHECK(model == NULL);

    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = -1;
    CHECK_REFUSED(blan_model_load(fixture_model_path(), &options, &model), BLAN_ERROR_INVALID_ARGUMENT, "threads is -1");
    options.threads = 1025;
    CHECK_REFUSED(blan_model_load(fixture_model_path(), &options, &model), BLAN_ERROR_INVALID_ARGUMENT, "1024");
    options.threads = 1;
    options.precision = 77;
    CHECK_REFUSED(blan_model_load(fixture_model_path(), &options, &model), BLAN_ERROR_UNSUPPORTED, "precision is 77");
    CHECK(model == NULL);
    blan_model_free(NULL);
}

static void questions_about_no_model_have_answers(void)
{
    CHECK(blan_model_attribute_count(NULL) == 0);
    CHECK(blan_model_attribute_name(NULL, 0) == NULL);
    CHECK(isnan(blan_model_threshold(NULL, 0)));
    CHECK(blan_model_input_size(NULL) == 0);
    CHECK(!blan_model_is_trained(NULL));
    CHECK(blan_model_config(NULL) == NULL);
    CHECK(blan_model_threads(NULL) == 0);
    CHECK(blan_model_embedding_size(NULL) == 0);
    CHECK(blan_model_attention_count(NULL) == 0);
    CHECK(blan_model_attention_size(NULL, 0) == 0);
    CHECK(blan_model_cost_count(NULL) == 0);
    blan_cost cost;
    CHECK_REFUSED(blan_model_cost(NULL, 0, &cost), BLAN_ERROR_INVALID_ARGUMENT, "model is NULL");
}

static void questions_about_a_model_have_bounds(const blan_model *model)
{
    CHECK(blan_model_attribute_count(model) == FIXTURE_ATTRIBUTES);
    CHECK(strcmp(blan_model_attribute_name(model, 0), "5_o_Clock_Shadow") == 0);
    CHECK(strcmp(blan_model_attribute_name(model, FIXTURE_ATTRIBUTES - 1), "Young") == 0);
    CHECK(blan_model_attribute_name(model, FIXTURE_ATTRIBUTES) == NULL);
    CHECK(blan_model_attribute_name(model, SIZE_MAX) == NULL);
    CHECK(blan_model_threshold(model, 0) == 0.5f);
    CHECK(isnan(blan_model_threshold(model, FIXTURE_ATTRIBUTES)));
    CHECK(isnan(blan_model_threshold(model, SIZE_MAX)));
    CHECK(blan_model_input_size(model) == FIXTURE_INPUT_SIZE);
    CHECK(!blan_model_is_trained(model));
    CHECK(strstr(blan_model_config(model), "\"input_size\"") != NULL);
    CHECK(blan_model_threads(model) == 1);
    CHECK(blan_model_embedding_size(model) == 128);
    CHECK(blan_model_attention_count(model) == 3);
    CHECK(blan_model_attention_size(model, 0) == 16);
    CHECK(blan_model_attention_size(model, 1) == 8);
    CHECK(blan_model_attention_size(model, 2) == 4);
    CHECK(blan_model_attention_size(model, 3) == 0);
    CHECK(blan_model_attention_size(model, SIZE_MAX) == 0);

    const size_t rows = blan_model_cost_count(model);
    uint64_t parameters = 0;
    for (size_t row = 0; row < rows; row++) {
        blan_cost cost;
        CHECK_OK(blan_model_cost(model, row, &cost));
        CHECK(cost.module != NULL && cost.module[0] != '\0');
        parameters += cost.parameters;
    }
    CHECK(parameters > 1000000);
    blan_cost cost;
    CHECK_REFUSED(blan_model_cost(model, rows, &cost), BLAN_ERROR_INVALID_ARGUMENT, "index is");
    CHECK_REFUSED(blan_model_cost(model, 0, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
}

static void sum_operations(void *user, const blan_step *step)
{
    CHECK(step->module[0] != '\0' && step->kernel[0] != '\0' && step->seconds >= 0 && step->bytes > 0);
    *(double *)user += step->operations;
}

static void profiles_add_up(const blan_model *model)
{
    const size_t size = blan_model_input_size(model);
    float *pixels = calloc(2 * 3 * size * size, sizeof *pixels);
    double one = 0, two = 0;
    CHECK_OK(blan_model_profile(model, pixels, 1, sum_operations, &one));
    CHECK_OK(blan_model_profile(model, pixels, 2, sum_operations, &two));
    CHECK(one > 0 && two == 2 * one);
    CHECK_REFUSED(blan_model_profile(NULL, pixels, 1, sum_operations, &one), BLAN_ERROR_INVALID_ARGUMENT, "model is");
    CHECK_REFUSED(blan_model_profile(model, NULL, 1, sum_operations, &one), BLAN_ERROR_INVALID_ARGUMENT, "pixels is");
    CHECK_REFUSED(blan_model_profile(model, pixels, 1, NULL, &one), BLAN_ERROR_INVALID_ARGUMENT, "on_step is");
    CHECK_REFUSED(blan_model_profile(model, pixels, 0, sum_operations, &one), BLAN_ERROR_INVALID_ARGUMENT, "batch is");
    CHECK_REFUSED(blan_model_profile(model, pixels, SIZE_MAX, sum_operations, &one), BLAN_ERROR_INVALID_ARGUMENT,
                  "batch is");
    free(pixels);
}

static void bitmaps_name_the_argument(void)
{
    blan_bitmap *bitmap = (blan_bitmap *)1;
    CHECK_REFUSED(blan_bitmap_load(NULL, NULL, &bitmap), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK(bitmap == NULL);
    CHECK_REFUSED(blan_bitmap_load("x.png", NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_bitmap_load("/nowhere/x.png", NULL, &bitmap), BLAN_ERROR_IO, "/nowhere/x.png");
    CHECK_REFUSED(blan_bitmap_decode(NULL, 3, NULL, &bitmap), BLAN_ERROR_INVALID_ARGUMENT, "bytes is NULL");
    CHECK_REFUSED(blan_bitmap_decode(png_file, sizeof png_file, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT,
                  "out is NULL");
    CHECK_REFUSED(blan_bitmap_decode(png_file, 0, NULL, &bitmap), BLAN_ERROR_FORMAT, "empty");
    CHECK_REFUSED(blan_bitmap_decode("GIF89a", 6, NULL, &bitmap), BLAN_ERROR_UNSUPPORTED, "JPEG");
    CHECK_REFUSED(blan_bitmap_decode(png_file, sizeof png_file / 2, NULL, &bitmap), BLAN_ERROR_FORMAT, "");
    blan_decode_options small = BLAN_DECODE_OPTIONS_INIT;
    small.maximum_pixels = PNG_WIDTH * PNG_HEIGHT - 1;
    CHECK_REFUSED(blan_bitmap_decode(png_file, sizeof png_file, &small, &bitmap), BLAN_ERROR_INVALID_ARGUMENT,
                  "24x20");
    CHECK(bitmap == NULL);

    const blan_image nothing = blan_bitmap_image(NULL);
    CHECK(nothing.data == NULL && nothing.width == 0 && nothing.height == 0 && nothing.row_stride == 0);
    blan_bitmap_free(NULL);
}

/* Calls what takes an image with one that is not valid. */
static void image_is_refused(const blan_model *model, blan_image image, blan_status status, const char *text)
{
    static float pixels[FIXTURE_IMAGE_FLOATS], probabilities[FIXTURE_ATTRIBUTES];
    const float landmarks[5][2] = {{8, 8}, {16, 8}, {12, 12}, {9, 16}, {15, 16}};
    blan_bitmap *aligned = (blan_bitmap *)1;
    CHECK_REFUSED(blan_preprocess(model, &image, pixels), status, text);
    CHECK_REFUSED(blan_align_face(&image, landmarks, &aligned), status, text);
    CHECK(aligned == NULL);
    CHECK_REFUSED(blan_predict_images(model, &image, 1, NULL, probabilities), status, text);
    CHECK_REFUSED(blan_predict_images(model, &image, 1, NULL, probabilities), status, "images[0]");
}

static void images_are_validated(const blan_model *model)
{
    static const uint8_t data[PNG_WIDTH * PNG_HEIGHT * 3];
    const blan_image good = {data, PNG_WIDTH, PNG_HEIGHT, 0, BLAN_PIXEL_RGB8};
    blan_image bad = good;
    bad.data = NULL;
    image_is_refused(model, bad, BLAN_ERROR_INVALID_ARGUMENT, "data is NULL");
    bad = good, bad.width = 0;
    image_is_refused(model, bad, BLAN_ERROR_SHAPE, "0");
    bad = good, bad.height = -3;
    image_is_refused(model, bad, BLAN_ERROR_SHAPE, "-3");
    bad = good, bad.width = INT32_MAX, bad.height = INT32_MAX;
    image_is_refused(model, bad, BLAN_ERROR_SHAPE, "2147483647");
    bad = good, bad.row_stride = PNG_WIDTH * 3 - 1;
    image_is_refused(model, bad, BLAN_ERROR_SHAPE, "71");
    bad = good, bad.row_stride = INT64_MIN;
    image_is_refused(model, bad, BLAN_ERROR_SHAPE, "-9223372036854775808");
    bad = good, bad.format = no_format;
    image_is_refused(model, bad, BLAN_ERROR_INVALID_ARGUMENT, "format is 99");
}

/* The landmarks of a face that fits into the image of the PNG file, one coordinate replaced. */
static void landmark_is_refused(size_t point, size_t axis, float coordinate)
{
    static const uint8_t data[PNG_WIDTH * PNG_HEIGHT * 3];
    const blan_image image = {data, PNG_WIDTH, PNG_HEIGHT, 0, BLAN_PIXEL_RGB8};
    float landmarks[5][2] = {{8, 8}, {16, 8}, {12, 12}, {9, 16}, {15, 16}};
    landmarks[point][axis] = coordinate;
    blan_bitmap *aligned = (blan_bitmap *)1;
    CHECK_REFUSED(blan_align_face(&image, (const float(*)[2])landmarks, &aligned), BLAN_ERROR_INVALID_ARGUMENT,
                  "landmark");
    CHECK(aligned == NULL);
}

static void alignment_validates_landmarks(void)
{
    static const uint8_t data[PNG_WIDTH * PNG_HEIGHT * 3];
    static const float face[5][2] = {{8, 8}, {16, 8}, {12, 12}, {9, 16}, {15, 16}};
    static const float one_place[5][2] = {{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}};
    const blan_image image = {data, PNG_WIDTH, PNG_HEIGHT, 0, BLAN_PIXEL_RGB8};
    blan_bitmap *aligned = (blan_bitmap *)1;
    CHECK_REFUSED(blan_align_face(NULL, face, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "image is NULL");
    CHECK(aligned == NULL);
    CHECK_REFUSED(blan_align_face(&image, NULL, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "landmarks is NULL");
    CHECK_REFUSED(blan_align_face(&image, face, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_align_face(&image, one_place, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "landmark");
    landmark_is_refused(3, 1, NAN);
    landmark_is_refused(0, 0, INFINITY);
    landmark_is_refused(4, 0, -INFINITY);
    landmark_is_refused(2, 1, FLT_MAX);
}

static void preprocessing_names_the_argument(const blan_model *model)
{
    static const uint8_t data[3];
    static float pixels[FIXTURE_IMAGE_FLOATS];
    const blan_image image = {data, 1, 1, 0, BLAN_PIXEL_RGB8};
    CHECK_REFUSED(blan_preprocess(NULL, &image, pixels), BLAN_ERROR_INVALID_ARGUMENT, "model is NULL");
    CHECK_REFUSED(blan_preprocess(model, NULL, pixels), BLAN_ERROR_INVALID_ARGUMENT, "image is NULL");
    CHECK_REFUSED(blan_preprocess(model, &image, NULL), BLAN_ERROR_INVALID_ARGUMENT, "pixels is NULL");
}

static void prediction_names_the_argument(const blan_model *model)
{
    static float pixels[FIXTURE_IMAGE_FLOATS], probabilities[FIXTURE_ATTRIBUTES];
    static const uint8_t data[3];
    const blan_image image = {data, 1, 1, 0, BLAN_PIXEL_RGB8};
    const char *path = "/nowhere/face.jpg";
    const void *bytes = png_file;
    const size_t length = sizeof png_file;

    CHECK_REFUSED(blan_predict_tensor(NULL, pixels, 1, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT, "model");
    CHECK_REFUSED(blan_predict_tensor(model, NULL, 1, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT, "pixels");
    CHECK_REFUSED(blan_predict_tensor(model, pixels, 1, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "probabilities");
    CHECK_REFUSED(blan_predict_tensor(model, pixels, SIZE_MAX, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT,
                  "batch is 18446744073709551615");
    CHECK_OK(blan_predict_tensor(model, pixels, 0, NULL, probabilities));

    CHECK_REFUSED(blan_predict_images(NULL, &image, 1, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT, "model");
    CHECK_REFUSED(blan_predict_images(model, NULL, 1, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT, "images");
    CHECK_REFUSED(blan_predict_images(model, &image, 1, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "probabilities");
    CHECK_REFUSED(blan_predict_images(model, &image, SIZE_MAX, NULL, probabilities), BLAN_ERROR_INVALID_ARGUMENT,
                  "count is");

    CHECK_REFUSED(blan_predict_files(NULL, &path, 1, NULL, probabilities, NULL), BLAN_ERROR_INVALID_ARGUMENT, "model");
    CHECK_REFUSED(blan_predict_files(model, NULL, 1, NULL, probabilities, NULL), BLAN_ERROR_INVALID_ARGUMENT, "paths");
    CHECK_REFUSED(blan_predict_files(model, &path, 1, NULL, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "probabilities");
    CHECK_REFUSED(blan_predict_files(model, &path, SIZE_MAX, NULL, probabilities, NULL), BLAN_ERROR_INVALID_ARGUMENT,
                  "count is");

    CHECK_REFUSED(blan_predict_encoded(NULL, &bytes, &length, 1, NULL, probabilities, NULL),
                  BLAN_ERROR_INVALID_ARGUMENT, "model");
    CHECK_REFUSED(blan_predict_encoded(model, NULL, &length, 1, NULL, probabilities, NULL),
                  BLAN_ERROR_INVALID_ARGUMENT, "bytes");
    CHECK_REFUSED(blan_predict_encoded(model, &bytes, NULL, 1, NULL, probabilities, NULL),
                  BLAN_ERROR_INVALID_ARGUMENT, "lengths");
    CHECK_REFUSED(blan_predict_encoded(model, &bytes, &length, 1, NULL, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT,
                  "probabilities");
    CHECK_REFUSED(blan_predict_encoded(model, &bytes, &length, SIZE_MAX, NULL, probabilities, NULL),
                  BLAN_ERROR_INVALID_ARGUMENT, "count is");
}

static void new_models_name_the_argument(void)
{
    const char *path = fixture_path("new.safetensors");
    CHECK_REFUSED(blan_model_init(NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK_REFUSED(blan_model_init("/nowhere/new.safetensors", NULL), BLAN_ERROR_IO, "/nowhere/");
    CHECK_REFUSED(blan_model_init("caf\xe9", NULL), BLAN_ERROR_INVALID_ARGUMENT, "path is not UTF-8");

    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.input_size = 100;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "100");
    options.input_size = 64, options.width = 3;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "3");
    options.width = INT32_MAX - 3;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "width");
    options.width = 16, options.variant = 7;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "variant is 7");
    options.variant = 6, options.attention = 5;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "attention is 5");
    options.attention = BLAN_ATTENTION_PARALLEL;
    const char *const names[] = {"Smiling", NULL};
    options.attributes = names, options.attribute_count = 2;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "attributes[1] is NULL");
    options.attribute_count = 0;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "attribute_count is 0");
    options.attribute_count = SIZE_MAX;
    CHECK_REFUSED(blan_model_init(path, &options), BLAN_ERROR_INVALID_ARGUMENT, "attribute_count");

    const char *model = fixture_model_path();
    CHECK_REFUSED(blan_import_encoder(NULL, model, path), BLAN_ERROR_INVALID_ARGUMENT, "encoder_path is NULL");
    CHECK_REFUSED(blan_import_encoder(model, NULL, path), BLAN_ERROR_INVALID_ARGUMENT, "model_path is NULL");
    CHECK_REFUSED(blan_import_encoder(model, model, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out_path is NULL");
    CHECK_REFUSED(blan_import_encoder("/nowhere/resnet34.safetensors", model, path), BLAN_ERROR_IO, "/nowhere/");
}

int main(void)
{
    the_library_answers_without_a_handle();
    loading_names_the_argument();
    questions_about_no_model_have_answers();
    bitmaps_name_the_argument();
    alignment_validates_landmarks();
    new_models_name_the_argument();

    blan_model *model = fixture_model(1);
    questions_about_a_model_have_bounds(model);
    images_are_validated(model);
    preprocessing_names_the_argument(model);
    prediction_names_the_argument(model);
    profiles_add_up(model);
    blan_model_free(model);
    return check_end();
}
