/* Predicting from files and encoded images: a bad one costs its own rows, the others come as if it were not there. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = FIXTURE_ATTRIBUTES, SCORES = 5 * N * 2, LOGITS = N * 2, EMBEDDINGS = 4 * 128, ATTENTION = 16 * 16 + 8 * 8 + 4 * 4 };

/* Everything that a prediction of three items can write. */
typedef struct outputs {
    float probabilities[3 * N], scores[3 * SCORES], logits[3 * LOGITS], embeddings[3 * EMBEDDINGS],
        attention[3 * ATTENTION];
} outputs;

static blan_predict_options all_of(outputs *results)
{
    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.scores = results->scores;
    options.logits = results->logits;
    options.embeddings = results->embeddings;
    options.attention = results->attention;
    return options;
}

static bool all_nan(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            return false;
    return true;
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static void item_is_nan(const outputs *results, size_t item)
{
    CHECK(all_nan(results->probabilities + item * N, N));
    CHECK(all_nan(results->scores + item * SCORES, SCORES));
    CHECK(all_nan(results->logits + item * LOGITS, LOGITS));
    CHECK(all_nan(results->embeddings + item * EMBEDDINGS, EMBEDDINGS));
    CHECK(all_nan(results->attention + item * ATTENTION, ATTENTION));
}

static void item_is_whole(const outputs *results, size_t item)
{
    CHECK(all_finite(results->probabilities + item * N, N));
    CHECK(all_finite(results->scores + item * SCORES, SCORES));
    CHECK(all_finite(results->logits + item * LOGITS, LOGITS));
    CHECK(all_finite(results->embeddings + item * EMBEDDINGS, EMBEDDINGS));
    CHECK(all_finite(results->attention + item * ATTENTION, ATTENTION));
    for (size_t i = 0; i < N; i++)
        CHECK(results->probabilities[item * N + i] >= 0 && results->probabilities[item * N + i] <= 1);
    for (size_t i = 0; i < ATTENTION; i++)
        CHECK(results->attention[item * ATTENTION + i] >= 0 && results->attention[item * ATTENTION + i] <= 1);
}

/* What on_error is told. */
typedef struct complaint {
    size_t calls, index;
    blan_status status;
    char message[512];
} complaint;

static void take_down(void *user, size_t index, blan_status status, const char *message)
{
    complaint *last = user;
    last->calls++;
    last->index = index;
    last->status = status;
    strncpy(last->message, message, sizeof last->message - 1);
}

static void a_bad_file_costs_its_own_row(const blan_model *model)
{
    const char *const paths[] = {fixture_file("face.png", png_file, sizeof png_file), "/nowhere/missing.jpg",
                                 fixture_file("face.jpg", jpeg_file, sizeof jpeg_file)};
    outputs results;
    blan_status statuses[3] = {-1, -1, -1};
    complaint complained = {0};
    blan_predict_options options = all_of(&results);
    options.on_error = take_down;
    options.user = &complained;
    CHECK_OK(blan_predict_files(model, paths, 3, &options, results.probabilities, statuses));
    CHECK(statuses[0] == BLAN_OK && statuses[1] == BLAN_ERROR_IO && statuses[2] == BLAN_OK);
    item_is_whole(&results, 0);
    item_is_nan(&results, 1);
    item_is_whole(&results, 2);
    CHECK(complained.calls == 1 && complained.index == 1 && complained.status == BLAN_ERROR_IO);
    CHECK(strstr(complained.message, "/nowhere/missing.jpg") != NULL);
    CHECK(strstr(blan_last_error(), "/nowhere/missing.jpg") != NULL);

    float alone[N];
    CHECK_OK(blan_predict_files(model, &paths[2], 1, NULL, alone, NULL));
    for (size_t i = 0; i < N; i++)
        CHECK(fabsf(alone[i] - results.probabilities[2 * N + i]) <= 1e-6f);
}

static void every_kind_of_bad_file_has_its_status(const blan_model *model)
{
    const char *const paths[] = {fixture_file("cut.png", png_file, sizeof png_file / 2),
                                 fixture_file("text.jpg", "no image", 8), NULL};
    float probabilities[3 * N];
    blan_status statuses[3];
    CHECK_OK(blan_predict_files(model, paths, 3, NULL, probabilities, statuses));
    CHECK(statuses[0] == BLAN_ERROR_FORMAT);
    CHECK(statuses[1] == BLAN_ERROR_UNSUPPORTED);
    CHECK(statuses[2] == BLAN_ERROR_INVALID_ARGUMENT);
    CHECK(all_nan(probabilities, 3 * N));
    CHECK(strstr(blan_last_error(), "paths[2] is NULL") != NULL);

    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.maximum_pixels = PNG_WIDTH * PNG_HEIGHT - 1;
    const char *large = fixture_file("face.png", png_file, sizeof png_file);
    CHECK_OK(blan_predict_files(model, &large, 1, &options, probabilities, statuses));
    CHECK(statuses[0] == BLAN_ERROR_INVALID_ARGUMENT && all_nan(probabilities, N));
}

static void bytes_give_what_files_give(const blan_model *model)
{
    const void *const bytes[] = {png_file, "broken", jpeg_file};
    const size_t lengths[] = {sizeof png_file, 6, sizeof jpeg_file};
    const char *const paths[] = {fixture_file("face.png", png_file, sizeof png_file), "/nowhere/missing.jpg",
                                 fixture_file("face.jpg", jpeg_file, sizeof jpeg_file)};
    float from_bytes[3 * N], from_files[3 * N];
    blan_status statuses[3];
    CHECK_OK(blan_predict_encoded(model, bytes, lengths, 3, NULL, from_bytes, statuses));
    CHECK(statuses[0] == BLAN_OK && statuses[1] == BLAN_ERROR_UNSUPPORTED && statuses[2] == BLAN_OK);
    CHECK_OK(blan_predict_files(model, paths, 3, NULL, from_files, NULL));
    CHECK(memcmp(from_bytes, from_files, N * sizeof(float)) == 0);
    CHECK(all_nan(from_bytes + N, N));
    CHECK(memcmp(from_bytes + 2 * N, from_files + 2 * N, N * sizeof(float)) == 0);
}

static void the_steps_give_what_the_call_gives(const blan_model *model)
{
    blan_bitmap *bitmap;
    CHECK_OK(blan_bitmap_decode(png_file, sizeof png_file, NULL, &bitmap));
    const blan_image image = blan_bitmap_image(bitmap);
    CHECK(image.width == PNG_WIDTH && image.height == PNG_HEIGHT && image.format == BLAN_PIXEL_RGB8);
    const uint8_t *pixel = image.data + 7 * image.row_stride + 3 * 9;
    CHECK(pixel[0] == 90 && pixel[1] == 84 && pixel[2] == 80);

    float pixels[FIXTURE_IMAGE_FLOATS], by_steps[N], by_image[N], by_file[N];
    CHECK_OK(blan_preprocess(model, &image, pixels));
    CHECK_OK(blan_predict_tensor(model, pixels, 1, NULL, by_steps));
    CHECK_OK(blan_predict_images(model, &image, 1, NULL, by_image));
    const char *path = fixture_file("face.png", png_file, sizeof png_file);
    CHECK_OK(blan_predict_files(model, &path, 1, NULL, by_file, NULL));
    CHECK(memcmp(by_steps, by_image, sizeof by_steps) == 0);
    CHECK(memcmp(by_steps, by_file, sizeof by_steps) == 0);
    blan_bitmap_free(bitmap);
}

static void pixel_formats_and_strides_agree(const blan_model *model)
{
    enum { W = PNG_WIDTH, H = PNG_HEIGHT, PADDED = 4 * W + 13 };
    blan_bitmap *bitmap;
    CHECK_OK(blan_bitmap_decode(png_file, sizeof png_file, NULL, &bitmap));
    const blan_image rgb = blan_bitmap_image(bitmap);
    static uint8_t bgr[H * W * 3], rgba[H * PADDED], flipped_bgra[H * W * 4];
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++)
            for (size_t c = 0; c < 3; c++) {
                const uint8_t value = rgb.data[(y * W + x) * 3 + c];
                bgr[(y * W + x) * 3 + 2 - c] = value;
                rgba[y * PADDED + x * 4 + c] = value;
                flipped_bgra[((H - 1 - y) * W + x) * 4 + 2 - c] = value;
            }
    const blan_image images[] = {rgb,
                                 {bgr, W, H, W * 3, BLAN_PIXEL_BGR8},
                                 {rgba, W, H, PADDED, BLAN_PIXEL_RGBA8},
                                 {flipped_bgra + (H - 1) * W * 4, W, H, -W * 4, BLAN_PIXEL_BGRA8}};
    float probabilities[4 * N];
    CHECK_OK(blan_predict_images(model, images, 4, NULL, probabilities));
    for (size_t i = 1; i < 4; i++)
        CHECK(memcmp(probabilities, probabilities + i * N, N * sizeof(float)) == 0);
    blan_bitmap_free(bitmap);
}

static void a_bad_image_leaves_the_results_alone(const blan_model *model)
{
    static const uint8_t data[3 * 4 * 4];
    const blan_image images[] = {{data, 4, 4, 0, BLAN_PIXEL_RGB8}, {data, 4, 4, 5, BLAN_PIXEL_RGB8}};
    float probabilities[2 * N];
    memset(probabilities, 0x5a, sizeof probabilities);
    float before[2 * N];
    memcpy(before, probabilities, sizeof before);
    CHECK_REFUSED(blan_predict_images(model, images, 2, NULL, probabilities), BLAN_ERROR_SHAPE, "images[1]");
    CHECK(memcmp(before, probabilities, sizeof before) == 0);
}

static void aligned_faces_have_celeba_frame(void)
{
    static const float template[5][2] = {{69.4f, 111.2f}, {107.6f, 111.1f}, {88.1f, 135.0f}, {71.2f, 152.0f},
                                         {105.5f, 152.2f}};
    static uint8_t data[BLAN_ALIGNED_WIDTH * BLAN_ALIGNED_HEIGHT];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i % 251);
    const blan_image image = {data, BLAN_ALIGNED_WIDTH, BLAN_ALIGNED_HEIGHT, 0, BLAN_PIXEL_GRAY8};
    blan_bitmap *aligned;
    CHECK_OK(blan_align_face(&image, template, &aligned));
    const blan_image out = blan_bitmap_image(aligned);
    CHECK(out.width == BLAN_ALIGNED_WIDTH && out.height == BLAN_ALIGNED_HEIGHT && out.format == BLAN_PIXEL_RGB8);
    /* Landmarks that are in place already: nothing moves. */
    size_t moved = 0;
    for (int32_t y = 1; y < out.height - 1; y++)
        for (int32_t x = 1; x < out.width - 1; x++)
            moved += abs(out.data[y * out.row_stride + 3 * x] - data[y * BLAN_ALIGNED_WIDTH + x]) > 1;
    CHECK(moved == 0);
    blan_bitmap_free(aligned);
}

static void names_of_files_need_not_be_utf8(const blan_model *model)
{
    const char *path = fixture_file("caf\xe9.png", png_file, sizeof png_file);
    float probabilities[N];
    blan_status status;
    CHECK_OK(blan_predict_files(model, &path, 1, NULL, probabilities, &status));
    CHECK(status == BLAN_OK && all_finite(probabilities, N));
}

int main(void)
{
    blan_model *model = fixture_model(2);
    a_bad_file_costs_its_own_row(model);
    every_kind_of_bad_file_has_its_status(model);
    bytes_give_what_files_give(model);
    the_steps_give_what_the_call_gives(model);
    pixel_formats_and_strides_agree(model);
    a_bad_image_leaves_the_results_alone(model);
    aligned_faces_have_celeba_frame();
    names_of_files_need_not_be_utf8(model);
    blan_model_free(model);
    return check_end();
}
