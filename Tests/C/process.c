/* The library leaves the process as it found it: nothing printed, no global setting changed, no file left open. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"
#include "images.h"
#include "self.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* A global number that a library could change, read through whichever library in the process has it. */
static int global_number(const char *function)
{
    int (*read)(void);
    *(void **)&read = dlsym(RTLD_DEFAULT, function);
    return read != NULL ? read() : -1;
}

/* Only the fields that name the handler: the rest of struct sigaction holds padding. */
typedef struct handler {
    void (*function)(int);
    int flags;
} handler;

typedef struct state {
    char locale[256], folder[4096], environment[65536];
    handler handlers[_NSIG];
    sigset_t mask;
    mode_t umask;
    int rounding;
    unsigned vector_control;
    int openmp_threads, openmp_levels, openmp_dynamic, openblas_threads;
    size_t files;
} state;

static void read_state(state *now)
{
    memset(now, 0, sizeof *now);
    strncpy(now->locale, setlocale(LC_ALL, NULL), sizeof now->locale - 1);
    CHECK(getcwd(now->folder, sizeof now->folder) != NULL);
    for (char **variable = environ; *variable != NULL; variable++)
        strncat(now->environment, *variable, sizeof now->environment - strlen(now->environment) - 1);
    for (int signal = 1; signal < _NSIG; signal++) {
        struct sigaction action = {0};
        sigaction(signal, NULL, &action);
        now->handlers[signal] = (handler){action.sa_handler, action.sa_flags};
    }
    pthread_sigmask(SIG_SETMASK, NULL, &now->mask);
    now->umask = umask(022);
    umask(now->umask);
    now->rounding = fegetround();
    now->vector_control = __builtin_ia32_stmxcsr();
    now->openmp_threads = global_number("omp_get_max_threads");
    now->openmp_levels = global_number("omp_get_max_active_levels");
    now->openmp_dynamic = global_number("omp_get_dynamic");
    now->openblas_threads = global_number("openblas_get_num_threads");
    now->files = self_handles();
}

/* One of every kind of call, good and bad. */
static void use_the_library(void)
{
    blan_model *model = fixture_model(2), *none;
    CHECK(blan_model_load("/nowhere/model", NULL, &none) != BLAN_OK);
    CHECK(blan_model_load_memory(png_file, sizeof png_file, NULL, &none) != BLAN_OK);
    const char *const paths[] = {fixture_file("face.png", png_file, sizeof png_file),
                                 fixture_file("face.jpg", jpeg_file, sizeof jpeg_file),
                                 fixture_file("cut.png", png_file, sizeof png_file / 2),
                                 fixture_file("cut.jpg", jpeg_file, sizeof jpeg_file / 2),
                                 fixture_file("no.png", "text", 4), "/nowhere/face.jpg"};
    float probabilities[6 * FIXTURE_ATTRIBUTES];
    blan_status statuses[6];
    CHECK_OK(blan_predict_files(model, paths, 6, NULL, probabilities, statuses));
    CHECK(statuses[0] == BLAN_OK && statuses[1] == BLAN_OK && statuses[5] == BLAN_ERROR_IO);
    blan_bitmap *bitmap;
    CHECK_OK(blan_bitmap_load(paths[1], NULL, &bitmap));
    const blan_image image = blan_bitmap_image(bitmap);
    CHECK_OK(blan_predict_images(model, &image, 1, NULL, probabilities));
    blan_bitmap_free(bitmap);
    CHECK(blan_import_encoder(paths[0], fixture_model_path(), fixture_path("never")) != BLAN_OK);
    blan_model_free(model);
}

/* The program's own OpenMP is GNU's; the library's is its own and hidden. */
static void a_host_has_its_own_openmp(void)
{
    CHECK(dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL) != NULL);
    void (*set_threads)(int), (*set_levels)(int);
    *(void **)&set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    *(void **)&set_levels = dlsym(RTLD_DEFAULT, "omp_set_max_active_levels");
    CHECK(set_threads != NULL && set_levels != NULL);
    set_threads(7);
    set_levels(3);
    CHECK(dlsym(RTLD_DEFAULT, "__kmpc_fork_call") == NULL && dlsym(RTLD_DEFAULT, "kmp_get_blocktime") == NULL);
}

/* Any rounding, flush-to-zero, traps and flags of the caller's: the results are the same to the bit, and all of it is
   still there afterwards. */
static void a_host_with_its_own_floating_point_is_served(void)
{
    enum { DEFAULT = 0x1f80, FLUSH = 0x8040, UPWARDS = 0x4000, TRAPS = 0x0680, FLAGS = 0x0021 };
    const unsigned controls[] = {DEFAULT, DEFAULT | FLUSH, DEFAULT | UPWARDS, DEFAULT & ~TRAPS, DEFAULT | FLAGS};
    blan_model *model = fixture_model(2);
    const char *const paths[] = {fixture_file("face.png", png_file, sizeof png_file),
                                 fixture_file("face.jpg", jpeg_file, sizeof jpeg_file)};
    float expected[2 * FIXTURE_ATTRIBUTES], found[2 * FIXTURE_ATTRIBUTES];
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        __builtin_ia32_ldmxcsr(controls[i]);
        const blan_status status = blan_predict_files(model, paths, 2, NULL, i == 0 ? expected : found, NULL);
        const unsigned after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(DEFAULT);
        CHECK_OK(status);
        CHECK(after == controls[i]);
        CHECK(i == 0 || memcmp(expected, found, sizeof expected) == 0);
    }
    fesetround(FE_DOWNWARD);
    CHECK_OK(blan_predict_files(model, paths, 2, NULL, found, NULL));
    CHECK(fegetround() == FE_DOWNWARD && memcmp(expected, found, sizeof expected) == 0);
    fesetround(FE_TONEAREST);
    blan_model_free(model);
}

static void nothing_global_changes(void)
{
    static state before, after;
    read_state(&before);
    CHECK(before.openmp_threads >= 1);
    use_the_library();
    read_state(&after);
    CHECK(strcmp(before.locale, after.locale) == 0);
    CHECK(strcmp(before.folder, after.folder) == 0);
    CHECK(strcmp(before.environment, after.environment) == 0);
    CHECK(memcmp(before.handlers, after.handlers, sizeof before.handlers) == 0);
    CHECK(memcmp(&before.mask, &after.mask, sizeof before.mask) == 0);
    CHECK(before.umask == after.umask);
    CHECK(before.rounding == after.rounding);
    CHECK(before.vector_control == after.vector_control);
    CHECK(before.openmp_threads == after.openmp_threads);
    CHECK(before.openmp_levels == after.openmp_levels);
    CHECK(before.openmp_dynamic == after.openmp_dynamic);
    CHECK(before.openblas_threads == after.openblas_threads);
    CHECK(before.files == after.files);
}

/* A comma for the decimal point must change neither the library's reading nor its writing of numbers. */
static void a_host_with_its_own_locale_is_served(void)
{
    CHECK(setlocale(LC_ALL, "de_DE.UTF-8") != NULL); /* run.sh makes it */
    CHECK(strcmp(localeconv()->decimal_point, ",") == 0);
    nothing_global_changes();
}

static void nothing_is_printed(void)
{
    const char *path = fixture_path("printed");
    const int output = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    use_the_library();
    fflush(NULL);
    const off_t printed = lseek(file, 0, SEEK_END);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close(file), close(output), close(errors);
    CHECK(printed == 0);
}

int main(void)
{
    fixture_model_path();
    nothing_is_printed();
    a_host_has_its_own_openmp();
    a_host_with_its_own_floating_point_is_served();
    nothing_global_changes();
    a_host_with_its_own_locale_is_served();
    return check_end();
}
