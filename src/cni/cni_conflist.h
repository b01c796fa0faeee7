/* CNI's network configuration lists, as read from a directory, and what each plugin is given. */
#pragma once

#include "base/str.h"
#include "codec/value.h"

struct arena;
struct buf;
struct err;

enum { CNI_CONFLIST_MAX_PLUGINS = 16 };

struct cni_conflist {
    struct str name;
    struct str version;
    size_t n_plugins;
    struct cni_conflist_plugin {
        struct str type; /* a program's name, without '/' */
        struct value config;
        bool wants_port_mappings;
    } plugins[CNI_CONFLIST_MAX_PLUGINS];
};

/* One text: a list (with "plugins") or a single plugin's configuration. Strings point into text. */
int cni_conflist_parse(struct arena *a, struct str text, struct cni_conflist *ret, struct err *err);
/* The first of the directory by name. ERR_NOT_FOUND: none there. */
int cni_conflist_load(struct arena *a, const char *directory, struct cni_conflist *ret,
                      struct err *err);
/* What plugin i reads on its standard input. previous: the result so far as JSON, or unset;
 * ports: runtimeConfig's portMappings as JSON, or unset. */
void cni_conflist_print(struct arena *a, const struct cni_conflist *list, size_t i,
                        struct str previous, struct str ports, struct buf *b);
