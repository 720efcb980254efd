#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void promise_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s; the last error is \"%s\"\n", file, line, what, blan_last_error());
    abort();
}

void promise_outcome(blan_status status, const void *handle)
{
    PROMISED((status == BLAN_OK) == (handle != NULL));
    PROMISED(status >= BLAN_OK && status < BLAN_ERROR_CANCELLED);
    PROMISED(status == BLAN_OK || blan_last_error()[0] != '\0');
}

/* ---- files ---- */

enum { SLOTS = 4 };
static int files[SLOTS] = {-1, -1, -1, -1};
static char paths[SLOTS][64];
static char folder[] = "/tmp/blan-fuzz-XXXXXX";
static int has_folder;

static void open_slot(int slot)
{
    if (files[slot] >= 0)
        return;
    files[slot] = memfd_create("fuzz", 0);
    PROMISED(files[slot] >= 0);
    snprintf(paths[slot], sizeof paths[slot], "/proc/%d/fd/%d", (int)getpid(), files[slot]);
}

const char *memory_file(int slot, const void *content, size_t size)
{
    open_slot(slot);
    PROMISED(ftruncate(files[slot], 0) == 0 && pwrite(files[slot], content, size, 0) == (ssize_t)size);
    return paths[slot];
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
    if (!has_folder) {
        PROMISED(mkdtemp(folder) != NULL);
        has_folder = 1;
        atexit(remove_folder);
    }
    return folder;
}

static const char *below_scratch(const char *path)
{
    static char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", scratch_folder(), path);
    return whole;
}

void scratch_file(const char *path)
{
    const int file = open(below_scratch(path), O_CREAT | O_WRONLY, 0600);
    PROMISED(file >= 0);
    close(file);
}

void scratch_directory(const char *path)
{
    PROMISED(mkdir(below_scratch(path), 0700) == 0);
}

void scratch_link(const char *path, int slot)
{
    open_slot(slot);
    PROMISED(symlink(paths[slot], below_scratch(path)) == 0);
}

bytes read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    PROMISED(file != NULL && fseek(file, 0, SEEK_END) == 0);
    bytes whole = {NULL, (size_t)ftell(file)};
    whole.data = malloc(whole.size + 1);
    rewind(file);
    PROMISED(whole.data != NULL && fread(whole.data, 1, whole.size, file) == whole.size);
    fclose(file);
    return whole;
}

/* ---- inputs ---- */

uint8_t take_choice(const uint8_t **data, size_t *size)
{
    if (*size == 0)
        return 0;
    (*size)--;
    return *(*data)++;
}

void cut_at_nul(const uint8_t *data, size_t size, part *first, part *second)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    *first = (part){data, nul != NULL ? (size_t)(nul - data) : size};
    *second = (part){nul != NULL ? nul + 1 : NULL, nul != NULL ? size - first->size - 1 : 0};
}

/* Writes text into a JSON string; bytes that are no UTF-8 stay as they are. */
static size_t escaped(uint8_t *out, part value)
{
    size_t length = 0;
    for (size_t i = 0; i < value.size; i++) {
        const uint8_t byte = value.bytes[i];
        if (byte == '"' || byte == '\\') {
            out[length++] = '\\';
            out[length++] = byte;
        } else if (byte < 0x20) {
            length += (size_t)sprintf((char *)out + length, "\\u%04x", byte);
        } else {
            out[length++] = byte;
        }
    }
    return length;
}

bytes with_metadata(bytes file, const char *key, part value)
{
    char start[64];
    snprintf(start, sizeof start, "\"%s\":\"", key);
    uint8_t *found = memmem(file.data, file.size, start, strlen(start));
    PROMISED(found != NULL);
    const size_t begin = (size_t)(found - file.data) + strlen(start);
    size_t end = begin;
    while (file.data[end] != '"')
        end += file.data[end] == '\\' ? 2 : 1;

    bytes changed = {malloc(file.size + 6 * value.size), 0};
    PROMISED(changed.data != NULL);
    memcpy(changed.data, file.data, begin);
    const size_t length = escaped(changed.data + begin, value);
    memcpy(changed.data + begin + length, file.data + end, file.size - end);
    changed.size = file.size - (end - begin) + length;
    uint64_t header;
    memcpy(&header, file.data, sizeof header);
    header += length;
    header -= end - begin;
    memcpy(changed.data, &header, sizeof header);
    return changed;
}

blan_network_options smallest_network(int32_t variant)
{
    static const char *const names[] = {"Smiling", "Young", "Male"};
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.input_size = 64;
    options.width = 4;
    options.variant = variant;
    options.attributes = names;
    options.attribute_count = 3;
    return options;
}

/* ---- what is done with what was read ---- */

void read_and_free_dataset(blan_dataset *dataset)
{
    const size_t count = blan_dataset_count(dataset), attributes = blan_dataset_attribute_count(dataset);
    const size_t groups = blan_dataset_group_count(dataset);
    int8_t *labels = malloc(attributes + 1);
    PROMISED(labels != NULL);
    for (size_t i = 0; i < count; i++) {
        PROMISED(blan_dataset_path(dataset, i) != NULL);
        PROMISED(blan_dataset_labels(dataset, i, labels) == BLAN_OK);
        for (size_t j = 0; j < attributes; j++)
            PROMISED(labels[j] >= -1 && labels[j] <= 1);
        for (size_t group = 0; group < groups; group++)
            blan_dataset_group_value(dataset, group, i);
    }
    for (size_t i = 0; i < attributes; i++)
        PROMISED(blan_dataset_attribute_name(dataset, i) != NULL);
    for (size_t i = 0; i < groups; i++)
        PROMISED(blan_dataset_group_name(dataset, i) != NULL);
    PROMISED(blan_dataset_path(dataset, count) == NULL && blan_dataset_attribute_name(dataset, attributes) == NULL);
    free(labels);

    blan_dataset *training, *validation, *last;
    const blan_status split = blan_dataset_split(dataset, 0.4, 1, &training, &validation);
    PROMISED((split == BLAN_OK) == (training != NULL) && (training == NULL) == (validation == NULL));
    blan_dataset_free(training);
    blan_dataset_free(validation);
    const size_t item = count - 1;
    promise_outcome(blan_dataset_subset(dataset, &item, 1, &last), last);
    PROMISED((last != NULL) == (count > 0));
    blan_dataset_free(last);
    blan_dataset_free(dataset);
}

void use_and_free_model(blan_model *model)
{
    const size_t attributes = blan_model_attribute_count(model), size = blan_model_input_size(model);
    for (size_t i = 0; i < attributes; i++)
        PROMISED(blan_model_attribute_name(model, i) != NULL && blan_model_threshold(model, i) >= 0);
    PROMISED(blan_model_config(model) != NULL && blan_model_attribute_name(model, attributes) == NULL);
    for (size_t row = 0; row < blan_model_cost_count(model); row++) {
        blan_cost cost;
        PROMISED(blan_model_cost(model, row, &cost) == BLAN_OK);
    }
    if (size <= 96) {
        float *pixels = calloc(3 * size * size, sizeof *pixels), *probabilities = calloc(attributes, sizeof(float));
        PROMISED(pixels != NULL && probabilities != NULL);
        PROMISED(blan_predict_tensor(model, pixels, 1, NULL, probabilities) == BLAN_OK);
        free(pixels);
        free(probabilities);
    }
    blan_model_free(model);
}
