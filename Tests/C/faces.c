/* Finding faces and predicting whole photos, with good and bad arguments. Runs in the project's root. */
#include "check.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = FIXTURE_ATTRIBUTES, MOST = 8 };

static const char detector_path[] = "models/mtcnn.safetensors";

_Static_assert(offsetof(blan_detect_options, min_face) == 8 && offsetof(blan_detect_options, thresholds) == 16 &&
                   offsetof(blan_detect_options, max_faces) == 28 && offsetof(blan_detect_options, factor) == 32 &&
                   sizeof(blan_detect_options) == 40,
               "blan_detect_options keeps its layout");
_Static_assert(offsetof(blan_face, score) == 16 && offsetof(blan_face, landmarks) == 20 && sizeof(blan_face) == 60,
               "blan_face keeps its layout");

static blan_detector *load_detector(int32_t threads)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = threads;
    blan_detector *detector = NULL;
    CHECK_OK(blan_detector_load(detector_path, &options, &detector));
    return detector;
}

static blan_bitmap *load_photo(const char *path)
{
    blan_bitmap *photo = NULL;
    CHECK_OK(blan_bitmap_load(path, NULL, &photo));
    return photo;
}

static void detectors_load_from_files_and_memory(void)
{
    blan_detector *detector = load_detector(3);
    CHECK(blan_detector_threads(detector) == 3);
    blan_detector_free(detector);

    size_t length;
    char *bytes = fixture_read(detector_path, &length);
    CHECK_OK(blan_detector_load_memory(bytes, length, NULL, &detector));
    CHECK(blan_detector_threads(detector) == blan_default_threads());
    blan_detector_free(detector);

    detector = (blan_detector *)1;
    CHECK_REFUSED(blan_detector_load_memory(bytes, length / 2, NULL, &detector), BLAN_ERROR_FORMAT, "bytes");
    CHECK(detector == NULL);
    char *name = NULL;
    for (size_t i = 0; i + 16 < 10000 && name == NULL; i++)
        if (memcmp(bytes + i, "rnet.dense4.bias", 16) == 0)
            name = bytes + i;
    if (CHECK(name != NULL)) {
        name[0] = 'q';
        CHECK_REFUSED(blan_detector_load_memory(bytes, length, NULL, &detector), BLAN_ERROR_FORMAT,
                      "rnet.dense4.bias");
    }
    free(bytes);
}

static void loading_names_the_argument(void)
{
    blan_detector *detector = (blan_detector *)1;
    CHECK_REFUSED(blan_detector_load(NULL, NULL, &detector), BLAN_ERROR_INVALID_ARGUMENT, "path is NULL");
    CHECK(detector == NULL);
    CHECK_REFUSED(blan_detector_load(detector_path, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_REFUSED(blan_detector_load("/nowhere/x", NULL, &detector), BLAN_ERROR_IO, "/nowhere/x");
    CHECK_REFUSED(blan_detector_load(fixture_model_path(), NULL, &detector), BLAN_ERROR_FORMAT, "blan.mtcnn");
    CHECK_REFUSED(blan_detector_load_memory(NULL, 10, NULL, &detector), BLAN_ERROR_INVALID_ARGUMENT, "bytes is NULL");
    CHECK_REFUSED(blan_detector_load_memory("", 0, NULL, &detector), BLAN_ERROR_FORMAT, "8");
    blan_model *model = (blan_model *)1;
    CHECK_REFUSED(blan_model_load(detector_path, NULL, &model), BLAN_ERROR_FORMAT, "");
    CHECK(model == NULL);

    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = -1;
    CHECK_REFUSED(blan_detector_load(detector_path, &options, &detector), BLAN_ERROR_INVALID_ARGUMENT, "threads");
    options.threads = 1, options.precision = 9;
    CHECK_REFUSED(blan_detector_load(detector_path, &options, &detector), BLAN_ERROR_UNSUPPORTED, "precision");
    CHECK(detector == NULL);
    CHECK(blan_detector_threads(NULL) == 0);
    blan_detector_free(NULL);
}

/* The bundled photo's face, and its landmarks where they are to the eye. */
static void the_bundled_photo_has_a_face(const blan_detector *detector)
{
    static const float marked[5][2] = {{164, 101}, {207, 103}, {184, 128}, {165, 142}, {203, 142}};
    blan_bitmap *photo = load_photo("examples/data/astronaut_full.jpg");
    const blan_image image = blan_bitmap_image(photo);
    blan_face faces[MOST];
    size_t count = 0;
    CHECK_OK(blan_detect_faces(detector, &image, NULL, faces, MOST, &count));
    if (CHECK(count == 1)) {
        CHECK(faces[0].score > 0.99f && faces[0].score <= 1);
        CHECK(faces[0].x0 > 130 && faces[0].y0 > 50 && faces[0].x1 < 240 && faces[0].y1 < 185);
        for (int i = 0; i < 5; i++)
            CHECK(hypotf(faces[0].landmarks[i][0] - marked[i][0], faces[0].landmarks[i][1] - marked[i][1]) < 6);
    }
    blan_detect_options options = BLAN_DETECT_OPTIONS_INIT;
    options.min_face = 390;
    CHECK_OK(blan_detect_faces(detector, &image, &options, faces, MOST, &count));
    CHECK(count == 0);
    blan_bitmap_free(photo);
}

static void room_limits_what_is_written_but_not_the_count(const blan_detector *detector)
{
    blan_bitmap *photo = load_photo("Tests/Fixtures/faces/several.jpg");
    const blan_image image = blan_bitmap_image(photo);
    blan_face all[MOST], some[2] = {{.score = -1}, {.score = -1}};
    size_t count = 0, counted = 0;
    CHECK_OK(blan_detect_faces(detector, &image, NULL, all, MOST, &count));
    CHECK(count == 4);
    for (size_t i = 1; i < count; i++)
        CHECK((all[i].x1 - all[i].x0) * (all[i].y1 - all[i].y0) <=
              (all[i - 1].x1 - all[i - 1].x0) * (all[i - 1].y1 - all[i - 1].y0));
    CHECK_OK(blan_detect_faces(detector, &image, NULL, some, 1, &counted));
    CHECK(counted == count && memcmp(&some[0], &all[0], sizeof some[0]) == 0 && some[1].score == -1);
    CHECK_OK(blan_detect_faces(detector, &image, NULL, NULL, 0, &counted));
    CHECK(counted == count);
    blan_detect_options options = BLAN_DETECT_OPTIONS_INIT;
    options.max_faces = 2;
    CHECK_OK(blan_detect_faces(detector, &image, &options, all, MOST, &counted));
    CHECK(counted == 2);
    blan_bitmap_free(photo);
}

static void no_face_is_an_answer(const blan_model *model, const blan_detector *detector)
{
    blan_bitmap *photo = load_photo("Tests/Fixtures/faces/none.jpg");
    const blan_image image = blan_bitmap_image(photo);
    blan_face face;
    float probabilities[N] = {-1};
    size_t count = 7;
    CHECK_OK(blan_detect_faces(detector, &image, NULL, &face, 1, &count));
    CHECK(count == 0);
    count = 7;
    CHECK_OK(blan_predict_faces(model, detector, &image, NULL, NULL, &face, probabilities, 1, &count));
    CHECK(count == 0 && probabilities[0] == -1);
    blan_bitmap_free(photo);
}

/* A whole photo gives for each face what detecting, aligning and predicting it one by one gives. */
static void whole_photos_are_predicted(const blan_model *model, const blan_detector *detector)
{
    static float probabilities[MOST * N], scores[MOST * 5 * N * 2], alone[N], alone_scores[5 * N * 2];
    blan_bitmap *photo = load_photo("Tests/Fixtures/faces/several.jpg");
    const blan_image image = blan_bitmap_image(photo);
    blan_face faces[MOST];
    blan_predict_options options = BLAN_PREDICT_OPTIONS_INIT;
    options.scores = scores;
    size_t count = 0;
    CHECK_OK(blan_predict_faces(model, detector, &image, NULL, &options, faces, probabilities, MOST, &count));
    CHECK(count == 4);
    options.scores = alone_scores;
    for (size_t i = 0; i < count && i < MOST; i++) {
        blan_bitmap *aligned = NULL;
        CHECK_OK(blan_align_detected(&image, &faces[i], &aligned));
        const blan_image face = blan_bitmap_image(aligned);
        CHECK_OK(blan_predict_images(model, &face, 1, &options, alone));
        for (size_t a = 0; a < N; a++)
            CHECK(fabsf(alone[a] - probabilities[i * N + a]) < 1e-4f);
        for (size_t s = 0; s < 5 * N * 2; s++)
            CHECK(fabsf(alone_scores[s] - scores[i * 5 * N * 2 + s]) < 1e-3f * (1 + fabsf(alone_scores[s])));
        blan_bitmap_free(aligned);
    }
    float first[N] = {0}, beyond[2 * N];
    beyond[N] = -1;
    CHECK_OK(blan_predict_faces(model, detector, &image, NULL, NULL, NULL, beyond, 1, &count));
    memcpy(first, beyond, sizeof first);
    CHECK(count == 4 && beyond[N] == -1 && memcmp(first, probabilities, sizeof first) == 0);
    blan_bitmap_free(photo);
}

/* The aligned frame shows what the photo has where blan_face_frame says. */
static void the_frame_is_where_the_face_is(const blan_detector *detector)
{
    blan_bitmap *photo = load_photo("examples/data/astronaut_full.jpg"), *aligned = NULL;
    const blan_image image = blan_bitmap_image(photo);
    blan_face face;
    size_t count = 0;
    double m[6];
    CHECK_OK(blan_detect_faces(detector, &image, NULL, &face, 1, &count));
    CHECK_OK(blan_face_frame(&face, m));
    CHECK_OK(blan_align_detected(&image, &face, &aligned));
    const blan_image frame = blan_bitmap_image(aligned);
    CHECK(m[0] == m[4] && m[1] == -m[3]);
    double difference = 0;
    for (int y = 40; y < 200; y += 10) /* the photo is about as large as the frame: nearest pixels nearly agree */
        for (int x = 40; x < 140; x += 10) {
            const long column = lround(m[0] * x + m[1] * y + m[2]), row = lround(m[3] * x + m[4] * y + m[5]);
            for (int c = 0; c < 3; c++)
                difference += abs(frame.data[(y * frame.width + x) * 3 + c] -
                                  image.data[(row * image.width + column) * 3 + c]);
        }
    CHECK(difference / (16 * 10 * 3) < 6);
    blan_bitmap_free(aligned);
    blan_bitmap_free(photo);

    CHECK_REFUSED(blan_face_frame(NULL, m), BLAN_ERROR_INVALID_ARGUMENT, "face is NULL");
    CHECK_REFUSED(blan_face_frame(&face, NULL), BLAN_ERROR_INVALID_ARGUMENT, "m is NULL");
    face.landmarks[2][0] = INFINITY;
    CHECK_REFUSED(blan_face_frame(&face, m), BLAN_ERROR_INVALID_ARGUMENT, "landmark 2");
}

static void alignment_names_the_argument(void)
{
    static const uint8_t data[30 * 30 * 3];
    const blan_image image = {data, 30, 30, 0, BLAN_PIXEL_RGB8};
    blan_face face = {.landmarks = {{8, 8}, {16, 8}, {12, 12}, {9, 16}, {15, 16}}};
    blan_bitmap *aligned = (blan_bitmap *)1;
    CHECK_REFUSED(blan_align_detected(NULL, &face, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "image is NULL");
    CHECK(aligned == NULL);
    CHECK_REFUSED(blan_align_detected(&image, NULL, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "face is NULL");
    CHECK_REFUSED(blan_align_detected(&image, &face, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out is NULL");
    CHECK_OK(blan_align_detected(&image, &face, &aligned));
    CHECK(blan_bitmap_image(aligned).width == BLAN_ALIGNED_WIDTH);
    CHECK(blan_bitmap_image(aligned).height == BLAN_ALIGNED_HEIGHT);
    blan_bitmap_free(aligned);
    face.landmarks[3][1] = NAN;
    CHECK_REFUSED(blan_align_detected(&image, &face, &aligned), BLAN_ERROR_INVALID_ARGUMENT, "landmark 3");
    CHECK(aligned == NULL);
}

static void options_are_validated(const blan_model *model, const blan_detector *detector)
{
    static const uint8_t data[30 * 30 * 3];
    const blan_image image = {data, 30, 30, 0, BLAN_PIXEL_RGB8};
    static const struct {
        blan_detect_options options;
        const char *text;
    } wrong[] = {
        {{sizeof(blan_detect_options), 11, {0.6f, 0.7f, 0.7f}, 0, 0.709}, "min_face is 11"},
        {{sizeof(blan_detect_options), NAN, {0.6f, 0.7f, 0.7f}, 0, 0.709}, "min_face"},
        {{sizeof(blan_detect_options), 20, {0, 0.7f, 0.7f}, 0, 0.709}, "thresholds[0]"},
        {{sizeof(blan_detect_options), 20, {0.6f, 1, 0.7f}, 0, 0.709}, "thresholds[1]"},
        {{sizeof(blan_detect_options), 20, {0.6f, 0.7f, NAN}, 0, 0.709}, "thresholds[2]"},
        {{sizeof(blan_detect_options), 20, {0.6f, 0.7f, 0.7f}, -1, 0.709}, "max_faces is -1"},
        {{sizeof(blan_detect_options), 20, {0.6f, 0.7f, 0.7f}, 0, 1}, "factor is 1"},
        {{0, 20, {0.6f, 0.7f, 0.7f}, 0, 0.709}, "struct_size"},
    };
    size_t count;
    blan_face face;
    float probabilities[N];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        count = 7;
        CHECK_REFUSED(blan_detect_faces(detector, &image, &wrong[i].options, &face, 1, &count),
                      BLAN_ERROR_INVALID_ARGUMENT, wrong[i].text);
        CHECK(count == 0);
        CHECK_REFUSED(blan_predict_faces(model, detector, &image, &wrong[i].options, NULL, &face, probabilities, 1,
                                         &count),
                      BLAN_ERROR_INVALID_ARGUMENT, wrong[i].text);
    }
}

static void arguments_are_named(const blan_model *model, const blan_detector *detector)
{
    static const uint8_t data[30 * 30 * 3];
    const blan_image image = {data, 30, 30, 0, BLAN_PIXEL_RGB8};
    blan_image bad = image;
    bad.data = NULL;
    size_t count;
    blan_face face;
    float probabilities[N];
    const blan_status invalid = BLAN_ERROR_INVALID_ARGUMENT;
    CHECK_REFUSED(blan_detect_faces(NULL, &image, NULL, &face, 1, &count), invalid, "detector is NULL");
    CHECK_REFUSED(blan_detect_faces(detector, NULL, NULL, &face, 1, &count), invalid, "image is NULL");
    CHECK_REFUSED(blan_detect_faces(detector, &bad, NULL, &face, 1, &count), invalid, "data is NULL");
    CHECK_REFUSED(blan_detect_faces(detector, &image, NULL, NULL, 1, &count), invalid, "faces is NULL");
    CHECK_REFUSED(blan_detect_faces(detector, &image, NULL, &face, SIZE_MAX, &count), invalid, "capacity is");
    CHECK_REFUSED(blan_detect_faces(detector, &image, NULL, &face, 1, NULL), invalid, "count is NULL");

    float *p = probabilities;
    CHECK_REFUSED(blan_predict_faces(NULL, detector, &image, NULL, NULL, &face, p, 1, &count), invalid, "model");
    CHECK_REFUSED(blan_predict_faces(model, NULL, &image, NULL, NULL, &face, p, 1, &count), invalid, "detector");
    CHECK_REFUSED(blan_predict_faces(model, detector, NULL, NULL, NULL, &face, p, 1, &count), invalid, "image");
    CHECK_REFUSED(blan_predict_faces(model, detector, &image, NULL, NULL, &face, NULL, 1, &count), invalid,
                  "probabilities is NULL");
    CHECK_REFUSED(blan_predict_faces(model, detector, &image, NULL, NULL, &face, p, SIZE_MAX, &count), invalid,
                  "capacity is");
    CHECK_REFUSED(blan_predict_faces(model, detector, &image, NULL, NULL, &face, p, 1, NULL), invalid, "count");
    CHECK_OK(blan_predict_faces(model, detector, &image, NULL, NULL, NULL, p, 1, &count));
    CHECK(count == 0);

    bad = image, bad.width = 40000, bad.row_stride = 0;
    CHECK_REFUSED(blan_detect_faces(detector, &bad, NULL, &face, 1, &count), BLAN_ERROR_SHAPE, "40000");
}

int main(void)
{
    detectors_load_from_files_and_memory();
    loading_names_the_argument();
    blan_model *model = fixture_model(1);
    blan_detector *detector = load_detector(2);
    the_bundled_photo_has_a_face(detector);
    room_limits_what_is_written_but_not_the_count(detector);
    no_face_is_an_answer(model, detector);
    whole_photos_are_predicted(model, detector);
    the_frame_is_where_the_face_is(detector);
    alignment_names_the_argument();
    options_are_validated(model, detector);
    arguments_are_named(model, detector);
    blan_detector_free(detector);
    blan_model_free(model);
    return check_end();
}
