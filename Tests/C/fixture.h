/* What the C test programs work on: a scratch folder, a small model and numbers to feed it. Whatever cannot be made
   ends the program. */
#ifndef BLAN_TEST_FIXTURE_H
#define BLAN_TEST_FIXTURE_H

#include <blan.h>

/* The small model: width 16, input 64 x 64, all forty attributes. */
enum { FIXTURE_INPUT_SIZE = 64, FIXTURE_ATTRIBUTES = 40, FIXTURE_IMAGE_FLOATS = 3 * 64 * 64 };

/* Path of `name` in a scratch folder that is removed when the program ends. Lives until then. */
const char *fixture_path(const char *name);

/* Path of a file of this name with this content. */
const char *fixture_file(const char *name, const void *bytes, size_t length);

/* Path of the small model's file. */
const char *fixture_model_path(void);

/* The small model, loaded for this many threads. */
blan_model *fixture_model(int32_t threads);

/* A new network of this width for the first of Smiling, Young and Male, input 64 x 64. */
blan_network_options fixture_network(int32_t width, size_t attributes);

/* Path of a CSV file that tells of `count` photos: Smiling, Young, and the group a or b. All are the file given. */
const char *fixture_photos(const void *photo, size_t length, size_t count);

/* Floats between -1 and 1 that depend on the seed; to be freed. */
float *fixture_floats(size_t count, uint32_t seed);

/* A whole file; to be freed. */
void *fixture_read(const char *path, size_t *length);

#endif
