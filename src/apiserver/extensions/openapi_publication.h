/* The OpenAPI documents of custom resources, made of a table when a client first asks for them, and
 * kept as long as the table is. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct api_request;
struct openapi_publication;

struct openapi_text {
    struct str path; /* "apis/example.com/v1", "v2", "v2.pb" */
    struct str hash; /* SHA-512 of the text, in hexadecimal */
    struct str text;
};

struct openapi_publication *openapi_publication_new(void);
void openapi_publication_free(struct openapi_publication *p); /* accepts NULL */

/* Version 3: a document for each group version that only custom resources have. Good until the
 * request ends. */
const struct openapi_text *openapi_publication_v3(struct api_request *r, size_t *ret_n);
/* Version 2: the built-in document ("v2", "v2.pb") with what custom resources add. NULL: nothing.
 */
const struct openapi_text *openapi_publication_v2(struct api_request *r, struct str path);
