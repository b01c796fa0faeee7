/* What a request asks for, read from method, path and query: /api/v1/..., /apis/GROUP/VERSION/...,
 * or some other path. Pure; texts point into the arena or the request line.
 *
 *   GET /apis/apps/v1/namespaces/shop/deployments/web/status?pretty=1
 *   is_resource, verb get, group apps, version v1, namespace shop, resource deployments,
 *   name web, subresource status */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

enum { REQUEST_INFO_MAX_PARTS = 32, REQUEST_INFO_MAX_PARAMS = 64 };

enum request_verb {
    REQUEST_VERB_OTHER, /* no resource is asked for; verb_text is the method in lower case */
    REQUEST_VERB_GET,
    REQUEST_VERB_LIST,
    REQUEST_VERB_WATCH,
    REQUEST_VERB_CREATE,
    REQUEST_VERB_UPDATE,
    REQUEST_VERB_PATCH,
    REQUEST_VERB_DELETE,
    REQUEST_VERB_DELETECOLLECTION,
    REQUEST_VERB_MAX,
};

struct request_param {
    struct str name;
    struct str value;
};

struct request_info {
    enum request_verb verb;
    struct str verb_text; /* as authorization sees it: "get", "watch", ... */
    struct str method;    /* "GET" */
    bool is_resource;
    struct str path;       /* decoded, for texts */
    struct str api_prefix; /* "api" or "apis" */
    struct str group;      /* "" for core */
    struct str version;
    struct str namespace; /* "" when none is named */
    struct str resource;
    struct str name; /* "" for collections */
    struct str subresource;
    struct str rest; /* what follows the subresource (proxy paths), with its '/' */
    struct request_param *params;
    size_t n_params;
};

/* ERR_INVALID: a broken percent-escape, a NUL, or too many parts or parameters (400). */
int request_info_parse(struct arena *a, struct str method, struct str path, struct str query,
                       struct request_info *ret, struct err *err);

/* The first value of a parameter; unset when it is not there. */
struct str request_info_param(const struct request_info *info, struct str name);
/* Upstream's reading of booleans: absent, "false" (any case) and "0" are false, all else true. */
bool request_info_bool(const struct request_info *info, struct str name);
/* As strconv.ParseBool reads it: "1", "t", "T", "true", "TRUE", "True". */
bool request_info_is_true(struct str value);
/* 0: absent (*ret untouched), 1: read, ERR_INVALID with upstream's words. */
int request_info_int(const struct request_info *info, struct str name, int64_t *ret,
                     struct err *err);
