/* A program built against the header of an earlier release (run.sh hands it over as blan.h): every options struct at the
   size that it had then, and every struct that the library writes. Today's libblan.so must run it. */
#include "../C/check.h"
#include "../C/fixture.h"
#include "../C/images.h"

#include <stdlib.h>
#include <string.h>

/* A struct in front of bytes that a later, larger struct of the library's would write over. */
#define GUARDED(type) struct { type value; unsigned char fence[64]; }

#define FENCE(guarded) memset((guarded).fence, 0xa5, sizeof (guarded).fence)

static bool intact(const unsigned char *fence, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (fence[i] != 0xa5)
            return false;
    return true;
}

#define CHECK_INTACT(guarded) CHECK(intact((guarded).fence, sizeof (guarded).fence))

static void predicts(void)
{
    blan_load_options load = BLAN_LOAD_OPTIONS_INIT;
    load.threads = 2;
    blan_model *model;
    CHECK_OK(blan_model_load(fixture_model_path(), &load, &model));
    GUARDED(blan_cost) cost;
    FENCE(cost);
    CHECK_OK(blan_model_cost(model, 0, &cost.value));
    CHECK(cost.value.module != NULL && cost.value.parameters > 0);
    CHECK_INTACT(cost);

    blan_decode_options decode = BLAN_DECODE_OPTIONS_INIT;
    blan_bitmap *bitmap;
    CHECK_OK(blan_bitmap_decode(jpeg_file, sizeof jpeg_file, &decode, &bitmap));
    const blan_image image = blan_bitmap_image(bitmap);
    CHECK(image.width > 0 && image.height > 0 && image.format == BLAN_PIXEL_RGB8);

    float scores[5 * FIXTURE_ATTRIBUTES * 2], probabilities[FIXTURE_ATTRIBUTES];
    blan_predict_options predict = BLAN_PREDICT_OPTIONS_INIT;
    predict.scores = scores;
    CHECK_OK(blan_predict_images(model, &image, 1, &predict, probabilities));
    for (size_t i = 0; i < FIXTURE_ATTRIBUTES; i++)
        CHECK(probabilities[i] >= 0 && probabilities[i] <= 1);
    blan_bitmap_free(bitmap);
    blan_model_free(model);
}

static void trains(void)
{
    static const char *const names[] = {"a", "b"};
    enum { BATCH = 4, SIZE = 64 };
    blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
    network.input_size = SIZE;
    network.width = 8;
    network.attributes = names;
    network.attribute_count = 2;
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = &network;
    blan_trainer *trainer;
    CHECK_OK(blan_trainer_create(&options, &trainer));
    float *pixels = fixture_floats(BATCH * 3 * SIZE * SIZE, 1);
    const int8_t labels[2 * BATCH] = {1, -1, -1, 1, 1, 1, -1, -1};
    GUARDED(blan_losses) losses;
    FENCE(losses);
    CHECK_OK(blan_trainer_step(trainer, pixels, labels, BATCH, &losses.value));
    CHECK(losses.value.total > 0);
    CHECK_INTACT(losses);
    free(pixels);
    blan_trainer_free(trainer);
}

static void finds_faces(const char *detector_path, const char *photo)
{
    blan_detector *detector;
    CHECK_OK(blan_detector_load(detector_path, NULL, &detector));
    blan_bitmap *bitmap;
    CHECK_OK(blan_bitmap_load(photo, NULL, &bitmap));
    const blan_image image = blan_bitmap_image(bitmap);
    blan_detect_options options = BLAN_DETECT_OPTIONS_INIT;
    GUARDED(blan_face) face;
    FENCE(face);
    size_t count = 0;
    CHECK_OK(blan_detect_faces(detector, &image, &options, &face.value, 1, &count));
    CHECK(count == 1);
    CHECK_INTACT(face);
    blan_bitmap_free(bitmap);
    blan_detector_free(detector);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    predicts();
    trains();
    finds_faces(arguments[1], arguments[2]);
    return check_end();
}
