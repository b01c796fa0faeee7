/* Lists as bytes, item by item, in the negotiated form. JSON can be sent while it is made (head,
 * items, foot); protobuf and YAML need the whole first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/buf.h"
#include "base/str.h"

struct api_request;
struct err;
struct store_object;

struct list_meta_values {
    uint64_t revision;
    struct str continue_token; /* "" : none */
    uint64_t remaining;        /* 0: none */
};

struct list_render {
    struct api_request *r;
    struct buf items; /* heap; freed with the request */
    size_t n;
};

/* Lies in the request's arena. */
struct list_render *list_render_new(struct api_request *r);
/* Can it be sent piece by piece? */
bool list_render_streams(const struct api_request *r);
/* For streams: `first` says that no item stands before. */
void list_render_head(struct api_request *r, const struct list_meta_values *m, struct buf *out);
int list_render_item(struct api_request *r, const struct store_object *so, bool first,
                     struct buf *out, struct err *err);
void list_render_foot(struct buf *out);
/* For the whole: */
int list_render_stored(struct list_render *l, const struct store_object *so, struct err *err);
int list_render_object(struct list_render *l, struct object o);
void list_render_respond_with(struct list_render *l, const struct list_meta_values *m);
void list_render_respond(struct list_render *l, uint64_t revision);
