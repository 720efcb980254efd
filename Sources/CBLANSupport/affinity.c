#define _GNU_SOURCE
#include "include/blan_affinity.h"

#include <sched.h>

int blan_s_affinity_count(void)
{
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}
