#include "apiserver/authn/impersonation.h"

#include <ctype.h>

#include "api/field_error.h"
#include "apiserver/api_request.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "http/http_server.h"

enum { VALUES_MAX = 128 }; /* of all impersonation headers; a request has no more than 200 */

#define PREFIX STR("impersonate-")
#define EXTRA  STR("impersonate-extra-")

struct wanted {
    struct str user, uid;
    struct str groups[VALUES_MAX + 3]; /* and the ones that follow from the user */
    size_t n_groups;
    struct {
        struct str key, value;
    } extra[VALUES_MAX];
    size_t n_extra;
    bool any;
};

bool impersonation_is_header(struct str name)
{
    return str_has_prefix(name, PREFIX);
}

static int hex_value(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : (tolower((unsigned char)c) - 'a' + 10);
}

/* Keys of extras come in lower case, with what a header may not hold percent-encoded; one that is
 * not encoded right is taken as it is. */
static struct str decode_key(struct arena *a, struct str key)
{
    char *p = arena_dup(a, key.p, key.len);
    size_t n = 0;

    for (size_t i = 0; i < key.len; i++) {
        if (key.p[i] == '%') {
            if (i + 2 >= key.len || !isxdigit((unsigned char)key.p[i + 1]) ||
                !isxdigit((unsigned char)key.p[i + 2]))
                return key;
            p[n++] = (char)(hex_value(key.p[i + 1]) << 4 | hex_value(key.p[i + 2]));
            i += 2;
        } else {
            p[n++] = key.p[i];
        }
    }
    return str_n(p, n);
}

static void read_header(struct api_request *r, const struct http_header *h, struct wanted *w)
{
    if (!impersonation_is_header(h->name))
        return;
    if (str_eq(h->name, STR("impersonate-user"))) {
        w->user = h->value;
    } else if (str_eq(h->name, STR("impersonate-uid"))) {
        w->uid = h->value;
    } else if (str_eq(h->name, STR("impersonate-group"))) {
        if (w->n_groups < VALUES_MAX)
            w->groups[w->n_groups++] = h->value;
    } else if (str_has_prefix(h->name, EXTRA)) {
        if (w->n_extra == VALUES_MAX)
            return;
        w->extra[w->n_extra].key = decode_key(r->arena, str_tail(h->name, EXTRA.len));
        w->extra[w->n_extra++].value = h->value;
    } else {
        return;
    }
    w->any = true;
}

static bool may(struct api_request *r, struct authz_attributes a, struct status *ret)
{
    struct str reason = STR_NULL, what = a.resource;
    struct arena *arena = r->arena;
    struct str where = STR("at the cluster scope");

    a.arena = arena;
    a.user = &r->user;
    a.is_resource = true;
    a.verb = STR("impersonate");
    if (authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW)
        return true;
    if (a.subresource.len)
        what = arena_printf(arena, "%.*s/%.*s", STR_ARG(a.resource), STR_ARG(a.subresource));
    if (a.namespace.len)
        where = arena_printf(arena, "in the namespace \"%.*s\"", STR_ARG(a.namespace));
    *ret = status_forbidden(
        arena, (struct group_resource){ a.group, a.resource }, a.name,
        "User \"%.*s\" cannot impersonate resource \"%.*s\" in API group \"%.*s\" %.*s%s%.*s",
        STR_ARG(r->user.name), STR_ARG(what), STR_ARG(a.group), STR_ARG(where),
        reason.len ? ": " : "", STR_ARG(reason));
    return false;
}

/* system:serviceaccount:NAMESPACE:NAME */
static bool is_account(struct str user, struct str *ret_namespace, struct str *ret_name)
{
    static const struct str prefix = STR_INIT("system:serviceaccount:");

    return str_has_prefix(user, prefix) &&
           str_cut(str_tail(user, prefix.len), ':', ret_namespace, ret_name) &&
           ret_namespace->len && ret_name->len && str_find(*ret_name, ':') < 0;
}

static bool check_all(struct api_request *r, const struct wanted *w, struct status *ret)
{
    static const struct str authentication = STR_INIT("authentication.k8s.io");
    struct authz_attributes a = { .resource = STR("users"), .name = w->user };
    struct str namespace, name;

    if (is_account(w->user, &namespace, &name))
        a = (struct authz_attributes){ .resource = STR("serviceaccounts"),
                                       .namespace = namespace,
                                       .name = name };
    if (!may(r, a, ret))
        return false;
    for (size_t i = 0; i < w->n_groups; i++) {
        a = (struct authz_attributes){ .resource = STR("groups"), .name = w->groups[i] };
        if (!may(r, a, ret))
            return false;
    }
    for (size_t i = 0; i < w->n_extra; i++) {
        a = (struct authz_attributes){ .group = authentication,
                                       .resource = STR("userextras"),
                                       .subresource = w->extra[i].key,
                                       .name = w->extra[i].value };
        if (!may(r, a, ret))
            return false;
    }
    a = (struct authz_attributes){ .group = authentication,
                                   .resource = STR("uids"),
                                   .name = w->uid };
    return !w->uid.p || may(r, a, ret);
}

static bool has_group(const struct wanted *w, struct str group)
{
    for (size_t i = 0; i < w->n_groups; i++)
        if (str_eq(w->groups[i], group))
            return true;
    return false;
}

/* The groups that everybody has, and those of a service account. */
static void add_groups(struct arena *a, struct wanted *w)
{
    struct str namespace, name;
    struct str known = STR("system:authenticated"), unknown = STR("system:unauthenticated");

    if (!w->n_groups && is_account(w->user, &namespace, &name)) {
        w->groups[w->n_groups++] = STR("system:serviceaccounts");
        w->groups[w->n_groups++] =
            arena_printf(a, "system:serviceaccounts:%.*s", STR_ARG(namespace));
    }
    if (str_eq(w->user, STR("system:anonymous"))) {
        if (!has_group(w, unknown))
            w->groups[w->n_groups++] = unknown;
    } else if (!has_group(w, known) && !has_group(w, unknown)) {
        w->groups[w->n_groups++] = known;
    }
}

/* Values of one key stand together, in the order in which they came. */
static void set_extra(struct arena *a, const struct wanted *w, struct user_info *user)
{
    struct user_extra *extra = ARENA_NEW_ARRAY(a, struct user_extra, w->n_extra);
    size_t n = 0;

    for (size_t i = 0; i < w->n_extra; i++) {
        struct str *values = ARENA_NEW_ARRAY(a, struct str, w->n_extra);
        size_t at = 0, n_values = 0;
        bool seen = false;

        for (size_t j = 0; j < n; j++)
            seen |= str_eq(extra[j].key, w->extra[i].key);
        if (seen)
            continue;
        for (size_t j = i; j < w->n_extra; j++)
            if (str_eq(w->extra[j].key, w->extra[i].key))
                values[n_values++] = w->extra[j].value;
        for (at = n++; at && str_cmp(extra[at - 1].key, w->extra[i].key) > 0; at--)
            extra[at] = extra[at - 1];
        extra[at] = (struct user_extra){ w->extra[i].key, values, n_values };
    }
    user->extra = extra;
    user->n_extra = n;
}

/* As upstream prints what was asked for, but for extras. */
static struct status without_user(struct arena *a, const struct wanted *w)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < w->n_groups; i++) {
        buf_append_str(&b, i ? STR(", ") : STR("{"));
        field_error_quote(&b, w->groups[i]);
    }
    buf_append_str(&b, w->n_groups ? STR("}") : STR("(nil)"));
    return status_plain(a, STATUS_BAD_REQUEST,
                        "requested &user.DefaultInfo{Name:\"\", UID:\"%.*s\", Groups:[]string%s, "
                        "Extra:map[string][]string(nil)} without impersonating a user name",
                        STR_ARG(w->uid), buf_cstr(&b));
}

bool impersonation_apply(struct api_request *r, struct status *ret)
{
    const struct http_header *headers;
    size_t n = http_request_headers(r->http, &headers);
    struct wanted *w = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!impersonation_is_header(headers[i].name))
            continue;
        if (!w)
            w = ARENA_NEW(r->arena, struct wanted);
        read_header(r, &headers[i], w);
    }
    if (!w || !w->any)
        return true;
    if (!w->user.len) {
        *ret = without_user(r->arena, w);
        return false;
    }
    if (!check_all(r, w, ret))
        return false;
    add_groups(r->arena, w);
    r->user = (struct user_info){
        .name = w->user, .uid = w->uid, .groups = w->groups, .n_groups = w->n_groups
    };
    set_extra(r->arena, w, &r->user);
    return true;
}
