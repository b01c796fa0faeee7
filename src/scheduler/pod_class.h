/* Pods that are alike to selectors: same namespace, same labels, same affinity to other Pods. What
 * asks "which Pods match" asks once a class, and counts the class's Pods by their nodes. Of a
 * Deployment's thousand Pods there is one class. Terms are compiled once a class, too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/label_selector.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

struct api_object;
struct meta_v1_label_selector;
struct sched_pod;

/* One term of affinity to Pods. */
struct sched_term {
    struct label_selector selector;
    const struct str *namespaces;
    uint32_t n_namespaces;
    bool has_namespace_selector;
    struct label_selector namespace_selector;
    struct str topology_key;
    int32_t weight; /* of a preferred one; negative: rather not */
};
struct sched_terms {
    struct sched_term *items;
    uint32_t len;
};

struct class_member {
    struct sched_pod *pod;
    uint32_t row; /* its node's */
    bool is_ending;
};

struct pod_class {
    struct arena arena;
    struct str key;
    struct str namespace;
    const void *labels; /* a text map */
    struct sched_terms affinity, anti_affinity, preferred;
    struct VEC(struct class_member) members; /* Pods that count on nodes */
    uint32_t users;                          /* of pod_classes_get() */
    size_t place;                            /* in its namespace's list */
    size_t place_anti, place_terms;          /* in those of pod_classes, + 1; 0: not there */
};

struct pod_namespace {
    struct VEC(struct pod_class *) classes;
};

struct pod_classes {
    struct map by_key;
    struct map namespaces;                     /* name -> struct pod_namespace */
    struct VEC(struct pod_class *) with_anti;  /* that have required anti-affinity */
    struct VEC(struct pod_class *) with_terms; /* that have any term */
};

void pod_classes_done(struct pod_classes *c); /* its members are the caller's */
/* Until pod_classes_put(), and as long as it has members. */
struct pod_class *pod_classes_get(struct pod_classes *c, const struct api_object *pod);
void pod_classes_put(struct pod_classes *c, struct pod_class *k);
const struct pod_namespace *pod_classes_in(const struct pod_classes *c, struct str namespace);

/* The member's place is pod->member. */
void pod_class_add(struct pod_class *k, struct sched_pod *pod, uint32_t row, bool is_ending);
void pod_class_remove(struct pod_classes *c, struct pod_class *k, struct sched_pod *pod);

bool pod_class_selected(const struct label_selector *s, const struct pod_class *k);
/* Does the term mean Pods of this class? namespace_labels: of the class's namespace, or NULL. */
bool sched_term_means(const struct sched_term *t, const struct pod_class *k,
                      const void *namespace_labels);

/* A selector with what matchLabelKeys and mismatchLabelKeys add to it from the Pod's labels. */
struct sched_label_keys {
    const struct str *match, *mismatch;
    uint32_t n_match, n_mismatch;
};
bool sched_selector_of(struct arena *a, const struct meta_v1_label_selector *s,
                       const struct sched_label_keys *keys, const void *labels,
                       struct label_selector *ret);
