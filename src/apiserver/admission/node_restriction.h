/* What the files of NodeRestriction share. */
#pragma once

#include <stdbool.h>

#include "apiserver/admission/admission.h"
#include "base/macros.h"

struct resource;

struct node_wish {
    const struct admission_call *call;
    struct str node; /* who asks */
    struct status *ret;
};

/* 'RESOURCE "x" is forbidden: WHY'; false. */
bool node_restriction_refuse(const struct node_wish *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Another object, out of the write's snapshot. False: refused, when there is none in the API's
 * words for that. */
bool node_restriction_read(const struct node_wish *w, const struct resource *row,
                           struct str namespace, struct str name, struct object *ret);
/* A token for an account of one of the node's Pods: bound to that Pod, for an audience that one of
 * its volumes wants. */
bool node_restriction_token(const struct node_wish *w);
