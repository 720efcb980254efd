/* All that threads share or that a call spreads over threads, at once: for ThreadSanitizer, though it runs without.
   Numbers are compared by other programs. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "images.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLERS = 4, ROUNDS = 3, IMAGES = 8, BATCH = 4, N = FIXTURE_ATTRIBUTES };

/* What all callers share. */
typedef struct shared {
    const blan_model *model;
    const blan_detector *detector;
    const blan_explainer *explainer;
    const blan_dataset *dataset;
    const blan_bitmap *photo;
} shared;

static void predict(const shared *self, const blan_image *photo)
{
    static const char *const paths[] = {"Tests/Fixtures/images/rgb.png", "/nowhere/x.png"};
    float probabilities[2 * N];
    size_t count = 0;
    CHECK_OK(blan_predict_images(self->model, photo, 1, NULL, probabilities));
    CHECK_OK(blan_predict_files(self->model, paths, 2, NULL, probabilities, NULL));
    CHECK_OK(blan_predict_faces(self->model, self->detector, photo, NULL, NULL, NULL, probabilities, 2, &count));
}

static void explain(const shared *self, const blan_image *photo)
{
    static const blan_explain_target target = {31, 0};
    float maps[16 * 16 + 8 * 8 + 4 * 4 + 2 * 2];
    CHECK_OK(blan_explain_gradcam(self->explainer, photo, &target, 1, NULL, maps));
    blan_occlusion_options options = BLAN_OCCLUSION_OPTIONS_INIT;
    options.patch = options.stride = FIXTURE_INPUT_SIZE / 2;
    CHECK_OK(blan_explain_occlusion(self->model, photo, &target, 1, &options, maps));
}

static void evaluate(const shared *self)
{
    blan_evaluation *evaluation;
    CHECK_OK(blan_evaluate(self->model, self->dataset, NULL, &evaluation));
    CHECK(blan_evaluation_json(evaluation) != NULL);
    blan_evaluation_free(evaluation);
}

static void *call_everything(void *argument)
{
    const shared *self = argument;
    blan_image photo = blan_bitmap_image(self->photo);
    for (int round = 0; round < ROUNDS; round++) {
        photo.width -= 16;
        predict(self, &photo);
        explain(self, &photo);
        evaluate(self);
    }
    return NULL;
}

static void *train(void *argument)
{
    const shared *self = argument;
    const blan_network_options network = fixture_network(4, 2);
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &network;
    options.threads = 3;
    options.average_decay = 0.5f;
    options.clip_norm = 1;
    blan_trainer *trainer;
    CHECK_OK(blan_trainer_create(&options, &trainer));
    blan_fit_options fit = BLAN_FIT_OPTIONS_INIT;
    fit.epochs = 2;
    fit.batch = BATCH;
    fit.workers = 3;
    fit.rotation = 10;
    fit.brightness = 0.2f;
    CHECK_OK(blan_trainer_fit(trainer, self->dataset, self->dataset, &fit));
    CHECK(blan_trainer_step_count(trainer) == 2 * IMAGES / BATCH);
    blan_trainer_free(trainer);
    return NULL;
}

int main(void)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 2;
    blan_detector *detector;
    blan_explainer *explainer;
    blan_dataset *dataset;
    blan_bitmap *photo;
    blan_model *model = fixture_model(2);
    CHECK_OK(blan_detector_load("models/mtcnn.safetensors", &options, &detector));
    CHECK_OK(blan_explainer_load(fixture_model_path(), &options, &explainer));
    CHECK_OK(blan_dataset_open(fixture_photos(png_file, sizeof png_file, IMAGES), NULL, &dataset));
    CHECK_OK(blan_bitmap_load("Tests/Fixtures/faces/small.jpg", NULL, &photo));
    shared self = {model, detector, explainer, dataset, photo};

    pthread_t callers[CALLERS], trainer;
    for (int i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&callers[i], NULL, call_everything, &self) == 0);
    CHECK(pthread_create(&trainer, NULL, train, &self) == 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    pthread_join(trainer, NULL);

    blan_bitmap_free(photo);
    blan_dataset_free(dataset);
    blan_explainer_free(explainer);
    blan_detector_free(detector);
    blan_model_free(model);
    return check_end();
}
