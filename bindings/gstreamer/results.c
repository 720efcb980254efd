#include "results.h"

#include <math.h>
#include <string.h>

void blan_gst_results_init(blan_gst_results *results, const blan_model *model)
{
    *results = (blan_gst_results){.attributes = blan_model_attribute_count(model)};
    results->fields = g_new0(gchar *, results->attributes + 1);
    results->thresholds = g_new(float, results->attributes);
    for (size_t i = 0; i < results->attributes; i++) {
        results->fields[i] = g_strdup(blan_model_attribute_name(model, i));
        g_strcanon(results->fields[i], G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_+/:.", '_');
        results->thresholds[i] = blan_model_threshold(model, i);
    }
}

void blan_gst_results_clear(blan_gst_results *results)
{
    g_free(results->faces);
    g_free(results->probabilities);
    g_free(results->thresholds);
    g_strfreev(results->fields);
    *results = (blan_gst_results){0};
}

gboolean blan_gst_results_reserve(blan_gst_results *results, size_t capacity)
{
    if (capacity <= results->capacity)
        return TRUE;
    blan_face *faces = g_try_new(blan_face, capacity);
    float *probabilities = g_try_new(float, capacity *results->attributes);
    if (faces == NULL || probabilities == NULL) {
        g_free(faces);
        g_free(probabilities);
        return FALSE;
    }
    g_free(results->faces);
    g_free(results->probabilities);
    results->faces = faces;
    results->probabilities = probabilities;
    results->capacity = capacity;
    results->count = 0;
    return TRUE;
}

/* Every attribute's probability by its name. */
static GstStructure *probabilities_of(const blan_gst_results *results, size_t index)
{
    GstStructure *structure = gst_structure_new_empty("blan-attributes");
    for (size_t i = 0; i < results->attributes; i++)
        gst_structure_set(structure, results->fields[i], G_TYPE_DOUBLE,
                          (gdouble)results->probabilities[index * results->attributes + i], NULL);
    return structure;
}

static void append_double(GValue *array, gdouble number)
{
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_DOUBLE);
    g_value_set_double(&value, number);
    gst_value_array_append_and_take_value(array, &value);
}

/* Score, the five landmarks as x and y in turn, and the names of the attributes present. */
static void set_face(const blan_gst_results *results, size_t index, gdouble threshold, GstStructure *structure)
{
    const blan_face *face = &results->faces[index];
    GValue landmarks = G_VALUE_INIT, present = G_VALUE_INIT;
    g_value_init(&landmarks, GST_TYPE_ARRAY);
    g_value_init(&present, GST_TYPE_ARRAY);
    for (int i = 0; i < 5; i++) {
        append_double(&landmarks, (gdouble)face->landmarks[i][0]);
        append_double(&landmarks, (gdouble)face->landmarks[i][1]);
    }
    for (size_t i = 0; i < results->attributes; i++) {
        const gdouble least = threshold >= 0 ? threshold : (gdouble)results->thresholds[i];
        if ((gdouble)results->probabilities[index * results->attributes + i] < least)
            continue;
        GValue name = G_VALUE_INIT;
        g_value_init(&name, G_TYPE_STRING);
        g_value_set_string(&name, results->fields[i]);
        gst_value_array_append_and_take_value(&present, &name);
    }
    gst_structure_set(structure, "score", G_TYPE_DOUBLE, (gdouble)face->score, NULL);
    gst_structure_take_value(structure, "landmarks", &landmarks);
    gst_structure_take_value(structure, "present", &present);
}

/* The part of 0 to `limit` that a side of a box covers, in whole pixels. */
static void covered(float low, float high, gint limit, guint *start, guint *length)
{
    const gdouble first = CLAMP(floor((gdouble)low), 0, limit), last = CLAMP(ceil((gdouble)high), 0, limit);
    *start = (guint)first;
    *length = (guint)(last - first);
}

void blan_gst_results_attach(const blan_gst_results *results, GstBuffer *buffer, const GstVideoInfo *info, guint age,
                             gdouble threshold)
{
    for (size_t i = 0; i < results->count; i++) {
        const blan_face *face = &results->faces[i];
        guint x, y, width, height;
        covered(face->x0, face->x1, GST_VIDEO_INFO_WIDTH(info), &x, &width);
        covered(face->y0, face->y1, GST_VIDEO_INFO_HEIGHT(info), &y, &height);
        GstVideoRegionOfInterestMeta *meta =
            gst_buffer_add_video_region_of_interest_meta(buffer, "face", x, y, width, height);
        meta->id = (gint)i + 1;
        GstStructure *structure = gst_structure_new("blan-face", "age", G_TYPE_UINT, age, NULL);
        set_face(results, i, threshold, structure);
        gst_video_region_of_interest_meta_add_param(meta, structure);
        gst_video_region_of_interest_meta_add_param(meta, probabilities_of(results, i));
    }
}

void blan_gst_results_array(const blan_gst_results *results, gdouble threshold, GValue *array)
{
    g_value_init(array, GST_TYPE_ARRAY);
    for (size_t i = 0; i < results->count; i++) {
        const blan_face *face = &results->faces[i];
        GstStructure *structure = gst_structure_new(
            "blan-face", "x", G_TYPE_DOUBLE, (gdouble)face->x0, "y", G_TYPE_DOUBLE, (gdouble)face->y0, "width",
            G_TYPE_DOUBLE, (gdouble)(face->x1 - face->x0), "height", G_TYPE_DOUBLE, (gdouble)(face->y1 - face->y0), NULL);
        set_face(results, i, threshold, structure);
        GstStructure *probabilities = probabilities_of(results, i);
        gst_structure_set(structure, "attributes", GST_TYPE_STRUCTURE, probabilities, NULL);
        gst_structure_free(probabilities);
        GValue value = G_VALUE_INIT;
        g_value_init(&value, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&value, structure);
        gst_value_array_append_and_take_value(array, &value);
    }
}
