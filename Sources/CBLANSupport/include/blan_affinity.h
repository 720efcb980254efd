#ifndef BLAN_AFFINITY_H
#define BLAN_AFFINITY_H

/* Processors that the calling thread's affinity mask allows, however many the machine has; 0 when unknown. */
int blan_s_affinity_count(void);

#endif
