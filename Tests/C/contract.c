/* What a program built against an earlier header relies on: numbers, layouts and signatures that stay for good. */
#include "check.h"

#include <string.h>

_Static_assert(sizeof(blan_status) == 4 && BLAN_OK == 0 && BLAN_ERROR_INVALID_ARGUMENT == 1 && BLAN_ERROR_IO == 2 &&
                   BLAN_ERROR_FORMAT == 3 && BLAN_ERROR_SHAPE == 4 && BLAN_ERROR_UNSUPPORTED == 5 &&
                   BLAN_ERROR_OUT_OF_MEMORY == 6 && BLAN_ERROR_CANCELLED == 7 && BLAN_ERROR_INTERNAL == 8,
               "statuses keep their numbers");
_Static_assert(BLAN_PIXEL_RGB8 == 0 && BLAN_PIXEL_BGR8 == 1 && BLAN_PIXEL_RGBA8 == 2 && BLAN_PIXEL_BGRA8 == 3 &&
                   BLAN_PIXEL_GRAY8 == 4,
               "pixel formats keep their numbers");
_Static_assert(BLAN_PRECISION_F32 == 0 && BLAN_PRECISION_BF16 == 1 && BLAN_PRECISION_INT8 == 2 &&
                   BLAN_PRECISION_MODEL == 3 && BLAN_ATTENTION_CHANNEL_SPATIAL == 0 && BLAN_ATTENTION_SPATIAL_CHANNEL == 1 &&
                   BLAN_ATTENTION_PARALLEL == 2,
               "options keep their numbers");
_Static_assert(offsetof(blan_image, data) == 0 && offsetof(blan_image, width) == 8 &&
                   offsetof(blan_image, height) == 12 && offsetof(blan_image, row_stride) == 16 &&
                   offsetof(blan_image, format) == 24 && sizeof(blan_image) == 32,
               "blan_image keeps its layout");
_Static_assert(offsetof(blan_load_options, threads) == 8 && offsetof(blan_load_options, precision) == 12,
               "blan_load_options keeps its layout");
_Static_assert(offsetof(blan_predict_options, scores) == 8 && offsetof(blan_predict_options, logits) == 16 &&
                   offsetof(blan_predict_options, embeddings) == 24 &&
                   offsetof(blan_predict_options, attention) == 32 &&
                   offsetof(blan_predict_options, maximum_pixels) == 40 &&
                   offsetof(blan_predict_options, on_error) == 48 && offsetof(blan_predict_options, user) == 56,
               "blan_predict_options keeps its layout");

/* Each assignment is refused by the compiler once a signature changes. */
static const char *(*const version)(void) = blan_version;
static const char *(*const last_error)(void) = blan_last_error;
static const char *(*const status_name)(blan_status) = blan_status_name;
static blan_status (*const load)(const char *, const blan_load_options *, blan_model **) = blan_model_load;
static blan_status (*const load_memory)(const void *, size_t, const blan_load_options *,
                                        blan_model **) = blan_model_load_memory;
static void (*const free_model)(blan_model *) = blan_model_free;
static size_t (*const attribute_count)(const blan_model *) = blan_model_attribute_count;
static const char *(*const attribute_name)(const blan_model *, size_t) = blan_model_attribute_name;
static size_t (*const input_size)(const blan_model *) = blan_model_input_size;
static blan_status (*const predict_tensor)(const blan_model *, const float *, size_t, const blan_predict_options *,
                                           float *) = blan_predict_tensor;
static blan_status (*const predict_images)(const blan_model *, const blan_image *, size_t,
                                           const blan_predict_options *, float *) = blan_predict_images;
static blan_status (*const predict_files)(const blan_model *, const char *const *, size_t,
                                          const blan_predict_options *, float *, blan_status *) = blan_predict_files;

int main(void)
{
    CHECK(load && load_memory && free_model && attribute_count && attribute_name && input_size && predict_tensor &&
          predict_images && predict_files);
    CHECK(strcmp(version(), BLAN_VERSION) == 0);
    CHECK(last_error() != NULL && last_error()[0] == '\0');
    CHECK(strcmp(status_name(BLAN_OK), "BLAN_OK") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_INVALID_ARGUMENT), "BLAN_ERROR_INVALID_ARGUMENT") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_IO), "BLAN_ERROR_IO") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_FORMAT), "BLAN_ERROR_FORMAT") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_SHAPE), "BLAN_ERROR_SHAPE") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_UNSUPPORTED), "BLAN_ERROR_UNSUPPORTED") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_OUT_OF_MEMORY), "BLAN_ERROR_OUT_OF_MEMORY") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_CANCELLED), "BLAN_ERROR_CANCELLED") == 0);
    CHECK(strcmp(status_name(BLAN_ERROR_INTERNAL), "BLAN_ERROR_INTERNAL") == 0);
    CHECK(strcmp(status_name(-1), "unknown status") == 0);
    CHECK(strcmp(status_name(INT32_MAX), "unknown status") == 0);
    return check_end();
}
