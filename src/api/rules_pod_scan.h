/* What the rules below one PodSpec know of it together: made by its first row, let go by its last
 * one. Found through the scratch of the validation, because Pod specs do not nest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/rules_internal.h"

struct core_v1_container;
struct core_v1_pod_spec;
struct core_v1_volume;
struct meta_v1_object_meta;

struct pod_scan {
    const struct rule_context *c; /* of the spec */
    const struct core_v1_pod_spec *spec;
    const struct meta_v1_object_meta *meta; /* of the Pod; NULL: this is a template */
    bool host_users;
    size_t errors_before; /* the volume that is being walked */
    size_t n_host_processes;
    struct rule_names
        volumes;              /* sound ones: their struct core_v1_volume, NULL of claim templates */
    struct rule_names claims; /* resource claims */
    struct rule_names regular;   /* containers */
    struct rule_names all;       /* all kinds of containers */
    struct rule_names created;   /* claims that the Pod's volumes make */
    struct rule_names seen[2];   /* of the list that is being walked: its names and paths */
    struct rule_names others[2]; /* names and paths of the list that must not overlap with it */
    struct rule_names files;     /* paths, of one projected volume */
};

/* Calls fn for each container: init ones, regular ones, ephemeral ones, with its path. */
typedef void (*pod_scan_fn)(const struct rule_context *c, const struct core_v1_container *ctr,
                            const struct field_path *path);
void pod_scan_containers(const struct rule_context *spec, pod_scan_fn fn);
/* The kind of containers that a path is in: "containers", "initContainers" ... */
bool pod_scan_is_in(const struct field_path *container, const char *list);
