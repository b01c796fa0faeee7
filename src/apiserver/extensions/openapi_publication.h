/* The OpenAPI documents of custom resources, made of a table when a client first asks. */
#pragma once

struct openapi_publication;

struct openapi_publication *openapi_publication_new(void);
void openapi_publication_free(struct openapi_publication *p); /* accepts NULL */
