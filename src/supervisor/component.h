/* The components of a cluster as rows: what each is called with, where it runs, how it says that it
 * is ready. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct cluster;
struct cluster_node;

enum component_place {
    COMPONENT_OF_CLUSTER, /* once */
    COMPONENT_OF_NODE,    /* on every node */
    COMPONENT_OF_GATEWAY, /* once, where nodes are in namespaces: for the host itself */
};

struct component_words {
    struct arena *arena;
    const char **argv; /* ends with NULL */
    size_t n;
};

struct component_row {
    const char *command; /* the subcommand */
    enum component_place place;
    bool
        has_ready_line; /* prints "serving ..." on standard output; else it is ready when it runs */
    bool is_first;      /* the others start when it is ready */
    bool has_cleanup;   /* takes --cleanup: removes what it made in the kernel, and ends */
    /* node: NULL for those that are not of a node */
    void (*words)(struct component_words *w, const struct cluster *c,
                  const struct cluster_node *node);
};

extern const struct component_row component_rows[]; /* ends with a row without a command */

/* The command line. extra: one more word ("--cleanup"), or NULL. */
const char *const *component_argv(struct arena *a, const struct component_row *row,
                                  const struct cluster *c, const struct cluster_node *node,
                                  const char *extra);
