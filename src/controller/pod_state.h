/* What controllers ask of a Pod, in upstream's terms, and making Pods from templates. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct api_object;
struct arena;
struct core_v1_pod;
struct core_v1_pod_condition;
struct core_v1_pod_template_spec;
struct int_or_string;
struct meta_v1_owner_reference;
struct reconcile;
struct resource;

/* Neither finished nor being deleted. */
bool pod_is_active(const struct api_object *pod);
bool pod_is_finished(const struct core_v1_pod *pod); /* Succeeded, Failed */
bool pod_is_ready(const struct core_v1_pod *pod);
/* Ready for at least min_ready_s. *ret_wait_s, when not NULL: else in how many seconds it will be;
 * 0: it is not ready. */
bool pod_is_available(const struct core_v1_pod *pod, int32_t min_ready_s, int64_t now_s,
                      int64_t *ret_wait_s);
const struct core_v1_pod_condition *pod_condition(const struct core_v1_pod *pod, struct str type);
/* Those that should go first compare as smaller: not assigned, pending, not ready, cheaper to
 * delete, more of them on the node, ready for a shorter time, more restarts, younger. on_node: how
 * many of the set run on each one's node. */
int pod_compare_for_deletion(const struct api_object *a, size_t a_on_node,
                             const struct api_object *b, size_t b_on_node);

/* "25%" of n, rounded up or down; numbers as they are; 0 when unset. */
int32_t pod_share(const struct int_or_string *v, int32_t n, bool up);

/* The controlling owner reference to an object. */
struct meta_v1_owner_reference owner_reference_to(struct arena *a, const struct api_object *owner);
/* A new Pod as the template says, named "prefix" + something, owned. Shares the template's memory.
 */
struct object pod_from_template(struct arena *a, const struct core_v1_pod_template_spec *t,
                                struct str namespace, struct str prefix,
                                const struct api_object *owner);
/* Creating and deleting Pods with the Events about their owner that upstream's controllers write:
 * of the change listed last, a Pod's creation; and a deletion with its Events. */
void pod_tell_created(struct reconcile *r, const struct api_object *owner);
void pod_delete_told(struct reconcile *r, const struct api_object *owner,
                     const struct api_object *pod);
