/* What a soak run measures: memory, file handles and threads of the process, and how long calls take. */
#ifndef BLAN_SOAK_FIGURES_H
#define BLAN_SOAK_FIGURES_H

#include <stddef.h>

enum { KINDS = 9 };

double seconds_now(void);

typedef struct figures {
    double resident; /* MiB */
    double heap;     /* MiB that malloc has given out */
    size_t handles, threads;
} figures;

figures process_figures(void);

/* Notes how long a call of a kind took. Any thread. */
void note_latency(size_t kind, double seconds);

/* Writes a line of figures to the file every second, from one second of the run to another: seconds in which the process
   was awake. Latencies in it are of all kinds together, since the line before. Begins the file anew at second 0. */
void watch(double from, double to, const char *path);

/* Appends the percentiles of a kind's latencies over the whole run to the file, which it makes for the first kind.
   Returns how many calls there were. */
size_t write_latencies(const char *path, size_t kind, const char *name);

#endif
