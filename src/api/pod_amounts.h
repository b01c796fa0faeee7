/* What a Pod asks for as a whole (or is limited to), out of its containers': running ones together,
 * or an init container with the sidecars before it, whichever is more; cpu and memory of the Pod's
 * own where these are set. */
#pragma once

struct arena;
struct core_v1_pod_spec;

enum pod_amounts_kind { POD_AMOUNTS_REQUESTS, POD_AMOUNTS_LIMITS };

/* ret: an empty map of quantities (struct schema_list, or a generated field). */
void pod_amounts(struct arena *a, const struct core_v1_pod_spec *s, enum pod_amounts_kind kind,
                 void *ret);
/* to[name] += more[name]; texts that are no quantities count as nothing. */
void pod_amounts_add(struct arena *a, void *to, const void *more);
