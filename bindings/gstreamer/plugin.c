/* The plugin libgstblan.so, which holds the element blanattributes. */
#include <gst/base/gstbasetransform.h>

#include "blanattributes.h"

#include <blan.h>

#define PACKAGE "libblan"

static gboolean register_elements(GstPlugin *plugin) { return GST_ELEMENT_REGISTER(blanattributes, plugin); }

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, blan, "Facial attributes by libblan", register_elements,
                  BLAN_VERSION, "Apache 2.0", PACKAGE, PACKAGE)
