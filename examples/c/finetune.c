/* Fine-tunes a model on a small set of your own photos.
 *
 *     gcc -std=c11 finetune.c $(pkg-config --cflags --libs blan) -o finetune
 *     ./finetune MODEL DATA FOLDER [EPOCHS]
 *
 * DATA is a CSV file, or a folder that holds one, with a `path` column and a column for each attribute: 1 present, 0
 * absent, blank unknown. Attributes that MODEL knows keep what it learned of them, others are new. A fifth of the photos
 * is set aside; FOLDER receives checkpoints and model.safetensors, the weights that did best on that fifth. */
#include <blan.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAXIMUM_ATTRIBUTES = 1024, PATH_LENGTH = 4096 };

/* Everything that has to be freed again; all begin as NULL. */
typedef struct work {
    blan_dataset *all, *training, *validation;
    blan_trainer *trainer, *best;
} work;

static int print_progress(const blan_progress *progress, void *user)
{
    (void)user;
    if (progress->event == BLAN_PROGRESS_EPOCH)
        printf("epoch %d of %d: loss %.3f, accuracy %.1f %% (best %.1f %% in epoch %d)\n", progress->epoch,
               progress->epochs, progress->losses.total, 100 * progress->validation_accuracy,
               100 * progress->best_accuracy, progress->best_epoch);
    return 0; /* anything else stops the run */
}

/* A trainer that starts from `model` and learns the attributes of the data. */
static blan_status create_trainer(const char *model, const blan_dataset *data, blan_trainer **out)
{
    const char *attributes[MAXIMUM_ATTRIBUTES];
    const size_t count = blan_dataset_attribute_count(data);
    for (size_t i = 0; i < count && i < MAXIMUM_ATTRIBUTES; i++)
        attributes[i] = blan_dataset_attribute_name(data, i);

    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.start = model;
    options.attributes = attributes;
    options.attribute_count = count < MAXIMUM_ATTRIBUTES ? count : MAXIMUM_ATTRIBUTES;
    options.learning_rate = 2e-4f;
    return blan_trainer_create(&options, out);
}

static blan_status finetune(work *work, const char *model, const char *data, const char *folder, int epochs)
{
    char best[PATH_LENGTH], exported[PATH_LENGTH];
    snprintf(best, sizeof best, "%s/best.safetensors", folder);
    snprintf(exported, sizeof exported, "%s/model.safetensors", folder);

    blan_fit_options options = BLAN_FIT_OPTIONS_INIT;
    options.epochs = epochs;
    options.batch = 8;
    options.shift = 0.04f; /* small sets need pictures that vary */
    options.zoom = 0.08f;
    options.checkpoints = folder;
    options.patience = 5;
    options.progress = print_progress;

    blan_status status;
    if ((status = blan_dataset_open(data, NULL, &work->all)) != BLAN_OK ||
        (status = blan_dataset_split(work->all, 0.2, 0, &work->training, &work->validation)) != BLAN_OK ||
        (status = create_trainer(model, work->all, &work->trainer)) != BLAN_OK ||
        (status = blan_trainer_fit(work->trainer, work->training, work->validation, &options)) != BLAN_OK)
        return status;

    /* The trainer holds the last weights; the best ones are in their checkpoint. */
    blan_train_options from_checkpoint = BLAN_TRAIN_OPTIONS_INIT;
    from_checkpoint.start = best;
    if ((status = blan_trainer_create(&from_checkpoint, &work->best)) != BLAN_OK ||
        (status = blan_trainer_export(work->best, exported, NULL)) != BLAN_OK)
        return status;
    printf("wrote %s\n", exported);
    return BLAN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: %s MODEL DATA FOLDER [EPOCHS]\n", argv[0]);
        return 2;
    }
    work work = {NULL, NULL, NULL, NULL, NULL};
    const blan_status status = finetune(&work, argv[1], argv[2], argv[3], argc == 5 ? atoi(argv[4]) : 10);
    if (status != BLAN_OK)
        fprintf(stderr, "%s: %s\n", blan_status_name(status), blan_last_error());
    blan_trainer_free(work.best);
    blan_trainer_free(work.trainer);
    blan_dataset_free(work.validation);
    blan_dataset_free(work.training);
    blan_dataset_free(work.all);
    return status == BLAN_OK ? 0 : 1;
}
