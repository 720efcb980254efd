/* Evaluation and calibration: the report, what is skipped, stopping, the fitted model, and what is refused. */
#include "check.h"
#include "fixture.h"
#include "images.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = FIXTURE_ATTRIBUTES, IMAGES = 24, SMILING = 31, MALE = 20 };

/* A table of 24 pictures, two attributes that the model knows and one that it does not, and a column of groups. */
static const char *table(const char *name, const char *last)
{
    char text[4096], picture[16];
    int length = snprintf(text, sizeof text, "path,Smiling,Unheard_of,Male,site\n");
    for (int i = 0; i < IMAGES; i++) {
        snprintf(picture, sizeof picture, "%d.%s", i, i % 2 == 0 ? "png" : "jpg");
        if (i % 2 == 0)
            fixture_file(picture, png_file, sizeof png_file);
        else
            fixture_file(picture, jpeg_file, sizeof jpeg_file);
        length += snprintf(text + length, sizeof text - (size_t)length, "%s,%d,1,%d,%s\n",
                           i == IMAGES - 1 && last != NULL ? last : picture, i % 2, i % 3 == 0,
                           i < IMAGES / 2 ? "north" : "south");
    }
    return fixture_file(name, text, (size_t)length);
}

static blan_dataset *opened(const char *path)
{
    blan_dataset *data = NULL;
    CHECK_OK(blan_dataset_open(path, NULL, &data));
    return data;
}

static bool has(const char *json, const char *text)
{
    return json != NULL && strstr(json, text) != NULL;
}

typedef struct told {
    size_t calls, done, count, errors, index, stop_after;
} told;

static int note_progress(size_t done, size_t count, void *user)
{
    told *told = user;
    told->calls++;
    told->done = done;
    told->count = count;
    return told->stop_after > 0 && done >= told->stop_after;
}

static void note_error(void *user, size_t index, blan_status status, const char *message)
{
    told *told = user;
    told->errors++;
    told->index = index;
    CHECK(status == BLAN_ERROR_IO && has(message, "gone.png"));
}

static void the_report_holds_what_predictions_say(const blan_model *model, const blan_dataset *data)
{
    blan_evaluation *evaluation = NULL;
    CHECK_OK(blan_evaluate(model, data, NULL, &evaluation));
    CHECK(blan_evaluation_count(evaluation) == IMAGES && blan_evaluation_skipped(evaluation) == 0);
    const float *probabilities = blan_evaluation_probabilities(evaluation);
    const int8_t *labels = blan_evaluation_labels(evaluation);
    size_t right[2] = {0};
    for (size_t i = 0; i < IMAGES; i++) {
        const char *path = blan_dataset_path(data, i);
        float expected[N];
        CHECK_OK(blan_predict_files(model, &path, 1, NULL, expected, NULL));
        CHECK(memcmp(expected, probabilities + i * N, sizeof expected) == 0);
        CHECK(labels[i * N + SMILING] == (i % 2 ? 1 : -1) && labels[i * N + MALE] == (i % 3 ? -1 : 1));
        CHECK(labels[i * N] == 0);
        right[0] += (expected[SMILING] >= blan_model_threshold(model, SMILING)) == (i % 2 == 1);
        right[1] += (expected[MALE] >= blan_model_threshold(model, MALE)) == (i % 3 == 0);
    }
    CHECK(fabs(blan_evaluation_accuracy(evaluation) - (double)(right[0] + right[1]) / (2 * IMAGES)) < 1e-12);
    const char *json = blan_evaluation_json(evaluation);
    CHECK(has(json, "\"images\":24") && has(json, "\"Smiling\"") && has(json, "\"AC_4\"") && has(json, "\"groups\":[]"));
    CHECK(!has(json, "Unheard_of"));
    blan_evaluation_free(evaluation);
}

static void groups_intervals_and_the_training_majority(const blan_model *model, const blan_dataset *data)
{
    static const char *const groups[] = {"site", "Unheard_of", "Male,site"};
    blan_evaluate_options options = BLAN_EVALUATE_OPTIONS_INIT;
    options.groups = groups;
    options.group_count = 3;
    options.training = data;
    options.resamples = 20;
    blan_evaluation *evaluation = NULL, *again = NULL;
    CHECK_OK(blan_evaluate(model, data, &options, &evaluation));
    const char *json = blan_evaluation_json(evaluation);
    CHECK(has(json, "\"by\":[\"site\"]") && has(json, "[\"north\"]") && has(json, "\"by\":[\"Male\",\"site\"]"));
    CHECK(has(json, "[\"not Male\",\"south\"]") && has(json, "\"too_few\":true") && has(json, "\"resamples\":20"));
    CHECK(has(json, "\"training_majority\":0.5"));
    CHECK_OK(blan_evaluate(model, data, &options, &again));
    CHECK(strcmp(json, blan_evaluation_json(again)) == 0);
    blan_evaluation_free(again);
    options.seed = 1;
    CHECK_OK(blan_evaluate(model, data, &options, &again));
    CHECK(strcmp(json, blan_evaluation_json(again)) != 0);
    blan_evaluation_free(again);
    blan_evaluation_free(evaluation);
}

static void a_bad_image_ends_the_call_or_is_skipped(const blan_model *model)
{
    blan_dataset *data = opened(table("gone.csv", "gone.png"));
    blan_evaluation *evaluation = (blan_evaluation *)1;
    CHECK_REFUSED(blan_evaluate(model, data, NULL, &evaluation), BLAN_ERROR_IO, "gone.png");
    CHECK(evaluation == NULL);

    told told = {0};
    blan_evaluate_options options = BLAN_EVALUATE_OPTIONS_INIT;
    options.skip_unreadable = true;
    options.on_error = note_error;
    options.progress = note_progress;
    options.batch = 10;
    options.user = &told;
    CHECK_OK(blan_evaluate(model, data, &options, &evaluation));
    CHECK(told.errors == 1 && told.index == IMAGES - 1);
    CHECK(told.calls == 3 && told.done == IMAGES && told.count == IMAGES);
    CHECK(blan_evaluation_skipped(evaluation) == 1 && blan_evaluation_count(evaluation) == IMAGES);
    CHECK(isnan(blan_evaluation_probabilities(evaluation)[(IMAGES - 1) * N]));
    CHECK(has(blan_evaluation_json(evaluation), "\"images\":23"));
    CHECK(has(blan_evaluation_json(evaluation), "gone.png"));
    blan_evaluation_free(evaluation);

    blan_calibrate_options calibrate = BLAN_CALIBRATE_OPTIONS_INIT;
    const char *out = fixture_path("not-written.safetensors");
    CHECK_REFUSED(blan_calibrate(fixture_model_path(), data, NULL, out), BLAN_ERROR_IO, "gone.png");
    CHECK(access(out, F_OK) != 0);
    told.errors = 0;
    calibrate.skip_unreadable = true;
    calibrate.on_error = note_error;
    calibrate.user = &told;
    CHECK_OK(blan_calibrate(fixture_model_path(), data, &calibrate, out));
    CHECK(told.errors == 1 && access(out, F_OK) == 0);
    blan_dataset_free(data);
}

static void the_caller_may_stop(const blan_model *model, const blan_dataset *data)
{
    told told = {.stop_after = 8};
    blan_evaluate_options options = BLAN_EVALUATE_OPTIONS_INIT;
    options.progress = note_progress;
    options.batch = 4;
    options.user = &told;
    blan_evaluation *evaluation = (blan_evaluation *)1;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_CANCELLED, "8 of 24");
    CHECK(evaluation == NULL && told.calls == 2);

    blan_calibrate_options calibrate = BLAN_CALIBRATE_OPTIONS_INIT;
    calibrate.progress = note_progress;
    calibrate.batch = 4;
    calibrate.user = &told;
    const char *out = fixture_path("stopped.safetensors");
    CHECK_REFUSED(blan_calibrate(fixture_model_path(), data, &calibrate, out), BLAN_ERROR_CANCELLED, "8 of 24");
    CHECK(access(out, F_OK) != 0);
}

static void calibration_changes_what_it_fits(const blan_dataset *data)
{
    blan_calibrate_options options = BLAN_CALIBRATE_OPTIONS_INIT;
    options.minimum_labels = 1;
    options.objective = BLAN_OBJECTIVE_BALANCED_ACCURACY;
    const char *out = fixture_path("calibrated.safetensors");
    CHECK_OK(blan_calibrate(fixture_model_path(), data, &options, out));
    blan_model *before = fixture_model(1), *after = NULL;
    CHECK_OK(blan_model_load(out, NULL, &after));
    CHECK(strcmp(blan_model_config(before), blan_model_config(after)) != 0);
    CHECK(blan_model_threshold(after, 0) == 0.5f); /* no label of it in the data */

    blan_evaluation *first = NULL, *second = NULL;
    CHECK_OK(blan_evaluate(before, data, NULL, &first));
    CHECK_OK(blan_evaluate(after, data, NULL, &second));
    CHECK(blan_evaluation_accuracy(second) >= 0.5);
    /* A temperature moves probabilities but not past one half. */
    const float *old = blan_evaluation_probabilities(first), *new = blan_evaluation_probabilities(second);
    bool moved = false;
    for (size_t i = 0; i < IMAGES * N; i++) {
        CHECK((old[i] > 0.5f) == (new[i] > 0.5f));
        moved = moved || old[i] != new[i];
    }
    CHECK(moved);
    blan_evaluation_free(first);
    blan_evaluation_free(second);
    blan_model_free(before);
    blan_model_free(after);

    /* Fitting nothing copies; over itself too. */
    options.temperatures = options.thresholds = false;
    const char *copy = fixture_path("copy.safetensors");
    size_t length, copied;
    CHECK_OK(blan_calibrate(out, data, &options, copy));
    char *original = fixture_read(out, &length);
    CHECK_OK(blan_calibrate(copy, data, &options, copy));
    char *again = fixture_read(copy, &copied);
    CHECK(length == copied && memcmp(original, again, length) == 0);
    free(original);
    free(again);
}

static void wrong_arguments_are_refused(const blan_model *model, const blan_dataset *data)
{
    static const char *const unknown[] = {"Beard"};
    static const char other[] = "path,Beard\n0.png,1\n";
    blan_evaluation *evaluation = (blan_evaluation *)1;
    blan_evaluate_options options = BLAN_EVALUATE_OPTIONS_INIT;
    CHECK_REFUSED(blan_evaluate(NULL, data, NULL, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "model");
    CHECK(evaluation == NULL);
    CHECK_REFUSED(blan_evaluate(model, NULL, NULL, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "dataset");
    CHECK_REFUSED(blan_evaluate(model, data, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out");
    options.groups = unknown;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "group_count is 0");
    options.group_count = 1;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "Beard");
    options.groups = NULL;
    options.resamples = -1;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "resamples is -1");
    options.resamples = 0;
    options.batch = 0;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "batch is 0");
    options.struct_size = 1;
    CHECK_REFUSED(blan_evaluate(model, data, &options, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "struct_size");
    blan_dataset *strange = opened(fixture_file("other.csv", other, sizeof other - 1));
    CHECK_REFUSED(blan_evaluate(model, strange, NULL, &evaluation), BLAN_ERROR_INVALID_ARGUMENT, "none of the model");

    const char *path = fixture_model_path(), *out = fixture_path("never.safetensors");
    blan_calibrate_options calibrate = BLAN_CALIBRATE_OPTIONS_INIT;
    CHECK_REFUSED(blan_calibrate(NULL, data, NULL, out), BLAN_ERROR_INVALID_ARGUMENT, "model_path");
    CHECK_REFUSED(blan_calibrate(path, NULL, NULL, out), BLAN_ERROR_INVALID_ARGUMENT, "dataset");
    CHECK_REFUSED(blan_calibrate(path, data, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out_path");
    CHECK_REFUSED(blan_calibrate(path, strange, NULL, out), BLAN_ERROR_INVALID_ARGUMENT, "none of the model");
    CHECK_REFUSED(blan_calibrate(fixture_path("0.png"), data, NULL, out), BLAN_ERROR_FORMAT, "0.png");
    CHECK_REFUSED(blan_calibrate(path, data, NULL, fixture_path("no/where")), BLAN_ERROR_IO, "no/where");
    calibrate.objective = 3;
    CHECK_REFUSED(blan_calibrate(path, data, &calibrate, out), BLAN_ERROR_INVALID_ARGUMENT, "objective is 3");
    calibrate.objective = BLAN_OBJECTIVE_F1;
    calibrate.minimum_labels = 0;
    CHECK_REFUSED(blan_calibrate(path, data, &calibrate, out), BLAN_ERROR_INVALID_ARGUMENT, "minimum_labels is 0");
    calibrate.minimum_labels = 1;
    calibrate.threads = -1;
    CHECK_REFUSED(blan_calibrate(path, data, &calibrate, out), BLAN_ERROR_INVALID_ARGUMENT, "threads is -1");
    calibrate.struct_size = 1;
    CHECK_REFUSED(blan_calibrate(path, data, &calibrate, out), BLAN_ERROR_INVALID_ARGUMENT, "struct_size");
    CHECK(access(out, F_OK) != 0);
    blan_dataset_free(strange);

    CHECK(blan_evaluation_json(NULL) == NULL && blan_evaluation_count(NULL) == 0);
    CHECK(blan_evaluation_skipped(NULL) == 0 && isnan(blan_evaluation_accuracy(NULL)));
    CHECK(blan_evaluation_probabilities(NULL) == NULL && blan_evaluation_labels(NULL) == NULL);
    blan_evaluation_free(NULL);
}

int main(void)
{
    blan_model *model = fixture_model(2);
    blan_dataset *data = opened(table("table.csv", NULL));
    the_report_holds_what_predictions_say(model, data);
    groups_intervals_and_the_training_majority(model, data);
    a_bad_image_ends_the_call_or_is_skipped(model);
    the_caller_may_stop(model, data);
    calibration_changes_what_it_fits(data);
    wrong_arguments_are_refused(model, data);
    blan_dataset_free(data);
    blan_model_free(model);
    return check_end();
}
