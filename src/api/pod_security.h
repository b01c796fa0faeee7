/* The Pod Security Standards: what a Pod's spec must not hold at a level, "baseline" or
 * "restricted", as of a version of Kubernetes. Pure; the words are upstream's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct core_v1_pod_spec;
struct field_errors;
struct meta_v1_object_meta;

enum pod_security_level {
    POD_SECURITY_PRIVILEGED,
    POD_SECURITY_BASELINE,
    POD_SECURITY_RESTRICTED,
};
enum { POD_SECURITY_LATEST = 1 << 30 };

struct pod_security_standard {
    enum pod_security_level level;
    int32_t minor; /* of v1.MINOR; POD_SECURITY_LATEST */
};
/* "baseline:v1.24", "restricted:latest" */
struct str pod_security_print(struct arena *a, struct pod_security_standard s);

struct pod_security_policy {
    struct pod_security_standard enforce, audit, warn;
};
/* Of a namespace's labels; the value of one, false when it is not there. What is not a level or a
 * version is an error at the label's path, and counts as upstream has it: enforced as restricted,
 * not warned of. errs may be NULL. */
typedef bool pod_security_label_fn(void *arg, struct str key, struct str *ret_value);
void pod_security_policy_of(pod_security_label_fn *label, void *arg, struct field_errors *errs,
                            struct pod_security_policy *ret);
static inline bool pod_security_is_same(struct pod_security_standard a,
                                        struct pod_security_standard b)
{
    return a.level == b.level && a.minor == b.minor;
}

struct pod_security_finding {
    struct str reason; /* "host namespaces" */
    struct str detail; /* "hostNetwork=true"; may be unset */
};
enum { POD_SECURITY_FINDINGS_MAX = 24 };
/* How many findings there are in ret, which has room for POD_SECURITY_FINDINGS_MAX; 0: allowed. */
size_t pod_security_check(struct arena *a, struct pod_security_standard s,
                          const struct meta_v1_object_meta *meta,
                          const struct core_v1_pod_spec *spec, struct pod_security_finding *ret);
/* "host namespaces (hostNetwork=true), privileged"; without details: the reasons alone. */
struct str pod_security_join(struct arena *a, const struct pod_security_finding *f, size_t n,
                             bool with_details);
