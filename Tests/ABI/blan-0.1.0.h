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
 * Process. Once loaded the library stays: dlclose does not unmap it, and another dlopen gives the same one. After fork() a
 * child may load models and use its parent's, as long as no other thread of the parent was in a call. Calls compute in the
 * default floating-point environment, callbacks run in it, and the caller's is put back. docs/coexistence.md has the rest.
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
   expected; or the last image of which blan_predict_files or blan_predict_encoded wrote a status. Empty before the first
   failure. Valid until the thread's next one. */
const char *blan_last_error(void);

/* "BLAN_OK", "BLAN_ERROR_IO", ...; "unknown status" for any other number. */
const char *blan_status_name(blan_status status);

/* The instruction set the kernels run on: "avx512", "avx2" or "portable". The environment variable BLAN_ISA, read once,
   forces one of them. */
const char *blan_instruction_set(void);

/* The OpenMP runtime behind the kernels, such as "LLVM OpenMP (libomp, private)": a copy of the library's own, which knows
   nothing of others in the process nor they of it. Starts no thread. */
const char *blan_openmp_runtime(void);

/* How many threads `threads = 0` stands for: the smallest of this process's affinity mask, its cgroup's CPU quota and
   OMP_NUM_THREADS. At least 1. */
int32_t blan_default_threads(void);

/* ------------------------------------------------------------------------------------------------------- model --- */

/* A loaded network with its weights ready to predict. */
typedef struct blan_model blan_model;

typedef int32_t blan_precision;

/* What convolutions and fully connected layers compute with; maps and sums are 32-bit floats in each. Every CPU can do
   all of them; bf16 is faster than f32 where there is AVX512-BF16, int8 where there is AVX512-VNNI. */
enum {
    BLAN_PRECISION_F32 = 0,  /* 32-bit floats throughout */
    BLAN_PRECISION_BF16 = 1, /* weights and inputs of convolutions, and weights elsewhere, rounded to bfloat16 */
    BLAN_PRECISION_INT8 = 2, /* the same rounded to eight bits; needs a model that blan_quantize calibrated */
    BLAN_PRECISION_MODEL = 3 /* what the model file asks for: f32 unless blan_quantize wrote it */
};

typedef struct blan_load_options {
    size_t struct_size;
    int32_t threads;          /* threads a call works on; 0 = blan_default_threads(); at most 1024 */
    blan_precision precision; /* arithmetic and storage of weights */
} blan_load_options;

#define BLAN_LOAD_OPTIONS_INIT { sizeof(blan_load_options), 0, BLAN_PRECISION_MODEL }

/* Loads a model from a safetensors file (f32, f16, bf16 or quantised tensors; names and metadata: docs/model-format.md).
   Everything is validated before use. The file may be deleted or overwritten once this returns; before that, put another
   one in its place by rename: a file that is cut short while it is mapped ends the process.
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

/* What the model computes with: never BLAN_PRECISION_MODEL; BLAN_PRECISION_F32 for NULL. */
blan_precision blan_model_precision(const blan_model *model);

/* True where this CPU has instructions of its own for a precision, and BLAN_ISA does not forbid them; F32 always. */
bool blan_precision_is_native(blan_precision precision);

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

/* One step of a prediction: a call of a kernel, for all images of the batch. The texts live until the callback returns. */
typedef struct blan_step {
    const char *module; /* the part of the network, such as "encoder.layer1" */
    const char *kernel; /* what ran, with its shape and method */
    double seconds;
    double operations;  /* two to a multiply-accumulate, as a direct convolution counts them */
    double bytes;       /* of the maps and packed weights that it touches, each once */
} blan_step;

typedef void (*blan_step_function)(void *user, const blan_step *step);

/* Predicts once from prepared pixels (see blan_predict_tensor; batch 1 to 8) and then tells of each step in turn, on the
   calling thread. Call it some times over and take medians: the first call also makes its memory. */
blan_status blan_model_profile(const blan_model *model, const float *pixels, size_t batch, blan_step_function on_step,
                               void *user);

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

/* Decodes a JPEG or PNG file to RGB8, upright (its EXIF orientation applied); grey, CMYK, palette and alpha images become
   RGB as Pillow's convert("RGB") makes them, and 16-bit samples keep their high byte. Returns INVALID_ARGUMENT, IO, FORMAT, UNSUPPORTED (another
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
   the status of the first image that is not valid, and nothing is written. Should memory run out on the way, outputs may
   be written in part. */
blan_status blan_predict_images(const blan_model *model, const blan_image *images, size_t count,
                                const blan_predict_options *options, float *probabilities);

/* Predicts from JPEG or PNG files. A file that cannot be read gets rows of NaN and its status in `statuses` (may be
   NULL), the others are predicted all the same, and the call returns BLAN_OK: look at the statuses or set on_error. */
blan_status blan_predict_files(const blan_model *model, const char *const *paths, size_t count,
                               const blan_predict_options *options, float *probabilities, blan_status *statuses);

/* The same for encoded images in memory. */
blan_status blan_predict_encoded(const blan_model *model, const void *const *bytes, const size_t *lengths, size_t count,
                                 const blan_predict_options *options, float *probabilities, blan_status *statuses);

/* ------------------------------------------------------------------------------------------------------- faces --- */

/* A face detector: MTCNN (Zhang et al. 2016), which also finds five landmarks. It never changes after loading: any
   number of threads may use one at the same time. */
typedef struct blan_detector blan_detector;

/* Loads a detector from a safetensors file such as models/mtcnn.safetensors. Of the options, threads counts: those that
   a call works on. Returns what blan_model_load does. */
blan_status blan_detector_load(const char *path, const blan_load_options *options, blan_detector **out);

/* The same from memory; `bytes` may be freed once this returns. */
blan_status blan_detector_load_memory(const void *bytes, size_t length, const blan_load_options *options,
                                      blan_detector **out);

/* Frees a detector. No call that uses it may be running. */
void blan_detector_free(blan_detector *detector);

/* Threads that a call with this detector works on; 0 for NULL. */
int32_t blan_detector_threads(const blan_detector *detector);

typedef struct blan_detect_options {
    size_t struct_size;
    double min_face;     /* side of the smallest face that is looked for, in pixels, from 12; the time goes with its
                            inverse square */
    float thresholds[3]; /* scores, above 0 and below 1, that a candidate must reach in P-Net, R-Net and O-Net */
    int32_t max_faces;   /* only the largest so many; 0 = all */
    double factor;       /* size of one level of the image pyramid to the next larger one's, 0.1 to 0.95 */
} blan_detect_options;

#define BLAN_DETECT_OPTIONS_INIT { sizeof(blan_detect_options), 20.0, { 0.6f, 0.7f, 0.7f }, 0, 0.709 }

/* A face in pixels of the image. The box may reach a little over the image's edges. */
typedef struct blan_face {
    float x0, y0, x1, y1;
    float score;           /* how sure the detector is, 0 to 1 */
    float landmarks[5][2]; /* x, y in the order of blan_align_face: eyes, nose, mouth's corners, left ones first */
} blan_face;

/* Finds the faces of an image, upright or turned by some 20 degrees, the largest first. *count becomes their number, of
   which the first `capacity` are written to `faces` (NULL for a capacity of 0). No face is no error: *count is then 0.
   Returns INVALID_ARGUMENT, SHAPE for an image with a side above 32,768, OUT_OF_MEMORY. */
blan_status blan_detect_faces(const blan_detector *detector, const blan_image *image,
                              const blan_detect_options *options, blan_face *faces, size_t capacity, size_t *count);

/* Warps a face that blan_detect_faces found to CelebA's aligned frame. Unlike blan_align_face it knows where this
   detector puts its points, a pixel or so from where CelebA's are. Returns what blan_align_face does. */
blan_status blan_align_detected(const blan_image *image, const blan_face *face, blan_bitmap **out);

/* Where blan_align_detected takes the aligned frame from: the frame's point (x, y) is the photo's
   (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), both in pixels with (0, 0) the centre of the first one. For drawing
   on the photo what was found on the aligned face. Returns INVALID_ARGUMENT for landmarks that fit no transform. */
blan_status blan_face_frame(const blan_face *face, double m[6]);

/* Finds the faces of a whole photo, aligns each as blan_align_detected does, and predicts its attributes.
   Face i's outputs lie at i times their size: probabilities is capacity x N floats, and so are the options' outputs.
   `faces` may be NULL. *count as above; only faces that are written are predicted. */
blan_status blan_predict_faces(const blan_model *model, const blan_detector *detector, const blan_image *image,
                               const blan_detect_options *detection, const blan_predict_options *options,
                               blan_face *faces, float *probabilities, size_t capacity, size_t *count);

/* ------------------------------------------------------------------------------------------------ explanations --- */

/* Maps of what a score rests on in one image. The scores are differences s[present] - s[absent] before any softmax or
   temperature (log-odds), so a map does not saturate with the probability. In every map a cell above 0 speaks for the
   attribute and one below 0 against it. docs/explaining.md tells what the maps mean and what they do not. */
typedef struct blan_explain_target {
    size_t attribute; /* index in the order of the outputs */
    int32_t level;    /* 0: the decision, z of Eq. 6 (s_5 without score fusion); 1 to 4: s_1..s_4 of one classifier; 5: s_5,
                         their sum */
} blan_explain_target;

/* Called on the calling thread: so many steps of a call are done. Anything but 0 stops it: BLAN_ERROR_CANCELLED, with
   the maps unfinished. */
typedef int (*blan_explain_progress)(size_t done, size_t count, void *user);

typedef int32_t blan_fill;

enum {
    BLAN_FILL_MODEL_MEAN = 0, /* the colour that the model's input is normalised by */
    BLAN_FILL_IMAGE_MEAN = 1, /* the image's own mean colour */
    BLAN_FILL_COLOR = 2       /* `color` */
};

typedef struct blan_occlusion_options {
    size_t struct_size;
    int32_t patch;    /* side of the square that is covered, in pixels of the network's input, 1 to S; 0 = S / 8 */
    int32_t stride;   /* from one place to the next, 1 to patch; 0 = half of it, rounded up */
    blan_fill fill;   /* what the square is filled with */
    float color[3];   /* R, G and B for BLAN_FILL_COLOR, 0 to 1 */
    float *values;    /* count floats out: the targets' scores of the image as it is; may be NULL */
    blan_explain_progress progress; /* told of patches; may be NULL */
    void *user;                     /* handed to progress */
} blan_occlusion_options;

#define BLAN_OCCLUSION_OPTIONS_INIT                                                                                    \
    { sizeof(blan_occlusion_options), 0, 0, BLAN_FILL_MODEL_MEAN, { 0, 0, 0 }, NULL, NULL, NULL }

/* Rows, and columns, of an occlusion map with these options: n. Row and column i belong to a patch that begins at pixel
   i x stride of the network's input, the last one at S - patch. 0 for NULL and for options out of range. */
size_t blan_occlusion_size(const blan_model *model, const blan_occlusion_options *options);

/* Occlusion (Zeiler and Fergus 2014): covers the image by a patch at n x n places and predicts each. A map's cell is the
   score of the image less that with the patch there. All targets share the n x n predictions.
   image: one face framed like the network expects, of any size; it is resized and normalised inside. targets: count of
   them. maps: count x n x n floats out. Any number of threads may call this with one model.
   Returns INVALID_ARGUMENT (a target or an option out of range), SHAPE, CANCELLED, OUT_OF_MEMORY. */
blan_status blan_explain_occlusion(const blan_model *model, const blan_image *image,
                                   const blan_explain_target *targets, size_t count,
                                   const blan_occlusion_options *options, float *maps);

/* A network kept in a form that has gradients, which a blan_model has not. It never changes after loading: any number of
   threads may use one at the same time. */
typedef struct blan_explainer blan_explainer;

/* Loads a model's file for explaining. Of the options, threads counts. Returns what blan_model_load does. */
blan_status blan_explainer_load(const char *path, const blan_load_options *options, blan_explainer **out);

/* The same from memory; `bytes` may be freed once this returns. */
blan_status blan_explainer_load_memory(const void *bytes, size_t length, const blan_load_options *options,
                                       blan_explainer **out);

/* Frees an explainer. No call that uses it may be running. */
void blan_explainer_free(blan_explainer *explainer);

/* Height and width of the Grad-CAM map of level `level`, 1 to 4: S/4, S/8, S/16, S/32; 0 for NULL and other levels. */
size_t blan_explainer_map_size(const blan_explainer *explainer, int32_t level);

typedef struct blan_gradcam_options {
    size_t struct_size;
    float *values;                  /* count floats out: the targets' scores; may be NULL */
    blan_explain_progress progress; /* told of targets; may be NULL */
    void *user;                     /* handed to progress */
} blan_gradcam_options;

#define BLAN_GRADCAM_OPTIONS_INIT { sizeof(blan_gradcam_options), NULL, NULL, NULL }

/* Grad-CAM (Selvaraju et al. 2017) at the network's four levels, before the paper's ReLU: with A the features that AC_i
   reads and y the target's score, the map of level i is the sum over channels k of mean(dy/dA_k) A_k. dy/dA is the whole
   derivative: the decision depends on the features of level 4 through the decoder, too. A target of one level has maps of
   zeros where its score does not depend on a level's features.
   image, targets: as above. maps: for each target its four maps one after another, shallowest first. Any number of
   threads may call this with one explainer. Returns what blan_explain_occlusion does. */
blan_status blan_explain_gradcam(const blan_explainer *explainer, const blan_image *image,
                                 const blan_explain_target *targets, size_t count,
                                 const blan_gradcam_options *options, float *maps);

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

typedef struct blan_quantize_options {
    size_t struct_size;
    blan_precision precision; /* BLAN_PRECISION_BF16 or BLAN_PRECISION_INT8 */
    const float *pixels;      /* batch x 3 x S x S floats as blan_preprocess makes them, of some hundred images like
                                 those to come: int8 is calibrated with them. bf16 needs none */
    size_t batch;
    int32_t threads; /* as in blan_load_options */
} blan_quantize_options;

#define BLAN_QUANTIZE_OPTIONS_INIT { sizeof(blan_quantize_options), BLAN_PRECISION_INT8, NULL, 0, 0 }

/* Writes the model at `model_path` to `out_path`, which may be the same, with its weights stored in bf16 or int8. The new
   file loads like any other, asks to be computed with in that precision, and has no training heads. It appears whole or
   not at all. Returns what blan_model_load does; INVALID_ARGUMENT for another precision and for int8 without pixels. */
blan_status blan_quantize(const char *model_path, const blan_quantize_options *options, const char *out_path);

/* ------------------------------------------------------------------------------------------------- model files --- */

/* What a model file holds, for converters to other formats: the network as a graph, and the tensors it reads. It never
   changes: any number of threads may read one at the same time. The file must stay as it is while it is open. */
typedef struct blan_model_file blan_model_file;

/* Opens a model file, checked as blan_model_load checks it. Returns INVALID_ARGUMENT, IO, FORMAT, SHAPE, UNSUPPORTED,
   OUT_OF_MEMORY. */
blan_status blan_model_file_open(const char *path, blan_model_file **out);

void blan_model_file_free(blan_model_file *file);

/* The network that prediction runs, as JSON made of the same graph; more keys may come. NULL for NULL.
   - config: what blan_model_config says, defaults filled in (thresholds, temperatures, trained)
   - metadata: the file's other metadata, texts by key, such as blan.licence
   - tensors: [{name, shape}], those that the nodes read, in torch's layout
   - outputs: indices of nodes: decision (N pairs of scores; the probability of attribute j is
     softmax(pair j / temperatures[j])[1]), summed_scores (s_5), scores (s_1..s_4), embeddings (T_1..T_4),
     spatial_attention and channel_attention (shallowest first; empty where the variant has none)
   - nodes: [{operation, module, inputs: [indices of earlier nodes], shape: [channels, height, width] of its result,
     tensors: {role: name}, ...}]. Operations, with the keys and the roles of tensors of each:
       input             normalised pixels
       convolution       kernel, stride, padding; weight, bias (may be missing). Several inputs: their concatenation
       batch_norm        epsilon; weight, bias, mean, variance
       relu
       max_pool          kernel, stride, padding
       add               of two maps
       upsample          factor; nearest neighbour
       channel_gate      fc1_weight, fc1_bias, fc2_weight, fc2_bias: C x 1 x 1, sigmoid of the sum over the average and
                         the maximum over the map, each through fc1, ReLU and fc2
       spatial_gate      kernel, stride, padding; weight: 1 x H x W, sigmoid of the convolution of [mean over channels;
                         maximum over channels]
       multiply          the first input times the gates that follow, each broadcast
       linear            weight, bias; on its input flattened in C, H, W order
       dropout           nothing, when predicting
       sum_scores        sum of its inputs
       fuse_scores       weight, K x N: result[j][c] = sum over inputs k of weight[k][j] x input_k[j][c]; scores are read
                         as [N][2] */
const char *blan_model_file_graph(const blan_model_file *file);

/* Reads one of the graph's tensors as 32-bit floats; `count` is its number of elements. INVALID_ARGUMENT for a name that
   the graph lacks, SHAPE for another count. */
blan_status blan_model_file_tensor(const blan_model_file *file, const char *name, float *out, size_t count);

/* -------------------------------------------------------------------------------------------------- data sets --- */

/* Images with their labels: what a training or an evaluation goes through. It holds paths, not pixels, and never
   changes: any number of threads may use one at the same time. */
typedef struct blan_dataset blan_dataset;

typedef int32_t blan_dataset_kind;

enum {
    BLAN_DATASET_AUTOMATIC = 0, /* what the folder or file looks like */
    BLAN_DATASET_CELEBA = 1,    /* a folder as torchvision's CelebA reads it */
    BLAN_DATASET_LFWA = 2,      /* person folders with a label file of 40 columns, text or MATLAB 5 */
    BLAN_DATASET_CSV = 3        /* a table with a `path` column; labels 0/1, -1/1 or blank (unknown) */
};

typedef int32_t blan_split;

enum {
    BLAN_SPLIT_ALL = -1,
    BLAN_SPLIT_TRAIN = 0,
    BLAN_SPLIT_VALIDATION = 1,
    BLAN_SPLIT_TEST = 2
};

typedef int32_t blan_lfwa_protocol;

enum {
    BLAN_LFWA_HALVES = 0,    /* half to train with, half to test with */
    BLAN_LFWA_EIGHTY_TEN = 1 /* 80 % to train with, 10 % to validate, 10 % to test */
};

typedef struct blan_dataset_options {
    size_t struct_size;
    blan_dataset_kind kind;
    blan_split split;
    blan_lfwa_protocol lfwa_protocol;
    const char *const *attributes; /* those wanted, in this order; NULL = all */
    size_t attribute_count;
} blan_dataset_options;

#define BLAN_DATASET_OPTIONS_INIT                                                                                      \
    { sizeof(blan_dataset_options), BLAN_DATASET_AUTOMATIC, BLAN_SPLIT_ALL, BLAN_LFWA_HALVES, NULL, 0 }

/* Opens a data set: a folder (CelebA, LFWA, or one that holds a single .csv file), a CSV file, or LFWA's label file.
   Returns IO, FORMAT (names file, line, column and what was expected), INVALID_ARGUMENT (an attribute or a part that
   the data lack), OUT_OF_MEMORY. */
blan_status blan_dataset_open(const char *path, const blan_dataset_options *options, blan_dataset **out);

void blan_dataset_free(blan_dataset *dataset);

/* Number of images; 0 for NULL. */
size_t blan_dataset_count(const blan_dataset *dataset);

/* Number of attributes, N; 0 for NULL. */
size_t blan_dataset_attribute_count(const blan_dataset *dataset);

/* Name of an attribute in the order of the labels; NULL past the end. */
const char *blan_dataset_attribute_name(const blan_dataset *dataset, size_t index);

/* File of an image; NULL past the end. */
const char *blan_dataset_path(const blan_dataset *dataset, size_t index);

/* The labels of one image: N numbers, 1 present, -1 absent, 0 unknown. */
blan_status blan_dataset_labels(const blan_dataset *dataset, size_t index, int8_t *labels);

/* Number of columns that are no labels, such as a CSV file's for rates by group; 0 for NULL. */
size_t blan_dataset_group_count(const blan_dataset *dataset);

/* Name of such a column; NULL past the end. */
const char *blan_dataset_group_name(const blan_dataset *dataset, size_t index);

/* What such a column says of one image; NULL where its cell is blank, and past either end. */
const char *blan_dataset_group_value(const blan_dataset *dataset, size_t index, size_t item);

/* The images at the given places, in that order, as a data set of its own. */
blan_status blan_dataset_subset(const blan_dataset *dataset, const size_t *items, size_t count, blan_dataset **out);

/* Draws a share (0 to 1) of the images for validation by a seed; the rest is for training. Both are NULL on failure. */
blan_status blan_dataset_split(const blan_dataset *dataset, double validation_share, uint64_t seed,
                               blan_dataset **training, blan_dataset **validation);

/* --------------------------------------------------------------------------------------------------- training --- */

/* A network in training: weights, gradients, optimiser, schedule and random state. One thread at a time. */
typedef struct blan_trainer blan_trainer;

typedef int32_t blan_schedule;

enum {
    BLAN_SCHEDULE_LINEAR = 0, /* the paper's: straight down to final_rate */
    BLAN_SCHEDULE_COSINE = 1, /* half a cosine down to final_rate */
    BLAN_SCHEDULE_CONSTANT = 2
};

typedef int32_t blan_statistics;

enum {
    BLAN_STATISTICS_AUTOMATIC = 0, /* FROZEN for fine-tuning with batches of fewer than 16 images, else BATCH */
    BLAN_STATISTICS_BATCH = 1,     /* batch norm normalises with the batch's statistics and updates the running ones */
    BLAN_STATISTICS_FROZEN = 2     /* batch norm normalises with the running statistics and leaves them alone */
};

/* Adds values[0..count - 1] up over all processes that train together, in place, and returns 0; anything else ends the
   step with BLAN_ERROR_IO. Every process must come out with the same bits.

   All calls of a trainer are made one after the other on one thread, which the trainer starts and which ends with it; the
   same calls in the same order in every process. It runs while the thread that called the library computes: gradients are
   summed in buckets during the backward pass. */
typedef int (*blan_allreduce)(float *values, size_t count, void *user);

/* What is trained and how. The defaults are the paper's (section 4.2). */
typedef struct blan_train_options {
    size_t struct_size;
    const char *start;                   /* a model or checkpoint to go on from; NULL = a new network */
    const blan_network_options *network; /* of a new network; NULL = its defaults. `seed` below is used, not its own */
    const char *encoder;                 /* a ResNet-34 state dict for a new network's encoder; NULL = none */
    const char *const *attributes;       /* fine-tuning: the attributes wanted; heads of names that the model has are
                                            kept, others are new. NULL = the model's */
    size_t attribute_count;
    int32_t threads; /* 0 = blan_default_threads() */
    uint64_t seed;   /* of new weights, dropout, order and augmentation */
    float alpha, beta, gamma; /* weights of LMIM, reconstruction and score fusion in the loss, Eq. 8 */
    float dropout;            /* of T_i, 0 to below 1 */
    float label_smoothing;    /* share of each label that goes to its opposite, 0 to below 0.5 */
    const float *positive_weights; /* N: factor of the loss of present labels of each attribute; NULL = 1 */
    float learning_rate;           /* Adam's */
    float fusion_learning_rate;    /* SGD's, for the score-fusion matrix W */
    float beta1, beta2, epsilon;   /* Adam's */
    float weight_decay;            /* AdamW's, of convolution and linear weights; 0 = Adam */
    float clip_norm;               /* largest norm of the gradient; 0 = no limit */
    float average_decay;           /* of the moving average of weights that validation and export use; 0 = no average */
    blan_schedule schedule;
    float final_rate;        /* learning rate at the end, as a share of the first */
    int32_t warmup_steps;    /* steps over which the rate rises from 0 */
    int64_t total_steps;     /* length of the schedule in optimiser steps; 0 = blan_trainer_fit sets it */
    int32_t accumulate;      /* batches whose gradients are averaged for one optimiser step; at least 1 */
    const char *freeze;      /* prefixes of tensors that stay as they are, comma-separated, such as "encoder" */
    blan_statistics statistics;
    blan_allreduce allreduce;  /* training by several processes together, see below; NULL = by this one alone */
    void *allreduce_user;      /* passed to it */
    int32_t rank, world_size;  /* of this process, from 0; processes. With one, allreduce is not called */
    bool synchronised_batch_norm; /* batch norm normalises with the statistics of all processes' images together, which
                                     costs two small sums a layer; otherwise with those of each process's own */
} blan_train_options;

#define BLAN_TRAIN_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        sizeof(blan_train_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0.1f, 0.1f, 1.0f, 0.5f, 0.0f, NULL, 1e-3f, 1e-4f, \
            0.9f, 0.999f, 1e-8f, 0.0f, 0.0f, 0.0f, BLAN_SCHEDULE_LINEAR, 0.1f, 0, 0, 1, NULL,                          \
            BLAN_STATISTICS_AUTOMATIC, NULL, NULL, 0, 1, true                                                          \
    }

/* The terms of Eq. 8, means over the batch, unweighted but for `total`. A term that the variant lacks is 0. */
typedef struct blan_losses {
    double cls[4];  /* l_CLS of AC_1..AC_4 */
    double lmim[4]; /* l_LMIM of levels 1..4 */
    double rec;     /* l_REC */
    double sf;      /* l_SF */
    double total;   /* sum of cls + alpha lmim, plus beta rec, plus gamma sf */
} blan_losses;

/* Makes a trainer. From a checkpoint (`start`) everything that training needs comes from it; options then matter for
   threads and what begins with `allreduce` alone, and blan_trainer_fit goes on where it was saved. Returns
   INVALID_ARGUMENT, IO, FORMAT, SHAPE, OUT_OF_MEMORY.

   With `allreduce` a batch is divided among processes, in the order of their ranks, and training is that of one process
   with the whole batch but for rounding (with synchronised_batch_norm; dropout, order and augmentation do not depend on
   the number of processes, nor does a checkpoint). Every process makes the same calls of create, step, fit and save with
   the same options and data: blan_trainer_step with its part of the batch, which may be empty; blan_trainer_fit reads its
   part itself, `batch` being that of all processes, and the first process writes checkpoints. A fault of one process, or
   its progress callback's end of a run, stops all: the others return the same status, and their message names the
   process. */
blan_status blan_trainer_create(const blan_train_options *options, blan_trainer **out);

void blan_trainer_free(blan_trainer *trainer);

/* One step on a batch: losses, gradients, and every `accumulate`-th time an update of the weights. pixels: batch x 3 x
   S x S normalised floats; labels: batch x N numbers, 1 present, -1 absent, 0 unknown. out may be NULL.
   A batch of one image is INVALID_ARGUMENT where LMIM needs a second (alpha > 0). A loss or gradient that is not finite is
   INTERNAL and names the step and the term; weights and running statistics stay as they were, and gradients that waited
   for the next update are dropped. */
blan_status blan_trainer_step(blan_trainer *trainer, const float *pixels, const int8_t *labels, size_t batch,
                              blan_losses *out);

typedef int32_t blan_progress_event;

enum {
    BLAN_PROGRESS_STEP = 0,      /* a batch is done */
    BLAN_PROGRESS_VALIDATION = 1,/* some more images of the validation data are done */
    BLAN_PROGRESS_EPOCH = 2,     /* an epoch is done, its validation too */
    BLAN_PROGRESS_SKIPPED = 3    /* an image could not be read: see message */
};

/* Where blan_trainer_fit stands. */
typedef struct blan_progress {
    size_t struct_size;
    blan_progress_event event;
    int32_t epoch;              /* from 1 */
    int32_t epochs;
    int64_t step;               /* batches done, over all epochs */
    int64_t steps;              /* batches of the whole run */
    blan_losses losses;         /* STEP: of the batch; EPOCH: their mean over the epoch */
    double learning_rate;       /* Adam's, of the step */
    double gradient_norm;       /* of the last optimiser step, before clipping */
    double images_per_second;   /* over the last steps */
    double seconds_left;        /* of the whole run, estimated */
    double validation_loss;     /* EPOCH: l_SF (or of s_5 without fusion) on the validation data; NaN without any */
    double validation_accuracy; /* EPOCH: mean accuracy over attributes, 0 to 1; NaN without validation data, and where
                                   no image with a known label could be read */
    double best_accuracy;       /* so far; NaN before the first validation */
    int32_t best_epoch;         /* 0 before the first validation */
    uint64_t validated;         /* VALIDATION: images done */
    uint64_t validation_count;  /* images of the validation data */
    uint64_t skipped;           /* images that could not be read so far */
    const char *message;        /* SKIPPED: which image and why; else NULL */
} blan_progress;

/* Called on the thread that called blan_trainer_fit. Anything but 0 stops the run: BLAN_ERROR_CANCELLED, with a
   checkpoint written where checkpoints are. */
typedef int (*blan_progress_callback)(const blan_progress *progress, void *user);

typedef struct blan_fit_options {
    size_t struct_size;
    int32_t epochs;
    int32_t batch;
    bool mirror;             /* mirror images at random, left and right */
    float shift;             /* crop jitter: greatest move to each side, as a share of the side, 0 to 0.5 */
    float zoom;              /* scale between 1 / (1 + zoom) and 1 + zoom, 0 to 1 */
    float rotation;          /* greatest turn to each side in degrees, 0 to 180 */
    float brightness, contrast, saturation; /* colour jitter: factors between 1 - x and 1 + x, 0 to 1 */
    float cutout;            /* side of a blanked square as a share of the side, 0 to 1 */
    int32_t workers;         /* threads that read images; 0 = blan_default_threads() */
    uint64_t cache_bytes;    /* memory for decoded images */
    bool skip_unreadable;    /* go on without images that cannot be read; otherwise they end the run */
    const char *checkpoints; /* folder for last.safetensors and best.safetensors, made where missing; NULL = none */
    int64_t checkpoint_steps; /* batches between saves of last.safetensors; 0 = once an epoch */
    int32_t patience;        /* epochs without a better validation after which the run ends; 0 = never */
    blan_progress_callback progress; /* may be NULL */
    void *user;
} blan_fit_options;

#define BLAN_FIT_OPTIONS_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(blan_fit_options), 14, 64, true, 0, 0, 0, 0, 0, 0, 0, 0, (uint64_t)2 << 30, false, NULL, 0, 0, NULL,    \
            NULL                                                                                                       \
    }

/* Trains for a number of epochs, validating after each (validation may be NULL). Columns are matched with the trainer's
   attributes by name; one that the data lack counts as unknown. After a cancelled or broken-off run, a trainer made from
   last.safetensors continues with the same options and the same data, whose folder may have moved: bit for bit with the
   same instruction set and number of processes, and any number of threads.
   Returns what blan_trainer_step does, INVALID_ARGUMENT (data without any of the attributes, validation data without a
   known label, data other than those of the run to go on with), IO and FORMAT for images, CANCELLED. */
blan_status blan_trainer_fit(blan_trainer *trainer, const blan_dataset *train, const blan_dataset *validation,
                             const blan_fit_options *options);

/* Writes a checkpoint: weights, optimiser, schedule, random state and the place in the data. It appears whole or not at
   all. */
blan_status blan_trainer_save(const blan_trainer *trainer, const char *path);

typedef int32_t blan_storage;

enum {
    BLAN_STORAGE_F32 = 0,
    BLAN_STORAGE_F16 = 1,
    BLAN_STORAGE_BF16 = 2
};

typedef struct blan_export_options {
    size_t struct_size;
    blan_storage storage;  /* of convolution and linear weights; the rest stays f32 */
    bool training_heads;   /* keep the reconstruction and LMIM heads, for further training */
    bool raw_weights;      /* the weights themselves where a moving average is kept */
} blan_export_options;

#define BLAN_EXPORT_OPTIONS_INIT { sizeof(blan_export_options), BLAN_STORAGE_F32, false, false }

/* Writes a model file for prediction (or, with training_heads, for fine-tuning), whole or not at all. */
blan_status blan_trainer_export(const blan_trainer *trainer, const char *path, const blan_export_options *options);

/* Number of attributes, name of one, and input size, as of the models it exports. */
size_t blan_trainer_attribute_count(const blan_trainer *trainer);
const char *blan_trainer_attribute_name(const blan_trainer *trainer, size_t index);
size_t blan_trainer_input_size(const blan_trainer *trainer);

/* Batches trained on so far. */
int64_t blan_trainer_step_count(const blan_trainer *trainer);

/* The last step's gradient of the named tensor, in the layout of the weights file; `count` is its number of elements.
   INVALID_ARGUMENT before the first step and for a tensor without a gradient, SHAPE for another count. */
blan_status blan_trainer_gradient(const blan_trainer *trainer, const char *tensor_name, float *out, size_t count);

/* The named tensor itself. */
blan_status blan_trainer_parameter(const blan_trainer *trainer, const char *tensor_name, float *out, size_t count);

/* ------------------------------------------------------------------------------------------------- evaluation --- */

/* What a model was measured to do on a data set. It never changes: any number of threads may read one. */
typedef struct blan_evaluation blan_evaluation;

/* Called on the calling thread after each batch: so many images of the data set are done. Anything but 0 stops:
   BLAN_ERROR_CANCELLED. */
typedef int (*blan_evaluate_progress)(size_t done, size_t count, void *user);

typedef struct blan_evaluate_options {
    size_t struct_size;
    const char *const *groups; /* what rates are given by: each the name of an attribute or of a group column of the
                                  data, or two of them parted by a comma, such as "Male,Young"; at most 100 groups */
    size_t group_count;
    const blan_dataset *training; /* whose labels give the majority of training; NULL = none */
    int32_t resamples;            /* of the bootstrap behind the groups' 95 % intervals, to 100,000; 0 = none */
    uint64_t seed;                /* of the bootstrap; intervals do not depend on the number of threads */
    int32_t batch;                /* images between two calls of progress, 1 to 65,536 */
    bool skip_unreadable;         /* go on without images that cannot be read; otherwise they end the call */
    blan_item_error on_error;     /* told of each image that is skipped; may be NULL */
    blan_evaluate_progress progress; /* may be NULL */
    void *user;                      /* handed to both */
} blan_evaluate_options;

#define BLAN_EVALUATE_OPTIONS_INIT                                                                                     \
    { sizeof(blan_evaluate_options), NULL, 0, NULL, 1000, 0, 64, false, NULL, NULL, NULL }

/* Measures a model on a data set with the model's own thresholds. Attributes are matched by name; one that the data
   lack has unknown labels, and unknown labels are left out everywhere.
   Returns INVALID_ARGUMENT (data without any attribute of the model, a group that they lack), IO and FORMAT for images
   (and FORMAT for a model whose outputs are not numbers), CANCELLED, OUT_OF_MEMORY. */
blan_status blan_evaluate(const blan_model *model, const blan_dataset *dataset, const blan_evaluate_options *options,
                          blan_evaluation **out);

void blan_evaluation_free(blan_evaluation *evaluation);

/* The whole report as JSON. Figures are shares from 0 to 1, null where the labels do not suffice; more keys may come.
   - source, images (measured), unreadable: [{index, path, message}]
   - mean: each figure's mean over the attributes that have it
   - attributes: [{name, threshold, positives, negatives, unknown (labels), and the figures:
       accuracy (the paper's metric), balanced_accuracy, precision, recall, f1, average_precision, calibration_error
       (expected calibration error of the probability, 15 bins), brier, majority (accuracy of the more frequent answer
       among these labels), training_majority (of that in the training labels)}]
   - levels: {names: ["AC_1", .., "AC_4", "s_5", "fused"], mean: [6], attributes: [6][N]}: accuracy of each classifier,
       of their sum and of the fused decision, all at a probability of 0.5 (Fig. 3)
   - groups: one for each of the options' groups: {by: [names],
       groups: [{values, images, too_few (fewer than 30 images), mean: {RATE}, attributes: [{name, positives, negatives,
         unknown, too_few (fewer than 10 present or absent labels), RATE}]}],
       comparable: names of the attributes that are not too_few in any group that is not too_few itself: the means are
         over these, that of accuracy over all that have labels in every group,
       gaps: {mean: {GAP}, attributes: [{name, GAP}], widest: {rate: name of the attribute with the widest gap}}},
     where RATE is accuracy, true_positive_rate, false_positive_rate, false_negative_rate, average_precision and
     calibration_error, each {value, low, high} (95 % interval), and GAP the same rates' distance between the two groups
     farthest apart, each {value, low, high, highest, lowest (those groups' values)}; what is too_few is left out of gaps
   - settings: {bins, confidence, resamples, seed, few_images, few_labels}
   NULL for NULL. */
const char *blan_evaluation_json(const blan_evaluation *evaluation);

/* Number of images of the data set, those that could not be read among them; 0 for NULL. */
size_t blan_evaluation_count(const blan_evaluation *evaluation);

/* Images that could not be read and were skipped; 0 for NULL. */
size_t blan_evaluation_skipped(const blan_evaluation *evaluation);

/* Mean accuracy over the attributes that have known labels, the paper's metric, 0 to 1; NaN for none and for NULL. */
double blan_evaluation_accuracy(const blan_evaluation *evaluation);

/* count x N probabilities in the order of the data set and of the model's attributes, a row of NaN for an image that was
   skipped. They live as long as the evaluation. NULL for NULL. */
const float *blan_evaluation_probabilities(const blan_evaluation *evaluation);

/* count x N labels, likewise: 1 present, -1 absent, 0 unknown. */
const int8_t *blan_evaluation_labels(const blan_evaluation *evaluation);

typedef int32_t blan_objective;

enum {
    BLAN_OBJECTIVE_ACCURACY = 0,
    BLAN_OBJECTIVE_BALANCED_ACCURACY = 1,
    BLAN_OBJECTIVE_F1 = 2
};

typedef struct blan_calibrate_options {
    size_t struct_size;
    bool temperatures;        /* fit them: the probability is sigmoid((z[1] - z[0]) / t), t from 0.05 to 20 */
    bool thresholds;          /* fit them: the probability from which an attribute counts as present */
    blan_objective objective; /* what a threshold is to do best; of equals the nearest to 0.5 is taken */
    int32_t minimum_labels;   /* an attribute with fewer present or absent labels gets t = 1 and a threshold of 0.5 */
    int32_t threads;          /* 0 = blan_default_threads() */
    int32_t batch;            /* images between two calls of progress, 1 to 65,536 */
    bool skip_unreadable;     /* go on without images that cannot be read; otherwise they end the call */
    blan_item_error on_error; /* told of each image that is skipped; may be NULL */
    blan_evaluate_progress progress; /* may be NULL */
    void *user;                      /* handed to both */
} blan_calibrate_options;

#define BLAN_CALIBRATE_OPTIONS_INIT                                                                                    \
    { sizeof(blan_calibrate_options), true, true, BLAN_OBJECTIVE_ACCURACY, 10, 0, 64, false, NULL, NULL, NULL }

/* Fits temperatures (by the likelihood of the labels), then thresholds, on images that the model was not trained on, and
   writes a copy of the model with them to `out_path`, whole or not at all; it may be model_path itself. Tensors stay as
   they are stored. Returns what blan_model_load and blan_evaluate do, and IO where the file cannot be written. */
blan_status blan_calibrate(const char *model_path, const blan_dataset *dataset, const blan_calibrate_options *options,
                           const char *out_path);

#ifdef __cplusplus
}
#endif

#endif /* BLAN_H */
