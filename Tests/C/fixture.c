#define _GNU_SOURCE
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/blan-test-XXXXXX";
static bool has_folder;

static void give_up(const char *what)
{
    fprintf(stderr, "cannot make %s: %s\n", what, blan_last_error());
    exit(1);
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

const char *fixture_path(const char *name)
{
    static char paths[64][256];
    static size_t count;
    if (!has_folder) {
        if (mkdtemp(folder) == NULL)
            give_up("a scratch folder");
        has_folder = true;
        atexit(remove_folder);
    }
    char path[sizeof paths[0]];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (size_t i = 0; i < count; i++)
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    if (count == sizeof paths / sizeof paths[0])
        give_up("room for another path");
    return strcpy(paths[count++], path);
}

const char *fixture_file(const char *name, const void *bytes, size_t length)
{
    const char *path = fixture_path(name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        give_up(path);
    return path;
}

const char *fixture_model_path(void)
{
    const char *path = fixture_path("small.safetensors");
    if (access(path, R_OK) == 0)
        return path;
    blan_network_options options = BLAN_NETWORK_OPTIONS_INIT;
    options.width = 16;
    options.input_size = FIXTURE_INPUT_SIZE;
    options.seed = 7;
    if (blan_model_init(path, &options) != BLAN_OK)
        give_up(path);
    return path;
}

blan_model *fixture_model(int32_t threads)
{
    blan_load_options options = BLAN_LOAD_OPTIONS_INIT;
    options.threads = threads;
    blan_model *model;
    if (blan_model_load(fixture_model_path(), &options, &model) != BLAN_OK)
        give_up("the model");
    return model;
}

blan_network_options fixture_network(int32_t width, size_t attributes)
{
    static const char *const names[] = {"Smiling", "Young", "Male"};
    blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
    network.input_size = FIXTURE_INPUT_SIZE;
    network.width = width;
    network.attributes = names;
    network.attribute_count = attributes;
    return network;
}

const char *fixture_photos(const void *photo, size_t length, size_t count)
{
    char table[4096];
    size_t end = (size_t)sprintf(table, "path,Smiling,Young,group\n");
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.png", i);
        fixture_file(name, photo, length);
        end += (size_t)snprintf(table + end, sizeof table - end, "%s,%zu,%zu,%s\n", name, i % 2, i / 2 % 2,
                                i < count / 2 ? "a" : "b");
        if (end >= sizeof table)
            give_up("a table of so many photos");
    }
    return fixture_file("photos.csv", table, end);
}

float *fixture_floats(size_t count, uint32_t seed)
{
    float *floats = malloc(count * sizeof *floats);
    if (floats == NULL)
        give_up("floats");
    uint32_t state = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        floats[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
    return floats;
}

void *fixture_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        give_up(path);
    const long size = ftell(file);
    void *bytes = malloc(size > 0 ? (size_t)size : 1);
    rewind(file);
    if (bytes == NULL || size < 0 || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        give_up(path);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}
