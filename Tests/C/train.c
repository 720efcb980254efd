/* Training through the C API: what is refused, a step, an overfit to zero errors, checkpoints and models of it. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "images.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SIZE = 64, BATCH = 64, ATTRIBUTES = 4, FLOATS = 3 * SIZE * SIZE };

static const char *const names[ATTRIBUTES] = {"bright", "striped", "Smiling", "odd"};

static blan_network_options network(void)
{
    blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
    network.input_size = SIZE;
    network.width = 8;
    network.attributes = names;
    network.attribute_count = ATTRIBUTES;
    return network;
}

static blan_trainer *created(const blan_train_options *options)
{
    blan_trainer *trainer = NULL;
    CHECK_OK(blan_trainer_create(options, &trainer));
    return trainer;
}

/* Noise, with labels that have nothing to do with it: they can only be learnt by heart. */
static int8_t *random_labels(size_t count)
{
    int8_t *labels = malloc(count);
    float *noise = fixture_floats(count, 77);
    for (size_t i = 0; labels != NULL && i < count; i++)
        labels[i] = noise[i] > 0 ? 1 : -1;
    free(noise);
    return labels;
}

/* ---- what is refused ---- */

static void bad_options_are_refused(void)
{
    blan_trainer *trainer = (blan_trainer *)1;
    CHECK_REFUSED(blan_trainer_create(NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out");
    blan_network_options net = network();
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &net;
#define REFUSED(field, value, text)                                                                                    \
    do {                                                                                                               \
        blan_train_options bad = options;                                                                              \
        bad.field = (value);                                                                                           \
        CHECK_REFUSED(blan_trainer_create(&bad, &trainer), BLAN_ERROR_INVALID_ARGUMENT, text);                         \
        CHECK(trainer == NULL);                                                                                        \
    } while (0)
    REFUSED(alpha, -1, "alpha");
    REFUSED(beta, NAN, "beta");
    REFUSED(gamma, INFINITY, "gamma");
    REFUSED(dropout, 1, "dropout");
    REFUSED(label_smoothing, 0.5f, "label_smoothing");
    REFUSED(learning_rate, NAN, "learning_rate");
    REFUSED(beta1, 1, "beta1");
    REFUSED(epsilon, 0, "epsilon");
    REFUSED(clip_norm, -1, "clip_norm");
    REFUSED(average_decay, 1, "average_decay");
    REFUSED(schedule, 3, "schedule");
    REFUSED(final_rate, 2, "final_rate");
    REFUSED(warmup_steps, -1, "warmup_steps");
    REFUSED(total_steps, INT64_MIN, "total_steps");
    REFUSED(accumulate, 0, "accumulate");
    REFUSED(freeze, "encoders", "encoders");
    REFUSED(statistics, -1, "statistics");
    REFUSED(threads, -1, "threads");
    REFUSED(struct_size, 3, "struct_size");
    REFUSED(attributes, names, "attribute");
    REFUSED(start, fixture_model_path(), "network");
    static const float weights[ATTRIBUTES] = {1, 1, -1, 1};
    REFUSED(positive_weights, weights, "positive_weights[2]");
#undef REFUSED
    options.network = NULL;
    options.start = "/nowhere.safetensors";
    CHECK_REFUSED(blan_trainer_create(&options, &trainer), BLAN_ERROR_IO, "/nowhere.safetensors");
    options.start = fixture_file("text.safetensors", "no model", 8);
    CHECK_REFUSED(blan_trainer_create(&options, &trainer), BLAN_ERROR_FORMAT, "text.safetensors");
}

static void bad_calls_are_refused(void)
{
    blan_network_options net = network();
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &net;
    options.threads = 1;
    blan_trainer *trainer = created(&options);
    float *pixels = fixture_floats(2 * FLOATS, 5), value[1];
    int8_t labels[2 * ATTRIBUTES] = {1, -1, 0, 1, -1, -1, 1, 1};
    CHECK_REFUSED(blan_trainer_gradient(trainer, "fusion.weight", value, 1), BLAN_ERROR_SHAPE, "fusion.weight");
    CHECK_REFUSED(blan_trainer_gradient(trainer, "encoder.bn1.running_mean", value, 8), BLAN_ERROR_INVALID_ARGUMENT,
                  "running_mean");
    CHECK_REFUSED(blan_trainer_gradient(trainer, "lmim.0.conv3.bias", value, 1), BLAN_ERROR_INVALID_ARGUMENT, "step");
    CHECK_REFUSED(blan_trainer_step(NULL, pixels, labels, 2, NULL), BLAN_ERROR_INVALID_ARGUMENT, "trainer");
    CHECK_REFUSED(blan_trainer_step(trainer, NULL, labels, 2, NULL), BLAN_ERROR_INVALID_ARGUMENT, "pixels");
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, NULL, 2, NULL), BLAN_ERROR_INVALID_ARGUMENT, "labels");
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, labels, 0, NULL), BLAN_ERROR_INVALID_ARGUMENT, "batch");
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, labels, (size_t)-1, NULL), BLAN_ERROR_INVALID_ARGUMENT, "batch");
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, labels, 1, NULL), BLAN_ERROR_INVALID_ARGUMENT, "LMIM");
    labels[6] = 2;
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, labels, 2, NULL), BLAN_ERROR_INVALID_ARGUMENT, "label 2 of image 1");
    labels[6] = 1;

    /* A loss that is not finite names its step and leaves the weights alone. */
    float before[8], after[8];
    CHECK_OK(blan_trainer_parameter(trainer, "encoder.bn1.running_var", before, 8));
    pixels[FLOATS + 7] = NAN;
    CHECK_REFUSED(blan_trainer_step(trainer, pixels, labels, 2, NULL), BLAN_ERROR_INTERNAL, "step 1");
    CHECK_OK(blan_trainer_parameter(trainer, "encoder.bn1.running_var", after, 8));
    CHECK(memcmp(before, after, sizeof before) == 0 && blan_trainer_step_count(trainer) == 0);
    pixels[FLOATS + 7] = 0;

    blan_losses losses;
    CHECK_OK(blan_trainer_step(trainer, pixels, labels, 2, &losses));
    double sum = losses.sf + 0.1 * losses.rec;
    for (int level = 0; level < 4; level++)
        sum += losses.cls[level] + 0.1 * losses.lmim[level];
    CHECK(losses.rec > 0 && losses.lmim[3] > 0 && fabs(sum - losses.total) < 1e-5 * sum);
    CHECK(blan_trainer_step_count(trainer) == 1);
    CHECK_OK(blan_trainer_gradient(trainer, "lmim.0.conv3.bias", value, 1));
    CHECK(isfinite(value[0]) && value[0] != 0);
    CHECK_REFUSED(blan_trainer_parameter(trainer, "nothing", value, 1), BLAN_ERROR_INVALID_ARGUMENT, "nothing");
    CHECK_REFUSED(blan_trainer_parameter(trainer, NULL, value, 1), BLAN_ERROR_INVALID_ARGUMENT, "tensor_name");
    CHECK_REFUSED(blan_trainer_parameter(trainer, "lmim.0.conv3.bias", NULL, 1), BLAN_ERROR_INVALID_ARGUMENT, "out");
    CHECK_REFUSED(blan_trainer_save(trainer, "/nowhere/x.safetensors"), BLAN_ERROR_IO, "/nowhere/x.safetensors");
    CHECK_REFUSED(blan_trainer_save(NULL, "x"), BLAN_ERROR_INVALID_ARGUMENT, "trainer");
    CHECK_REFUSED(blan_trainer_export(trainer, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "path");
    blan_export_options as = BLAN_EXPORT_OPTIONS_INIT;
    as.storage = 7;
    CHECK_REFUSED(blan_trainer_export(trainer, "x", &as), BLAN_ERROR_INVALID_ARGUMENT, "storage");
    CHECK_REFUSED(blan_trainer_fit(trainer, NULL, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "train");
    CHECK(blan_trainer_attribute_count(NULL) == 0 && blan_trainer_attribute_name(NULL, 0) == NULL);
    CHECK(blan_trainer_input_size(NULL) == 0 && blan_trainer_step_count(NULL) == 0);
    CHECK(blan_trainer_attribute_count(trainer) == ATTRIBUTES && blan_trainer_input_size(trainer) == SIZE);
    CHECK(strcmp(blan_trainer_attribute_name(trainer, 2), "Smiling") == 0);
    CHECK(blan_trainer_attribute_name(trainer, ATTRIBUTES) == NULL);
    free(pixels);
    blan_trainer_free(trainer);
    blan_trainer_free(NULL);
}

/* ---- learning ---- */

static size_t errors_of(const blan_model *model, const float *pixels, const int8_t *labels)
{
    float probabilities[BATCH * ATTRIBUTES];
    size_t errors = 0;
    CHECK_OK(blan_predict_tensor(model, pixels, BATCH, NULL, probabilities));
    for (size_t i = 0; i < BATCH * ATTRIBUTES; i++)
        errors += (probabilities[i] > 0.5f) != (labels[i] > 0);
    return errors;
}

/* A batch of 64 is learnt by heart: no training error is left, and the exported model says the same. */
static void a_batch_is_learnt_by_heart(void)
{
    blan_network_options net = network();
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &net;
    options.dropout = 0;
    options.learning_rate = 3e-3f;
    options.schedule = BLAN_SCHEDULE_CONSTANT;
    blan_trainer *trainer = created(&options);
    float *pixels = fixture_floats((size_t)BATCH * FLOATS, 9);
    int8_t *labels = random_labels(BATCH * ATTRIBUTES);
    const char *path = fixture_path("learnt.safetensors");
    size_t errors = BATCH * ATTRIBUTES;
    int steps = 0;
    for (; errors > 0 && steps < 300; steps++) {
        CHECK_OK(blan_trainer_step(trainer, pixels, labels, BATCH, NULL));
        if (steps % 20 != 19)
            continue;
        CHECK_OK(blan_trainer_export(trainer, path, NULL));
        blan_model *model = NULL;
        CHECK_OK(blan_model_load(path, NULL, &model));
        CHECK(blan_model_is_trained(model));
        errors = errors_of(model, pixels, labels);
        blan_model_free(model);
    }
    CHECK(errors == 0);
    printf("learnt by heart in %d steps\n", steps);

    /* Fine-tuning keeps the heads of known attributes and makes those of new ones. */
    static const char *const wanted[] = {"new", "striped"};
    blan_train_options further = BLAN_TRAIN_OPTIONS_INIT;
    further.start = path;
    further.attributes = wanted;
    further.attribute_count = 2;
    further.freeze = "encoder, decoder";
    blan_trainer *tuner = created(&further);
    float old_bias[2 * ATTRIBUTES], new_bias[4], old[8], kept[8];
    CHECK_OK(blan_trainer_parameter(trainer, "classifiers.0.fc2.bias", old_bias, 2 * ATTRIBUTES));
    CHECK_OK(blan_trainer_parameter(tuner, "classifiers.0.fc2.bias", new_bias, 4));
    CHECK(new_bias[2] == old_bias[2] && new_bias[3] == old_bias[3] && new_bias[0] == 0 && new_bias[1] == 0);
    CHECK_OK(blan_trainer_parameter(tuner, "encoder.bn1.weight", old, 8));
    CHECK_OK(blan_trainer_step(tuner, pixels, labels, 8, NULL));
    CHECK_OK(blan_trainer_parameter(tuner, "encoder.bn1.weight", kept, 8));
    CHECK(memcmp(old, kept, sizeof old) == 0);
    CHECK_REFUSED(blan_trainer_gradient(tuner, "encoder.bn1.weight", kept, 8), BLAN_ERROR_INVALID_ARGUMENT, "frozen");
    blan_trainer_free(tuner);
    blan_trainer_free(trainer);
    free(pixels);
    free(labels);
}

/* ---- checkpoints ---- */

/* A trainer read from a checkpoint goes on bit for bit, also in the middle of accumulated batches. */
static void a_checkpoint_goes_on(void)
{
    blan_network_options net = network();
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &net;
    options.accumulate = 2;
    options.average_decay = 0.9f;
    options.total_steps = 10;
    options.seed = 3;
    blan_trainer *whole = created(&options), *resumed = NULL;
    float *pixels = fixture_floats(4 * FLOATS, 21);
    int8_t *labels = random_labels(4 * ATTRIBUTES);
    for (int step = 0; step < 3; step++)
        CHECK_OK(blan_trainer_step(whole, pixels, labels, 4, NULL));
    const char *path = fixture_path("checkpoint.safetensors");
    CHECK_OK(blan_trainer_save(whole, path));
    blan_train_options from = BLAN_TRAIN_OPTIONS_INIT;
    from.start = path;
    from.threads = 1;
    CHECK_OK(blan_trainer_create(&from, &resumed));
    CHECK(blan_trainer_step_count(resumed) == 3);
    for (int step = 0; step < 3; step++) {
        blan_losses a, b;
        CHECK_OK(blan_trainer_step(whole, pixels, labels, 4, &a));
        CHECK_OK(blan_trainer_step(resumed, pixels, labels, 4, &b));
        CHECK(memcmp(&a, &b, sizeof a) == 0);
    }
    const char *first = fixture_path("first.safetensors"), *second = fixture_path("second.safetensors");
    CHECK_OK(blan_trainer_export(whole, first, NULL));
    CHECK_OK(blan_trainer_export(resumed, second, NULL));
    size_t first_length, second_length;
    void *first_bytes = fixture_read(first, &first_length), *second_bytes = fixture_read(second, &second_length);
    CHECK(first_length == second_length && memcmp(first_bytes, second_bytes, first_length) == 0);
    free(first_bytes);
    free(second_bytes);

    /* A checkpoint is no model, and a model's attributes cannot be put on it. */
    blan_model *model = NULL;
    CHECK_REFUSED(blan_model_load(path, NULL, &model), BLAN_ERROR_FORMAT, "checkpoint");
    from.attributes = names;
    from.attribute_count = ATTRIBUTES;
    CHECK_REFUSED(blan_trainer_create(&from, &resumed), BLAN_ERROR_INVALID_ARGUMENT, "checkpoint");

    /* No room: the write fails, and the earlier file is as it was. */
    free(pixels);
    free(labels);
    size_t before_length, after_length;
    void *before = fixture_read(path, &before_length);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){before_length / 2, limit.rlim_max}) == 0);
    CHECK_REFUSED(blan_trainer_save(whole, path), BLAN_ERROR_IO, "checkpoint.safetensors");
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    void *after = fixture_read(path, &after_length);
    CHECK(before_length == after_length && memcmp(before, after, before_length) == 0);
    free(before);
    free(after);
    blan_trainer_free(whole);
}

/* ---- a run over a data set ---- */

typedef struct watch {
    int steps, epochs, stop_after;
    double accuracy;
} watch;

static int watching(const blan_progress *progress, void *user)
{
    watch *seen = user;
    CHECK(progress->struct_size == sizeof *progress && progress->epochs == 2 && progress->steps == 4);
    if (progress->event == BLAN_PROGRESS_STEP) {
        seen->steps++;
        CHECK(progress->step == seen->steps && progress->losses.total > 0 && progress->learning_rate > 0);
        return seen->steps == seen->stop_after;
    }
    if (progress->event == BLAN_PROGRESS_EPOCH) {
        seen->epochs++;
        seen->accuracy = progress->validation_accuracy;
        CHECK(progress->best_epoch >= 1 && progress->best_epoch <= progress->epoch);
    }
    return 0;
}

static void a_run_stops_and_goes_on(void)
{
    static const char table[] = "path,bright,striped,Smiling\nface.png,1,0,1\nface.jpg,0,1,\n";
    fixture_file("face.png", png_file, sizeof png_file);
    fixture_file("face.jpg", jpeg_file, sizeof jpeg_file);
    blan_dataset *pair = NULL, *data = NULL;
    CHECK_OK(blan_dataset_open(fixture_file("faces.csv", table, strlen(table)), NULL, &pair));
    CHECK_OK(blan_dataset_subset(pair, (size_t[]){0, 1, 0, 1}, 4, &data));
    blan_dataset_free(pair);
    blan_network_options net = network();
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &net;
    options.threads = 2;
    const char *folder = fixture_path("run");
    watch seen = {0, 0, 3, 0};
    blan_fit_options fit = BLAN_FIT_OPTIONS_INIT;
    fit.epochs = 2;
    fit.batch = 2;
    fit.checkpoints = folder;
    fit.progress = watching;
    fit.user = &seen;
    blan_trainer *trainer = created(&options);
    CHECK_REFUSED(blan_trainer_fit(trainer, data, data, &fit), BLAN_ERROR_CANCELLED, "cancelled");
    CHECK(seen.steps == 3 && seen.epochs == 1 && seen.accuracy >= 0 && seen.accuracy <= 1);
    blan_trainer_free(trainer);

    char last[512];
    snprintf(last, sizeof last, "%s/last.safetensors", folder);
    blan_train_options from = BLAN_TRAIN_OPTIONS_INIT;
    from.start = last;
    seen.stop_after = -1;
    trainer = created(&from);
    fit.batch = 4;
    CHECK_REFUSED(blan_trainer_fit(trainer, data, data, &fit), BLAN_ERROR_INVALID_ARGUMENT, "go on");
    fit.batch = 2;
    CHECK_OK(blan_trainer_fit(trainer, data, data, &fit));
    CHECK(seen.steps == 4 && seen.epochs == 2 && blan_trainer_step_count(trainer) == 4);

    blan_fit_options bad = fit;
    bad.epochs = 0;
    CHECK_REFUSED(blan_trainer_fit(trainer, data, NULL, &bad), BLAN_ERROR_INVALID_ARGUMENT, "epochs");
    bad = fit;
    bad.shift = 2;
    CHECK_REFUSED(blan_trainer_fit(trainer, data, NULL, &bad), BLAN_ERROR_INVALID_ARGUMENT, "shift");
    bad = fit;
    bad.checkpoints = "/proc/nowhere";
    CHECK_REFUSED(blan_trainer_fit(trainer, data, NULL, &bad), BLAN_ERROR_IO, "/proc/nowhere");
    blan_trainer_free(trainer);
    blan_dataset_free(data);
}

int main(void)
{
    bad_options_are_refused();
    bad_calls_are_refused();
    a_batch_is_learnt_by_heart();
    a_checkpoint_goes_on();
    a_run_stops_and_goes_on();
    return check_end();
}
