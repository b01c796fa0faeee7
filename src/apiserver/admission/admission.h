/* Admission: plugins that may change (mutate, all of them first) and refuse (validate) a write,
 * inside the compare-and-set loop, so they always see the object that is written and the one it
 * replaces, out of one snapshot. */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct api_request;
struct status;
struct store_snapshot;
struct write;

enum admission_operation { ADMISSION_CREATE, ADMISSION_UPDATE, ADMISSION_DELETE };

struct admission_call {
    struct api_request *request;
    struct store_snapshot *snapshot; /* what the write will be compared with */
    enum admission_operation operation;
    struct str namespace;
    struct str name;
    struct object object; /* data NULL on delete */
    struct object old;    /* data NULL on create */
    struct write *write;  /* for write_add(): what is stored along with the object */
};

struct admission_plugin {
    const char *name;
    /* Each may be NULL. False: *ret is the answer. mutate changes call->object in place. */
    bool (*mutate)(const struct admission_call *call, struct status *ret);
    bool (*validate)(const struct admission_call *call, struct status *ret);
};

bool admission_mutate(const struct admission_call *call, struct status *ret);
bool admission_validate(const struct admission_call *call, struct status *ret);

/* Nothing new in a namespace that is missing or goes away; the system's namespaces stay. */
extern const struct admission_plugin namespace_lifecycle_plugin;
extern const struct admission_plugin service_account_plugin;
extern const struct admission_plugin default_toleration_plugin;
extern const struct admission_plugin limit_range_plugin;
extern const struct admission_plugin priority_plugin;
extern const struct admission_plugin runtime_class_plugin;
/* All there are, in upstream's order; ends with NULL. */
extern const struct admission_plugin *const admission_plugins[];
enum { ADMISSION_PLUGINS_MAX = 32 };
/* Those that `disabled` (names, by commas; may be unset) does not name, in ret. ERR_INVALID for a
 * name that is none. */
struct err;
int admission_select(struct str disabled, const struct admission_plugin **ret, struct err *err);
/* What the labels of a namespace demand of its Pods. */
extern const struct admission_plugin pod_security_plugin;
/* A node writes what is its own. */
extern const struct admission_plugin node_restriction_plugin;
/* Nobody grants what they do not hold. */
extern const struct admission_plugin rbac_escalation_plugin;
/* Counts on the quotas of the namespace: the last, when everything else has agreed. */
extern const struct admission_plugin quota_plugin;
/* Classes of claims and Ingresses that name none; claims that grow. */
extern const struct admission_plugin default_storage_class_plugin;
extern const struct admission_plugin default_ingress_class_plugin;
extern const struct admission_plugin claim_resize_plugin;
extern const struct admission_plugin storage_protection_plugin;
/* Certificate requests: who approves, who signs, who may not be asked for. */
extern const struct admission_plugin certificate_approval_plugin;
extern const struct admission_plugin certificate_signing_plugin;
extern const struct admission_plugin certificate_subject_plugin;
