/* Prints the attributes of face photos, most likely first.
 *
 *     gcc -std=c11 predict.c $(pkg-config --cflags --libs blan) -o predict
 *     ./predict MODEL PHOTO...
 *
 * A photo that cannot be read is reported on stderr, the others are printed, and the exit status is 1. */
#include <blan.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct attribute {
    const char *name;
    float probability;
} attribute;

static int by_probability(const void *left, const void *right)
{
    const float a = ((const attribute *)left)->probability, b = ((const attribute *)right)->probability;
    return (a < b) - (a > b);
}

static void print_attributes(const blan_model *model, const float *probabilities, attribute *sorted)
{
    const size_t count = blan_model_attribute_count(model);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (attribute){blan_model_attribute_name(model, i), probabilities[i]};
    qsort(sorted, count, sizeof *sorted, by_probability);
    for (size_t i = 0; i < count; i++)
        printf("  %-24s %5.1f %%\n", sorted[i].name, 100 * (double)sorted[i].probability);
}

static void report(void *user, size_t index, blan_status status, const char *message)
{
    (void)index;
    *(int *)user = 1;
    fprintf(stderr, "%s: %s\n", blan_status_name(status), message);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL PHOTO...\n", argv[0]);
        return 2;
    }
    const char *const *photos = (const char *const *)(argv + 2);
    const size_t photo_count = (size_t)argc - 2;

    blan_model *model;
    if (blan_model_load(argv[1], NULL, &model) != BLAN_OK) {
        fprintf(stderr, "%s\n", blan_last_error());
        return 1;
    }
    if (!blan_model_is_trained(model))
        fprintf(stderr, "%s is not trained: its probabilities mean nothing\n", argv[1]);

    const size_t attribute_count = blan_model_attribute_count(model);
    float *probabilities = malloc(photo_count * attribute_count * sizeof *probabilities);
    blan_status *statuses = malloc(photo_count * sizeof *statuses);
    attribute *sorted = malloc(attribute_count * sizeof *sorted);
    int failed = 0;
    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.on_error = report;
    options.user = &failed;

    if (probabilities == NULL || statuses == NULL || sorted == NULL) {
        fprintf(stderr, "out of memory\n");
        failed = 1;
    } else if (blan_predict_files(model, photos, photo_count, &options, probabilities, statuses) != BLAN_OK) {
        fprintf(stderr, "%s\n", blan_last_error());
        failed = 1;
    } else {
        for (size_t i = 0; i < photo_count; i++)
            if (statuses[i] == BLAN_OK) {
                printf("%s\n", photos[i]);
                print_attributes(model, probabilities + i * attribute_count, sorted);
            }
    }
    free(sorted);
    free(statuses);
    free(probabilities);
    blan_model_free(model);
    return failed;
}
