/* What the element found in a frame, as GStreamer hands it on. */
#ifndef BLAN_GST_RESULTS_H
#define BLAN_GST_RESULTS_H

#include <blan.h>
#include <gst/video/video.h>

/* The faces of the last frame that was looked at. */
typedef struct blan_gst_results {
    blan_face *faces;
    float *probabilities; /* for each face those of the model's attributes */
    size_t count;         /* faces that are held */
    size_t capacity;      /* faces there is room for */
    gchar **fields;       /* the attributes' names as GstStructure takes them: other signs than letters, digits and
                             -_+/:. become _ */
    float *thresholds;    /* probability from which each attribute counts as present */
    size_t attributes;
} blan_gst_results;

/* Reads the model's names and thresholds. */
void blan_gst_results_init(blan_gst_results *results, const blan_model *model);

void blan_gst_results_clear(blan_gst_results *results);

/* Makes room for `capacity` faces; FALSE where memory does not suffice, and then nothing has changed. */
gboolean blan_gst_results_reserve(blan_gst_results *results, size_t capacity);

/* Adds a GstVideoRegionOfInterestMeta of type "face" for each face. `age`: frames since they were found. `threshold`:
   replaces the model's own where it is not negative. */
void blan_gst_results_attach(const blan_gst_results *results, GstBuffer *buffer, const GstVideoInfo *info, guint age,
                             gdouble threshold);

/* The faces as a GstValueArray of structures, into an unset value. */
void blan_gst_results_array(const blan_gst_results *results, gdouble threshold, GValue *array);

#endif
