/* The library starts no thread before it works, works on no more than it was told, and rests when it is done. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "self.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static atomic_bool watching;
static atomic_size_t most_threads;

/* Notes the largest number of threads there are while calls are running. */
static void *watch(void *unused)
{
    (void)unused;
    while (atomic_load(&watching)) {
        const size_t count = self_threads();
        if (count > atomic_load(&most_threads))
            atomic_store(&most_threads, count);
    }
    return NULL;
}

/* Predicts over and over with `threads` threads. */
static void predict_repeatedly(int32_t threads, const float *pixels)
{
    blan_model *model = fixture_model(threads);
    float probabilities[8 * FIXTURE_ATTRIBUTES];
    for (size_t i = 0; i < 50; i++)
        CHECK_OK(blan_predict_tensor(model, pixels, 1 + i % 8, NULL, probabilities));
    blan_model_free(model);
}

static void work_stays_within(int32_t threads, const float *pixels)
{
    atomic_store(&watching, true);
    atomic_store(&most_threads, 0);
    pthread_t watcher;
    pthread_create(&watcher, NULL, watch, NULL);
    predict_repeatedly(threads, pixels);
    atomic_store(&watching, false);
    pthread_join(watcher, NULL);
    /* One of them is the watcher. */
    CHECK(atomic_load(&most_threads) >= 2);
    CHECK(atomic_load(&most_threads) <= (size_t)threads + 1);
}

static void one_thread_costs_one_core(const float *pixels)
{
    const double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    predict_repeatedly(1, pixels);
    CHECK(seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu <= 1.05 * (seconds(CLOCK_MONOTONIC) - wall) + 0.01);
}

static void workers_rest_between_calls(const float *pixels)
{
    predict_repeatedly(2, pixels);
    const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    nanosleep(&(struct timespec){.tv_nsec = 400 * 1000 * 1000}, NULL);
    CHECK(seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu < 0.04);
}

int main(void)
{
    CHECK(self_threads() == 1);
    CHECK(blan_default_threads() >= 1 && strlen(blan_openmp_runtime()) > 0 && strlen(blan_instruction_set()) > 0);
    float *pixels = fixture_floats(8 * FIXTURE_IMAGE_FLOATS, 2);
    fixture_model_path();
    CHECK(self_threads() == 1);

    one_thread_costs_one_core(pixels);
    CHECK(self_threads() == 1);
    work_stays_within(1, pixels);
    work_stays_within(2, pixels);
    work_stays_within(3, pixels);
    workers_rest_between_calls(pixels);
    free(pixels);
    return check_end();
}
