#include "apiserver/status_response.h"

#include <inttypes.h>

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"

static const struct {
    struct str text;
    int code;
} reasons[STATUS_REASON_MAX] = {
#define X(name, reason, http) [STATUS_##name] = { STR_INIT(reason), http },
    STATUS_REASONS(X)
#undef X
};

int status_code(enum status_reason reason)
{
    return reasons[reason].code;
}

static struct str vtext(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static struct str vtext(struct arena *a, const char *fmt, va_list ap)
{
    return arena_vprintf(a, fmt, ap);
}

struct status status_plain(struct arena *a, enum status_reason reason, const char *fmt, ...)
{
    struct status s = { .reason = reason };
    va_list ap;

    va_start(ap, fmt);
    s.message = vtext(a, fmt, ap);
    va_end(ap);
    return s;
}

struct str group_resource_text(struct arena *a, struct group_resource gr)
{
    if (!gr.group.len)
        return gr.resource;
    return arena_printf(a, "%.*s.%.*s", STR_ARG(gr.resource), STR_ARG(gr.group));
}

static struct status about(enum status_reason reason, struct group_resource gr, struct str name)
{
    return (
        struct status){ .reason = reason, .group = gr.group, .kind = gr.resource, .name = name };
}

struct status status_not_found(struct arena *a, struct group_resource gr, struct str name)
{
    struct status s = about(STATUS_NOT_FOUND, gr, name);

    s.message = arena_printf(a, "%.*s \"%.*s\" not found", STR_ARG(group_resource_text(a, gr)),
                             STR_ARG(name));
    return s;
}

struct status status_already_exists(struct arena *a, struct group_resource gr, struct str name)
{
    struct status s = about(STATUS_ALREADY_EXISTS, gr, name);

    s.message = arena_printf(a, "%.*s \"%.*s\" already exists", STR_ARG(group_resource_text(a, gr)),
                             STR_ARG(name));
    return s;
}

struct status status_not_unique(struct arena *a, struct group_resource gr, struct str name)
{
    struct status s = status_already_exists(a, gr, name);

    s.message =
        arena_printf(a, "%.*s, the server was not able to generate a unique name for the object",
                     STR_ARG(s.message));
    s.retry_after_s = 1;
    return s;
}

struct status status_conflict(struct arena *a, struct group_resource gr, struct str name,
                              const char *fmt, ...)
{
    struct status s = about(STATUS_CONFLICT, gr, name);
    struct str why;
    va_list ap;

    va_start(ap, fmt);
    why = vtext(a, fmt, ap);
    va_end(ap);
    s.message = arena_printf(a, "Operation cannot be fulfilled on %.*s \"%.*s\": %.*s",
                             STR_ARG(group_resource_text(a, gr)), STR_ARG(name), STR_ARG(why));
    return s;
}

struct status status_modified(struct arena *a, struct group_resource gr, struct str name)
{
    return status_conflict(a, gr, name,
                           "the object has been modified; please apply your changes to the latest "
                           "version and try again");
}

struct status status_forbidden(struct arena *a, struct group_resource gr, struct str name,
                               const char *fmt, ...)
{
    struct status s = about(STATUS_FORBIDDEN, gr, name);
    struct str why;
    va_list ap;

    va_start(ap, fmt);
    why = vtext(a, fmt, ap);
    va_end(ap);
    if (!gr.resource.len)
        s.message = arena_printf(a, "forbidden: %.*s", STR_ARG(why));
    else if (!name.len)
        s.message = arena_printf(a, "%.*s is forbidden: %.*s", STR_ARG(group_resource_text(a, gr)),
                                 STR_ARG(why));
    else
        s.message = arena_printf(a, "%.*s \"%.*s\" is forbidden: %.*s",
                                 STR_ARG(group_resource_text(a, gr)), STR_ARG(name), STR_ARG(why));
    return s;
}

struct status status_invalid(struct arena *a, struct str group, struct str kind, struct str name,
                             const struct field_errors *errs)
{
    struct status s = { .reason = STATUS_INVALID, .group = group, .kind = kind, .name = name };
    struct status_cause *causes = ARENA_NEW_ARRAY(a, struct status_cause, errs->len);
    struct str kind_text = kind;

    for (size_t i = 0; i < errs->len; i++)
        causes[i] = (struct status_cause){
            .type = str_from_cstr(field_error_reason(errs->items[i].type)),
            .message = errs->items[i].message,
            .field = errs->items[i].path,
        };
    if (group.len)
        kind_text = arena_printf(a, "%.*s.%.*s", STR_ARG(kind), STR_ARG(group));
    s.causes = causes;
    s.n_causes = errs->len;
    s.message = arena_printf(a, "%.*s \"%.*s\" is invalid: %.*s", STR_ARG(kind_text), STR_ARG(name),
                             STR_ARG(field_errors_print(a, errs)));
    return s;
}

struct status status_unrouted(struct arena *a, enum status_reason reason, const char *fmt, ...)
{
    struct status s = { .reason = reason, .has_details = true };
    va_list ap;

    va_start(ap, fmt);
    s.message = vtext(a, fmt, ap);
    va_end(ap);
    return s;
}

struct status status_method_not_allowed(struct arena *a, struct group_resource gr, struct str verb)
{
    struct status s = about(STATUS_METHOD_NOT_ALLOWED, gr, STR(""));

    s.message = arena_printf(a, "%.*s is not supported on resources of kind \"%.*s\"",
                             STR_ARG(verb), STR_ARG(group_resource_text(a, gr)));
    return s;
}

struct status status_internal(struct arena *a, const char *fmt, ...)
{
    struct status s = { .reason = STATUS_INTERNAL };
    struct status_cause *cause = ARENA_NEW(a, struct status_cause);
    va_list ap;

    va_start(ap, fmt);
    cause->message = vtext(a, fmt, ap);
    va_end(ap);
    s.message = arena_printf(a, "Internal error occurred: %.*s", STR_ARG(cause->message));
    s.causes = cause;
    s.n_causes = 1;
    return s;
}

struct status status_future_revision(struct arena *a, uint64_t asked, uint64_t current)
{
    struct status s = { .reason = STATUS_TIMEOUT, .retry_after_s = 1 };
    struct status_cause *cause = ARENA_NEW(a, struct status_cause);

    cause->type = STR("ResourceVersionTooLarge");
    cause->message = STR("Too large resource version");
    s.causes = cause;
    s.n_causes = 1;
    s.message = arena_printf(
        a, "Timeout: Too large resource version: %" PRIu64 ", current: %" PRIu64, asked, current);
    return s;
}

struct status status_of_store(struct arena *a, int code, const struct err *err)
{
    const char *text = err && err->text[0] ? err->text : err_name(code);

    switch (code) {
    case ERR_CORRUPT:
        return status_plain(a, STATUS_STORAGE_READ_ERROR, "%s", text);
    case ERR_NO_SPACE:
        return status_plain(a, STATUS_INSUFFICIENT_STORAGE, "the store is out of space: %s", text);
    case ERR_TOO_LARGE:
        return status_plain(a, STATUS_TOO_LARGE, "Request entity too large: %s", text);
    case ERR_COMPACTED:
        return status_plain(a, STATUS_EXPIRED,
                            "The resourceVersion for the provided list is too "
                            "old.");
    default:
        return status_internal(a, "%s", text);
    }
}

static struct meta_v1_status_details *details_of(struct arena *a, const struct status *s)
{
    struct meta_v1_status_details *d = ARENA_NEW(a, struct meta_v1_status_details);

    d->name = s->name;
    d->group = s->group;
    d->kind = s->kind;
    d->uid = s->uid;
    d->retry_after_seconds = s->retry_after_s;
    if (s->n_causes) {
        d->causes.items = ARENA_NEW_ARRAY(a, struct meta_v1_status_cause, s->n_causes);
        d->causes.len = (uint32_t)s->n_causes;
        for (size_t i = 0; i < s->n_causes; i++) {
            d->causes.items[i].reason = s->causes[i].type;
            d->causes.items[i].message = s->causes[i].message;
            d->causes.items[i].field = s->causes[i].field;
        }
    }
    return d;
}

struct object status_object(struct arena *a, const struct status *s)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("Status"));
    struct object o = object_new(a, &schema_builtin, t);
    struct meta_v1_status *st = o.data;
    bool success = s->reason == STATUS_SUCCESS;

    object_set_gvk(o, STR("v1"), STR("Status"));
    st->metadata.continue_ = s->continue_token;
    st->status = success ? STR("Success") : STR("Failure");
    st->message = s->message;
    st->reason = reasons[s->reason].text;
    if (s->has_details || s->kind.len || s->name.len || s->n_causes || s->retry_after_s ||
        s->uid.len)
        st->details = details_of(a, s);
    if (!success)
        st->code = reasons[s->reason].code;
    return o;
}
