/* Checkpoints: an input replaces `blan.training`, the JSON with options and state, in an otherwise good checkpoint, and
   what follows its first NUL byte replaces `blan.config`. An input that begins with a NUL byte is a whole file.
   A trainer that comes of it makes a step, goes on with its run for a few batches, and is saved. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = 4 };

static bytes checkpoint;
static const char saved[] = "saved.safetensors";
static blan_dataset *dataset;
/* The folder that the program was started in. */
static int root;

static int stop_soon(const blan_progress *progress, void *user)
{
    (void)progress;
    return --*(int *)user <= 0;
}

static blan_fit_options fit_options(int *calls)
{
    blan_fit_options options = BLAN_FIT_OPTIONS_INIT;
    options.epochs = 2;
    options.batch = 2;
    options.workers = 1;
    options.progress = stop_soon;
    options.user = calls;
    return options;
}

/* Four copies of one photo in the current folder, with labels: enough for two batches an epoch. A checkpoint knows its
   data by a hash of their paths, which must therefore be the same in every process: they are relative, so whatever reads
   them runs in the scratch folder. */
static void open_photos(bytes photo)
{
    FILE *table = fopen("faces.csv", "w");
    PROMISED(table != NULL);
    fputs("path,Smiling,Young,Male\n", table);
    for (int i = 0; i < IMAGES; i++) {
        fprintf(table, "%d.png,%d,1,0\n", i, i % 2);
        char image[16];
        snprintf(image, sizeof image, "%d.png", i);
        FILE *file = fopen(image, "wb");
        PROMISED(file != NULL && fwrite(photo.data, 1, photo.size, file) == photo.size);
        fclose(file);
    }
    fclose(table);
    PROMISED(blan_dataset_open("faces.csv", NULL, &dataset) == BLAN_OK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    bytes photo = read_whole("Tests/Fixtures/images/rgb.png");
    root = open(".", O_RDONLY | O_DIRECTORY);
    PROMISED(root >= 0 && chdir(scratch_folder()) == 0);
    open_photos(photo);
    free(photo.data);
    const blan_network_options network = smallest_network(6);
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &network;
    options.threads = 1;
    options.average_decay = 0.5f;
    options.accumulate = 3;
    blan_trainer *trainer;
    PROMISED(blan_trainer_create(&options, &trainer) == BLAN_OK);
    /* Three batches are one optimiser step; the run is cut off in its second epoch with a batch pending. */
    int calls = 4;
    const blan_fit_options fit = fit_options(&calls);
    PROMISED(blan_trainer_fit(trainer, dataset, NULL, &fit) == BLAN_ERROR_CANCELLED);
    PROMISED(blan_trainer_save(trainer, saved) == BLAN_OK);
    blan_trainer_free(trainer);
    checkpoint = read_whole(saved);
    PROMISED(fchdir(root) == 0);
    return 0;
}

static void go_on(blan_trainer *trainer)
{
    const size_t size = blan_trainer_input_size(trainer), attributes = blan_trainer_attribute_count(trainer);
    if (size <= 96) {
        float *pixels = calloc(2 * 3 * size * size, sizeof *pixels);
        int8_t *labels = calloc(2, attributes);
        PROMISED(pixels != NULL && labels != NULL);
        for (size_t i = 0; i < 2 * 3 * size * size; i++)
            pixels[i] = (float)(i % 17) / 17;
        blan_trainer_step(trainer, pixels, labels, 2, NULL);
        free(pixels);
        free(labels);
        int calls = 3;
        const blan_fit_options options = fit_options(&calls);
        PROMISED(chdir(scratch_folder()) == 0);
        blan_trainer_fit(trainer, dataset, NULL, &options);
        PROMISED(blan_trainer_save(trainer, saved) == BLAN_OK && fchdir(root) == 0);
    }
    blan_trainer_free(trainer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.threads = 1;
    if (size > 0 && data[0] == 0) {
        options.start = memory_file(0, data + 1, size - 1);
    } else {
        part training, config;
        cut_at_nul(data, size, &training, &config);
        bytes changed = with_metadata(checkpoint, "blan.training", training);
        if (config.bytes != NULL) {
            bytes both = with_metadata(changed, "blan.config", config);
            free(changed.data);
            changed = both;
        }
        options.start = memory_file(0, changed.data, changed.size);
        free(changed.data);
    }
    blan_trainer *trainer;
    promise_outcome(blan_trainer_create(&options, &trainer), trainer);
    if (trainer != NULL)
        go_on(trainer);
    return 0;
}
