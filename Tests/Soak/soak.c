/* Eight clients do everything at once for a long time: predictions of good and bad images, faces, explanations, models
   and detectors loaded anew and put in the place of those in use, trainings and evaluations that are broken off. Once a
   second a line of figures is written; in the end the process must not have grown.

   Usage: soak SECONDS FIGURES.csv LATENCIES.csv       (scripts/soak.sh builds it, runs it and draws the figures) */
#define _GNU_SOURCE
#include "../C/check.h"
#include "../C/fixture.h"
#include "figures.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLIENTS = 8, PHOTOS = 12, MOST_FACES = 4, MOST_ATTRIBUTES = 64 };

/* What the process may hold more in the end than after the first third of the time, in MiB, both times while no call is
   running and after the allocator gave back what it could. Pools have grown to what eight clients need by then; what is
   left is the allocator's, in pieces between what is in use. */
static const double allowed_growth = 6;

/* Bytes from which a block is a mapping of its own. By default the allocator raises this to the largest block that was
   ever given back: large buffers then lie between small ones, and what it holds at rest varies by 30 MiB. */
enum { MAPPED_FROM = 128 * 1024 };

/* ---- what is in use ---- */

/* A model that is freed when nobody uses it any longer: in the place of the shared one may come another at any time. */
typedef struct shared_model {
    blan_model *model;
    int users;
} shared_model;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shared_model *current;
static blan_detector *detector;
static blan_explainer *explainer;
static blan_dataset *dataset;
static blan_bitmap *whole_photo, *face_photo;
static void *model_bytes;
static size_t model_length;
static const char model_path[] = "models/default.safetensors", detector_path[] = "models/mtcnn.safetensors";
static const char *broken_image;
static atomic_bool running = true;
/* A call holds it for reading, so that whoever has it for writing finds no call running. */
static pthread_rwlock_t calls_run = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static shared_model *take(void)
{
    pthread_mutex_lock(&lock);
    shared_model *taken = current;
    taken->users++;
    pthread_mutex_unlock(&lock);
    return taken;
}

static void give_back(shared_model *taken)
{
    pthread_mutex_lock(&lock);
    const bool is_last = --taken->users == 0;
    pthread_mutex_unlock(&lock);
    if (is_last) {
        blan_model_free(taken->model);
        free(taken);
    }
}

static shared_model *loaded(int32_t threads, bool from_memory)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = threads;
    shared_model *made = malloc(sizeof *made);
    *made = (shared_model){NULL, 1};
    if (from_memory)
        CHECK_OK(blan_model_load_memory(model_bytes, model_length, &options, &made->model));
    else
        CHECK_OK(blan_model_load(model_path, &options, &made->model));
    return made;
}

/* ---- what clients do: each function is one call or a few, timed together ---- */

static void predict_files(uint32_t random)
{
    const char *const paths[] = {"examples/data/astronaut.jpg", "Tests/Fixtures/images/rgb-16.png", broken_image,
                                 "/nowhere/missing.jpg", "Tests/Fixtures/images/cmyk.jpg"};
    const size_t count = 1 + random % 5;
    float probabilities[5 * MOST_ATTRIBUTES];
    blan_status statuses[5];
    shared_model *shared = take();
    CHECK_OK(blan_predict_files(shared->model, paths, count, NULL, probabilities, statuses));
    for (size_t i = 0; i < count; i++)
        CHECK(statuses[i] == (i == 2 ? BLAN_ERROR_FORMAT : i == 3 ? BLAN_ERROR_IO : BLAN_OK));
    give_back(shared);
}

static void predict_pixels(uint32_t random)
{
    blan_image image = blan_bitmap_image(face_photo);
    image.width -= (int32_t)(random % 40);
    image.height -= (int32_t)(random % 30);
    float probabilities[MOST_ATTRIBUTES];
    shared_model *shared = take();
    CHECK_OK(blan_predict_images(shared->model, &image, 1, NULL, probabilities));
    give_back(shared);
}

static void predict_faces(uint32_t random)
{
    blan_image image = blan_bitmap_image(whole_photo);
    image.width -= (int32_t)(random % 64);
    float probabilities[MOST_FACES * MOST_ATTRIBUTES];
    size_t count;
    shared_model *shared = take();
    CHECK_OK(blan_predict_faces(shared->model, detector, &image, NULL, NULL, NULL, probabilities, MOST_FACES, &count));
    CHECK(count >= 1);
    give_back(shared);
}

static void refuse_bad_input(uint32_t random)
{
    blan_bitmap *bitmap;
    blan_model *model;
    CHECK(blan_bitmap_load(broken_image, NULL, &bitmap) == BLAN_ERROR_FORMAT && bitmap == NULL);
    const size_t cut = model_length / 2 + random % 1000;
    CHECK(blan_model_load_memory(model_bytes, cut, NULL, &model) == BLAN_ERROR_FORMAT && model == NULL);
    CHECK(blan_model_load(broken_image, NULL, &model) == BLAN_ERROR_FORMAT && model == NULL);
}

static void reload_model(uint32_t random)
{
    shared_model *next = loaded(1 + (int32_t)(random % 2), random / 2 % 2 == 0);
    pthread_mutex_lock(&lock);
    shared_model *previous = current;
    current = next;
    pthread_mutex_unlock(&lock);
    give_back(previous);
}

static void load_detector(uint32_t random)
{
    (void)random;
    blan_detector *other;
    const blan_image image = blan_bitmap_image(face_photo);
    blan_face face;
    size_t count;
    CHECK_OK(blan_detector_load(detector_path, NULL, &other));
    CHECK_OK(blan_detect_faces(other, &image, NULL, &face, 1, &count));
    blan_detector_free(other);
}

static void explain(uint32_t random)
{
    const blan_image image = blan_bitmap_image(face_photo);
    const blan_explain_target target = {random % 40, (int32_t)(random % 6)};
    size_t cells = 0;
    for (int32_t level = 1; level <= 4; level++)
        cells += blan_explainer_map_size(explainer, level) * blan_explainer_map_size(explainer, level);
    float *maps = malloc(cells * sizeof *maps);
    CHECK_OK(blan_explain_gradcam(explainer, &image, &target, 1, NULL, maps));
    free(maps);
}

static int stop_after(int *calls)
{
    return --*calls <= 0;
}

static int stop_evaluation(size_t done, size_t count, void *user)
{
    (void)done, (void)count;
    return stop_after(user);
}

static int stop_training(const blan_progress *progress, void *user)
{
    (void)progress;
    return stop_after(user);
}

static void evaluate(uint32_t random)
{
    /* A third of the evaluations come to their end. */
    int calls = random % 3 == 0 ? PHOTOS + 1 : 1 + (int)(random % (PHOTOS / 3));
    blan_evaluate_options options = BLAN_EVALUATE_OPTIONS_INIT;
    options.batch = 2;
    options.resamples = 20;
    options.progress = stop_evaluation;
    options.user = &calls;
    blan_evaluation *evaluation;
    shared_model *shared = take();
    const blan_status status = blan_evaluate(shared->model, dataset, &options, &evaluation);
    CHECK(random % 3 == 0 ? status == BLAN_OK && evaluation != NULL : status == BLAN_ERROR_CANCELLED);
    blan_evaluation_free(evaluation);
    give_back(shared);
}

static void train(uint32_t random)
{
    const blan_network_options network = fixture_network(8, 2);
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &network;
    options.threads = 1 + (int32_t)(random % 2);
    options.seed = random;
    int calls = 1 + (int)(random % 4);
    blan_fit_options fit = BLAN_FIT_OPTIONS_INIT;
    fit.epochs = 2;
    fit.batch = 4;
    fit.workers = 2;
    fit.progress = stop_training;
    fit.user = &calls;
    blan_trainer *trainer;
    CHECK_OK(blan_trainer_create(&options, &trainer));
    CHECK(blan_trainer_fit(trainer, dataset, NULL, &fit) == BLAN_ERROR_CANCELLED);
    CHECK(blan_trainer_step_count(trainer) >= 1);
    blan_trainer_free(trainer);
}

/* Of a hundred calls, how many are of which kind. */
static const struct {
    const char *name;
    void (*call)(uint32_t random);
    unsigned share;
} kinds[KINDS] = {
    {"predict pixels", predict_pixels, 40},   {"predict files", predict_files, 25},
    {"predict faces", predict_faces, 8},      {"refuse bad input", refuse_bad_input, 8},
    {"reload the model", reload_model, 5},    {"load a detector", load_detector, 5},
    {"explain", explain, 4},                  {"evaluate, cancelled", evaluate, 3},
    {"train, cancelled", train, 2},
};

static void make_call(size_t kind, uint32_t random)
{
    pthread_rwlock_rdlock(&calls_run);
    const double started = seconds_now();
    kinds[kind].call(random);
    note_latency(kind, seconds_now() - started);
    pthread_rwlock_unlock(&calls_run);
}

/* First a call of every kind, by all clients at once: what calls keep for the next is then as large as it gets. */
static void *be_a_client(void *argument)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        make_call(kind, 4);
    uint32_t state = 2654435761u * (uint32_t)(size_t)argument;
    while (atomic_load(&running)) {
        state = state * 1664525u + 1013904223u;
        unsigned place = (state >> 16) % 100;
        size_t kind = 0;
        while (place >= kinds[kind].share)
            place -= kinds[kind++].share;
        make_call(kind, state >> 8);
    }
    return NULL;
}

/* MiB that the process holds while no call is running, with a model that was just loaded. */
static double resident_at_rest(void)
{
    pthread_rwlock_wrlock(&calls_run);
    reload_model(0);
    malloc_trim(0);
    const double resident = process_figures().resident;
    pthread_rwlock_unlock(&calls_run);
    return resident;
}

/* ---- the run ---- */

static void make_data(void)
{
    size_t length;
    void *photo = fixture_read("Tests/Fixtures/images/rgb.png", &length);
    broken_image = fixture_file("broken.png", photo, length / 2);
    CHECK_OK(blan_dataset_open(fixture_photos(photo, length, PHOTOS), NULL, &dataset));
    free(photo);
}

int main(int count, char **arguments)
{
    const double duration = count == 4 ? strtod(arguments[1], NULL) : 0;
    if (duration < 5) {
        fprintf(stderr, "usage: soak SECONDS FIGURES.csv LATENCIES.csv, of five seconds at least\n");
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
    const size_t handles_before = process_figures().handles;
    make_data();
    model_bytes = fixture_read(model_path, &model_length);
    CHECK_OK(blan_bitmap_load("Tests/Fixtures/faces/small.jpg", NULL, &whole_photo));
    CHECK_OK(blan_bitmap_load("examples/data/astronaut.jpg", NULL, &face_photo));
    CHECK_OK(blan_detector_load(detector_path, NULL, &detector));
    blan_load_options one_thread = BLAN_LOAD_OPTIONS_INIT;
    one_thread.threads = 1;
    CHECK_OK(blan_explainer_load(model_path, &one_thread, &explainer));
    current = loaded(1, false);

    pthread_t clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        CHECK(pthread_create(&clients[i], NULL, be_a_client, (void *)(i + 1)) == 0);
    watch(0, duration / 3, arguments[2]);
    const double early = resident_at_rest();
    watch(duration / 3, duration, arguments[2]);
    const double late = resident_at_rest();
    atomic_store(&running, false);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);

    give_back(current);
    blan_explainer_free(explainer);
    blan_detector_free(detector);
    blan_bitmap_free(face_photo);
    blan_bitmap_free(whole_photo);
    blan_dataset_free(dataset);
    free(model_bytes);
    for (size_t kind = 0; kind < KINDS; kind++)
        CHECK(write_latencies(arguments[3], kind, kinds[kind].name) > 0 || duration < 25);
    printf("Resident at rest: %.1f MiB after a third of the time, %.1f MiB in the end (%.1f more are allowed); "
           "file handles: %zu before, %zu after.\n",
           early, late, allowed_growth, handles_before, process_figures().handles);
    CHECK(late <= early + allowed_growth);
    CHECK(process_figures().handles == handles_before);
    return check_end();
}
