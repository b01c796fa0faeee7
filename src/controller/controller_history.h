/* The templates that a DaemonSet or StatefulSet had: one ControllerRevision each, whose data is the
 * patch that brings the template back, `{"spec":{"template":{"$patch":"replace",...}}}`, as
 * `kubectl rollout undo` sends it. The newest has the highest revision number; an old template that
 * comes back gets a new number, not a new object. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct api_object;
struct arena;
struct core_v1_pod_template_spec;
struct label_selector;
struct reconcile;

struct history {
    const struct api_object *owner;
    const struct core_v1_pod_template_spec *template;
    struct str hash_label; /* that revisions bear their hash in */
    /* Set by history_look(): */
    const struct api_object **items; /* lowest revision first; owned */
    size_t len;
    struct str data; /* of the template */
    int32_t collisions;
    const struct api_object *current; /* the template's; NULL: being made */
    bool is_changing;                 /* changes are listed: look again when they are done */
};

/* What there is, taking and letting go by the selector; the template's revision is made or given
 * the highest number. collisions: of the owner's status, may be NULL; history.collisions is what it
 * is to become. */
void history_look(struct reconcile *r, const struct label_selector *selector,
                  const int32_t *collisions, struct history *h);
/* Deletes the oldest that nobody uses, until `limit` of the old ones are left. Those in use stay,
 * and count among the old ones when used_count says so. */
struct history_limit {
    int32_t limit; /* negative: none */
    bool used_count;
    bool (*is_used)(const struct api_object *revision, const void *arg);
    const void *arg;
};
void history_trim(struct reconcile *r, const struct history *h, const struct history_limit *limit);

/* Pure. */
struct str history_data(struct arena *a, const struct core_v1_pod_template_spec *t);
/* collisions NULL: not part of it. */
struct str history_hash(struct arena *a, struct str data, const int32_t *collisions);
struct str history_name(struct arena *a, struct str owner, struct str hash);
/* The template of a revision's data; NULL when it is none. */
const struct core_v1_pod_template_spec *history_template(struct arena *a,
                                                         const struct api_object *revision);
/* Lower revisions first, then older, then by name. */
int history_compare(const void *a, const void *b);
struct str history_data_of(const struct api_object *revision);
int64_t history_number_of(const struct api_object *revision);
