/* Eight threads that share one model get the very numbers that one thread gets alone; each has its own messages. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 25, MOST = 3, N = FIXTURE_ATTRIBUTES };

/* One caller: its own images, and what they gave when nobody else was calling. */
typedef struct caller {
    const blan_model *model;
    float *pixels;
    size_t batch;
    float expected[MOST * N], expected_scores[MOST * 5 * N * 2];
    size_t differing, failing;
    bool own_message;
    int number;
} caller;

static blan_status predict(const caller *self, float *probabilities, float *scores)
{
    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.scores = scores;
    return blan_predict_tensor(self->model, self->pixels, self->batch, &options, probabilities);
}

static void *call_repeatedly(void *argument)
{
    caller *self = argument;
    char path[64];
    snprintf(path, sizeof path, "/nowhere/model-of-caller-%d", self->number);
    blan_model *none;
    blan_model_load(path, NULL, &none);
    for (int round = 0; round < ROUNDS; round++) {
        float probabilities[MOST * N], scores[MOST * 5 * N * 2];
        self->failing += predict(self, probabilities, scores) != BLAN_OK;
        self->differing += memcmp(probabilities, self->expected, self->batch * N * sizeof(float)) != 0;
        self->differing += memcmp(scores, self->expected_scores, self->batch * 5 * N * 2 * sizeof(float)) != 0;
    }
    self->own_message = strstr(blan_last_error(), path) != NULL;
    return NULL;
}

static void callers_do_not_disturb_each_other(int32_t threads_per_call)
{
    blan_model *model = fixture_model(threads_per_call);
    static caller callers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (caller){.model = model, .batch = 1 + (size_t)i % MOST, .number = i};
        callers[i].pixels = fixture_floats(callers[i].batch * FIXTURE_IMAGE_FLOATS, (uint32_t)i);
        CHECK_OK(predict(&callers[i], callers[i].expected, callers[i].expected_scores));
    }
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, call_repeatedly, &callers[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(callers[i].failing == 0);
        CHECK(callers[i].differing == 0);
        CHECK(callers[i].own_message);
        free(callers[i].pixels);
    }
    blan_model_free(model);
}

static void the_thread_count_changes_no_number(void)
{
    float *pixels = fixture_floats(MOST * FIXTURE_IMAGE_FLOATS, 5);
    float first[MOST * N];
    const int32_t counts[] = {1, 2, 5};
    for (size_t i = 0; i < 3; i++) {
        blan_model *model = fixture_model(counts[i]);
        float probabilities[MOST * N];
        CHECK_OK(blan_predict_tensor(model, pixels, MOST, NULL, probabilities));
        if (i == 0)
            memcpy(first, probabilities, sizeof first);
        CHECK(memcmp(first, probabilities, sizeof first) == 0);
        blan_model_free(model);
    }
    free(pixels);
}

int main(void)
{
    callers_do_not_disturb_each_other(1);
    callers_do_not_disturb_each_other(2);
    the_thread_count_changes_no_number();
    return check_end();
}
