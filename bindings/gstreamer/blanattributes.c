/* blanattributes: an in-place transform that leaves the pixels alone. In every interval-th frame it finds the faces and
 * predicts their attributes; it attaches them to that frame and, with their age, to those after it, and posts a message.
 *
 * The model and the detector are loaded when the element starts (READY to PAUSED) and freed when it stops. Frames are
 * worked on in the streaming thread; properties may be set from any thread at any time. */
#include <gst/base/gstbasetransform.h>

#include "blanattributes.h"
#include "results.h"

#include <blan.h>
#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(blanattributes_debug);
#define GST_CAT_DEFAULT blanattributes_debug

/* blan_image reads the first line's formats where they are; the others are converted to RGB, in frames looked at. */
#define FORMATS \
    "{ RGB, BGR, RGBx, BGRx, RGBA, BGRA, GRAY8, " \
    "I420, YV12, NV12, NV21, YUY2, UYVY }"

enum { FIRST_ROOM = 8 }; /* faces; a frame with more is looked at again */

struct _GstBlanAttributes {
    GstBaseTransform parent;

    /* Properties, under the object's lock. */
    gchar *model_path, *detector_path;
    gint threads;
    guint interval;
    gdouble threshold; /* negative = the model's own */
    gdouble min_face;
    gint max_faces;
    gboolean post_messages;

    /* From start to stop, of the streaming thread. */
    blan_model *model;
    blan_detector *detector;
    GstVideoInfo info;
    GstVideoConverter *converter; /* NULL where the frames are read as they are */
    GstVideoInfo rgb_info;
    GstBuffer *rgb; /* what it converts to */
    blan_gst_results results;
    guint age;      /* frames since the last one looked at */
    gboolean fresh; /* no frame was looked at yet since the start, a flush or new caps */
    guint64 frames; /* that came in since the start */
};

enum {
    PROPERTY_MODEL = 1,
    PROPERTY_DETECTOR_MODEL,
    PROPERTY_INTERVAL,
    PROPERTY_THRESHOLD,
    PROPERTY_MIN_FACE,
    PROPERTY_MAX_FACES,
    PROPERTY_THREADS,
    PROPERTY_POST_MESSAGES
};

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));
static GstStaticPadTemplate source_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(FORMATS)));

G_DEFINE_TYPE_WITH_CODE(GstBlanAttributes, gst_blan_attributes, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(blanattributes_debug, "blanattributes", 0, "facial attributes"))
GST_ELEMENT_REGISTER_DEFINE(blanattributes, "blanattributes", GST_RANK_NONE, GST_TYPE_BLAN_ATTRIBUTES)

static void gst_blan_attributes_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROPERTY_MODEL:
        g_free(self->model_path);
        self->model_path = g_value_dup_string(value);
        break;
    case PROPERTY_DETECTOR_MODEL:
        g_free(self->detector_path);
        self->detector_path = g_value_dup_string(value);
        break;
    case PROPERTY_INTERVAL:
        self->interval = g_value_get_uint(value);
        break;
    case PROPERTY_THRESHOLD:
        self->threshold = g_value_get_double(value);
        break;
    case PROPERTY_MIN_FACE:
        self->min_face = g_value_get_double(value);
        break;
    case PROPERTY_MAX_FACES:
        self->max_faces = g_value_get_int(value);
        break;
    case PROPERTY_THREADS:
        self->threads = g_value_get_int(value);
        break;
    case PROPERTY_POST_MESSAGES:
        self->post_messages = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_blan_attributes_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROPERTY_MODEL:
        g_value_set_string(value, self->model_path);
        break;
    case PROPERTY_DETECTOR_MODEL:
        g_value_set_string(value, self->detector_path);
        break;
    case PROPERTY_INTERVAL:
        g_value_set_uint(value, self->interval);
        break;
    case PROPERTY_THRESHOLD:
        g_value_set_double(value, self->threshold);
        break;
    case PROPERTY_MIN_FACE:
        g_value_set_double(value, self->min_face);
        break;
    case PROPERTY_MAX_FACES:
        g_value_set_int(value, self->max_faces);
        break;
    case PROPERTY_THREADS:
        g_value_set_int(value, self->threads);
        break;
    case PROPERTY_POST_MESSAGES:
        g_value_set_boolean(value, self->post_messages);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_blan_attributes_finalize(GObject *object)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(object);
    g_free(self->model_path);
    g_free(self->detector_path);
    G_OBJECT_CLASS(gst_blan_attributes_parent_class)->finalize(object);
}

static void release(GstBlanAttributes *self)
{
    blan_gst_results_clear(&self->results);
    g_clear_pointer(&self->converter, gst_video_converter_free);
    gst_clear_buffer(&self->rgb);
    g_clear_pointer(&self->detector, blan_detector_free);
    g_clear_pointer(&self->model, blan_model_free);
}

/* Posts the error of a file that a property names. */
static void post_load_error(GstBlanAttributes *self, const char *property, const gchar *path, blan_status status)
{
    if (path == NULL)
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("The property %s names no file.", property), (NULL));
    else if (status == BLAN_ERROR_IO)
        GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ, ("%s", blan_last_error()), ("property %s", property));
    else
        GST_ELEMENT_ERROR(self, LIBRARY, INIT, ("%s", blan_last_error()),
                          ("property %s: %s", property, blan_status_name(status)));
}

static gboolean gst_blan_attributes_start(GstBaseTransform *transform)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(transform);
    GST_OBJECT_LOCK(self);
    gchar *model = g_strdup(self->model_path), *detector = g_strdup(self->detector_path);
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = self->threads;
    GST_OBJECT_UNLOCK(self);

    blan_status status = BLAN_OK;
    gboolean loaded = FALSE;
    if (model == NULL || (status = blan_model_load(model, &options, &self->model)) != BLAN_OK)
        post_load_error(self, "model", model, status);
    else if (detector == NULL || (status = blan_detector_load(detector, &options, &self->detector)) != BLAN_OK)
        post_load_error(self, "detector-model", detector, status);
    else
        loaded = TRUE;
    g_free(model);
    g_free(detector);
    if (!loaded) {
        release(self);
        return FALSE;
    }
    blan_gst_results_init(&self->results, self->model);
    self->fresh = TRUE;
    self->frames = 0;
    if (!blan_model_is_trained(self->model))
        GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("The model is not trained: its probabilities mean nothing."),
                            (NULL));
    return TRUE;
}

static gboolean gst_blan_attributes_stop(GstBaseTransform *transform)
{
    release(GST_BLAN_ATTRIBUTES(transform));
    return TRUE;
}

/* The format in which blan_image reads a frame of this one; -1 where it has to be converted. */
static blan_pixel_format direct_format(GstVideoFormat format)
{
    switch (format) {
    case GST_VIDEO_FORMAT_RGB:
        return BLAN_PIXEL_RGB8;
    case GST_VIDEO_FORMAT_BGR:
        return BLAN_PIXEL_BGR8;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_RGBA:
        return BLAN_PIXEL_RGBA8;
    case GST_VIDEO_FORMAT_BGRx:
    case GST_VIDEO_FORMAT_BGRA:
        return BLAN_PIXEL_BGRA8;
    case GST_VIDEO_FORMAT_GRAY8:
        return BLAN_PIXEL_GRAY8;
    default:
        return -1;
    }
}

static gboolean gst_blan_attributes_set_caps(GstBaseTransform *transform, GstCaps *caps, GstCaps *out_caps)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(transform);
    (void)out_caps; /* in place: the same */
    g_clear_pointer(&self->converter, gst_video_converter_free);
    gst_clear_buffer(&self->rgb);
    self->fresh = TRUE;
    self->results.count = 0;
    if (!gst_video_info_from_caps(&self->info, caps)) {
        GST_ERROR_OBJECT(self, "caps are no raw video: %" GST_PTR_FORMAT, (void *)caps);
        return FALSE;
    }
    if (direct_format(GST_VIDEO_INFO_FORMAT(&self->info)) >= 0)
        return TRUE;
    gst_video_info_set_format(&self->rgb_info, GST_VIDEO_FORMAT_RGB, (guint)GST_VIDEO_INFO_WIDTH(&self->info),
                              (guint)GST_VIDEO_INFO_HEIGHT(&self->info));
    self->rgb_info.fps_n = self->info.fps_n;
    self->rgb_info.fps_d = self->info.fps_d;
    self->rgb_info.interlace_mode = self->info.interlace_mode;
    self->converter = gst_video_converter_new(&self->info, &self->rgb_info, NULL);
    self->rgb = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&self->rgb_info), NULL);
    if (self->converter == NULL || self->rgb == NULL) {
        GST_ERROR_OBJECT(self, "cannot convert to RGB: %" GST_PTR_FORMAT, (void *)caps);
        return FALSE;
    }
    return TRUE;
}

/* Rows may be any distance apart: upstream need not copy frames whose rows are padded. */
static gboolean gst_blan_attributes_propose_allocation(GstBaseTransform *transform, GstQuery *decide, GstQuery *query)
{
    if (!GST_BASE_TRANSFORM_CLASS(gst_blan_attributes_parent_class)->propose_allocation(transform, decide, query))
        return FALSE;
    if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL))
        gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return TRUE;
}

/* What was found before a seek says nothing of the frames after it. */
static gboolean gst_blan_attributes_sink_event(GstBaseTransform *transform, GstEvent *event)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(transform);
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
        self->fresh = TRUE;
        self->results.count = 0;
    }
    return GST_BASE_TRANSFORM_CLASS(gst_blan_attributes_parent_class)->sink_event(transform, event);
}

/* Finds and predicts the faces of a mapped frame. */
static blan_status look_at(GstBlanAttributes *self, const GstVideoFrame *frame, const blan_detect_options *options)
{
    const blan_image image = {
        .data = GST_VIDEO_FRAME_PLANE_DATA(frame, 0),
        .width = GST_VIDEO_FRAME_WIDTH(frame),
        .height = GST_VIDEO_FRAME_HEIGHT(frame),
        .row_stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0),
        .format = direct_format(GST_VIDEO_FRAME_FORMAT(frame)),
    };
    blan_gst_results *results = &self->results;
    size_t room = FIRST_ROOM, count = 0;
    do {
        results->count = 0;
        if (!blan_gst_results_reserve(results, room))
            return BLAN_ERROR_OUT_OF_MEMORY;
        const blan_status status = blan_predict_faces(self->model, self->detector, &image, options, NULL, results->faces,
                                                      results->probabilities, results->capacity, &count);
        if (status != BLAN_OK)
            return status;
        room = count;
    } while (count > results->capacity);
    results->count = count;
    return BLAN_OK;
}

/* Looks at a buffer's frame, converted where it has to be. FALSE after an error, which is posted. */
static gboolean predict(GstBlanAttributes *self, GstBuffer *buffer, const blan_detect_options *options)
{
    GstVideoFrame frame, rgb;
    if (!gst_video_frame_map(&frame, &self->info, buffer, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(self, RESOURCE, READ, ("Frame %" G_GUINT64_FORMAT " cannot be mapped.", self->frames), (NULL));
        return FALSE;
    }
    blan_status status;
    if (self->converter == NULL) {
        status = look_at(self, &frame, options);
    } else if (gst_video_frame_map(&rgb, &self->rgb_info, self->rgb, GST_MAP_READWRITE)) {
        gst_video_converter_frame(self->converter, &frame, &rgb);
        status = look_at(self, &rgb, options);
        gst_video_frame_unmap(&rgb);
    } else {
        status = BLAN_ERROR_OUT_OF_MEMORY;
    }
    gst_video_frame_unmap(&frame);
    if (status != BLAN_OK)
        GST_ELEMENT_ERROR(self, STREAM, FAILED, ("Frame %" G_GUINT64_FORMAT ": %s", self->frames, blan_last_error()),
                          ("%s", blan_status_name(status)));
    return status == BLAN_OK;
}

static void post_results(GstBlanAttributes *self, const GstBuffer *buffer, gdouble threshold)
{
    const GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
    const GstClockTime time = GST_BUFFER_PTS(buffer);
    GstClockTime stream = GST_CLOCK_TIME_NONE, running = GST_CLOCK_TIME_NONE;
    if (segment->format == GST_FORMAT_TIME) {
        stream = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, time);
        running = gst_segment_to_running_time(segment, GST_FORMAT_TIME, time);
    }
    GstStructure *structure = gst_structure_new(
        "blanattributes", "frame", G_TYPE_UINT64, self->frames, "timestamp", G_TYPE_UINT64, time, "stream-time",
        G_TYPE_UINT64, stream, "running-time", G_TYPE_UINT64, running, "width", G_TYPE_INT,
        GST_VIDEO_INFO_WIDTH(&self->info), "height", G_TYPE_INT, GST_VIDEO_INFO_HEIGHT(&self->info), "trained",
        G_TYPE_BOOLEAN, (gboolean)blan_model_is_trained(self->model), NULL);
    GValue faces = G_VALUE_INIT;
    blan_gst_results_array(&self->results, threshold, &faces);
    gst_structure_take_value(structure, "faces", &faces);
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), structure));
}

static GstFlowReturn gst_blan_attributes_transform_ip(GstBaseTransform *transform, GstBuffer *buffer)
{
    GstBlanAttributes *self = GST_BLAN_ATTRIBUTES(transform);
    if (transform->segment.format == GST_FORMAT_TIME) {
        const GstClockTime time =
            gst_segment_to_stream_time(&transform->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
        if (GST_CLOCK_TIME_IS_VALID(time))
            gst_object_sync_values(GST_OBJECT(self), time); /* properties that an application changes over time */
    }

    blan_detect_options options = BLAN_DETECT_OPTIONS_INIT;
    GST_OBJECT_LOCK(self);
    options.min_face = self->min_face;
    options.max_faces = self->max_faces;
    const guint interval = self->interval;
    const gdouble threshold = self->threshold;
    const gboolean post = self->post_messages;
    GST_OBJECT_UNLOCK(self);

    self->age++;
    if (self->fresh || self->age >= interval) {
        if (!predict(self, buffer, &options))
            return GST_FLOW_ERROR;
        self->fresh = FALSE;
        self->age = 0;
        if (post)
            post_results(self, buffer, threshold);
    }
    blan_gst_results_attach(&self->results, buffer, &self->info, self->age, threshold);
    self->frames++;
    return GST_FLOW_OK;
}

static void install_properties(GObjectClass *class)
{
    const GParamFlags common = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    const GParamFlags before = common | GST_PARAM_MUTABLE_READY;
    const GParamFlags always = common | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;
    g_object_class_install_property(
        class, PROPERTY_MODEL,
        g_param_spec_string("model", "Model", "Model file (safetensors), such as models/default.safetensors; needed",
                            NULL, before));
    g_object_class_install_property(
        class, PROPERTY_DETECTOR_MODEL,
        g_param_spec_string("detector-model", "Detector model",
                            "Face detector's file (safetensors), such as models/mtcnn.safetensors; needed", NULL,
                            before));
    g_object_class_install_property(
        class, PROPERTY_INTERVAL,
        g_param_spec_uint("interval", "Interval",
                          "Frames from one prediction to the next; those between carry the last one's faces", 1,
                          G_MAXUINT, 5, always));
    g_object_class_install_property(
        class, PROPERTY_THRESHOLD,
        g_param_spec_double("threshold", "Threshold",
                            "Probability from which an attribute counts as present; -1 = the model's own thresholds", -1,
                            1, -1, always));
    g_object_class_install_property(
        class, PROPERTY_MIN_FACE,
        g_param_spec_double("min-face", "Smallest face",
                            "Side of the smallest face that is looked for, in pixels; the time goes with its inverse "
                            "square",
                            12, 32768, 40, always));
    g_object_class_install_property(
        class, PROPERTY_MAX_FACES,
        g_param_spec_int("max-faces", "Most faces", "Only the largest so many faces of a frame; 0 = all", 0, G_MAXINT, 0,
                         always));
    g_object_class_install_property(
        class, PROPERTY_THREADS,
        g_param_spec_int("threads", "Threads", "Threads to work on; 0 = all cores this process may use", 0, 1024, 0,
                         before));
    g_object_class_install_property(
        class, PROPERTY_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages",
                             "Post an element message \"blanattributes\" with the faces of each frame looked at", TRUE,
                             always));
}

static void gst_blan_attributes_class_init(GstBlanAttributesClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    object->set_property = gst_blan_attributes_set_property;
    object->get_property = gst_blan_attributes_get_property;
    object->finalize = gst_blan_attributes_finalize;
    install_properties(object);

    GstElementClass *element = GST_ELEMENT_CLASS(class);
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &source_template);
    gst_element_class_set_static_metadata(
        element, "Facial attributes", "Filter/Analyzer/Video",
        "Finds faces and predicts forty attributes of each; attaches them as regions of interest and posts messages",
        "libblan");

    GstBaseTransformClass *transform = GST_BASE_TRANSFORM_CLASS(class);
    transform->start = gst_blan_attributes_start;
    transform->stop = gst_blan_attributes_stop;
    transform->set_caps = gst_blan_attributes_set_caps;
    transform->propose_allocation = gst_blan_attributes_propose_allocation;
    transform->sink_event = gst_blan_attributes_sink_event;
    transform->transform_ip = gst_blan_attributes_transform_ip;
}

static void gst_blan_attributes_init(GstBlanAttributes *self)
{
    self->interval = 5;
    self->threshold = -1;
    self->min_face = 40;
    self->post_messages = TRUE;
    gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
}
