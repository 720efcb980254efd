/* Prints the attributes of the faces in photos, most likely first.
 *
 *     gcc -std=c11 predict.c $(pkg-config --cflags --libs blan) -o predict
 *     ./predict MODEL DETECTOR PHOTO...            e.g. models/default.safetensors models/mtcnn.safetensors photo.jpg
 *
 * A photo that cannot be read is reported on stderr, the others are printed, and the exit status is 1. */
#include <blan.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_FACES = 32 }; /* of one photo; those beyond, the smallest ones, are left out */

/* Everything that has to be freed again, and room for what is predicted; all begin as NULL. */
typedef struct work {
    blan_model *model;
    blan_detector *detector;
    float *probabilities; /* MOST_FACES x the model's attributes */
    struct attribute {
        const char *name;
        float probability;
    } *sorted;
} work;

static int by_probability(const void *left, const void *right)
{
    const float a = ((const struct attribute *)left)->probability, b = ((const struct attribute *)right)->probability;
    return (a < b) - (a > b);
}

static void print_attributes(const work *work, const float *probabilities)
{
    const size_t count = blan_model_attribute_count(work->model);
    for (size_t i = 0; i < count; i++)
        work->sorted[i] = (struct attribute){blan_model_attribute_name(work->model, i), probabilities[i]};
    qsort(work->sorted, count, sizeof *work->sorted, by_probability);
    for (size_t i = 0; i < count; i++)
        printf("  %-24s %5.1f %%\n", work->sorted[i].name, 100 * (double)work->sorted[i].probability);
}

static blan_status print_faces(const work *work, const char *path)
{
    blan_bitmap *photo;
    blan_status status = blan_bitmap_load(path, NULL, &photo);
    if (status != BLAN_OK)
        return status;
    const blan_image image = blan_bitmap_image(photo);
    blan_face faces[MOST_FACES];
    size_t count;
    status = blan_predict_faces(work->model, work->detector, &image, NULL, NULL, faces, work->probabilities, MOST_FACES,
                                &count);
    if (status == BLAN_OK && count == 0)
        printf("%s: no face found\n", path);
    for (size_t i = 0; status == BLAN_OK && i < count && i < MOST_FACES; i++) {
        printf("%s, face at %.0f, %.0f\n", path, (double)faces[i].x0, (double)faces[i].y0);
        print_attributes(work, work->probabilities + i * blan_model_attribute_count(work->model));
    }
    blan_bitmap_free(photo);
    return status;
}

static blan_status load(work *work, const char *model, const char *detector)
{
    blan_status status;
    if ((status = blan_model_load(model, NULL, &work->model)) != BLAN_OK ||
        (status = blan_detector_load(detector, NULL, &work->detector)) != BLAN_OK)
        return status;
    if (!blan_model_is_trained(work->model))
        fprintf(stderr, "%s is not trained: its probabilities mean nothing\n", model);
    const size_t count = blan_model_attribute_count(work->model);
    work->probabilities = malloc(MOST_FACES * count * sizeof *work->probabilities);
    work->sorted = malloc(count * sizeof *work->sorted);
    return work->probabilities != NULL && work->sorted != NULL ? BLAN_OK : BLAN_ERROR_OUT_OF_MEMORY;
}

static int failed(blan_status status)
{
    if (status != BLAN_OK)
        fprintf(stderr, "%s: %s\n", blan_status_name(status), blan_last_error());
    return status != BLAN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL DETECTOR PHOTO...\n", argv[0]);
        return 2;
    }
    work work = {NULL, NULL, NULL, NULL};
    int failures = failed(load(&work, argv[1], argv[2]));
    for (int i = 3; i < argc && work.sorted != NULL; i++)
        failures += failed(print_faces(&work, argv[i]));
    free(work.sorted);
    free(work.probabilities);
    blan_detector_free(work.detector);
    blan_model_free(work.model);
    return failures > 0;
}
