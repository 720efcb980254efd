/*
 * libblan: 40 facial attributes from a photo, by the Bi-directional Ladder Attentive Network
 * (BLAN, Pattern Recognition 2020), on a CPU.
 *
 *     #include <blan.h>
 *
 *     blan_model *model;
 *     if (blan_model_load("blan.safetensors", NULL, &model) != BLAN_OK) {
 *         fprintf(stderr, "%s\n", blan_last_error());
 *         return 1;
 *     }
 *     size_t n = blan_model_attribute_count(model);
 *     float *probabilities = malloc(n * sizeof *probabilities);
 *     const char *photo = "face.jpg";
 *     blan_status status;
 *     if (blan_predict_files(model, &photo, 1, NULL, probabilities, &status) == BLAN_OK && status == BLAN_OK)
 *         for (size_t i = 0; i < n; i++)
 *             printf("%-20s %.3f\n", blan_model_attribute_name(model, i), probabilities[i]);
 *     free(probabilities);
 *     blan_model_free(model);
 *
 * Threads. A blan_model never changes after loading: any number of threads may use one at the same time. Every other
 * handle belongs to one thread at a time. How many threads a call works on is set when a model is loaded; nothing
 * global (OpenMP or OpenBLAS thread counts, locale, signal handlers, stdout, stderr) is changed.
 *
 * Errors. A function that can fail returns a blan_status and writes its result through its last `out` pointer, which
 * is set to NULL on failure. blan_last_error() then says what was wrong. No input ends the process.
 *
 * Memory. Buffers belong to the caller. Strings that are returned live as long as their handle, or for ever where a
 * function has no handle. blan_X_free accepts NULL.
 *
 * Options. Each options struct begins with struct_size and has an initialiser, BLAN_X_OPTIONS_INIT; NULL means all
 * defaults. Structs grow at their end only, and a smaller struct_size from a program built earlier stays valid.
 */
#ifndef BLAN_H
#define BLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header: the one place where the project's version stands. The shared object's name,
   libblan.so.0, changes when a program built against an older header would no longer run. */
#define BLAN_VERSION "0.1.0"

/* ------------------------------------------------------------------------------------------------------ status --- */

typedef int32_t blan_status;

enum {
    BLAN_OK = 0,
    BLAN_ERROR_INVALID_ARGUMENT = 1, /* NULL, zero, out of range, or options that contradict each other */
    BLAN_ERROR_IO = 2,               /* a file cannot be opened, read or written */
    BLAN_ERROR_FORMAT = 3,           /* a file's content is damaged or not what it should be */
    BLAN_ERROR_SHAPE = 4,            /* a tensor or image has the wrong dimensions */
    BLAN_ERROR_UNSUPPORTED = 5,      /* valid, but nothing this build or CPU can do */
    BLAN_ERROR_OUT_OF_MEMORY = 6,
    BLAN_ERROR_CANCELLED = 7, /* a callback asked to stop; state is kept */
    BLAN_ERROR_INTERNAL = 8   /* a defect of libblan: please report it with the text of blan_last_error() */
};

/* The version of the library that runs, "major.minor.patch"; compare with BLAN_VERSION, that of the header. */
const char *blan_version(void);

/* What the last failed call of this thread had against its input: the file, tensor, row or index at fault and what was
   expected. Empty before the first failure. Valid until the thread's next failing call. */
const char *blan_last_error(void);

/* "BLAN_OK", "BLAN_ERROR_IO", ...; "unknown status" for any other number. */
const char *blan_status_name(blan_status status);

/* The instruction set the kernels run on: "avx512", "avx2" or "portable". The environment variable BLAN_ISA, read once,
   forces one of them. */
const char *blan_instruction_set(void);

/* The OpenMP runtime behind the kernels, such as "LLVM OpenMP (libomp)". Starts no thread. */
const char *blan_openmp_runtime(void);

/* How many threads `threads = 0` stands for: the smallest of this process's affinity mask, its cgroup's CPU quota and
   OMP_NUM_THREADS. At least 1. */
int32_t blan_default_threads(void);

/* ------------------------------------------------------------------------------------------------------- model --- */

/* A loaded network with its weights ready to predict. */
typedef struct blan_model blan_model;

typedef int32_t blan_precision;

enum {
    BLAN_PRECISION_F32 = 0 /* 32-bit floats throughout */
};

typedef struct blan_load_options {
    size_t struct_size;
    int32_t threads;          /* threads a call works on; 0 = blan_default_threads(); at most 1024 */
    blan_precision precision; /* arithmetic and storage of weights */
} blan_load_options;

#define BLAN_LOAD_OPTIONS_INIT { sizeof(blan_load_options), 0, BLAN_PRECISION_F32 }

/* Loads a model from a safetensors file (f32, f16 or bf16 tensors; names and metadata: docs/model-format.md).
   Everything is validated before use. The file may be deleted or replaced once this returns.
   Returns INVALID_ARGUMENT, IO, FORMAT (damaged file), SHAPE (a tensor's dimensions), UNSUPPORTED, OUT_OF_MEMORY. */
blan_status blan_model_load(const char *path, const blan_load_options *options, blan_model **out);

/* The same from memory; `bytes` may be freed once this returns. */
blan_status blan_model_load_memory(const void *bytes, size_t length, const blan_load_options *options,
                                   blan_model **out);

/* Frees a model. No call that uses it may be running. */
void blan_model_free(blan_model *model);

/* Number of attributes, N; 0 for NULL. */
size_t blan_model_attribute_count(const blan_model *model);

/* Name of an attribute in the order of the outputs; NULL past the end. */
const char *blan_model_attribute_name(const blan_model *model, size_t index);

/* Probability from which an attribute counts as present: 0.5, or what was fitted on validation data and stored in the
   model. NaN past the end. */
float blan_model_threshold(const blan_model *model, size_t index);

/* Height and width of the network's input in pixels, S; 0 for NULL. */
size_t blan_model_input_size(const blan_model *model);

/* False when the model's weights are random, as blan_model_init writes them: its outputs then mean nothing. */
bool blan_model_is_trained(const blan_model *model);

/* The model's configuration as JSON: input_size, width, attributes, attention, variant, mean, std, and what else the
   file's metadata `blan.config` holds. NULL for NULL. */
const char *blan_model_config(const blan_model *model);

/* Threads that a call with this model works on; 0 for NULL. */
int32_t blan_model_threads(const blan_model *model);

/* Numbers in T_i, the embedding of one level; 0 for NULL. */
size_t blan_model_embedding_size(const blan_model *model);

/* Number of spatial attention maps: 3 where the variant has attention, else 0. */
size_t blan_model_attention_count(const blan_model *model);

/* Height and width of spatial attention map `index`: S/4, S/8, S/16; 0 past the end. */
size_t blan_model_attention_size(const blan_model *model, size_t index);

/* One row of a network's cost table: a module, its parameters, and its multiply-accumulates for one image. */
typedef struct blan_cost {
    const char *module;
    uint64_t parameters;
    uint64_t multiply_accumulates;
} blan_cost;

/* Number of modules that prediction uses. */
size_t blan_model_cost_count(const blan_model *model);

/* Fills in row `index` of the cost table. INVALID_ARGUMENT for NULL and past the end. */
blan_status blan_model_cost(const blan_model *model, size_t index, blan_cost *out);

/* ------------------------------------------------------------------------------------------------------ images --- */

typedef int32_t blan_pixel_format;

enum {
    BLAN_PIXEL_RGB8 = 0,
    BLAN_PIXEL_BGR8 = 1,
    BLAN_PIXEL_RGBA8 = 2, /* alpha is ignored */
    BLAN_PIXEL_BGRA8 = 3, /* alpha is ignored */
    BLAN_PIXEL_GRAY8 = 4
};

/* 8-bit pixels in the caller's memory, top row first. row_stride is the distance between rows in bytes: at least
   width x bytes per pixel, or 0 for exactly that, or negative for an image stored bottom row first (data then points
   at the top row). */
typedef struct blan_image {
    const uint8_t *data;
    int32_t width;
    int32_t height;
    int64_t row_stride;
    blan_pixel_format format;
} blan_image;

/* Pixels that the library owns. */
typedef struct blan_bitmap blan_bitmap;

typedef struct blan_decode_options {
    size_t struct_size;
    uint64_t maximum_pixels; /* a larger image is refused before it is decoded; 0 = the default, 178,956,970 */
} blan_decode_options;

#define BLAN_DECODE_OPTIONS_INIT { sizeof(blan_decode_options), 0 }

/* Decodes a JPEG or PNG file to RGB8, upright (its EXIF orientation applied); grey, CMYK, palette, 16-bit and alpha
   images become RGB as Pillow's convert("RGB") makes them. Returns INVALID_ARGUMENT, IO, FORMAT, UNSUPPORTED (another
   kind of file), OUT_OF_MEMORY. An image above maximum_pixels is INVALID_ARGUMENT. */
blan_status blan_bitmap_load(const char *path, const blan_decode_options *options, blan_bitmap **out);

/* The same from memory. */
blan_status blan_bitmap_decode(const void *bytes, size_t length, const blan_decode_options *options,
                               blan_bitmap **out);

/* The bitmap's pixels; they live as long as the bitmap. All zero for NULL. */
blan_image blan_bitmap_image(const blan_bitmap *bitmap);

void blan_bitmap_free(blan_bitmap *bitmap);

/* Width and height of CelebA's aligned frame. */
#define BLAN_ALIGNED_WIDTH 178
#define BLAN_ALIGNED_HEIGHT 218

/* Warps a photo to CelebA's aligned frame, 178 x 218, by the least-squares similarity that takes the five landmarks
   (x, y in pixels of `image`: the eye on the image's left, the eye on its right, the nose, the mouth's left and right
   corners) to (69.4, 111.2), (107.6, 111.1), (88.1, 135.0), (71.2, 152.0), (105.5, 152.2). The network expects faces
   framed like this. Returns INVALID_ARGUMENT for points that are not finite or all in one place. */
blan_status blan_align_face(const blan_image *image, const float landmarks[5][2], blan_bitmap **out);

/* Resizes an image to the model's S x S as Pillow's resize(BILINEAR) does and normalises it. pixels: 3 x S x S floats
   out, what blan_predict_tensor reads. */
blan_status blan_preprocess(const blan_model *model, const blan_image *image, float *pixels);

/* ----------------------------------------------------------------------------------------------------- predict --- */

/* Called for each image that could not be read, on the calling thread, before the function returns. */
typedef void (*blan_item_error)(void *user, size_t index, blan_status status, const char *message);

/* Outputs beside the probabilities; each may be NULL. Sizes are per image; image i's part begins at i times that. */
typedef struct blan_predict_options {
    size_t struct_size;
    float *scores;            /* 5 x N x 2: s_1..s_4 of the four classifiers and s_5, their sum; [1] is "present" */
    float *logits;            /* N x 2: the decision before its softmax, z of Eq. 6 (s_5 without score fusion) */
    float *embeddings;        /* 4 x blan_model_embedding_size: T_1..T_4 */
    float *attention;         /* the spatial attention maps of Eq. 3, 0 to 1, one after another, shallowest first */
    uint64_t maximum_pixels;  /* as in blan_decode_options */
    blan_item_error on_error; /* told of each bad image of blan_predict_files and blan_predict_encoded */
    void *user;               /* handed to on_error */
} blan_predict_options;

#define BLAN_PREDICT_OPTIONS_INIT { sizeof(blan_predict_options), NULL, NULL, NULL, NULL, 0, NULL, NULL }

/* Predicts from prepared pixels. pixels: batch x 3 x S x S floats, R then G then B, normalised with the model's mean
   and std. probabilities: batch x N floats out, each the probability that the attribute is present, 0 to 1. */
blan_status blan_predict_tensor(const blan_model *model, const float *pixels, size_t batch,
                                const blan_predict_options *options, float *probabilities);

/* Predicts from images of any size in any pixel format; they are resized and normalised inside. The call fails with
   the status of the first image that is not valid, and nothing is written. */
blan_status blan_predict_images(const blan_model *model, const blan_image *images, size_t count,
                                const blan_predict_options *options, float *probabilities);

/* Predicts from JPEG or PNG files. A file that cannot be read gets rows of NaN and its status in `statuses` (may be
   NULL), the others are predicted all the same, and the call returns BLAN_OK: look at the statuses or set on_error. */
blan_status blan_predict_files(const blan_model *model, const char *const *paths, size_t count,
                               const blan_predict_options *options, float *probabilities, blan_status *statuses);

/* The same for encoded images in memory. */
blan_status blan_predict_encoded(const blan_model *model, const void *const *bytes, const size_t *lengths, size_t count,
                                 const blan_predict_options *options, float *probabilities, blan_status *statuses);

/* -------------------------------------------------------------------------------------------------- new models --- */

typedef int32_t blan_attention_order;

enum {
    BLAN_ATTENTION_CHANNEL_SPATIAL = 0,
    BLAN_ATTENTION_SPATIAL_CHANNEL = 1,
    BLAN_ATTENTION_PARALLEL = 2
};

typedef struct blan_network_options {
    size_t struct_size;
    int32_t input_size;            /* a multiple of 32 from 64 */
    int32_t width;                 /* a multiple of 4; 64 is the paper's */
    int32_t variant;               /* 1 to 6, the rows of the paper's Table 4; 6 is the full BLAN */
    blan_attention_order attention;
    const char *const *attributes; /* NULL = CelebA's forty */
    size_t attribute_count;
    uint64_t seed;
} blan_network_options;

#define BLAN_NETWORK_OPTIONS_INIT                                                                                      \
    { sizeof(blan_network_options), 256, 64, 6, BLAN_ATTENTION_CHANNEL_SPATIAL, NULL, 0, 0 }

/* Writes a new, untrained model with seeded random weights (He normal). The file appears whole or not at all. */
blan_status blan_model_init(const char *path, const blan_network_options *options);

/* Copies the model at `model_path` to `out_path` with its encoder's weights taken from a torchvision or timm ResNet-34
   state dict in safetensors (names with or without `encoder.`; fc.* is ignored). SHAPE when the widths differ. */
blan_status blan_import_encoder(const char *encoder_path, const char *model_path, const char *out_path);

#ifdef __cplusplus
}
#endif

#endif /* BLAN_H */
