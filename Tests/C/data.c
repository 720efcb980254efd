/* Data sets: a table, a CelebA folder, LFWA's label file, their parts, and what is refused. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char table[] = "path,split,Smiling,Hat,age,site\n"
                            "a.jpg,train,1,0,young,north\n"
                            "b.jpg,train,0,,old,\n"
                            "sub/c.jpg,val,1,1,young,south\n"
                            "/d.jpg,test,,1,middle,north\n";

static blan_dataset *opened(const char *path, const blan_dataset_options *options)
{
    blan_dataset *data = NULL;
    CHECK_OK(blan_dataset_open(path, options, &data));
    return data;
}

static bool labels_are(const blan_dataset *data, size_t index, const int8_t *expected)
{
    int8_t labels[8];
    const size_t count = blan_dataset_attribute_count(data);
    memset(labels, 99, sizeof labels);
    CHECK_OK(blan_dataset_labels(data, index, labels));
    return memcmp(labels, expected, count) == 0 && labels[count] == 99;
}

static bool text_is(const char *text, const char *expected)
{
    return text != NULL && strcmp(text, expected) == 0;
}

static void a_table_tells_all(const char *path)
{
    blan_dataset *data = opened(path, NULL);
    CHECK(blan_dataset_count(data) == 4);
    CHECK(blan_dataset_attribute_count(data) == 2);
    CHECK(text_is(blan_dataset_attribute_name(data, 0), "Smiling"));
    CHECK(text_is(blan_dataset_attribute_name(data, 1), "Hat"));
    CHECK(text_is(blan_dataset_path(data, 2), fixture_path("sub/c.jpg")));
    CHECK(text_is(blan_dataset_path(data, 3), "/d.jpg"));
    CHECK(labels_are(data, 0, (int8_t[]){1, -1}));
    CHECK(labels_are(data, 1, (int8_t[]){-1, 0}));
    CHECK(labels_are(data, 3, (int8_t[]){0, 1}));
    CHECK(blan_dataset_group_count(data) == 2);
    CHECK(text_is(blan_dataset_group_name(data, 0), "age"));
    CHECK(text_is(blan_dataset_group_value(data, 0, 3), "middle"));
    CHECK(text_is(blan_dataset_group_value(data, 1, 2), "south"));
    CHECK(blan_dataset_group_value(data, 1, 1) == NULL);
    blan_dataset_free(data);
}

static void parts_and_attributes_are_chosen(const char *path)
{
    static const char *const hat[] = {"Hat"};
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_CSV;
    options.split = BLAN_SPLIT_TRAIN;
    options.attributes = hat;
    options.attribute_count = 1;
    blan_dataset *data = opened(path, &options);
    CHECK(blan_dataset_count(data) == 2 && blan_dataset_attribute_count(data) == 1);
    CHECK(labels_are(data, 0, (int8_t[]){-1}) && labels_are(data, 1, (int8_t[]){0}));
    blan_dataset_free(data);

    options.split = BLAN_SPLIT_VALIDATION;
    data = opened(path, &options);
    CHECK(blan_dataset_count(data) == 1 && text_is(blan_dataset_group_value(data, 0, 0), "young"));
    blan_dataset_free(data);
}

static void subsets_and_halves_are_data_sets(const char *path)
{
    blan_dataset *data = opened(path, NULL), *part = NULL, *training = NULL, *validation = NULL;
    CHECK_OK(blan_dataset_subset(data, (size_t[]){3, 0, 3}, 3, &part));
    CHECK(blan_dataset_count(part) == 3);
    CHECK(text_is(blan_dataset_path(part, 0), "/d.jpg") && text_is(blan_dataset_group_value(part, 1, 1), "north"));
    CHECK(labels_are(part, 1, (int8_t[]){1, -1}));

    CHECK_OK(blan_dataset_split(data, 0.25, 9, &training, &validation));
    CHECK(blan_dataset_count(training) == 3 && blan_dataset_count(validation) == 1);
    char held[256];
    snprintf(held, sizeof held, "%s", blan_dataset_path(validation, 0));
    for (size_t i = 0; i < 3; i++)
        CHECK(strcmp(blan_dataset_path(training, i), held) != 0);
    blan_dataset_free(training);
    blan_dataset_free(validation);
    CHECK_OK(blan_dataset_split(data, 0.25, 9, &training, &validation));
    CHECK(text_is(blan_dataset_path(validation, 0), held));
    blan_dataset_free(data);
    CHECK(blan_dataset_count(part) == 3 && labels_are(part, 0, (int8_t[]){0, 1}));
    blan_dataset_free(part);
    blan_dataset_free(training);
    blan_dataset_free(validation);
}

static void celeba_is_recognised(void)
{
    static const char labels[] = "2\nBald Bangs\n1.jpg -1 1\n2.jpg 1 -1\n", parts[] = "1.jpg 0\n2.jpg 2\n";
    const char *folder = fixture_path("celeba");
    CHECK(mkdir(folder, 0755) == 0 && mkdir(fixture_path("celeba/img_align_celeba"), 0755) == 0);
    fixture_file("celeba/list_attr_celeba.txt", labels, sizeof labels - 1);
    fixture_file("celeba/list_eval_partition.txt", parts, sizeof parts - 1);
    blan_dataset *data = opened(folder, NULL);
    CHECK(blan_dataset_count(data) == 2 && labels_are(data, 1, (int8_t[]){1, -1}));
    CHECK(text_is(blan_dataset_path(data, 0), fixture_path("celeba/img_align_celeba/1.jpg")));
    CHECK(blan_dataset_group_count(data) == 0);
    blan_dataset_free(data);

    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.split = BLAN_SPLIT_TEST;
    data = opened(folder, &options);
    CHECK(blan_dataset_count(data) == 1 && labels_are(data, 0, (int8_t[]){1, -1}));
    blan_dataset_free(data);
    options.split = BLAN_SPLIT_VALIDATION;
    CHECK_REFUSED(blan_dataset_open(folder, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "validation");
    CHECK(data == NULL);
}

static void damage_is_named(void)
{
    static const char bad[] = "path,Smiling\na.jpg,1\nb.jpg,7\n";
    blan_dataset *data = (blan_dataset *)1;
    const char *path = fixture_file("bad.csv", bad, sizeof bad - 1);
    CHECK_REFUSED(blan_dataset_open(path, NULL, &data), BLAN_ERROR_FORMAT, "line 3");
    CHECK(data == NULL);
    CHECK_REFUSED(blan_dataset_open(fixture_path("nowhere"), NULL, &data), BLAN_ERROR_IO, "nowhere");
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    options.kind = BLAN_DATASET_LFWA;
    CHECK_REFUSED(blan_dataset_open(fixture_path("nowhere"), &options, &data), BLAN_ERROR_IO, "nowhere");
}

static void wrong_arguments_are_refused(const char *path)
{
    static const char *const unknown[] = {"Beard"}, *const hole[] = {"Hat", NULL}, *const bytes[] = {"\xff"};
    blan_dataset *data = (blan_dataset *)1, *other = (blan_dataset *)1;
    blan_dataset_options options = BLAN_DATASET_OPTIONS_INIT;
    CHECK_REFUSED(blan_dataset_open(NULL, NULL, &data), BLAN_ERROR_INVALID_ARGUMENT, "path");
    CHECK(data == NULL);
    CHECK_REFUSED(blan_dataset_open("", NULL, &data), BLAN_ERROR_INVALID_ARGUMENT, "path");
    CHECK_REFUSED(blan_dataset_open(path, NULL, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out");
    options.kind = 4;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "kind is 4");
    options.kind = BLAN_DATASET_CSV;
    options.split = -2;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "split is -2");
    options.split = BLAN_SPLIT_ALL;
    options.lfwa_protocol = 2;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "lfwa_protocol is 2");
    options.lfwa_protocol = BLAN_LFWA_EIGHTY_TEN;
    options.attributes = unknown;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "attribute_count is 0");
    options.attribute_count = 1;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "Beard");
    options.attributes = bytes;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "UTF-8");
    options.attributes = hole;
    options.attribute_count = 2;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "attributes[1]");
    options.struct_size = 3;
    CHECK_REFUSED(blan_dataset_open(path, &options, &data), BLAN_ERROR_INVALID_ARGUMENT, "struct_size");

    data = opened(path, NULL);
    int8_t labels[2];
    const size_t items[] = {4};
    CHECK_REFUSED(blan_dataset_labels(NULL, 0, labels), BLAN_ERROR_INVALID_ARGUMENT, "dataset");
    CHECK_REFUSED(blan_dataset_labels(data, 0, NULL), BLAN_ERROR_INVALID_ARGUMENT, "labels");
    CHECK_REFUSED(blan_dataset_labels(data, 4, labels), BLAN_ERROR_INVALID_ARGUMENT, "index is 4");
    CHECK_REFUSED(blan_dataset_labels(data, SIZE_MAX, labels), BLAN_ERROR_INVALID_ARGUMENT, "18446744073709551615");
    CHECK_REFUSED(blan_dataset_subset(data, items, 1, &other), BLAN_ERROR_INVALID_ARGUMENT, "item 4");
    CHECK(other == NULL);
    CHECK_REFUSED(blan_dataset_subset(data, items, 0, &other), BLAN_ERROR_INVALID_ARGUMENT, "count is 0");
    CHECK_REFUSED(blan_dataset_subset(data, items, SIZE_MAX, &other), BLAN_ERROR_INVALID_ARGUMENT, "count");
    CHECK_REFUSED(blan_dataset_subset(data, NULL, 1, &other), BLAN_ERROR_INVALID_ARGUMENT, "items");
    CHECK_REFUSED(blan_dataset_subset(NULL, items, 1, &other), BLAN_ERROR_INVALID_ARGUMENT, "dataset");
    CHECK_REFUSED(blan_dataset_subset(data, items, 1, NULL), BLAN_ERROR_INVALID_ARGUMENT, "out");

    blan_dataset *half = (blan_dataset *)1;
    other = half;
    CHECK_REFUSED(blan_dataset_split(data, 1, 0, &half, &other), BLAN_ERROR_INVALID_ARGUMENT, "share");
    CHECK(half == NULL && other == NULL);
    CHECK_REFUSED(blan_dataset_split(data, 0.0 / 0.0, 0, &half, &other), BLAN_ERROR_INVALID_ARGUMENT, "share");
    CHECK_REFUSED(blan_dataset_split(data, 0.5, 0, NULL, &other), BLAN_ERROR_INVALID_ARGUMENT, "training");
    CHECK_REFUSED(blan_dataset_split(data, 0.5, 0, &half, NULL), BLAN_ERROR_INVALID_ARGUMENT, "validation");
    CHECK_REFUSED(blan_dataset_split(NULL, 0.5, 0, &half, &other), BLAN_ERROR_INVALID_ARGUMENT, "dataset");

    CHECK(blan_dataset_attribute_name(data, 2) == NULL && blan_dataset_attribute_name(data, SIZE_MAX) == NULL);
    CHECK(blan_dataset_path(data, 4) == NULL && blan_dataset_path(data, SIZE_MAX) == NULL);
    CHECK(blan_dataset_group_name(data, 2) == NULL && blan_dataset_group_value(data, 2, 0) == NULL);
    CHECK(blan_dataset_group_value(data, 0, 4) == NULL);
    blan_dataset_free(data);

    CHECK(blan_dataset_count(NULL) == 0 && blan_dataset_attribute_count(NULL) == 0);
    CHECK(blan_dataset_attribute_name(NULL, 0) == NULL && blan_dataset_path(NULL, 0) == NULL);
    CHECK(blan_dataset_group_count(NULL) == 0 && blan_dataset_group_name(NULL, 0) == NULL);
    CHECK(blan_dataset_group_value(NULL, 0, 0) == NULL);
    blan_dataset_free(NULL);
}

/* The real thing, where it is at hand. */
static void celeba_8k(void)
{
    const char *folder = getenv("BLAN_CELEBA");
    if (folder == NULL)
        folder = "../shared/data/celeba-8k";
    struct stat status;
    char images[4096];
    snprintf(images, sizeof images, "%s/img_align_celeba", folder);
    if (stat(images, &status) != 0) {
        printf("data: skipped celeba-8k: no %s; BLAN_CELEBA names its folder\n", images);
        return;
    }
    blan_dataset *data = opened(folder, NULL);
    CHECK(blan_dataset_count(data) == 8000 && blan_dataset_attribute_count(data) == 40);
    CHECK(text_is(blan_dataset_attribute_name(data, 39), "Young"));
    blan_dataset_free(data);
}

int main(void)
{
    const char *path = fixture_file("table.csv", table, sizeof table - 1);
    a_table_tells_all(path);
    parts_and_attributes_are_chosen(path);
    subsets_and_halves_are_data_sets(path);
    celeba_is_recognised();
    damage_is_named();
    wrong_arguments_are_refused(path);
    celeba_8k();
    return check_end();
}
