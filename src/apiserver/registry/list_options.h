/* ListOptions of a request, parsed and checked: selectors, paging, which revision. Used by list,
 * watch and deletecollection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/field_selector.h"
#include "api/label_selector.h"
#include "base/str.h"
#include "store/store.h"

struct api_request;
struct arena;
struct resource;
struct status;

enum revision_match { REVISION_MATCH_UNSET, REVISION_MATCH_NOT_OLDER, REVISION_MATCH_EXACT };

struct list_options {
    const struct resource *row;
    struct label_selector labels;
    struct field_selector fields;
    uint64_t limit; /* 0: none */
    bool has_continue;
    uint64_t continue_revision; /* 0: the newest */
    struct str after;           /* full key after which the page begins; unset: the start */
    bool has_revision;          /* resourceVersion was given and not "" */
    uint64_t revision;
    enum revision_match match;
    bool bookmarks;
    bool send_initial_events;
    bool has_send_initial_events;
    int64_t timeout_s; /* 0: none given */
    /* Where to look: */
    struct str prefix;                   /* "" or "namespace/" */
    struct str name;                     /* equality on metadata.name; unset: any */
    struct str index_field, index_value; /* unset: none */
};

/* False: *ret_status says why (400, 422). */
bool list_options_parse(struct api_request *r, bool watch, struct list_options *ret,
                        struct status *ret_status);
/* Where the objects are that may match, from the beginning or from o->after. */
struct store_range list_options_range(struct api_request *r, const struct list_options *o);
/* A resourceVersion that is no number, as lists (400) and as reads and watches (500) say so. */
struct status list_options_bad_revision(struct arena *a, struct str rv, bool listing);
bool list_options_match(const struct list_options *o, const struct store_object *so);
