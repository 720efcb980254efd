/* The element blanattributes in real pipelines: what it attaches, what it posts, that pixels stay where they are.
 *
 * Built with the plugin's sources under AddressSanitizer by Tests/GStreamer/run.sh. Runs in the project's root. */
#include <blan.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

GST_PLUGIN_STATIC_DECLARE(blan);

#define MODEL "models/default.safetensors"
#define DETECTOR "models/mtcnn.safetensors"
#define ELEMENT "blanattributes name=element threads=2 model=" MODEL " detector-model=" DETECTOR
#define PHOTO "filesrc location=examples/data/astronaut_full.jpg ! jpegdec ! imagefreeze num-buffers=7"

static int failures;

#define CHECK(condition) check((condition), #condition, __LINE__)

static gboolean check(gboolean holds, const char *condition, int line)
{
    if (!holds) {
        fprintf(stderr, "element.c:%d: not so: %s\n", line, condition);
        failures++;
    }
    return holds;
}

static blan_model *model;
static blan_detector *detector;

/* A pipeline with the element, an appsink `sink`, and what was posted so far. */
typedef struct run {
    GstElement *pipeline, *element;
    GstAppSink *sink;
    GstAppSrc *source; /* NULL without an appsrc */
    GstBus *bus;
    GstMemory *memory_in;
} run;

static run begin(const char *description)
{
    GError *error = NULL;
    run run = {.pipeline = gst_parse_launch(description, &error)};
    if (error != NULL)
        g_error("%s: %s", description, error->message);
    run.element = gst_bin_get_by_name(GST_BIN(run.pipeline), "element");
    run.sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(run.pipeline), "sink"));
    run.source = (GstAppSrc *)gst_bin_get_by_name(GST_BIN(run.pipeline), "source");
    run.bus = gst_element_get_bus(run.pipeline);
    return run;
}

static void end(run *run)
{
    gst_element_set_state(run->pipeline, GST_STATE_NULL);
    gst_object_unref(run->bus);
    gst_clear_object(&run->source);
    gst_object_unref(run->sink);
    gst_object_unref(run->element);
    gst_object_unref(run->pipeline);
}

static void play(run *run) { gst_element_set_state(run->pipeline, GST_STATE_PLAYING); }

static GstSample *pull(run *run) { return gst_app_sink_try_pull_sample(run->sink, 30 * GST_SECOND); }

static guint face_count(GstBuffer *buffer)
{
    return gst_buffer_get_n_meta(buffer, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

/* The buffer's face with the id `id`, from 1. */
static GstVideoRegionOfInterestMeta *face_of(GstBuffer *buffer, gint id)
{
    return gst_buffer_get_video_region_of_interest_meta_id(buffer, id);
}

static guint age_of(GstBuffer *buffer)
{
    guint age = G_MAXUINT;
    GstVideoRegionOfInterestMeta *meta = face_of(buffer, 1);
    if (CHECK(meta != NULL))
        gst_structure_get_uint(gst_video_region_of_interest_meta_get_param(meta, "blan-face"), "age", &age);
    return age;
}

static gdouble number(const GstStructure *structure, const char *field)
{
    gdouble value = NAN;
    gst_structure_get_double(structure, field, &value);
    return value;
}

static guint present_count(const GstStructure *face)
{
    return gst_value_array_get_size(gst_structure_get_value(face, "present"));
}

/* A face as it is attached or posted against what the library says of it. */
static void check_face(const GstStructure *face, const GstStructure *attributes, const blan_face *expected,
                       const float *probabilities)
{
    if (!CHECK(face != NULL && attributes != NULL))
        return;
    CHECK(number(face, "score") == (gdouble)expected->score);
    const GValue *landmarks = gst_structure_get_value(face, "landmarks");
    CHECK(gst_value_array_get_size(landmarks) == 10);
    for (guint i = 0; i < 10; i++)
        CHECK(g_value_get_double(gst_value_array_get_value(landmarks, i)) ==
              (gdouble)expected->landmarks[i / 2][i % 2]);
    const size_t count = blan_model_attribute_count(model);
    guint present = 0;
    CHECK((size_t)gst_structure_n_fields(attributes) == count);
    for (size_t i = 0; i < count; i++) {
        CHECK(number(attributes, blan_model_attribute_name(model, i)) == (gdouble)probabilities[i]);
        present += probabilities[i] >= blan_model_threshold(model, i);
    }
    CHECK(present_count(face) == present);
}

static void check_meta(GstBuffer *buffer, size_t index, const blan_face *expected, const float *probabilities)
{
    GstVideoRegionOfInterestMeta *meta = face_of(buffer, (gint)index + 1);
    if (!CHECK(meta != NULL))
        return;
    CHECK(meta->roi_type == g_quark_from_static_string("face"));
    CHECK((float)meta->x <= expected->x0 && (float)meta->x > expected->x0 - 1);
    CHECK((float)meta->y <= expected->y0 && (float)meta->y > expected->y0 - 1);
    CHECK((float)(meta->x + meta->w) >= expected->x1 && (float)(meta->x + meta->w) < expected->x1 + 1);
    CHECK((float)(meta->y + meta->h) >= expected->y1 && (float)(meta->y + meta->h) < expected->y1 + 1);
    check_face(gst_video_region_of_interest_meta_get_param(meta, "blan-face"),
               gst_video_region_of_interest_meta_get_param(meta, "blan-attributes"), expected, probabilities);
}

/* What the library says of a buffer whose frame it can read, or of its conversion to RGB. */
static size_t expected_faces(GstSample *sample, blan_face *faces, float *probabilities, size_t capacity)
{
    GstVideoInfo info, rgb_info;
    GstVideoFrame frame, rgb;
    gst_video_info_from_caps(&info, gst_sample_get_caps(sample));
    gst_video_info_set_format(&rgb_info, GST_VIDEO_FORMAT_RGB, (guint)info.width, (guint)info.height);
    rgb_info.fps_n = info.fps_n;
    rgb_info.fps_d = info.fps_d;
    GstBuffer *scratch = gst_buffer_new_allocate(NULL, rgb_info.size, NULL);
    gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ);
    gst_video_frame_map(&rgb, &rgb_info, scratch, GST_MAP_READWRITE);
    GstVideoConverter *converter = gst_video_converter_new(&info, &rgb_info, NULL);
    gst_video_converter_frame(converter, &frame, &rgb);
    const blan_image image = {GST_VIDEO_FRAME_PLANE_DATA(&rgb, 0), info.width, info.height,
                              GST_VIDEO_FRAME_PLANE_STRIDE(&rgb, 0), BLAN_PIXEL_RGB8};
    blan_detect_options options = BLAN_DETECT_OPTIONS_INIT;
    options.min_face = 40;
    size_t count = 0;
    CHECK(blan_predict_faces(model, detector, &image, &options, NULL, faces, probabilities, capacity, &count) == BLAN_OK);
    gst_video_converter_free(converter);
    gst_video_frame_unmap(&rgb);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(scratch);
    return count;
}

static const GstStructure *face_in(const GstStructure *message, guint index)
{
    return gst_value_get_structure(gst_value_array_get_value(gst_structure_get_value(message, "faces"), index));
}

static guint faces_in(const GstStructure *message)
{
    return gst_value_array_get_size(gst_structure_get_value(message, "faces"));
}

static GstMessage *next_message(run *run)
{
    return gst_bus_timed_pop_filtered(run->bus, 30 * GST_SECOND, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
}

static GstPadProbeReturn note_memory(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)pad;
    ((run *)user)->memory_in = gst_buffer_peek_memory(GST_PAD_PROBE_INFO_BUFFER(info), 0);
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn compare_memory(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)pad;
    CHECK(((run *)user)->memory_in == gst_buffer_peek_memory(GST_PAD_PROBE_INFO_BUFFER(info), 0));
    return GST_PAD_PROBE_OK;
}

static void watch_memory(run *run)
{
    GstPad *in = gst_element_get_static_pad(run->element, "sink"), *out = gst_element_get_static_pad(run->element, "src");
    gst_pad_add_probe(in, GST_PAD_PROBE_TYPE_BUFFER, note_memory, run, NULL);
    gst_pad_add_probe(out, GST_PAD_PROBE_TYPE_BUFFER, compare_memory, run, NULL);
    gst_object_unref(in);
    gst_object_unref(out);
}

/* Every pixel format: metas on each frame, messages from each third, no copy. Sides are odd, so rows are padded. */
static void formats_give_what_the_library_says(void)
{
    static const char *const formats[] = {"RGB",  "BGR",  "RGBx", "BGRx", "RGBA", "BGRA", "GRAY8",
                                          "I420", "YV12", "NV12", "NV21", "YUY2", "UYVY"};
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        char *description = g_strdup_printf(PHOTO " ! videoconvert ! videoscale ! video/x-raw,format=%s,width=399,"
                                                  "height=397,framerate=25/1 ! " ELEMENT
                                                  " interval=3 ! appsink name=sink sync=false",
                                            formats[i]);
        run run = begin(description);
        g_free(description);
        watch_memory(&run);
        play(&run);
        blan_face expected;
        float probabilities[64];
        for (guint frame = 0; frame < 7; frame++) {
            GstSample *sample = pull(&run);
            if (!CHECK(sample != NULL))
                break;
            GstBuffer *buffer = gst_sample_get_buffer(sample);
            if (frame == 0)
                CHECK(expected_faces(sample, &expected, probabilities, 1) == 1);
            CHECK(face_count(buffer) == 1 && age_of(buffer) == frame % 3);
            check_meta(buffer, 0, &expected, probabilities);
            CHECK(frame > 0 || number(gst_video_region_of_interest_meta_get_param(face_of(buffer, 1), "blan-attributes"),
                                      "Smiling") > 0.9);
            gst_sample_unref(sample);
        }
        for (guint64 frame = 0; frame < 7; frame += 3) {
            GstMessage *message = next_message(&run);
            if (!CHECK(message != NULL && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT))
                break;
            const GstStructure *posted = gst_message_get_structure(message);
            guint64 number_of_frame = 99, timestamp = 99;
            gint width = 0;
            gst_structure_get(posted, "frame", G_TYPE_UINT64, &number_of_frame, "timestamp", G_TYPE_UINT64, &timestamp,
                              "width", G_TYPE_INT, &width, NULL);
            CHECK(gst_structure_has_name(posted, "blanattributes") && number_of_frame == frame && width == 399);
            CHECK(timestamp == frame * GST_SECOND / 25 && faces_in(posted) == 1);
            const GstStructure *face = face_in(posted, 0);
            check_face(face, gst_value_get_structure(gst_structure_get_value(face, "attributes")), &expected,
                       probabilities);
            CHECK(number(face, "x") == (gdouble)expected.x0);
            CHECK(number(face, "height") == (gdouble)(expected.y1 - expected.y0));
            gst_message_unref(message);
        }
        end(&run);
    }
}

static void no_face_is_an_answer(void)
{
    run run = begin("videotestsrc num-buffers=2 ! video/x-raw,width=160,height=120 ! " ELEMENT
                    " interval=1 ! appsink name=sink sync=false");
    play(&run);
    for (int i = 0; i < 2; i++) {
        GstSample *sample = pull(&run);
        CHECK(sample != NULL && face_count(gst_sample_get_buffer(sample)) == 0);
        gst_sample_unref(sample);
        GstMessage *message = next_message(&run);
        CHECK(message != NULL && faces_in(gst_message_get_structure(message)) == 0);
        gst_message_unref(message);
    }
    end(&run);
}

/* A sample of the photo, `columns` x `rows` times. */
static GstSample *tiled(const blan_image *photo, int columns, int rows)
{
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, (guint)(photo->width * columns),
                              (guint)(photo->height * rows));
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
    GstVideoFrame frame;
    gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE);
    guint8 *data = GST_VIDEO_FRAME_PLANE_DATA(&frame, 0);
    const size_t stride = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), row = (size_t)photo->width * 3;
    const size_t given = photo->row_stride != 0 ? (size_t)photo->row_stride : row;
    for (int y = 0; y < photo->height * rows; y++)
        for (int column = 0; column < columns; column++)
            memcpy(data + (size_t)y * stride + (size_t)column * row,
                   photo->data + (size_t)(y % photo->height) * given, row);
    gst_video_frame_unmap(&frame);
    GstCaps *caps = gst_video_info_to_caps(&info);
    GstSample *sample = gst_sample_new(buffer, caps, NULL, NULL);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
    return sample;
}

static void push(run *run, GstSample *sample)
{
    gst_app_src_push_sample(run->source, sample);
    gst_sample_unref(sample);
}

/* More faces than the element has room for at first, then frames of another size, with the interval still running. */
static void many_faces_and_other_caps(const blan_image *photo)
{
    run run = begin("appsrc name=source format=time ! " ELEMENT " interval=100 ! appsink name=sink sync=false");
    play(&run);
    push(&run, tiled(photo, 4, 3));
    GstSample *sample = pull(&run);
    blan_face faces[16];
    float probabilities[16 * 64];
    const size_t count = expected_faces(sample, faces, probabilities, 16);
    CHECK(count == 12 && face_count(gst_sample_get_buffer(sample)) == 12);
    for (size_t i = 0; i < count; i++)
        check_meta(gst_sample_get_buffer(sample), i, &faces[i],
                   probabilities + i * blan_model_attribute_count(model));
    gst_sample_unref(sample);

    push(&run, tiled(photo, 2, 1));
    sample = pull(&run);
    CHECK(face_count(gst_sample_get_buffer(sample)) == 2 && age_of(gst_sample_get_buffer(sample)) == 0);
    gst_sample_unref(sample);
    end(&run);
}

static void properties_hold_at_once(const blan_image *photo)
{
    static const struct {
        gdouble threshold;
        gint max_faces;
        guint present, faces;
    } steps[] = {{0, 0, 40, 3}, {1, 2, 0, 2}, {-1, 1, 9, 1}};
    run run = begin("appsrc name=source format=time ! " ELEMENT
                    " post-messages=false interval=1 ! appsink name=sink sync=false");
    play(&run);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_object_set(run.element, "threshold", steps[i].threshold, "max-faces", steps[i].max_faces, NULL);
        push(&run, tiled(photo, 3, 1));
        GstSample *sample = pull(&run);
        GstBuffer *buffer = gst_sample_get_buffer(sample);
        CHECK(face_count(buffer) == steps[i].faces);
        CHECK(present_count(gst_video_region_of_interest_meta_get_param(face_of(buffer, 1), "blan-face")) ==
              steps[i].present);
        gst_sample_unref(sample);
    }
    g_object_set(run.element, "min-face", 500.0, NULL);
    push(&run, tiled(photo, 3, 1));
    GstSample *sample = pull(&run);
    CHECK(face_count(gst_sample_get_buffer(sample)) == 0);
    gst_sample_unref(sample);
    CHECK(gst_bus_pop_filtered(run.bus, GST_MESSAGE_ELEMENT) == NULL);
    gdouble threshold, min_face;
    gchar *path;
    g_object_get(run.element, "threshold", &threshold, "min-face", &min_face, "model", &path, NULL);
    CHECK(threshold == -1 && min_face == 500 && strcmp(path, MODEL) == 0);
    g_free(path);
    end(&run);
}

static void a_seek_begins_anew(void)
{
    run run = begin("filesrc location=examples/data/astronaut_full.jpg ! jpegdec ! imagefreeze ! "
                    "video/x-raw,framerate=25/1 ! videoconvert ! " ELEMENT
                    " interval=1000 ! appsink name=sink sync=false max-buffers=1");
    play(&run);
    for (guint i = 0; i < 3; i++) {
        GstSample *sample = pull(&run);
        CHECK(age_of(gst_sample_get_buffer(sample)) == i);
        gst_sample_unref(sample);
    }
    CHECK(gst_element_seek_simple(run.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 2 * GST_SECOND));
    GstSample *sample = pull(&run);
    CHECK(GST_BUFFER_PTS(gst_sample_get_buffer(sample)) == 2 * GST_SECOND);
    CHECK(age_of(gst_sample_get_buffer(sample)) == 0);
    gst_sample_unref(sample);
    end(&run);
}

static void expect_error(const char *properties, const char *text)
{
    char *description = g_strconcat("videotestsrc ! blanattributes name=element ", properties,
                                    " ! appsink name=sink sync=false", NULL);
    run run = begin(description);
    g_free(description);
    play(&run);
    GstMessage *message = gst_bus_timed_pop_filtered(run.bus, 30 * GST_SECOND, GST_MESSAGE_ERROR);
    if (CHECK(message != NULL)) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        if (!CHECK(strstr(error->message, text) != NULL))
            fprintf(stderr, "  it says: %s\n", error->message);
        CHECK(GST_MESSAGE_SRC(message) == GST_OBJECT(run.element));
        g_error_free(error);
        gst_message_unref(message);
    }
    end(&run);
}

static void errors_say_what_and_where(const blan_image *photo)
{
    expect_error("", "property model names no file");
    expect_error("model=" MODEL, "property detector-model names no file");
    expect_error("model=/nowhere/x detector-model=" DETECTOR, "/nowhere/x");
    expect_error("model=README.md detector-model=" DETECTOR, "README.md is not a safetensors file");
    expect_error("model=" MODEL " detector-model=" MODEL, MODEL);

    /* A frame that the library refuses: its sides are limited. */
    blan_image narrow = *photo;
    narrow.height = 1;
    run run = begin("appsrc name=source format=time ! " ELEMENT " ! appsink name=sink sync=false");
    play(&run);
    push(&run, tiled(&narrow, 40000 / photo->width, 1));
    GstMessage *message = gst_bus_timed_pop_filtered(run.bus, 30 * GST_SECOND, GST_MESSAGE_ERROR);
    if (CHECK(message != NULL)) {
        GError *error = NULL;
        gst_message_parse_error(message, &error, NULL);
        CHECK(strstr(error->message, "Frame 0: ") != NULL && strstr(error->message, "40000") != NULL);
        g_error_free(error);
        gst_message_unref(message);
    }
    end(&run);
}

/* The element starts and stops as often as one likes, and lets go of all it holds. */
static void it_starts_again(void)
{
    run run = begin(PHOTO " ! videoconvert ! " ELEMENT " ! appsink name=sink sync=false");
    for (int i = 0; i < 3; i++) {
        play(&run);
        GstSample *sample = pull(&run);
        CHECK(sample != NULL && face_count(gst_sample_get_buffer(sample)) == 1);
        gst_sample_unref(sample);
        gst_element_set_state(run.pipeline, i == 0 ? GST_STATE_READY : GST_STATE_NULL);
    }
    end(&run);
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    GST_PLUGIN_STATIC_REGISTER(blan);
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = 2;
    blan_bitmap *bitmap = NULL;
    if (!CHECK(blan_model_load(MODEL, &options, &model) == BLAN_OK &&
               blan_detector_load(DETECTOR, &options, &detector) == BLAN_OK &&
               blan_bitmap_load("examples/data/astronaut_full.jpg", NULL, &bitmap) == BLAN_OK))
        return 1;
    const blan_image photo = blan_bitmap_image(bitmap);
    formats_give_what_the_library_says();
    no_face_is_an_answer();
    many_faces_and_other_caps(&photo);
    properties_hold_at_once(&photo);
    a_seek_begins_anew();
    errors_say_what_and_where(&photo);
    it_starts_again();
    blan_bitmap_free(bitmap);
    blan_detector_free(detector);
    blan_model_free(model);
    gst_deinit();
    return failures > 0;
}
