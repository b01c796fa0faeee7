/* What proxy requests share: names like "https:web:8080", and the path behind ".../proxy". */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct api_request;
struct buf;
struct status;

/* "NAME", "NAME:PORT", "SCHEME:NAME:PORT"; unset parts are "". False: *ret_status is 400, or the
 * client was sent to the path with a slash (then the request is answered). */
struct proxy_name {
    struct str scheme, name, port;
};
bool proxy_path_name(struct api_request *r, struct proxy_name *ret, struct status *ret_status);
/* The request's path up to and with "/proxy". */
struct str proxy_path_prefix(const struct api_request *r);
/* Appends what stands behind "/proxy" as it came, "/" at least, with the query. */
void proxy_path_append(const struct api_request *r, struct buf *b);
/* Appends text with everything but letters, digits and -._~ escaped. */
void proxy_path_escape(struct buf *b, struct str text);
/* One object of the request's namespace; false: *ret_status. */
bool proxy_path_read(struct api_request *r, const char *resource, struct str name,
                     struct object *ret, struct status *ret_status);
