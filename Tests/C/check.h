/* What every C test program checks with: a failed check is reported and the program goes on, then exits with 1. */
#ifndef BLAN_TEST_CHECK_H
#define BLAN_TEST_CHECK_H

#include <blan.h>
#include <stdbool.h>

#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)

/* The call returns BLAN_OK. */
#define CHECK_OK(call) check_status((call), BLAN_OK, "", #call, __FILE__, __LINE__)

/* The call returns `status` and leaves a message that contains `text`, whatever message was there before. */
#define CHECK_REFUSED(call, status, text)                                                                              \
    (check_forget_message(), check_status((call), (status), (text), #call, __FILE__, __LINE__))

bool check_that(bool condition, const char *what, const char *file, int line);
void check_status(blan_status got, blan_status wanted, const char *text, const char *call, const char *file, int line);

/* Leaves a message in blan_last_error() that no check looks for. */
void check_forget_message(void);

/* The program's exit status. Says on stderr how many checks failed, or that none ran. */
int check_end(void);

#endif
