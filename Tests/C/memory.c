/* Memory: a call takes none once there was one like it, and a thousand calls, loads or threads leave none behind. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "images.h"
#include "self.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = FIXTURE_ATTRIBUTES, LARGEST_BATCH = 8 };

/* Runs `work` `count` times to settle (the allocator's caches fill), then as often again, and checks that what is in
   use did not grow. */
static void leaves_nothing_behind(void (*work)(void *), void *argument, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        work(argument);
    const size_t used = mallinfo2().uordblks + mallinfo2().hblkhd, resident = self_resident();
    for (size_t i = 0; i < count; i++)
        work(argument);
    const size_t used_after = mallinfo2().uordblks + mallinfo2().hblkhd, resident_after = self_resident();
    if (!CHECK(used_after <= used + 4096) || !CHECK(resident_after <= resident + (1 << 20)))
        fprintf(stderr, "    %s, %zu times: heap %zu to %zu bytes, resident %zu to %zu\n", what, count, used,
                used_after, resident, resident_after);
}

typedef struct job {
    blan_model *model;
    float *pixels;
    const char *path;
    blan_detector *detector;
    blan_bitmap *photo;
} job;

static void predict_from_pixels(void *argument)
{
    const job *self = argument;
    float probabilities[N];
    CHECK_OK(blan_predict_tensor(self->model, self->pixels, 1, NULL, probabilities));
}

static void predict_changing_batches(void *argument)
{
    static size_t turn;
    const job *self = argument;
    float probabilities[LARGEST_BATCH * N];
    CHECK_OK(blan_predict_tensor(self->model, self->pixels, 1 + turn++ % LARGEST_BATCH, NULL, probabilities));
}

static void predict_from_file(void *argument)
{
    const job *self = argument;
    const char *const paths[] = {self->path, "/nowhere/missing.png"};
    float probabilities[2 * N];
    blan_status statuses[2];
    CHECK_OK(blan_predict_files(self->model, paths, 2, NULL, probabilities, statuses));
}

static void predict_changing_sizes(void *argument)
{
    static uint8_t pixels[200 * 200 * 3];
    static int32_t turn;
    const job *self = argument;
    const int32_t size = 10 + 37 * turn++ % 190;
    const blan_image image = {pixels, size, size, 0, BLAN_PIXEL_RGB8};
    float probabilities[N];
    CHECK_OK(blan_predict_images(self->model, &image, 1, NULL, probabilities));
}

static void load_predict_free(void *argument)
{
    const job *self = argument;
    const job other = {.model = fixture_model(1), .pixels = self->pixels};
    predict_from_pixels((void *)&other);
    blan_model_free(other.model);
}

static void fail_to_load(void *argument)
{
    const job *self = argument;
    blan_model *model;
    CHECK(blan_model_load(self->path, NULL, &model) == BLAN_ERROR_FORMAT && model == NULL);
}

/* Whole photos of changing sizes, faces among them. */
static void find_and_predict_faces(void *argument)
{
    static size_t turn;
    const job *self = argument;
    blan_image image = blan_bitmap_image(self->photo);
    image.width -= (int32_t)(turn++ % 5 * 31);
    float probabilities[2 * N];
    size_t count = 0;
    CHECK_OK(blan_predict_faces(self->model, self->detector, &image, NULL, NULL, NULL, probabilities, 2, &count));
    CHECK(count >= 1);
}

static void load_and_free_a_detector(void *argument)
{
    (void)argument;
    blan_detector *detector = NULL;
    CHECK_OK(blan_detector_load("models/mtcnn.safetensors", NULL, &detector));
    blan_detector_free(detector);
}

static void load_explain_free(void *argument)
{
    const job *self = argument;
    const blan_image image = blan_bitmap_image(self->photo);
    static const blan_explain_target targets[] = {{0, 0}, {31, 2}};
    float maps[2 * (16 * 16 + 8 * 8 + 4 * 4 + 2 * 2)];
    blan_explainer *explainer = NULL;
    CHECK_OK(blan_explainer_load(fixture_model_path(), NULL, &explainer));
    CHECK_OK(blan_explain_gradcam(explainer, &image, targets, 2, NULL, maps));
    blan_explainer_free(explainer);
    blan_occlusion_options options = BLAN_OCCLUSION_OPTIONS_INIT;
    options.patch = options.stride = FIXTURE_INPUT_SIZE / 2;
    CHECK_OK(blan_explain_occlusion(self->model, &image, targets, 2, &options, maps));
}

static void *predict_and_end(void *argument)
{
    predict_from_pixels(argument);
    return NULL;
}

static void predict_on_new_thread(void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, predict_and_end, argument) == 0);
    pthread_join(thread, NULL);
}

int main(void)
{
    job self = {.model = fixture_model(1),
                .pixels = fixture_floats(LARGEST_BATCH * FIXTURE_IMAGE_FLOATS, 4),
                .path = fixture_file("face.png", png_file, sizeof png_file)};
    CHECK_OK(blan_detector_load("models/mtcnn.safetensors", NULL, &self.detector));
    CHECK_OK(blan_bitmap_load("Tests/Fixtures/faces/several.jpg", NULL, &self.photo));
    leaves_nothing_behind(predict_from_pixels, &self, 1000, "predicting from pixels");
    leaves_nothing_behind(predict_changing_batches, &self, 400, "predicting batches of 1 to 8");
    leaves_nothing_behind(predict_from_file, &self, 500, "predicting from files");
    leaves_nothing_behind(predict_changing_sizes, &self, 500, "predicting images of many sizes");
    leaves_nothing_behind(load_predict_free, &self, 100, "loading and freeing");
    leaves_nothing_behind(fail_to_load, &self, 300, "loading what is no model");
    leaves_nothing_behind(predict_on_new_thread, &self, 50, "predicting on short-lived threads");
    leaves_nothing_behind(find_and_predict_faces, &self, 60, "finding and predicting faces");
    leaves_nothing_behind(load_and_free_a_detector, &self, 30, "loading and freeing detectors");
    leaves_nothing_behind(load_explain_free, &self, 60, "explaining");
    blan_bitmap_free(self.photo);
    blan_detector_free(self.detector);
    blan_model_free(self.model);
    free(self.pixels);
    return check_end();
}
