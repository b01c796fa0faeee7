/* The OpenAPI documents of custom resources, made of a table when a client first asks for them, and
 * kept as long as the table is. Making them takes long, so a thread of its own does it, out of what
 * is immutable: the table and a snapshot of the store. Whoever asks meanwhile waits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct api_request;
struct openapi_makers;
struct openapi_publication;

struct openapi_text {
    struct str path; /* "apis/example.com/v1", "v2", "v2.pb" */
    struct str hash; /* SHA-512 of the text, in hexadecimal */
    struct str text;
    struct str gzip; /* the same, compressed */
};

enum openapi_part {
    OPENAPI_PART_V3,    /* a document for each group version that only custom resources have */
    OPENAPI_PART_V3_PB, /* the same in protobuf, with the same paths; V3 must be there */
    OPENAPI_PART_V2,    /* the built-in document with what custom resources add: "v2", "v2.pb" */
    OPENAPI_PART_MAX,
};

/* The threads that make documents, of all tables. */
struct openapi_makers *openapi_makers_new(void);
void openapi_makers_settle(struct openapi_makers *m); /* waits until none runs */
void openapi_makers_free(struct openapi_makers *m);   /* when none runs; accepts NULL */

struct openapi_publication *openapi_publication_new(struct openapi_makers *m);
/* When nobody waits; accepts NULL. */
void openapi_publication_free(struct openapi_publication *p);

typedef void openapi_ready_fn(struct api_request *r);
/* Is a part there? If not, it is being made, and ready(r) runs on the request's loop when it is:
 * once, and with the request held until then. */
bool openapi_publication_is_ready(struct api_request *r, enum openapi_part part,
                                  openapi_ready_fn *ready);
/* The documents of a part that is there; *ret_n 0 where there are no custom resources. Good until
 * the request ends. A text that could not be made is unset. */
const struct openapi_text *openapi_publication_of(struct api_request *r, enum openapi_part part,
                                                  size_t *ret_n);
