/* The GStreamer element blanattributes: finds the faces of video frames and says their attributes. */
#ifndef GST_BLAN_ATTRIBUTES_H
#define GST_BLAN_ATTRIBUTES_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_BLAN_ATTRIBUTES (gst_blan_attributes_get_type())
G_DECLARE_FINAL_TYPE(GstBlanAttributes, gst_blan_attributes, GST, BLAN_ATTRIBUTES, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(blanattributes);

G_END_DECLS

#endif
