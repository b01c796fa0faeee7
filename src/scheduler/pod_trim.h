/* What the scheduler's cache keeps of a Pod: with many Pods, what containers run with is most. */
#pragma once

#include "api/object.h"

/* Takes away what no plugin reads: commands, environment, mounts, probes, security contexts,
 * ephemeral containers, and volumes that bind a Pod to no node. */
void pod_trim(struct object pod);
