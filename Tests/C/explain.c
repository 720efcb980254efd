/* Explaining predictions, with good and bad arguments. */
#include "check.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = FIXTURE_ATTRIBUTES, S = FIXTURE_INPUT_SIZE, MAPS = 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2, SIDE = 90 };

_Static_assert(sizeof(blan_explain_target) == 16 && offsetof(blan_explain_target, level) == 8,
               "blan_explain_target keeps its layout");
_Static_assert(offsetof(blan_occlusion_options, patch) == 8 && offsetof(blan_occlusion_options, stride) == 12 &&
                   offsetof(blan_occlusion_options, fill) == 16 && offsetof(blan_occlusion_options, color) == 20 &&
                   offsetof(blan_occlusion_options, values) == 32 &&
                   offsetof(blan_occlusion_options, progress) == 40 && offsetof(blan_occlusion_options, user) == 48,
               "blan_occlusion_options keeps its layout");
_Static_assert(offsetof(blan_gradcam_options, values) == 8 && offsetof(blan_gradcam_options, progress) == 16 &&
                   offsetof(blan_gradcam_options, user) == 24,
               "blan_gradcam_options keeps its layout");

static uint8_t data[SIDE * SIDE * 3];
static const blan_image image = {data, SIDE, SIDE, 0, BLAN_PIXEL_RGB8};
static const blan_explain_target smiling = {31, 0};

static int stop_at_once(size_t done, size_t count, void *user)
{
    *(size_t *)user = count;
    return done > 0;
}

static int count_calls(size_t done, size_t count, void *user)
{
    size_t *last = user;
    CHECK(done > *last && done <= count);
    *last = done;
    return 0;
}

static blan_explainer *load_explainer(void)
{
    blan_explainer *explainer = NULL;
    CHECK_OK(blan_explainer_load(fixture_model_path(), NULL, &explainer));
    return explainer;
}

static void explainers_load_from_files_and_memory(void)
{
    size_t length;
    char *bytes = fixture_read(fixture_model_path(), &length);
    blan_explainer *explainer = NULL;
    CHECK_OK(blan_explainer_load_memory(bytes, length, NULL, &explainer));
    static const size_t sides[] = {0, S / 4, S / 8, S / 16, S / 32, 0};
    for (int32_t level = 0; level < 6; level++)
        CHECK(blan_explainer_map_size(explainer, level) == sides[level]);
    CHECK(blan_explainer_map_size(explainer, INT32_MIN) == 0);

    blan_explainer *other = load_explainer();
    static float a[MAPS], b[MAPS];
    CHECK_OK(blan_explain_gradcam(explainer, &image, &smiling, 1, NULL, a));
    memset(bytes, 0, length);
    free(bytes);
    CHECK_OK(blan_explain_gradcam(other, &image, &smiling, 1, NULL, b));
    CHECK(memcmp(a, b, sizeof a) == 0);
    blan_explainer_free(explainer);
    blan_explainer_free(other);
}

static void loading_names_the_argument(void)
{
    blan_explainer *explainer = (blan_explainer *)1;
    CHECK_REFUSED(blan_explainer_load(NULL, NULL, &explainer), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK(explainer == NULL);
    CHECK_REFUSED(blan_explainer_load(fixture_model_path(), NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_explainer_load("/nowhere/x", NULL, &explainer), BLAN_ERROR_IO, "/nowhere/x");
    CHECK_REFUSED(blan_explainer_load_memory(NULL, 9, NULL, &explainer), BLAN_ERROR_INVALID_ARGUMENT, "bytes is NULL");
    CHECK_REFUSED(blan_explainer_load_memory("{}", SIZE_MAX, NULL, &explainer), BLAN_ERROR_FORMAT, "");
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = -1;
    CHECK_REFUSED(blan_explainer_load(fixture_model_path(), &options, &explainer), BLAN_ERROR_INVALID_ARGUMENT,
                  "threads is -1");
    CHECK(explainer == NULL);
    CHECK(blan_explainer_map_size(NULL, 1) == 0);
    CHECK(blan_occlusion_size(NULL, NULL) == 0);
    blan_explainer_free(NULL);
}

/* Both ways explain the number that prediction gives, and the parts of the decision add up to it. */
static void scores_are_those_of_prediction(const blan_model *model, const blan_explainer *explainer)
{
    static float probabilities[N], scores[5 * N * 2], logits[N * 2], maps[6 * MAPS], cells[6];
    blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
    predict.scores = scores, predict.logits = logits;
    CHECK_OK(blan_predict_images(model, &image, 1, &predict, probabilities));
    blan_explain_target targets[6];
    float gradcam_values[6], occlusion_values[6];
    for (int level = 0; level < 6; level++)
        targets[level] = (blan_explain_target){31, level};
    size_t done = 0;
    blan_gradcam_options gradcam = BLAN_GRADCAM_OPTIONS_INIT;
    gradcam.values = gradcam_values, gradcam.progress = count_calls, gradcam.user = &done;
    CHECK_OK(blan_explain_gradcam(explainer, &image, targets, 6, &gradcam, maps));
    CHECK(done == 6);
    blan_occlusion_options occlusion = BLAN_OCCLUSION_OPTIONS_INIT;
    occlusion.values = occlusion_values, occlusion.patch = S, occlusion.stride = S;
    CHECK(blan_occlusion_size(model, &occlusion) == 1);
    CHECK_OK(blan_explain_occlusion(model, &image, targets, 6, &occlusion, cells));
    for (int level = 0; level < 6; level++) {
        const float *pair = level == 0 ? logits + 2 * 31 : scores + ((level - 1) * N + 31) * 2;
        CHECK(occlusion_values[level] == pair[1] - pair[0]);
        CHECK(fabsf(gradcam_values[level] - occlusion_values[level]) < 1e-4f * (1 + fabsf(occlusion_values[level])));
        CHECK(cells[level] != 0);
    }
    for (int i = 0; i < MAPS; i++) { /* maps are linear in the score: s_5 is the sum of s_1 to s_4 */
        float sum = 0;
        for (int level = 1; level < 5; level++)
            sum += maps[level * MAPS + i];
        CHECK(fabsf(sum - maps[5 * MAPS + i]) < 1e-5f + 1e-3f * fabsf(sum));
    }
}

static void occlusion_has_its_size_and_stops(const blan_model *model)
{
    blan_occlusion_options options = BLAN_OCCLUSION_OPTIONS_INIT;
    CHECK(blan_occlusion_size(model, NULL) == 15 && blan_occlusion_size(model, &options) == 15);
    options.patch = 20, options.stride = 13;
    CHECK(blan_occlusion_size(model, &options) == 5);
    options.stride = 21;
    CHECK(blan_occlusion_size(model, &options) == 0);

    static float maps[15 * 15 + 1];
    maps[15 * 15] = -7;
    size_t count = 0;
    blan_occlusion_options watched = BLAN_OCCLUSION_OPTIONS_INIT;
    watched.progress = count_calls, watched.user = &count;
    CHECK_OK(blan_explain_occlusion(model, &image, &smiling, 1, &watched, maps));
    CHECK(count == 15 * 15 && maps[15 * 15] == -7);
    watched.progress = stop_at_once;
    CHECK_REFUSED(blan_explain_occlusion(model, &image, &smiling, 1, &watched, maps), BLAN_ERROR_CANCELLED, "of 225");
    CHECK(count == 225);
    watched.struct_size = offsetof(blan_occlusion_options, fill); /* of an older caller: the rest is not looked at */
    watched.fill = 99;
    CHECK_OK(blan_explain_occlusion(model, &image, &smiling, 1, &watched, maps));
}

static void options_are_validated(const blan_model *model)
{
    static const struct {
        blan_occlusion_options options;
        const char *text;
    } wrong[] = {
        {{sizeof(blan_occlusion_options), 65, 0, 0, {0}, NULL, NULL, NULL}, "patch is 65; expected 1 to 64"},
        {{sizeof(blan_occlusion_options), -1, 0, 0, {0}, NULL, NULL, NULL}, "patch is -1"},
        {{sizeof(blan_occlusion_options), 8, 9, 0, {0}, NULL, NULL, NULL}, "stride is 9; expected 1 to 8"},
        {{sizeof(blan_occlusion_options), 8, -2, 0, {0}, NULL, NULL, NULL}, "stride is -2"},
        {{sizeof(blan_occlusion_options), 0, 0, 3, {0}, NULL, NULL, NULL}, "fill is 3"},
        {{sizeof(blan_occlusion_options), 0, 0, BLAN_FILL_COLOR, {0, 0, 1.5f}, NULL, NULL, NULL}, "color"},
        {{sizeof(blan_occlusion_options), 0, 0, BLAN_FILL_COLOR, {NAN, 0, 0}, NULL, NULL, NULL}, "color"},
        {{1, 0, 0, 0, {0}, NULL, NULL, NULL}, "struct_size"},
    };
    float maps[1];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_REFUSED(blan_explain_occlusion(model, &image, &smiling, 1, &wrong[i].options, maps),
                      BLAN_ERROR_INVALID_ARGUMENT, wrong[i].text);
        CHECK(blan_occlusion_size(model, &wrong[i].options) == 0);
    }
}

static void arguments_are_named(const blan_model *model, const blan_explainer *explainer)
{
    const blan_status invalid = BLAN_ERROR_INVALID_ARGUMENT;
    static float maps[15 * 15 + 2 * MAPS];
    blan_image bad = image;
    bad.data = NULL;
    static const struct {
        blan_explain_target targets[2];
        const char *text;
    } wrong[] = {
        {{{N - 1, 0}, {N, 0}}, "targets[1].attribute is 40; the model has 40 attributes"},
        {{{SIZE_MAX, 0}, {0, 0}}, "targets[0].attribute"},
        {{{0, 6}, {0, 0}}, "targets[0].level is 6"},
        {{{0, 5}, {0, -1}}, "targets[1].level is -1"},
    };
    CHECK_REFUSED(blan_explain_occlusion(NULL, &image, &smiling, 1, NULL, maps), invalid, "model is NULL");
    CHECK_REFUSED(blan_explain_occlusion(model, NULL, &smiling, 1, NULL, maps), invalid, "image is NULL");
    CHECK_REFUSED(blan_explain_occlusion(model, &bad, &smiling, 1, NULL, maps), invalid, "NULL");
    CHECK_REFUSED(blan_explain_occlusion(model, &image, NULL, 1, NULL, maps), invalid, "targets is NULL");
    CHECK_REFUSED(blan_explain_occlusion(model, &image, &smiling, 0, NULL, maps), invalid, "count is 0");
    CHECK_REFUSED(blan_explain_occlusion(model, &image, &smiling, SIZE_MAX, NULL, maps), invalid, "count is");
    CHECK_REFUSED(blan_explain_occlusion(model, &image, &smiling, 1, NULL, NULL), invalid, "maps is NULL");
    CHECK_REFUSED(blan_explain_gradcam(NULL, &image, &smiling, 1, NULL, maps), invalid, "explainer is NULL");
    CHECK_REFUSED(blan_explain_gradcam(explainer, NULL, &smiling, 1, NULL, maps), invalid, "image is NULL");
    CHECK_REFUSED(blan_explain_gradcam(explainer, &bad, &smiling, 1, NULL, maps), invalid, "NULL");
    CHECK_REFUSED(blan_explain_gradcam(explainer, &image, NULL, 1, NULL, maps), invalid, "targets is NULL");
    CHECK_REFUSED(blan_explain_gradcam(explainer, &image, &smiling, 0, NULL, maps), invalid, "count is 0");
    CHECK_REFUSED(blan_explain_gradcam(explainer, &image, &smiling, 1, NULL, NULL), invalid, "maps is NULL");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_REFUSED(blan_explain_occlusion(model, &image, wrong[i].targets, 2, NULL, maps), invalid, wrong[i].text);
        CHECK_REFUSED(blan_explain_gradcam(explainer, &image, wrong[i].targets, 2, NULL, maps), invalid, wrong[i].text);
    }
    size_t count = 0;
    blan_gradcam_options options = BLAN_GRADCAM_OPTIONS_INIT;
    options.progress = stop_at_once, options.user = &count;
    CHECK_REFUSED(blan_explain_gradcam(explainer, &image, &smiling, 1, &options, maps), BLAN_ERROR_CANCELLED, "1 of 1");
    options.struct_size = 3;
    CHECK_REFUSED(blan_explain_gradcam(explainer, &image, &smiling, 1, &options, maps), invalid, "struct_size");
}

int main(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    blan_model *model = fixture_model(2);
    blan_explainer *explainer = load_explainer();
    explainers_load_from_files_and_memory();
    loading_names_the_argument();
    scores_are_those_of_prediction(model, explainer);
    occlusion_has_its_size_and_stops(model);
    options_are_validated(model);
    arguments_are_named(model, explainer);
    blan_explainer_free(explainer);
    blan_model_free(model);
    return check_end();
}
