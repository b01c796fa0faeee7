/* What the Pod plugins share. */
#pragma once

#include <stdbool.h>

#include "apiserver/admission/admission.h"
#include "base/macros.h"

struct core_v1_pod;

/* The Pod that is being created (or updated), through its own endpoint; NULL: something else. */
struct core_v1_pod *pod_admission_of(const struct admission_call *call, bool also_updates);
/* 'pods "x" is forbidden: WHY'; false. */
bool pod_admission_refuse(const struct admission_call *call, struct status *ret, const char *fmt,
                          ...) PRINTF_LIKE(3, 4);
