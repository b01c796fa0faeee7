/* Every request walks down `stages`. A stage either passes it on, answers it, or waits and resumes
 * it later; nothing nests. The order is upstream's:
 *
 *   request_info   everything after speaks of verb, resource and name, not of bytes of a path
 *   authenticate   nobody unknown gets further than health and version
 *   (audit)        place of audit: it must see the user, and what is refused below
 *   impersonate    it replaces the user, so before flow control and authorization, after audit has
 *                  seen the real one
 *   in_flight      place of flow control, too: it sorts by user, and a request is refused before
 *                  it costs anything
 *   authorize      before a body is read, a name looked up or a form negotiated, so that a refused
 *                  client learns nothing
 *   endpoint       paths that are no resources end here
 *   resource       the row that is asked for: 404, 405
 *   connect        streams to kubelets go their own way
 *   negotiate      form of the answer (406) and of the body (415)
 *   body           read whole, 413 above the limit; may wait
 *   verb           decode, then the bracket of read, admit, prepare, validate, compare-and-set
 *                  (registry/write.c), then encode
 */
#include "apiserver/request_chain.h"

#include "api/resource.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authn/impersonation.h"
#include "apiserver/endpoints.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/metrics.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/http_server.h"

typedef enum stage_result stage_fn(struct api_request *r);

static enum stage_result refuse(struct api_request *r, struct status s)
{
    api_respond_status(r, &s);
    return STAGE_DONE;
}

/* A path that nobody registered. */
static enum stage_result refuse_path(struct api_request *r)
{
    api_respond_no_page(r);
    return STAGE_DONE;
}

/* A resource that a registered group version does not have, or not under that path. */
static enum stage_result refuse_resource(struct api_request *r)
{
    if (r->resource ? r->resource->custom != NULL
                    : !resource_find_group_version(r->info.group, r->info.version))
        return refuse_path(r);
    return refuse(r, status_plain(r->arena, STATUS_NOT_FOUND,
                                  "the server could not find the requested resource"));
}

static enum stage_result refuse_method(struct api_request *r)
{
    return refuse(
        r, status_unrouted(r->arena, STATUS_METHOD_NOT_ALLOWED,
                           "the server does not allow this method on the requested resource"));
}

static struct group_resource gr_of(const struct api_request *r)
{
    return (struct group_resource){ r->info.group, r->info.resource };
}

static enum stage_result stage_request_info(struct api_request *r)
{
    struct str agent = http_request_header(r->http, STR("user-agent")), pretty;
    struct err err;
    int rc;

    rc = request_info_parse(r->arena, http_request_method(r->http), http_request_path(r->http),
                            http_request_query(r->http), &r->info, &err);
    if (rc < 0)
        return refuse(r, status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text));
    pretty = request_info_param(&r->info, STR("pretty"));
    r->pretty = request_info_is_true(pretty);
    if (!pretty.len)
        r->pretty = str_has_prefix(agent, STR("curl")) || str_has_prefix(agent, STR("Wget")) ||
                    str_has_prefix(agent, STR("Mozilla/5.0"));
    return STAGE_NEXT;
}

static enum stage_result stage_authenticate(struct api_request *r)
{
    static const struct str anonymous_groups[] = { STR_INIT("system:unauthenticated") };
    const struct authenticator *const *a = r->server->authenticators;

    for (; *a; a++) {
        switch ((*a)->authenticate(r, &r->user)) {
        case AUTHENTICATOR_KNOWN:
            return STAGE_NEXT;
        case AUTHENTICATOR_REFUSED:
            return refuse(r, status_plain(r->arena, STATUS_UNAUTHORIZED, "Unauthorized"));
        case AUTHENTICATOR_UNKNOWN:
            break;
        }
    }
    r->user = (struct user_info){ .name = STR("system:anonymous"),
                                  .groups = anonymous_groups,
                                  .n_groups = 1 };
    return STAGE_NEXT;
}

static enum stage_result stage_impersonate(struct api_request *r)
{
    struct status s;

    return impersonation_apply(r, &s) ? STAGE_NEXT : refuse(r, s);
}

static enum stage_result stage_in_flight(struct api_request *r)
{
    if (!r->info.is_resource || r->info.verb == REQUEST_VERB_WATCH)
        return STAGE_NEXT;
    metrics_in_flight(r->server->metrics, r->info.verb >= REQUEST_VERB_CREATE, 1);
    r->counted_in_flight = true;
    return STAGE_NEXT;
}

static struct status denied(struct api_request *r, struct str name, struct str reason)
{
    const struct request_info *i = &r->info;
    struct arena *a = r->arena;
    struct str what = i->resource, where = STR("at the cluster scope"), tail = STR("");
    struct status s;

    if (reason.len)
        tail = arena_printf(a, ": %.*s", STR_ARG(reason));
    api_request_header(r, STR("x-content-type-options"), STR("nosniff"));
    if (!i->is_resource) {
        s = status_forbidden(a, gr_of(r), STR(""), "User \"%.*s\" cannot %.*s path \"%.*s\"%.*s",
                             STR_ARG(r->user.name), STR_ARG(i->verb_text), STR_ARG(i->path),
                             STR_ARG(tail));
        s.has_details = true;
        return s;
    }
    if (i->subresource.len)
        what = arena_printf(a, "%.*s/%.*s", STR_ARG(i->resource), STR_ARG(i->subresource));
    if (i->namespace.len)
        where = arena_printf(a, "in the namespace \"%.*s\"", STR_ARG(i->namespace));
    return status_forbidden(
        a, gr_of(r), name,
        "User \"%.*s\" cannot %.*s resource \"%.*s\" in API group \"%.*s\" %.*s%.*s",
        STR_ARG(r->user.name), STR_ARG(i->verb_text), STR_ARG(what), STR_ARG(i->group),
        STR_ARG(where), STR_ARG(tail));
}

static enum stage_result stage_authorize(struct api_request *r)
{
    const struct authz_attributes a = authz_attributes_of(r);
    struct str reason = STR_NULL;

    if (authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW)
        return STAGE_NEXT;
    return refuse(r, denied(r, a.name, reason));
}

static enum stage_result stage_endpoint(struct api_request *r)
{
    if (r->info.is_resource)
        return STAGE_NEXT;
    for (endpoint_fn *const *f = endpoints; *f; f++)
        if ((*f)(r))
            return STAGE_DONE;
    return refuse_path(r);
}

/* Which verbs of the API a request's verb is, as resource rows say them. */
static const unsigned row_verbs[REQUEST_VERB_MAX] = {
    [REQUEST_VERB_GET] = RESOURCE_VERB_GET,
    [REQUEST_VERB_LIST] = RESOURCE_VERB_LIST,
    [REQUEST_VERB_WATCH] = RESOURCE_VERB_WATCH,
    [REQUEST_VERB_CREATE] = RESOURCE_VERB_CREATE,
    [REQUEST_VERB_UPDATE] = RESOURCE_VERB_UPDATE,
    [REQUEST_VERB_PATCH] = RESOURCE_VERB_PATCH,
    [REQUEST_VERB_DELETE] = RESOURCE_VERB_DELETE,
    [REQUEST_VERB_DELETECOLLECTION] = RESOURCE_VERB_DELETECOLLECTION,
};

/* Subresources that are parts of the stored object; the others have endpoints of their own. */
static bool is_part(const struct api_request *r)
{
    static const struct str parts[] = { STR_INIT("status"), STR_INIT("finalize"),
                                        STR_INIT("approval"), STR_INIT("ephemeralcontainers"),
                                        STR_INIT("resize") };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (str_eq(r->subresource->name, parts[i]))
            return r->subresource->type == r->resource->type && !r->subresource->connect;
    return false;
}

/* Proxies pass on any method; the others' verbs say which there are. */
static bool is_options_of_proxy(const struct api_request *r)
{
    return r->special && r->special->connect && str_eq(r->info.subresource, STR("proxy")) &&
           str_eq(r->info.method, STR("OPTIONS"));
}

static enum stage_result check_custom(struct api_request *r)
{
    const struct custom_resource *c = r->resource->custom;

    if (c->warning.p)
        api_request_warn(r, "%.*s", STR_ARG(c->warning));
    if (c->definition->is_terminating && r->info.verb == REQUEST_VERB_CREATE) {
        struct status s = status_method_not_allowed(r->arena, gr_of(r), STR("create"));

        s.message = STR("create not allowed while custom resource definition is terminating");
        return refuse(r, s);
    }
    return STAGE_NEXT;
}

/* What upstream says of kinds that it would rather not have. */
static void warn_deprecated(struct api_request *r)
{
    static const struct {
        struct str resource;
        const char *text;
    } rows[] = {
        { STR_INIT("componentstatuses"), "v1 ComponentStatus is deprecated in v1.19+" },
        { STR_INIT("endpoints"),
          "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" },
    };

    for (size_t i = 0; !r->resource->group.len && i < ARRAY_LEN(rows); i++)
        if (str_eq(r->resource->name, rows[i].resource))
            api_request_warn(r, "%s", rows[i].text);
}

/* What a custom resource has at that path, but not for that method. */
static enum stage_result refuse_verb(struct api_request *r)
{
    if (!r->resource->custom)
        return refuse_method(r);
    if (!r->info.name.len)
        return refuse(r, status_plain(r->arena, STATUS_BAD_REQUEST, "name must be provided"));
    return refuse(r, status_method_not_allowed(r->arena, gr_of(r), r->info.verb_text));
}

static enum stage_result refuse_subresource(struct api_request *r)
{
    return r->resource->custom ? refuse(r, status_not_found(r->arena, gr_of(r), r->info.name))
                               : refuse_resource(r);
}

/* Upstream registers no HEAD but for what is passed on to others; what answers for custom resources
 * takes it as GET. */
static bool is_head_of_builtin(const struct api_request *r)
{
    return str_eq(r->info.method, STR("HEAD")) && !r->resource->custom &&
           !(r->special && r->special->connect && str_eq(r->info.subresource, STR("proxy")));
}

static enum stage_result stage_resource(struct api_request *r)
{
    const struct request_info *i = &r->info;
    unsigned verbs;

    r->resource = resource_find(i->group, i->version, i->resource);
    if (!r->resource)
        r->resource = extension_table_find(extensions_of(r), i->group, i->version, i->resource);
    if (!r->resource)
        return refuse_resource(r);
    /* A scope that does not fit is another path, which nobody registered. */
    if (resource_is_namespaced(r->resource)) {
        if (!i->namespace.len && i->name.len)
            return refuse_resource(r);
        if (!i->namespace.len && i->verb > REQUEST_VERB_WATCH)
            return r->resource->custom ? refuse_path(r) : refuse_method(r);
    } else if (i->namespace.len && !str_eq(i->resource, STR("namespaces"))) {
        return refuse_resource(r);
    }
    verbs = r->resource->verbs;
    if (i->subresource.len) {
        r->subresource = resource_subresource(r->resource, i->subresource);
        if (!r->subresource)
            return refuse_subresource(r);
        r->special = subresource_find(r);
        if ((!r->special && !is_part(r)) || (i->rest.len && !r->subresource->connect))
            return refuse_subresource(r);
        verbs = r->subresource->verbs;
    } else if (!resource_is_stored(r->resource)) {
        r->special = subresource_find(r);
        if (!r->special)
            return refuse_resource(r);
    }
    if (is_head_of_builtin(r))
        return refuse_method(r);
    if (is_options_of_proxy(r))
        return STAGE_NEXT;
    if (!(verbs & row_verbs[i->verb]) ||
        (i->name.len && !i->subresource.len && i->verb == REQUEST_VERB_CREATE) ||
        (!i->name.len && (i->verb == REQUEST_VERB_UPDATE || i->verb == REQUEST_VERB_PATCH)))
        return refuse_verb(r);
    warn_deprecated(r);
    return r->resource->custom ? check_custom(r) : STAGE_NEXT;
}

/* Streams and tunnels take the connection as it is: their bodies are not objects. */
static enum stage_result stage_connect(struct api_request *r)
{
    static const struct negotiation_offer errors = { .media = MEDIA_OBJECTS };

    if (!r->special || !r->special->connect)
        return STAGE_NEXT;
    (void)negotiation_output(http_request_header(r->http, STR("accept")), &errors,
                             &r->accept); /* JSON where none fits */
    r->special->connect(r);
    return STAGE_DONE;
}

/* Custom resources have no form in protobuf, but their metadata does, and what they are shown as.
 */
static int negotiate_answer(struct api_request *r, struct negotiation_offer *offer)
{
    struct str accept = http_request_header(r->http, STR("accept"));
    int rc = negotiation_output(accept, offer, &r->accept);

    if (rc < 0 || !r->resource->custom || r->special || r->accept.media != MEDIA_PROTOBUF ||
        r->accept.as == MEDIA_AS_PARTIAL_METADATA || r->accept.as == MEDIA_AS_PARTIAL_METADATA_LIST)
        return rc;
    offer->media &= ~(unsigned)MEDIA_BIT(PROTOBUF);
    return negotiation_output(accept, offer, &r->accept);
}

/* 406 by whoever answers: the Status itself takes a form that the client does read, if it reads
 * any.
 */
static enum stage_result refuse_answer(struct api_request *r, unsigned media, bool stream)
{
    static const struct negotiation_offer errors = { .media = MEDIA_OBJECTS };

    r->accept = (struct negotiation){ .media = MEDIA_JSON };
    if (negotiation_output(http_request_header(r->http, STR("accept")), &errors, &r->accept) < 0)
        r->pretty = true;
    return refuse(r, status_plain(r->arena, STATUS_NOT_ACCEPTABLE,
                                  "only the following media types are accepted: %.*s",
                                  STR_ARG(media_list(r->arena, media, stream))));
}

/* Upstream's router matches types before anything looks at them; it knows no custom resources. */
static bool is_routed(struct api_request *r, struct status *ret)
{
    struct str accept = http_request_header(r->http, STR("accept"));
    struct str type = http_request_header(r->http, STR("content-type"));
    bool lists = r->info.verb == REQUEST_VERB_LIST || r->info.verb == REQUEST_VERB_WATCH;

    if (r->resource->custom)
        return true;
    if (r->info.verb == REQUEST_VERB_PATCH &&
        (!type.len || !negotiation_names(type, MEDIA_PATCHES))) {
        *ret =
            status_unrouted(r->arena, STATUS_UNSUPPORTED_MEDIA_TYPE, "415: Unsupported Media Type");
        return false;
    }
    if (negotiation_names(accept, MEDIA_OBJECTS))
        return true;
    r->pretty = true; /* there is no form that the client reads */
    *ret = status_unrouted(r->arena, STATUS_NOT_ACCEPTABLE,
                           "406: Not Acceptable\n\nAvailable representations: %.*s%s%.*s",
                           STR_ARG(media_list(r->arena, MEDIA_OBJECTS, false)), lists ? ", " : "",
                           STR_ARG(lists ? media_list(r->arena, MEDIA_STREAMS, true) : STR_NULL));
    return false;
}

static enum stage_result stage_negotiate(struct api_request *r)
{
    bool collection = r->info.verb == REQUEST_VERB_LIST;
    bool reads = r->info.verb <= REQUEST_VERB_WATCH;
    struct negotiation_offer offer = {
        .media = MEDIA_OBJECTS,
        .stream = r->info.verb == REQUEST_VERB_WATCH,
        .as = (resource_is_stored(r->resource) || (r->special && r->special->read)
                   ? MEDIA_AS_BIT(MEDIA_AS_TABLE)
                   : 0) |
              MEDIA_AS_BIT(MEDIA_AS_PARTIAL_METADATA) |
              (collection ? MEDIA_AS_BIT(MEDIA_AS_PARTIAL_METADATA_LIST) : 0),
    };
    unsigned bodies = r->info.verb == REQUEST_VERB_PATCH ? MEDIA_PATCHES : MEDIA_OBJECTS;
    struct str type = http_request_header(r->http, STR("content-type"));
    struct str include = request_info_param(&r->info, STR("includeObject"));
    struct status s;

    if (!is_routed(r, &s))
        return refuse(r, s);
    if (offer.stream)
        offer.media = MEDIA_STREAMS;
    if (r->resource->custom)
        bodies &= ~(unsigned)(r->info.verb == REQUEST_VERB_DELETE ||
                                      r->info.verb == REQUEST_VERB_DELETECOLLECTION ||
                                      (r->special && r->special->projection)
                                  ? 0
                                  : MEDIA_BIT(PROTOBUF) | MEDIA_BIT(STRATEGIC_MERGE_PATCH));
    if (negotiate_answer(r, &offer) < 0)
        return refuse_answer(r, offer.stream ? MEDIA_STREAMS : MEDIA_OBJECTS, offer.stream);
    r->pretty |= r->accept.pretty;
    if (r->special &&
        !r->special->read) /* of another kind: the resource's columns are not for it */
        r->accept.as = MEDIA_AS_OBJECT;
    if (!table_parse_include(include, &r->table_include))
        return refuse(r, status_plain(r->arena, STATUS_BAD_REQUEST,
                                      "unsupported includeObject value: \"%.*s\"",
                                      (int)MIN(include.len, (size_t)100), include.p));
    if (reads)
        return STAGE_NEXT;
    if (negotiation_input(type, bodies, &r->body_media) < 0)
        return refuse(r, status_plain(r->arena, STATUS_UNSUPPORTED_MEDIA_TYPE,
                                      "the body of the request was in an unknown format - accepted "
                                      "media types include: %.*s",
                                      STR_ARG(media_list(r->arena, bodies, false))));
    return STAGE_NEXT;
}

static void on_body(struct http_request *http, int result, struct str body, void *arg)
{
    struct api_request *r = arg;
    struct status s;

    (void)http;
    if (result == 0) {
        r->body = body;
        request_chain_resume(r);
        return;
    }
    if (result == ERR_TOO_LARGE)
        s = status_plain(r->arena, STATUS_TOO_LARGE, "Request entity too large: limit is %d",
                         API_REQUEST_BODY_LIMIT);
    else
        s = status_plain(r->arena, STATUS_BAD_REQUEST, "the request's body could not be read: %s",
                         err_name(result));
    api_respond_status(r, &s);
}

static enum stage_result stage_body(struct api_request *r)
{
    if (r->info.verb <= REQUEST_VERB_WATCH)
        return STAGE_NEXT;
    http_request_read_body(r->http, API_REQUEST_BODY_LIMIT, on_body, r);
    return STAGE_WAIT;
}

static enum stage_result stage_verb(struct api_request *r)
{
    static void (*const verbs[REQUEST_VERB_MAX])(struct api_request * r) = {
        [REQUEST_VERB_GET] = registry_get,
        [REQUEST_VERB_LIST] = registry_list,
        [REQUEST_VERB_WATCH] = registry_watch,
        [REQUEST_VERB_CREATE] = registry_create,
        [REQUEST_VERB_UPDATE] = registry_update,
        [REQUEST_VERB_PATCH] = registry_patch,
        [REQUEST_VERB_DELETE] = registry_delete,
        [REQUEST_VERB_DELETECOLLECTION] = registry_deletecollection,
    };

    if (r->special && r->special->create)
        r->special->create(r);
    else if (r->special && r->special->read)
        r->special->read(r);
    else
        verbs[r->info.verb](r);
    return STAGE_DONE;
}

static const struct {
    const char *name;
    stage_fn *fn;
} stages[] = {
    { "request info", stage_request_info },
    { "authenticate", stage_authenticate },
    { "impersonate", stage_impersonate },
    { "in flight", stage_in_flight },
    { "authorize", stage_authorize },
    { "endpoint", stage_endpoint },
    { "resource", stage_resource },
    { "connect", stage_connect },
    { "negotiate", stage_negotiate },
    { "body", stage_body },
    { "verb", stage_verb },
};

void request_chain_resume(struct api_request *r)
{
    while (!r->answered && r->stage < ARRAY_LEN(stages))
        if (stages[r->stage++].fn(r) != STAGE_NEXT)
            return;
}

static void on_gone(struct http_request *http, void *arg)
{
    struct api_request *r = arg;

    (void)http;
    r->gone = true;
    if (r->on_gone)
        r->on_gone(r, r->on_gone_arg);
    if (r->counted_in_flight)
        metrics_in_flight(r->server->metrics, r->info.verb >= REQUEST_VERB_CREATE, -1);
    r->counted_in_flight = false;
}

void request_chain_on_request(struct http_request *http, void *arg)
{
    struct apiserver *server = arg;
    struct arena *a = http_request_arena(http);
    struct api_request *r = ARENA_NEW(a, struct api_request);

    r->http = http;
    r->arena = a;
    r->loop = http_request_loop(http);
    r->server = server;
    r->start_ns = server->clock->mono_ns(server->clock);
    http_request_on_close(http, on_gone, r);
    request_chain_resume(r);
}
