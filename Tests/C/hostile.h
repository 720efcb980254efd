/* Values that no caller should pass, for the program that Tests/C/hostile.py writes: it calls every function of the
   header with them. Each function's call asks for its arguments in turn; the plan of the round says which of them is
   bad, and in which way. */
#ifndef BLAN_TEST_HOSTILE_H
#define BLAN_TEST_HOSTILE_H

#include "check.h"
#include "fixture.h"
#include "images.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_GOOD = -1, AT_RANDOM = -2, SCRATCH_FLOATS = 1 << 20 };

/* The round: the argument that is bad (or ALL_GOOD, or AT_RANDOM), the variant of its badness, and the next argument;
   and how many variants the bad one has, as its call told. */
typedef struct plan {
    int bad, variant, next, variants;
    uint32_t random;
} plan;
static plan the_plan;

static uint32_t random_number(void)
{
    the_plan.random = the_plan.random * 1664525u + 1013904223u;
    return the_plan.random >> 8;
}

/* Which of `count` bad values the next argument has; -1 for its good one. */
static int next_badness(int count)
{
    const int argument = the_plan.next++;
    if (the_plan.bad == AT_RANDOM)
        return random_number() % 3 == 0 ? (int)(random_number() % (uint32_t)count) : -1;
    if (argument != the_plan.bad)
        return -1;
    the_plan.variants = count;
    return the_plan.variant % count;
}

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* A bad value of a list, by its number. */
#define PICK(type, name, ...)                                                                                          \
    static inline type bad_##name(int which)                                                                           \
    {                                                                                                                  \
        static const type values[] = {__VA_ARGS__};                                                                    \
        return values[which % COUNT_OF(values)];                                                                       \
    }

PICK(int32_t, int32, 0, -1, INT32_MIN, INT32_MAX, 12345)
PICK(int64_t, int64, 0, -1, INT64_MIN, INT64_MAX)
PICK(uint64_t, uint64, 0, 1, UINT64_MAX, (uint64_t)INT64_MAX + 1)
/* Lengths that lie: past the end of memory, or negative where they are taken for signed. Lengths that could be true
   cannot be told from true ones. */
PICK(size_t, size, 0, SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX - 1)
PICK(float, float, 0, NAN, INFINITY, -INFINITY, -1, FLT_MAX)
PICK(double, double, 0, NAN, INFINITY, -INFINITY, -1, DBL_MAX)
enum { BAD_NUMBERS = 6 };

static inline const char *bad_path(int which)
{
    static char endless[6000];
    memset(endless, 'x', sizeof endless - 1);
    const char *const values[] = {NULL, "", "/nowhere/x", "/", "\xff\xfe\x01", endless, fixture_path("")};
    return values[which % COUNT_OF(values)];
}
enum { BAD_PATHS = 7 };

static inline const char *const *bad_names(int which)
{
    static const char *const null[] = {NULL, NULL, NULL}, *const empty[] = {"", "", ""};
    static const char *const twice[] = {"Smiling", "Smiling", "Smiling"}, *const binary[] = {"\xff", "\xfe", "\n"};
    const char *const *const values[] = {NULL, null, empty, twice, binary};
    return values[which % COUNT_OF(values)];
}
enum { BAD_NAMES = 5 };

/* What struct_size may claim. The struct lies in a block of 8 KiB, all zero behind it but for the last case. */
static inline void bad_struct_size(void *options, size_t size, int which)
{
    const size_t sizes[] = {0, 1, 7, 8, size - 1, size + 8, 4096, 4097, SIZE_MAX, size + 8};
    memcpy(options, &sizes[which % COUNT_OF(sizes)], sizeof(size_t));
    if (which % COUNT_OF(sizes) == COUNT_OF(sizes) - 1)
        memset((char *)options + size, 0x5a, 8);
}
enum { BAD_STRUCT_SIZES = 10, OPTIONS_BLOCK = 8192 };

/* What the good calls work on. */
typedef struct handles {
    blan_model *model;
    blan_detector *detector;
    blan_explainer *explainer;
    blan_dataset *dataset;
    blan_trainer *trainer;
    blan_bitmap *bitmap;
    blan_evaluation *evaluation;
    blan_model_file *model_file;
} handles;
static handles good;

/* Files by their paths, and their bytes. */
static const char *model_path, *table_path, *image_path, *output_path;
static const char detector_path[] = "models/mtcnn.safetensors";
static void *model_bytes, *detector_bytes;
static size_t model_length, detector_length;

/* Numbers to read and room to write to, enough for every good call. */
static float scratch[SCRATCH_FLOATS];
static const int8_t no_labels[1024];
static const float good_landmarks[5][2] = {{8, 8}, {16, 8}, {12, 12}, {9, 16}, {15, 16}};

/* A status is one of the header's; an error has words; only a loss that is not finite is a defect; and the call with good
   arguments goes well or was cancelled, or else the bad ones would prove nothing. */
static inline void check_answer(blan_status status, bool may_be_internal, const char *function)
{
    const bool known = strcmp(blan_status_name(status), "unknown status") != 0;
    const bool fair = status != BLAN_ERROR_INTERNAL || may_be_internal;
    const bool good_answer = the_plan.bad != ALL_GOOD || status == BLAN_OK || status == BLAN_ERROR_CANCELLED;
    if (!CHECK(known && fair && good_answer && (status == BLAN_OK || blan_last_error()[0] != '\0')))
        fprintf(stderr, "    %s, argument %d, variant %d: %s \"%s\"\n", function, the_plan.bad, the_plan.variant,
                blan_status_name(status), blan_last_error());
}

/* A handle is there exactly when the call went well. */
static inline void check_handle(blan_status status, const void *handle, const char *function)
{
    if (!CHECK((status == BLAN_OK) == (handle != NULL)))
        fprintf(stderr, "    %s, argument %d, variant %d: %s\n", function, the_plan.bad, the_plan.variant,
                blan_status_name(status));
}

static inline void make_good_handles(void)
{
    const blan_network_options network = fixture_network(4, 3);
    model_path = fixture_path("model.safetensors");
    output_path = fixture_path("output.safetensors");
    CHECK_OK(blan_model_init(model_path, &network));
    model_bytes = fixture_read(model_path, &model_length);
    detector_bytes = fixture_read(detector_path, &detector_length);
    image_path = fixture_file("face.png", png_file, sizeof png_file);
    fixture_file("second.png", png_file, sizeof png_file);
    static const char table[] = "path,age,Smiling,Young\nface.png,old,1,0\nsecond.png,young,0,1\n";
    table_path = fixture_file("faces.csv", table, sizeof table - 1);

    blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
    load.threads = 1;
    blan_train_options train = BLAN_TRAIN_OPTIONS_INIT;
    train.network = &network;
    train.threads = 1;
    CHECK_OK(blan_model_load(model_path, &load, &good.model));
    CHECK_OK(blan_detector_load(detector_path, &load, &good.detector));
    CHECK_OK(blan_explainer_load(model_path, &load, &good.explainer));
    CHECK_OK(blan_dataset_open(table_path, NULL, &good.dataset));
    CHECK_OK(blan_trainer_create(&train, &good.trainer));
    CHECK_OK(blan_bitmap_decode(png_file, sizeof png_file, NULL, &good.bitmap));
    CHECK_OK(blan_evaluate(good.model, good.dataset, NULL, &good.evaluation));
    CHECK_OK(blan_model_file_open(model_path, &good.model_file));
}

static inline void free_good_handles(void)
{
    blan_model_file_free(good.model_file);
    blan_evaluation_free(good.evaluation);
    blan_bitmap_free(good.bitmap);
    blan_trainer_free(good.trainer);
    blan_dataset_free(good.dataset);
    blan_explainer_free(good.explainer);
    blan_detector_free(good.detector);
    blan_model_free(good.model);
    free(model_bytes);
    free(detector_bytes);
}

#endif
