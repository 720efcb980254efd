/* Memory that runs out: each of the first thousand allocations of loading, decoding and predicting fails, some together
   with all that follow, and some of other calls. Every call then answers with a status, and once there is memory again, everything works. Each failure
   happens in a process of its own, so that a crash is seen and nothing is left over from the one before. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "heap.h"
#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The allocation that fails, counted from 1; 0 for none. The process has one thread. */
static size_t allocations, failing;
static bool all_that_follow;

static bool heap_grants(size_t size)
{
    (void)size;
    allocations++;
    return failing == 0 || (all_that_follow ? allocations < failing : allocations != failing);
}

/* How children end, besides the statuses. */
enum { CRASHED = 99, UNNOTICED = 100 };
enum { FIRST = 1000, SOME = 9, ATTRIBUTES = 3 };

static const char *model_path, *output_path, *png_path, *table_path;
static const char jpeg_path[] = "Tests/Fixtures/images/orientation-6.jpg";
static float pixels[2 * FIXTURE_IMAGE_FLOATS];
static blan_status (*scenario)(void);

/* What a failure is injected into. Returns the first status that is not BLAN_OK. */
static blan_status load_and_predict(void)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 1;
    blan_model *model;
    float probabilities[2 * ATTRIBUTES];
    blan_status status = blan_model_load(model_path, &options, &model);
    if (status != BLAN_OK)
        return model == NULL ? status : (blan_status)CRASHED;
    status = blan_predict_tensor(model, pixels, 1, NULL, probabilities);
    const char *const paths[] = {png_path, jpeg_path};
    blan_status statuses[2] = {BLAN_OK, BLAN_OK};
    if (status == BLAN_OK)
        status = blan_predict_files(model, paths, 2, NULL, probabilities, statuses);
    for (int i = 0; i < 2 && status == BLAN_OK; i++)
        status = statuses[i];
    blan_model_free(model);
    return status;
}

static blan_status find_faces(void)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 1;
    blan_detector *detector;
    blan_status status = blan_detector_load("models/mtcnn.safetensors", &options, &detector);
    if (status != BLAN_OK)
        return status;
    blan_bitmap *photo;
    status = blan_bitmap_load("Tests/Fixtures/faces/small.jpg", NULL, &photo);
    if (status == BLAN_OK) {
        const blan_image image = blan_bitmap_image(photo);
        size_t count;
        status = blan_detect_faces(detector, &image, NULL, NULL, 0, &count);
        blan_bitmap_free(photo);
    }
    blan_detector_free(detector);
    return status;
}

static blan_status train_a_step(void)
{
    const blan_network_options network = fixture_network(4, ATTRIBUTES);
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &network;
    options.threads = 1;
    blan_trainer *trainer;
    blan_status status = blan_trainer_create(&options, &trainer);
    if (status != BLAN_OK)
        return status;
    const int8_t labels[2 * ATTRIBUTES] = {1, -1, 1, -1, 0, 1};
    status = blan_trainer_step(trainer, pixels, labels, 2, NULL);
    if (status == BLAN_OK)
        status = blan_trainer_save(trainer, output_path);
    blan_trainer_free(trainer);
    return status;
}

static blan_status read_and_split_data(void)
{
    blan_dataset *dataset, *training, *validation;
    blan_status status = blan_dataset_open(table_path, NULL, &dataset);
    if (status != BLAN_OK)
        return status;
    status = blan_dataset_split(dataset, 0.5, 1, &training, &validation);
    if (status != BLAN_OK && (training != NULL || validation != NULL))
        return (blan_status)CRASHED;
    blan_dataset_free(training);
    blan_dataset_free(validation);
    blan_dataset_free(dataset);
    return status;
}

/* How a process ends: with what it exited, or the negative number of the signal. */
static int run_in_child(int (*run)(void))
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        _exit(run());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Exits with the status of the calls that the failure hit, or CRASHED where memory came back and they still fail. */
static int fail_then_recover(void)
{
    const size_t wanted = failing;
    allocations = 0;
    const blan_status status = scenario();
    const bool was_hit = allocations >= wanted;
    failing = 0;
    if (status != BLAN_OK && blan_last_error()[0] == '\0')
        return CRASHED;
    if (scenario() != BLAN_OK)
        return CRASHED;
    return was_hit && status == BLAN_OK ? UNNOTICED : status;
}

static int make_model(void)
{
    const blan_network_options network = fixture_network(4, ATTRIBUTES);
    return blan_model_init(model_path, &network);
}

/* Fails each `step`-th of the first thousand allocations of the calls, or of as many as they make. */
static void each_failure_is_an_error(const char *what, blan_status (*calls)(void), size_t step, bool following)
{
    size_t errors = 0, unnoticed = 0, crashes = 0;
    int end = BLAN_ERROR_OUT_OF_MEMORY;
    all_that_follow = following;
    scenario = calls;
    for (size_t number = 1; number <= FIRST && end != BLAN_OK && crashes < 10; number += step) {
        failing = number;
        end = run_in_child(fail_then_recover);
        failing = 0;
        errors += end == BLAN_ERROR_OUT_OF_MEMORY;
        unnoticed += end == UNNOTICED;
        if (!CHECK(end == BLAN_ERROR_OUT_OF_MEMORY || end == UNNOTICED || end == BLAN_OK)) {
            fprintf(stderr, "    %s: allocation %zu failed and the process ended with %d\n", what, number, end);
            crashes++;
        }
    }
    /* An allocation that nobody misses is a rare thing. */
    CHECK(errors > 10 && unnoticed < errors / 10);
}

int main(void)
{
    model_path = fixture_path("model.safetensors");
    output_path = fixture_path("checkpoint.safetensors");
    png_path = fixture_file("face.png", png_file, sizeof png_file);
    static const char table[] = "path,age,Smiling\na.png,old,1\nb.png,young,0\nc.png,,1\nd.png,old,0\n";
    table_path = fixture_file("faces.csv", table, sizeof table - 1);
    CHECK(run_in_child(make_model) == 0);

    each_failure_is_an_error("one of loading and predicting", load_and_predict, 1, false);
    each_failure_is_an_error("all from one on", load_and_predict, SOME, true);
    each_failure_is_an_error("one of finding faces", find_faces, SOME, false);
    each_failure_is_an_error("one of training", train_a_step, SOME, false);
    each_failure_is_an_error("one of reading data", read_and_split_data, SOME, false);
    /* The first calls of a process make what later ones find. */
    CHECK(load_and_predict() == BLAN_OK && read_and_split_data() == BLAN_OK && train_a_step() == BLAN_OK);
    each_failure_is_an_error("one of predicting in a warm process", load_and_predict, SOME, false);
    each_failure_is_an_error("all from one on in a warm process", load_and_predict, SOME, true);
    each_failure_is_an_error("one of training in a warm process", train_a_step, SOME, false);
    each_failure_is_an_error("all of reading data in a warm process", read_and_split_data, 1, true);
    return check_end();
}
