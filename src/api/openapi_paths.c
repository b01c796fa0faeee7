/* OpenAPI operations of the resource rows. An operation is described by a row of a table
 * (method, action, parameters, body, answers); what differs between version 2 and 3 is where a
 * parameter's type, a body and an answer's type stand. */
#include "api/openapi_paths.h"

#include "api/openapi_internal.h"
#include "api/resource.h"
#include "api/structural/custom_openapi.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/json_writer.h"

/* --- parameters --- */

struct parameter {
    const char *name;
    const char *type; /* of JSON schema */
    const char *doc;
};

static const struct parameter parameters[] = {
    { "allowWatchBookmarks", "boolean",
      "Ask for BOOKMARK events, which bear the newest revision only." },
    { "continue", "string", "The token that the page before ended with." },
    { "dryRun", "string", "\"All\": run every stage but the write." },
    { "fieldManager", "string",
      "Who makes the change, for field ownership; 128 printable characters at most." },
    { "fieldSelector", "string", "Only objects whose selectable fields match." },
    { "fieldValidation", "string",
      "What becomes of unknown and duplicate fields: Ignore, Warn or Strict." },
    { "force", "boolean", "Apply only: take over fields that others own." },
    { "gracePeriodSeconds", "integer", "How long to wait before deleting; 0 deletes at once." },
    { "ignoreStoreReadErrorWithClusterBreakingPotential", "boolean",
      "Delete an object that cannot be read." },
    { "labelSelector", "string", "Only objects whose labels match." },
    { "limit", "integer", "At most so many objects a page." },
    { "orphanDependents", "boolean", "Old form of propagationPolicy." },
    { "propagationPolicy", "string",
      "What becomes of dependents: Orphan, Background or Foreground." },
    { "pretty", "string", "\"true\" or \"1\": indent the answer." },
    { "resourceVersion", "string", "The revision that the answer refers to." },
    { "resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan." },
    { "sendInitialEvents", "boolean", "Watch: begin with the present state, ended by a bookmark." },
    { "shardSelector", "string", "Only objects of a shard." },
    { "timeoutSeconds", "integer", "End the call after so long." },
    { "watch", "boolean", "Stream changes instead of listing." },
    { "command", "string", "The command to run, a parameter for each word." },
    { "container", "string", "The container; the only one, or the default one, when left out." },
    { "stderr", "boolean", "Connect the error stream." },
    { "stdin", "boolean", "Connect the input stream." },
    { "stdout", "boolean", "Connect the output stream." },
    { "tty", "boolean", "Give the process a terminal." },
    { "path", "string", "The path below the target." },
    { "ports", "integer", "Ports to forward." },
    { "follow", "boolean", "Go on as the log grows." },
    { "insecureSkipTLSVerifyBackend", "boolean", "Do not check the node's serving certificate." },
    { "limitBytes", "integer", "End after so many bytes." },
    { "previous", "boolean", "The log of the container's previous run." },
    { "sinceSeconds", "integer", "Only lines newer than so many seconds." },
    { "stream", "string", "All, Stdout or Stderr." },
    { "tailLines", "integer", "Only so many lines from the end." },
    { "timestamps", "boolean", "Put a time before each line." },
    { "name", "string", "Name of the object." },
    { "namespace", "string", "Namespace of the object." },
};

#define LIST_PARAMS                                                                                \
    "allowWatchBookmarks,continue,fieldSelector,labelSelector,limit,resourceVersion,"              \
    "resourceVersionMatch,sendInitialEvents,shardSelector,timeoutSeconds,watch"
#define DELETE_PARAMS                                                                              \
    "dryRun,gracePeriodSeconds,ignoreStoreReadErrorWithClusterBreakingPotential,orphanDependents," \
    "propagationPolicy"

enum body { BODY_NONE, BODY_OBJECT, BODY_PATCH, BODY_DELETE_OPTIONS };
enum answer {
    ANSWER_OBJECT,
    ANSWER_LIST,
    ANSWER_STATUS,
    ANSWER_DELETED,
    ANSWER_EVENT,
    ANSWER_TEXT, /* of what the server only passes on */
    ANSWER_LOG
};

struct operation {
    unsigned verb;      /* RESOURCE_VERB_* that must be offered */
    const char *method; /* lower case */
    const char *action; /* x-kubernetes-action */
    const char *prefix; /* of the operation's id */
    const char *infix;  /* after the version: "Collection" */
    const char *params; /* beside pretty */
    enum body body;
    enum answer answer;
    const char *codes; /* that bear the answer's type */
    const char *text;  /* "Makes a", before the kind */
};

static const struct operation collection_operations[] = {
    { RESOURCE_VERB_LIST, "get", "list", "list", "", LIST_PARAMS, BODY_NONE, ANSWER_LIST, "200",
      "Lists or watches objects of kind" },
    { RESOURCE_VERB_CREATE, "post", "post", "create", "", "dryRun,fieldManager,fieldValidation",
      BODY_OBJECT, ANSWER_OBJECT, "200,201,202", "Makes a new" },
    { RESOURCE_VERB_DELETECOLLECTION, "delete", "deletecollection", "delete", "Collection",
      "continue," DELETE_PARAMS
      ",fieldSelector,labelSelector,limit,resourceVersion,resourceVersionMatch,sendInitialEvents,"
      "shardSelector,timeoutSeconds",
      BODY_DELETE_OPTIONS, ANSWER_STATUS, "200", "Deletes all that match of kind" },
};

static const struct operation item_operations[] = {
    { RESOURCE_VERB_GET, "get", "get", "read", "", "", BODY_NONE, ANSWER_OBJECT, "200",
      "Reads one" },
    { RESOURCE_VERB_UPDATE, "put", "put", "replace", "", "dryRun,fieldManager,fieldValidation",
      BODY_OBJECT, ANSWER_OBJECT, "200,201", "Replaces one" },
    { RESOURCE_VERB_PATCH, "patch", "patch", "patch", "",
      "dryRun,fieldManager,fieldValidation,force", BODY_PATCH, ANSWER_OBJECT, "200,201",
      "Changes members of one" },
    { RESOURCE_VERB_DELETE, "delete", "delete", "delete", "", DELETE_PARAMS, BODY_DELETE_OPTIONS,
      ANSWER_DELETED, "200,202", "Deletes one" },
};

static const struct operation create_operation = {
    RESOURCE_VERB_CREATE,
    "post",
    "post",
    "create",
    "",
    "dryRun,fieldManager,fieldValidation",
    BODY_OBJECT,
    ANSWER_OBJECT,
    "200,201,202",
    "Makes a new",
};

static const struct operation log_operation = {
    RESOURCE_VERB_GET,
    "get",
    "get",
    "read",
    "",
    "container,follow,insecureSkipTLSVerifyBackend,limitBytes,previous,sinceSeconds,stream,"
    "tailLines,timestamps",
    BODY_NONE,
    ANSWER_LOG,
    "200",
    "Reads the log of one",
};

static const struct operation watch_operations[] = {
    { RESOURCE_VERB_WATCH, "get", "watchlist", "watch", "", LIST_PARAMS, BODY_NONE, ANSWER_EVENT,
      "200", "Watches objects, in the old way, of kind" },
    { RESOURCE_VERB_WATCH, "get", "watch", "watch", "", LIST_PARAMS, BODY_NONE, ANSWER_EVENT, "200",
      "Watches, in the old way, one" },
};

/* Methods of connect subresources, by the verb that authorizes them. */
static const struct {
    unsigned verb;
    const char *method;
    const char *prefix;
} connect_methods[] = {
    { RESOURCE_VERB_GET, "get", "Get" },
    { RESOURCE_VERB_CREATE, "post", "Post" },
    { RESOURCE_VERB_UPDATE, "put", "Put" },
    { RESOURCE_VERB_PATCH, "patch", "Patch" },
    { RESOURCE_VERB_DELETE, "delete", "Delete" },
    /* Of proxies alone, which take everything: */
    { RESOURCE_VERB_UPDATE, "head", "Head" },
    { RESOURCE_VERB_UPDATE, "options", "Options" },
};

static const struct {
    struct str sub;
    const char *params;
} connect_params[] = {
    { STR_INIT("exec"), "command,container,stderr,stdin,stdout,tty" },
    { STR_INIT("attach"), "container,stderr,stdin,stdout,tty" },
    { STR_INIT("portforward"), "ports" },
    { STR_INIT("proxy"), "path" },
};

/* --- names --- */

static void print_capital(struct buf *b, struct str s)
{
    if (s.len && s.p[0] >= 'a' && s.p[0] <= 'z')
        buf_append_char(b, (char)(s.p[0] - 'a' + 'A'));
    else
        buf_append_str(b, str_sub(s, 0, 1));
    buf_append_str(b, str_tail(s, 1));
}

/* "rbac.authorization.k8s.io" -> "RbacAuthorization", "" -> "Core": the group in operation ids. */
void openapi_print_group_name(struct buf *b, struct str group)
{
    struct str part;

    if (!group.len)
        group = STR("core");
    if (str_has_suffix(group, STR(".k8s.io")))
        group = str_sub(group, 0, group.len - 7);
    while (str_next(&group, '.', &part)) {
        print_capital(b, part);
    }
}

void openapi_print_tag(struct buf *b, struct str group, struct str version)
{
    size_t at = b->len;

    openapi_print_group_name(b, group);
    if (b->p[at] >= 'A' && b->p[at] <= 'Z')
        b->p[at] = (char)(b->p[at] + 32);
    if (version.len)
        buf_printf(b, "_%.*s", STR_ARG(version));
}

/* --- one operation --- */

static const struct parameter *find_parameter(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (str_eq(name, str_from_cstr(parameters[i].name)))
            return &parameters[i];
    }
    return NULL;
}

static void print_parameter(struct openapi_doc *d, bool *first, struct str name, const char *in)
{
    const struct parameter *p = find_parameter(name);
    bool is_path = in[0] == 'p';

    if (!p)
        return;
    openapi_comma(d, first);
    buf_printf(d->b, "{\"name\":\"%s\",\"in\":\"%s\",\"description\":", p->name, in);
    json_write_string(d->b, str_from_cstr(p->doc));
    if (is_path)
        buf_append_lit(d->b, ",\"required\":true");
    if (d->version == OPENAPI_V2)
        buf_printf(d->b, ",\"type\":\"%s\",\"uniqueItems\":true}", p->type);
    else
        buf_printf(d->b, ",\"schema\":{\"type\":\"%s\",\"uniqueItems\":true}}", p->type);
}

static void print_parameters(struct openapi_doc *d, bool *first, struct str names, const char *in)
{
    struct str name;

    while (str_next(&names, ',', &name))
        print_parameter(d, first, name, in);
}

static const struct schema_type *object_type(const struct target *t)
{
    return t->sub && t->sub->type ? t->sub->type : t->r->type;
}

static const struct schema_type *meta_type(const struct openapi_doc *d, const char *name)
{
    return schema_find_type(d->schema, STR("meta.k8s.io"), STR("v1"), str_from_cstr(name));
}

/* The object itself, or its list: of custom resources no type has a definition. */
static void ref_object(struct openapi_doc *d, const struct target *t, bool list)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *r = t->r;

    if (!r->custom || (!list && object_type(t) != r->type)) {
        openapi_ref_type(d, list ? r->list_type : object_type(t));
        return;
    }
    buf_printf(
        d->b, "{\"$ref\":\"%.*s%.*s\"}", STR_ARG(openapi_ref_prefix(d)),
        STR_ARG(custom_openapi_name(&a, r->group, r->version, list ? r->list_kind : r->kind)));
}

/* {"$ref": ...} of what the operation answers with. */
static void print_answer_ref(struct openapi_doc *d, const struct target *t, enum answer answer)
{
    switch (answer) {
    case ANSWER_OBJECT:
        ref_object(d, t, false);
        break;
    case ANSWER_LIST:
        ref_object(d, t, true);
        break;
    case ANSWER_DELETED:
        if (t->r->flags & RESOURCE_DELETE_RETURNS_OBJECT && !str_eq(t->r->name, STR("namespaces")))
            ref_object(d, t, false);
        else
            openapi_ref_type(d, meta_type(d, "Status"));
        break;
    case ANSWER_STATUS:
        openapi_ref_type(d, meta_type(d, "Status"));
        break;
    case ANSWER_EVENT:
        openapi_ref_type(d, meta_type(d, "WatchEvent"));
        break;
    case ANSWER_TEXT:
    case ANSWER_LOG:
        buf_append_lit(d->b, "{\"type\":\"string\"}");
        break;
    }
}

static const char *const object_media[] = { "application/json", "application/yaml",
                                            "application/vnd.kubernetes.protobuf", NULL };
static const char *const stream_media[] = { "application/json",
                                            "application/yaml",
                                            "application/vnd.kubernetes.protobuf",
                                            "application/json;stream=watch",
                                            "application/vnd.kubernetes.protobuf;stream=watch",
                                            NULL };
static const char *const patch_media[] = { "application/json-patch+json",
                                           "application/merge-patch+json",
                                           "application/strategic-merge-patch+json",
                                           "application/apply-patch+yaml", NULL };
static const char *const custom_media[] = { "application/json", "application/yaml", NULL };
static const char *const custom_patch_media[] = { "application/json-patch+json",
                                                  "application/merge-patch+json",
                                                  "application/apply-patch+yaml", NULL };
static const char *const any_media[] = { "*/*", NULL };
static const char *const log_media[] = { "text/plain", "application/json", "application/yaml",
                                         "application/vnd.kubernetes.protobuf", NULL };

static const char *const *answer_media(const struct target *t, enum answer answer)
{
    if (answer == ANSWER_TEXT)
        return any_media;
    if (answer == ANSWER_LOG)
        return log_media;
    if (t->r->custom)
        return custom_media;
    return answer == ANSWER_LIST || answer == ANSWER_EVENT ? stream_media : object_media;
}

static void print_strings(struct openapi_doc *d, const char *const *strings)
{
    bool first = true;

    buf_append_char(d->b, '[');
    for (; *strings; strings++) {
        openapi_comma(d, &first);
        json_write_string(d->b, str_from_cstr(*strings));
    }
    buf_append_char(d->b, ']');
}

/* Version 3: one entry a media type, all with the schema that print_schema writes. */
static void print_content(struct openapi_doc *d, const char *const *media, struct str schema)
{
    bool first = true;

    buf_append_lit(d->b, "\"content\":{");
    for (; *media; media++) {
        openapi_comma(d, &first);
        json_write_string(d->b, str_from_cstr(*media));
        buf_append_lit(d->b, ":{\"schema\":");
        buf_append_str(d->b, schema);
        buf_append_char(d->b, '}');
    }
    buf_append_char(d->b, '}');
}

static const char *const *body_media(const struct target *t, enum body body)
{
    if (body == BODY_PATCH)
        return t->r->custom ? custom_patch_media : patch_media;
    return t->r->custom ? custom_media : any_media;
}

static void print_responses(struct openapi_doc *d, const struct target *t,
                            const struct operation *op)
{
    CLEANUP(buf_done) struct buf schema = { 0 };
    struct str codes = str_from_cstr(op->codes), code;
    struct buf *out = d->b;

    if (t->r->custom && op->body == BODY_PATCH)
        codes = STR("200");
    d->b = &schema;
    print_answer_ref(d, t, op->answer);
    d->b = out;
    buf_append_lit(d->b, "\"responses\":{");
    while (str_next(&codes, ',', &code)) {
        json_write_string(d->b, code);
        buf_append_str(d->b, str_eq(code, STR("200"))   ? STR(":{\"description\":\"OK\",")
                             : str_eq(code, STR("201")) ? STR(":{\"description\":\"Created\",")
                                                        : STR(":{\"description\":\"Accepted\","));
        if (d->version == OPENAPI_V2) {
            buf_append_lit(d->b, "\"schema\":");
            buf_append_str(d->b, buf_str(&schema));
        } else {
            print_content(d, answer_media(t, op->answer), buf_str(&schema));
        }
        buf_append_lit(d->b, "},");
    }
    buf_append_lit(d->b, "\"401\":{\"description\":\"Unauthorized\"}}");
}

static void print_body_ref(struct openapi_doc *d, const struct target *t, enum body body)
{
    if (body == BODY_PATCH)
        openapi_ref_patch(d);
    else if (body == BODY_DELETE_OPTIONS)
        openapi_ref_type(d, meta_type(d, "DeleteOptions"));
    else
        ref_object(d, t, false);
}

static void print_body_v3(struct openapi_doc *d, const struct target *t, const struct operation *op)
{
    CLEANUP(buf_done) struct buf schema = { 0 };
    struct buf *out = d->b;

    d->b = &schema;
    print_body_ref(d, t, op->body);
    d->b = out;
    buf_append_lit(d->b, "\"requestBody\":{");
    print_content(d, body_media(t, op->body), buf_str(&schema));
    if (op->body != BODY_DELETE_OPTIONS)
        buf_append_lit(d->b, ",\"required\":true");
    buf_append_lit(d->b, "},");
}

static void print_operation_parameters(struct openapi_doc *d, const struct target *t,
                                       const struct operation *op)
{
    bool first = true;

    buf_append_lit(d->b, "\"parameters\":[");
    if (d->version == OPENAPI_V2 && op->body != BODY_NONE) {
        openapi_comma(d, &first);
        buf_append_lit(d->b, "{\"name\":\"body\",\"in\":\"body\",");
        if (op->body != BODY_DELETE_OPTIONS)
            buf_append_lit(d->b, "\"required\":true,");
        buf_append_lit(d->b, "\"schema\":");
        print_body_ref(d, t, op->body);
        buf_append_char(d->b, '}');
    }
    print_parameters(d, &first, str_from_cstr(op->params), "query");
    if (t->r->custom && op->verb == RESOURCE_VERB_GET)
        print_parameter(d, &first, STR("resourceVersion"), "query");
    buf_append_lit(d->b, "],");
}

/* readCoreV1NamespacedPodStatus, watchAppsV1DeploymentListForAllNamespaces, ... */
static void print_operation_id(struct openapi_doc *d, const struct target *t,
                               const struct operation *op)
{
    buf_printf(d->b, "\"operationId\":\"%s", op->prefix);
    openapi_print_group_name(d->b, t->r->group);
    print_capital(d->b, t->r->version);
    buf_append_str(d->b, str_from_cstr(op->infix));
    if (t->namespaced)
        buf_append_lit(d->b, "Namespaced");
    buf_append_str(d->b, t->r->kind);
    if (t->watch && !t->item)
        buf_append_lit(d->b, "List");
    if (t->sub)
        print_capital(d->b, t->sub->name);
    if (t->below)
        buf_append_lit(d->b, "WithPath");
    if (t->all_namespaces)
        buf_append_lit(d->b, "ForAllNamespaces");
    buf_append_char(d->b, '"');
}

/* "Reads one Pod: status" */
static void print_operation_text(struct openapi_doc *d, const struct target *t,
                                 const struct operation *op)
{
    buf_printf(d->b, "\"description\":\"%s %.*s", op->text, STR_ARG(t->r->kind));
    if (t->sub && op->answer != ANSWER_LOG)
        buf_printf(d->b, ": %.*s", STR_ARG(t->sub->name));
    buf_append_lit(d->b, "\",");
}

static void print_operation_gvk(struct openapi_doc *d, const struct target *t)
{
    const struct schema_type *type = object_type(t);
    bool first = true;

    buf_append_lit(d->b, ",\"x-kubernetes-group-version-kind\":{");
    if (t->r->custom) {
        openapi_member(d, &first, "group", t->r->group);
        openapi_member(d, &first, "kind", t->r->kind);
        openapi_member(d, &first, "version", t->r->version);
        buf_append_lit(d->b, "}}");
        return;
    }
    openapi_member(d, &first, "group", schema_str(d->schema, type->group));
    openapi_member(d, &first, "kind", schema_str(d->schema, type->name));
    openapi_member(d, &first, "version", schema_str(d->schema, type->version));
    buf_append_lit(d->b, "}}");
}

static void print_operation(struct openapi_doc *d, bool *first, const struct target *t,
                            const struct operation *op)
{
    openapi_comma(d, first);
    buf_printf(d->b, "\"%s\":{\"tags\":[\"", op->method);
    openapi_print_tag(d->b, t->r->group, t->r->version);
    buf_append_lit(d->b, "\"],");
    print_operation_text(d, t, op);
    print_operation_id(d, t, op);
    buf_append_char(d->b, ',');
    print_operation_parameters(d, t, op);
    if (d->version == OPENAPI_V2) {
        buf_append_lit(d->b, "\"consumes\":");
        print_strings(d, body_media(t, op->body));
        buf_append_lit(d->b, ",\"produces\":");
        print_strings(d, answer_media(t, op->answer));
        buf_append_lit(d->b, ",\"schemes\":[\"https\"],");
    } else if (op->body != BODY_NONE) {
        print_body_v3(d, t, op);
    }
    print_responses(d, t, op);
    buf_printf(d->b, ",\"x-kubernetes-action\":\"%s\"", op->action);
    print_operation_gvk(d, t);
}

/* --- the operations of a path --- */

static void print_all(struct openapi_doc *d, bool *first, const struct target *t, unsigned verbs,
                      const struct operation *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (verbs & ops[i].verb)
            print_operation(d, first, t, &ops[i]);
    }
}

static void print_connect(struct openapi_doc *d, bool *first, const struct target *t)
{
    const char *params = "";

    for (size_t i = 0; i < ARRAY_LEN(connect_params); i++) {
        if (str_eq(connect_params[i].sub, t->sub->name))
            params = connect_params[i].params;
    }
    for (size_t i = 0; i < ARRAY_LEN(connect_methods); i++) {
        struct operation op = { connect_methods[i].verb,
                                connect_methods[i].method,
                                "connect",
                                "connect",
                                connect_methods[i].prefix,
                                params,
                                BODY_NONE,
                                ANSWER_TEXT,
                                "200",
                                "Passes requests on to a" };
        bool of_proxies =
            connect_methods[i].method[0] == 'h' || connect_methods[i].method[0] == 'o';

        if (t->sub->verbs & op.verb && (!of_proxies || str_eq(t->sub->name, STR("proxy"))))
            print_operation(d, first, t, &op);
    }
}

static bool is_log(const struct target *t)
{
    return t->sub && str_eq(t->sub->name, STR("log"));
}

/* Path parameters stand beside the operations. */
static void print_path_parameters(struct openapi_doc *d, bool *first, const struct target *t)
{
    bool first_parameter = true;

    openapi_comma(d, first);
    buf_append_lit(d->b, "\"parameters\":[");
    if (t->item)
        print_parameters(d, &first_parameter, STR("name"), "path");
    if (t->namespaced)
        print_parameters(d, &first_parameter, STR("namespace"), "path");
    if (t->below)
        print_parameters(d, &first_parameter, STR("path"), "path");
    if (!t->sub || !t->sub->connect || is_log(t))
        print_parameters(d, &first_parameter, STR("pretty"), "query");
    buf_append_char(d->b, ']');
}

void openapi_print_path_item(struct openapi_doc *d, const struct target *t)
{
    bool first = true;

    buf_append_char(d->b, '{');
    if (is_log(t)) {
        print_operation(d, &first, t, &log_operation);
    } else if (t->sub && t->sub->connect) {
        print_connect(d, &first, t);
    } else if (t->watch) {
        print_all(d, &first, t, t->r->verbs, &watch_operations[t->item], 1);
    } else if (t->sub) {
        print_all(d, &first, t, t->sub->verbs, &create_operation, 1);
        print_all(d, &first, t, t->sub->verbs, item_operations, ARRAY_LEN(item_operations));
    } else if (t->item) {
        print_all(d, &first, t, t->r->verbs, item_operations, ARRAY_LEN(item_operations));
    } else {
        print_all(d, &first, t, t->all_namespaces ? RESOURCE_VERB_LIST : t->r->verbs,
                  collection_operations, ARRAY_LEN(collection_operations));
    }
    print_path_parameters(d, &first, t);
    buf_append_char(d->b, '}');
}
