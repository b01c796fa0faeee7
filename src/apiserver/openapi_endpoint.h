/* /openapi/v2 and /openapi/v3: the documents that were printed and compressed when Pintle was
 * built. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct api_request;

struct openapi_document {
    struct str path; /* "v2", or a path of version 3's index: "api/v1", "apis/apps/v1"; with ".pb"
                        behind it the same in protobuf */
    struct str hash; /* SHA-512 of the text, in hexadecimal */
    const unsigned char *gzip;
    size_t gzip_len;
    size_t text_len;
};

extern const struct openapi_document openapi_documents[];
extern const size_t openapi_documents_len;

/* Answers when the path is one of these; false: it is not. */
bool openapi_handle(struct api_request *r);
