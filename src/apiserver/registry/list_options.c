#include "apiserver/registry/list_options.h"

#include "api/field_error.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/continue_token.h"
#include "apiserver/registry/selectable_fields.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"

static struct status bad(struct api_request *r, const char *text)
{
    return status_plain(r->arena, STATUS_BAD_REQUEST, "%s", text);
}

static bool parse_selectors(struct api_request *r, struct list_options *o, struct status *st)
{
    struct str text = request_info_param(&r->info, STR("labelSelector"));
    struct err err;

    if (label_selector_parse(r->arena, text.p ? text : STR(""), &o->labels, &err) < 0) {
        *st = status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text);
        return false;
    }
    text = request_info_param(&r->info, STR("fieldSelector"));
    if (field_selector_parse(r->arena, text.p ? text : STR(""), &o->fields, &err) < 0 ||
        selectable_fields_resolve(r->arena, r->resource, &o->fields, &err) < 0) {
        *st = status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text);
        return false;
    }
    return true;
}

/* One namespace, one name or one value of an indexed field narrow what is read. */
static void narrow(struct api_request *r, struct list_options *o)
{
    struct str rest = r->resource->indexed, field, ns = r->info.namespace, value;

    if (resource_is_namespaced(r->resource)) {
        if (!ns.len)
            (void)field_selector_requires(&o->fields, STR("metadata.namespace"), &ns);
        if (ns.len)
            o->prefix = arena_printf(r->arena, "%.*s/", STR_ARG(ns));
    }
    if (r->info.name.len) /* the old way to watch one object: GET /watch/.../name */
        o->name = r->info.name;
    else if (field_selector_requires(&o->fields, STR("metadata.name"), &value))
        o->name = value;
    while (str_next(&rest, ' ', &field))
        if (field.len && field_selector_requires(&o->fields, field, &value) && value.len) {
            o->index_field = field;
            o->index_value = value;
        }
}

struct status list_options_bad_revision(struct arena *a, struct str rv, bool listing)
{
    struct str shown = str_sub(rv, 0, MIN(rv.len, (size_t)100));

    return status_plain(a, listing ? STATUS_BAD_REQUEST : STATUS_UNKNOWN,
                        "%sresourceVersion: Invalid value: \"%.*s\": strconv.ParseUint: parsing "
                        "\"%.*s\": invalid syntax",
                        listing ? "invalid resource version: " : "", STR_ARG(shown),
                        STR_ARG(shown));
}

static bool parse_revision(struct api_request *r, struct list_options *o, bool watch,
                           struct status *st)
{
    struct str rv = request_info_param(&r->info, STR("resourceVersion"));

    if (!rv.len)
        return true;
    if (!str_to_u64(rv, &o->revision)) {
        *st = list_options_bad_revision(r->arena, rv, !watch);
        return false;
    }
    o->has_revision = true;
    return true;
}

static void parse_match(struct api_request *r, struct list_options *o)
{
    struct str match = request_info_param(&r->info, STR("resourceVersionMatch"));

    if (str_eq(match, STR("NotOlderThan")))
        o->match = REVISION_MATCH_NOT_OLDER;
    else if (str_eq(match, STR("Exact")))
        o->match = REVISION_MATCH_EXACT;
}

static struct field_path path_of(const char *name)
{
    return field_path_member(NULL, str_from_cstr(name));
}

static void forbid(struct field_errors *errs, const char *field, const char *why)
{
    struct field_path p = path_of(field);

    field_errors_add(errs, &p, FIELD_ERROR_FORBIDDEN, "%s", why);
}

#define WITH_CONTINUE "resourceVersionMatch is forbidden when continue is provided"

/* What resourceVersionMatch and sendInitialEvents may be combined with. */
static void check_list_match(struct api_request *r, const struct list_options *o,
                             struct field_errors *errs)
{
    static const struct str supported[] = { STR_INIT("Exact"), STR_INIT("NotOlderThan"),
                                            STR_INIT("") };
    struct str match = request_info_param(&r->info, STR("resourceVersionMatch"));
    struct str rv = request_info_param(&r->info, STR("resourceVersion"));
    struct field_path p = path_of("resourceVersionMatch");

    if (match.len && !rv.len)
        forbid(errs, "resourceVersionMatch",
               "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (match.len && o->has_continue)
        forbid(errs, "resourceVersionMatch", WITH_CONTINUE);
    if (match.len && o->match == REVISION_MATCH_UNSET)
        field_errors_add_unsupported(errs, &p, match, supported, ARRAY_LEN(supported));
    if (o->match == REVISION_MATCH_EXACT && str_eq(rv, STR("0")))
        forbid(errs, "resourceVersionMatch",
               "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (o->has_send_initial_events)
        forbid(errs, "sendInitialEvents", "sendInitialEvents is forbidden for list");
}

/* A watch that begins with what is there is one that sends initial events, not older than then. */
static bool is_legacy_initial(const struct api_request *r, const struct list_options *o)
{
    struct str rv = request_info_param(&r->info, STR("resourceVersion"));

    return !o->has_send_initial_events && (!rv.len || str_eq(rv, STR("0"))) &&
           !request_info_param(&r->info, STR("resourceVersionMatch")).len;
}

static void check_watch_match(struct api_request *r, const struct list_options *o,
                              struct field_errors *errs)
{
    static const struct str supported[] = { STR_INIT("NotOlderThan") };
    struct str match = request_info_param(&r->info, STR("resourceVersionMatch"));
    struct field_path p = path_of("resourceVersionMatch");

    if (o->has_send_initial_events && o->match != REVISION_MATCH_NOT_OLDER)
        forbid(errs, "resourceVersionMatch",
               "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (match.len && !o->has_send_initial_events)
        forbid(errs, "resourceVersionMatch",
               "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (match.len && o->match != REVISION_MATCH_NOT_OLDER)
        field_errors_add_unsupported(errs, &p, match, supported, ARRAY_LEN(supported));
    if (o->has_continue && (match.len || is_legacy_initial(r, o)))
        forbid(errs, "resourceVersionMatch", WITH_CONTINUE);
}

static bool parse_continue(struct api_request *r, struct list_options *o, struct status *st)
{
    struct str text = request_info_param(&r->info, STR("continue"));
    struct str rv = request_info_param(&r->info, STR("resourceVersion"));
    struct continue_token t;
    struct err err;

    if (!text.len)
        return true;
    if (continue_token_parse(r->arena, text, &t, &err) < 0) {
        *st = status_plain(r->arena, STATUS_BAD_REQUEST, "invalid continue token: %s", err.text);
        return false;
    }
    if (rv.len && !str_eq(rv, STR("0"))) {
        *st = bad(r, "specifying resource version is not allowed when using continue");
        return false;
    }
    o->continue_revision = t.revision < 0 ? 0 : (uint64_t)t.revision;
    o->after = arena_printf(r->arena, "%.*s%.*s", STR_ARG(o->prefix), STR_ARG(t.after));
    return true;
}

bool list_options_parse(struct api_request *r, bool watch, struct list_options *ret,
                        struct status *ret_status)
{
    struct list_options *o = ret;
    struct field_errors errs;
    int64_t limit = 0;
    struct err err;

    *o = (struct list_options){ .row = r->resource };
    if (!parse_selectors(r, o, ret_status))
        return false;
    narrow(r, o);
    parse_match(r, o);
    if (request_info_int(&r->info, STR("limit"), &limit, &err) < 0 ||
        request_info_int(&r->info, STR("timeoutSeconds"), &o->timeout_s, &err) < 0) {
        *ret_status = status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text);
        return false;
    }
    o->limit = limit > 0 ? (uint64_t)limit : 0;
    o->bookmarks = request_info_bool(&r->info, STR("allowWatchBookmarks"));
    o->has_send_initial_events = request_info_param(&r->info, STR("sendInitialEvents")).p != NULL;
    o->send_initial_events = request_info_bool(&r->info, STR("sendInitialEvents"));
    field_errors_init(&errs, r->arena);
    o->has_continue = request_info_param(&r->info, STR("continue")).len != 0;
    if (watch)
        check_watch_match(r, o, &errs);
    else
        check_list_match(r, o, &errs);
    if (errs.len) {
        *ret_status =
            status_invalid(r->arena, STR("meta.k8s.io"), STR("ListOptions"), STR(""), &errs);
        return false;
    }
    if ((!watch && !parse_continue(r, o, ret_status)) || !parse_revision(r, o, watch, ret_status))
        return false;
    /* What any revision may answer is answered whole, as upstream's cache does. */
    if (!watch && o->has_revision && !o->revision)
        o->limit = 0;
    return true;
}

struct store_range list_options_range(struct api_request *r, const struct list_options *o)
{
    struct store_range range = {
        .resource = registry_store_id(&r->server->registry, r->resource),
        .prefix = o->prefix,
        .after = o->after,
        .index_field = o->index_field,
        .index_value = o->index_value,
    };

    if (o->name.len && (o->prefix.len || !resource_is_namespaced(r->resource)))
        range.prefix = arena_printf(r->arena, "%.*s%.*s", STR_ARG(o->prefix), STR_ARG(o->name));
    return range;
}

static bool lookup_label(void *arg, struct str key, struct str *ret_value)
{
    return store_object_label(arg, key, ret_value);
}

struct lookup {
    struct arena *arena;
    const struct resource *row;
    const struct store_object *so;
};

static struct str lookup_field(void *arg, struct str field)
{
    const struct lookup *l = arg;
    const struct store_object *so = l->so;

    if (str_eq(field, STR("metadata.name")))
        return stored_object_name(so);
    if (str_eq(field, STR("metadata.namespace")))
        return stored_object_namespace(so);
    return stored_object_field(l->arena, l->row, so, field);
}

bool list_options_match(const struct list_options *o, const struct store_object *so)
{
    struct store_object copy = *so; /* the lookups take a plain pointer */
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct lookup l = { &scratch, o->row, so };

    return (!o->name.len || str_eq(stored_object_name(so), o->name)) &&
           (label_selector_is_empty(&o->labels) ||
            label_selector_match(&o->labels, lookup_label, &copy)) &&
           (field_selector_is_empty(&o->fields) ||
            field_selector_match(&o->fields, lookup_field, &l));
}
