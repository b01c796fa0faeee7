/* Images out of an archive: of OCI's layout, or as docker save writes it. */
#pragma once

#include "base/str.h"

struct err;
struct image_writer;

/* Once per image, with the tag that it got (perhaps unset) and its id. */
typedef void image_load_fn(struct str tag, struct str id, void *arg);
/* fd: a tar of any compression, perhaps a pipe. tag: for an image that the archive does not name;
 * unset: none. The archive is kept in the store's directory while it is worked on. */
int image_load(struct image_writer *w, int fd, struct str tag, image_load_fn *fn, void *arg,
               struct err *err);
