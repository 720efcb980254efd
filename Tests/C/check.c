#include "check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Some programs check on several threads. */
static atomic_size_t checks, failures;

static void failed(const char *file, int line)
{
    failures++;
    fprintf(stderr, "%s:%d: ", file, line);
}

bool check_that(bool condition, const char *what, const char *file, int line)
{
    checks++;
    if (!condition) {
        failed(file, line);
        fprintf(stderr, "not so: %s\n", what);
    }
    return condition;
}

void check_status(blan_status got, blan_status wanted, const char *text, const char *call, const char *file, int line)
{
    checks++;
    const char *message = got == BLAN_OK ? "" : blan_last_error();
    if (got == wanted && strstr(message, text) != NULL)
        return;
    failed(file, line);
    fprintf(stderr, "%s\n    gave %s \"%s\", expected %s and a message with \"%s\"\n", call, blan_status_name(got),
            message, blan_status_name(wanted), text);
}

void check_forget_message(void)
{
    blan_model_init("", NULL);
}

int check_end(void)
{
    if (checks == 0)
        fprintf(stderr, "no check ran\n");
    else if (failures > 0)
        fprintf(stderr, "%zu of %zu checks failed\n", (size_t)failures, (size_t)checks);
    return checks == 0 || failures > 0;
}
