/* What proxy requests share: names like "https:web:8080", and the path behind ".../proxy". */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct api_request;
struct buf;
struct relay_target;
struct status;

/* "NAME", "NAME:PORT", "SCHEME:NAME:PORT"; unset parts are "". False: *ret_status is 400, or the
 * client was sent to the path with a slash (then the request is answered). */
struct proxy_name {
    struct str scheme, name, port;
};
bool proxy_path_name(struct api_request *r, struct proxy_name *ret, struct status *ret_status);
/* What a request to ".../proxy" asks of the target's server: sets its path (what stands behind
 * "/proxy" as it came, "/" at least, with the query), its rewriting, and, when scheme is "https",
 * its TLS, by which any certificate will do. */
void proxy_path_aim(struct api_request *r, struct str scheme, struct relay_target *t);
/* Whether a Pod or a node may be there: not on this machine's loopback, a link or a group. */
bool proxy_path_is_allowed(struct str address);
/* Appends text with everything but letters, digits and -._~ escaped. */
void proxy_path_escape(struct buf *b, struct str text);
/* One object of the request's namespace; false: *ret_status. */
bool proxy_path_read(struct api_request *r, const char *resource, struct str name,
                     struct object *ret, struct status *ret_status);
