/* What Swift cannot say by itself. */
#ifndef BLAN_SUPPORT_H
#define BLAN_SUPPORT_H

#include "blan_affinity.h"
#include "blan_floating_point.h"
#include "blan_last_error.h"
#include "blan_reserve.h"

#endif
