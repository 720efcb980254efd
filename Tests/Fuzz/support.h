/* What the fuzz targets share. Each target is a C file with LLVMFuzzerTestOneInput over blan.h, built with
   AddressSanitizer against a library that is instrumented for coverage: see scripts/fuzz.sh. */
#ifndef BLAN_FUZZ_SUPPORT_H
#define BLAN_FUZZ_SUPPORT_H

#include <blan.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the program, which libFuzzer counts as a crash, where a promise of the header is not kept. */
#define PROMISED(condition) ((condition) ? (void)0 : promise_broken(#condition, __FILE__, __LINE__))
void promise_broken(const char *what, const char *file, int line);

/* What every call that makes a handle keeps: BLAN_OK with a handle, or an error of the input's kind with none and a
   message. A defect of the library's own, INTERNAL, is never the input's fault. */
void promise_outcome(blan_status status, const void *handle);

/* A path that holds these bytes until the next call with the same `slot`, 0 to 3; the file lies in memory. */
const char *memory_file(int slot, const void *bytes, size_t size);

/* A new folder for this process, removed at its end. */
const char *scratch_folder(void);

/* An empty file, a folder, or a link to the memory file `slot`, at this path below the scratch folder. */
void scratch_file(const char *path);
void scratch_directory(const char *path);
void scratch_link(const char *path, int slot);

/* The first byte of the input, which chooses options; 0 for an empty input. Moves the input past it. */
uint8_t take_choice(const uint8_t **data, size_t *size);

/* One of the parts of an input that are separated by NUL bytes. */
typedef struct part {
    const uint8_t *bytes;
    size_t size;
} part;

/* Cuts the input at its first NUL byte; `second` has bytes = NULL where there is none. */
void cut_at_nul(const uint8_t *data, size_t size, part *first, part *second);

/* A whole safetensors file. */
typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

bytes read_whole(const char *path);

/* A copy of a safetensors file with the metadata `key` replaced by `value`, written as a JSON string; to be freed. */
bytes with_metadata(bytes file, const char *key, part value);

/* The smallest network of a variant: width 4, three attributes, 64 x 64 pixels. */
blan_network_options smallest_network(int32_t variant);

/* Reads all that an opened data set has to tell, takes parts of it, and frees it. */
void read_and_free_dataset(blan_dataset *dataset);

/* Reads all that a model has to tell, predicts with it where it is small, and frees it. */
void use_and_free_model(blan_model *model);

#endif
