#include "apiserver/authn/service_account_token.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "codec/json_writer.h"
#include "codec/jwt.h"
#include "codec/value.h"
#include "store/store.h"

/* Of tokens that Secrets hold: no end, no audience, and claims of their own. */
#define LEGACY_ISSUER "kubernetes/serviceaccount"
#define LEGACY_CLAIM  "kubernetes.io/serviceaccount/"
#define INVALID_SINCE "kubernetes.io/legacy-token-invalid-since"

enum { CLOCK_SKEW_SECONDS = 60, MAX_AUDIENCES = 64, EXTRA_MAX = 5 };

void service_account_keys_done(struct service_account_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        jwt_key_free(k->keys[i]);
    k->n = 0;
}

/* --- making --- */

static void append_ref(struct buf *b, const char *member, const struct service_account_ref *ref)
{
    if (!ref->name.len)
        return;
    buf_printf(b, ",\"%s\":{\"name\":", member);
    json_write_string(b, ref->name);
    buf_append_lit(b, ",\"uid\":");
    json_write_string(b, ref->uid);
    buf_append_char(b, '}');
}

int service_account_token_make(struct arena *a, const struct service_account_keys *k,
                               const struct service_account_token *t, struct str *ret,
                               struct err *err)
{
    char id[RANDOM_UUID_LEN + 1];
    struct buf b;

    if (!k->n)
        return err_set(err, ERR_UNSUPPORTED, "this server has no key for tokens");
    random_uuid(id);
    buf_init_arena(&b, a, 1024);
    buf_append_lit(&b, "{\"aud\":[");
    for (size_t i = 0; i < t->n_audiences; i++) {
        if (i)
            buf_append_char(&b, ',');
        json_write_string(&b, t->audiences[i]);
    }
    buf_printf(&b, "],\"exp\":%lld,\"iat\":%lld,\"iss\":", (long long)t->expires_s,
               (long long)t->issued_s);
    json_write_string(&b, k->issuer);
    buf_printf(&b, ",\"jti\":\"%s\",\"kubernetes.io\":{\"namespace\":", id);
    json_write_string(&b, t->namespace);
    append_ref(&b, "node", &t->node);
    append_ref(&b, "pod", &t->pod);
    append_ref(&b, "secret", &t->secret);
    append_ref(&b, "serviceaccount", &t->account);
    buf_printf(&b, "},\"nbf\":%lld,\"sub\":", (long long)t->issued_s);
    json_write_string(&b, arena_printf(a, "system:serviceaccount:%.*s:%.*s", STR_ARG(t->namespace),
                                       STR_ARG(t->account.name)));
    buf_append_char(&b, '}');
    return jwt_sign(a, k->keys[0], buf_str(&b), ret, err);
}

/* --- checking --- */

bool service_account_token_is_ours(struct arena *a, const struct service_account_keys *k,
                                   struct str token)
{
    struct str text;
    struct value claims;
    struct err ignored; /* it is not ours then */

    return jwt_peek(a, token, &text, &ignored) >= 0 &&
           value_parse(a, text, &claims, NULL, &ignored) >= 0 &&
           (str_eq(value_get_str(&claims, STR("iss")), k->issuer) ||
            str_eq(value_get_str(&claims, STR("iss")), STR(LEGACY_ISSUER)));
}

struct check {
    struct arena *arena;
    struct apiserver *server;
    struct value claims;
    const struct value *private; /* "kubernetes.io" */
    struct str namespace;
    struct stored_reader reader;
    struct err *err;
};

static int64_t number(const struct value *v, struct str key, int64_t otherwise)
{
    const struct value *m = value_get(v, key);

    return m && m->type == VALUE_INT ? m->i : otherwise;
}

static int check_time(struct check *c)
{
    int64_t now = clock_wall_s(c->server->clock);

    if (number(&c->claims, STR("exp"), 0) <= now)
        return err_set(c->err, ERR_DENIED, "service account token has expired");
    if (number(&c->claims, STR("nbf"), INT64_MAX) > now + CLOCK_SKEW_SECONDS)
        return err_set(c->err, ERR_DENIED, "service account token is not valid yet");
    return 0;
}

/* The audiences that both sides name. */
static int check_audience(struct check *c, struct str_list wanted, struct str_list *ret)
{
    const struct value *aud = value_get(&c->claims, STR("aud"));
    struct value one = { 0 };
    struct str *found = ARENA_NEW_ARRAY(c->arena, struct str, wanted.len + 1);
    size_t n = 0;

    if (aud && aud->type == VALUE_STRING) {
        one = value_array();
        value_push(c->arena, &one, *aud);
        aud = &one;
    }
    for (size_t i = 0; i < wanted.len && aud && aud->type == VALUE_ARRAY; i++)
        for (uint32_t k = 0; k < MIN(aud->len, (uint32_t)MAX_AUDIENCES); k++)
            if (aud->items[k].type == VALUE_STRING && str_eq(aud->items[k].s, wanted.items[i])) {
                found[n++] = wanted.items[i];
                break;
            }
    if (!n)
        return err_set(c->err, ERR_DENIED, "token audiences are none of this server's");
    if (ret)
        *ret = (struct str_list){ found, n };
    return 0;
}

static struct service_account_ref ref_of(const struct check *c, const char *member)
{
    const struct value *m = value_get(c->private, str_from_cstr(member));

    return (struct service_account_ref){ value_get_str(m, STR("name")),
                                         value_get_str(m, STR("uid")) };
}

/* The object is there, with this uid, and is not long since to be gone. */
static int check_object(struct check *c, const char *resource, struct str namespace,
                        const struct service_account_ref *ref)
{
    const struct resource *row = stored_read_row(STR(""), str_from_cstr(resource));
    const struct meta_v1_object_meta *meta;
    struct object o;
    int rc = stored_read_get(&c->reader, row, namespace, ref->name, &o, c->err);

    if (rc < 0)
        return rc == ERR_NOT_FOUND
                   ? err_set(c->err, ERR_DENIED, "%s of the token is gone", resource)
                   : rc;
    meta = object_meta(o);
    if (!str_eq(meta->uid, ref->uid))
        return err_set(c->err, ERR_DENIED, "%s of the token is another one now", resource);
    if (meta->deletion_timestamp.set &&
        meta->deletion_timestamp.sec + CLOCK_SKEW_SECONDS < clock_wall_s(c->server->clock))
        return err_set(c->err, ERR_DENIED, "%s of the token has been deleted", resource);
    return 0;
}

static int check_objects(struct check *c)
{
    static const struct {
        const char *claim, *resource;
        bool is_namespaced;
    } bound[] = {
        { "serviceaccount", "serviceaccounts", true },
        { "pod", "pods", true },
        { "secret", "secrets", true },
        { "node", "nodes", false },
    };
    bool has_pod = ref_of(c, "pod").name.len;

    for (size_t i = 0; i < ARRAY_LEN(bound); i++) {
        struct service_account_ref ref = ref_of(c, bound[i].claim);
        int rc;

        /* A Pod's token names its node for information; the Pod decides. */
        if ((i && !ref.name.len) || (!bound[i].is_namespaced && has_pod))
            continue;
        rc = check_object(c, bound[i].resource, bound[i].is_namespaced ? c->namespace : STR(""),
                          &ref);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void add_extra(struct arena *a, struct user_extra *extra, size_t *n, const char *key,
                      struct str value)
{
    if (!value.len)
        return;
    extra[*n].key = str_from_cstr(key);
    extra[*n].values = arena_dup(a, &value, sizeof(value));
    extra[(*n)++].n_values = 1;
}

static void fill_user(const struct check *c, struct user_info *ret)
{
    struct arena *a = c->arena;
    struct service_account_ref account = ref_of(c, "serviceaccount"), pod = ref_of(c, "pod"),
                               node = ref_of(c, "node");
    struct str *groups = ARENA_NEW_ARRAY(a, struct str, 3);
    struct user_extra *extra = ARENA_NEW_ARRAY(a, struct user_extra, EXTRA_MAX);
    struct str id = value_get_str(&c->claims, STR("jti"));
    size_t n = 0;

    groups[0] = STR("system:serviceaccounts");
    groups[1] = arena_printf(a, "system:serviceaccounts:%.*s", STR_ARG(c->namespace));
    groups[2] = STR("system:authenticated");
    if (id.len)
        add_extra(a, extra, &n, "authentication.kubernetes.io/credential-id",
                  arena_printf(a, "JTI=%.*s", STR_ARG(id)));
    add_extra(a, extra, &n, "authentication.kubernetes.io/node-name", node.name);
    add_extra(a, extra, &n, "authentication.kubernetes.io/node-uid", node.uid);
    add_extra(a, extra, &n, "authentication.kubernetes.io/pod-name", pod.name);
    add_extra(a, extra, &n, "authentication.kubernetes.io/pod-uid", pod.uid);
    *ret = (struct user_info){
        .name = arena_printf(a, "system:serviceaccount:%.*s:%.*s", STR_ARG(c->namespace),
                             STR_ARG(account.name)),
        .uid = account.uid,
        .groups = groups,
        .n_groups = 3,
        .extra = extra,
        .n_extra = n,
    };
}

/* --- tokens of Secrets --- */

static struct str legacy_claim(const struct check *c, const char *name)
{
    return value_get_str(&c->claims, arena_printf(c->arena, LEGACY_CLAIM "%s", name));
}

/* The Secret is there and holds this very token. */
static int check_secret(struct check *c, struct str token)
{
    const struct schema_str_entry *e;
    const struct core_v1_secret *secret;
    struct object o;
    int rc = stored_read_get(&c->reader, stored_read_row(STR(""), STR("secrets")), c->namespace,
                             legacy_claim(c, "secret.name"), &o, c->err);

    if (rc < 0)
        return rc == ERR_NOT_FOUND ? err_set(c->err, ERR_DENIED, "Token has been invalidated") : rc;
    secret = o.data;
    if (secret->metadata.deletion_timestamp.set)
        return err_set(c->err, ERR_DENIED, "Token has been invalidated");
    e = text_map_find(&secret->data, STR("token"));
    if (!e || !str_eq(e->value, token))
        return err_set(c->err, ERR_DENIED, "Token does not match server's copy");
    e = text_map_find(&secret->metadata.labels, STR(INVALID_SINCE));
    if (e && e->value.len)
        return err_set(c->err, ERR_DENIED, "the token has been marked invalid");
    return 0;
}

/* In the form that other tokens have, so that the user comes of it in the same way. */
static void fill_private(struct check *c)
{
    struct value account = value_object(), *all = ARENA_NEW(c->arena, struct value);

    value_set(c->arena, &account, STR("name"),
              value_string(legacy_claim(c, "service-account.name")));
    value_set(c->arena, &account, STR("uid"), value_string(legacy_claim(c, "service-account.uid")));
    *all = value_object();
    value_set(c->arena, all, STR("serviceaccount"), account);
    c->private = all;
}

static int check_legacy(struct check *c, struct str token, struct str_list audiences,
                        struct str_list *ret_audiences)
{
    const struct str *issuer = &c->server->service_account_keys.issuer;
    struct service_account_ref account;
    bool is_for_us = false;
    int rc;

    c->namespace = legacy_claim(c, "namespace");
    fill_private(c);
    account = ref_of(c, "serviceaccount");
    if (!c->namespace.len || !account.name.len || !account.uid.len ||
        !str_eq(value_get_str(&c->claims, STR("sub")),
                arena_printf(c->arena, "system:serviceaccount:%.*s:%.*s", STR_ARG(c->namespace),
                             STR_ARG(account.name))))
        return err_set(c->err, ERR_DENIED, "a claim of the token is missing or wrong");
    for (size_t i = 0; i < audiences.len; i++)
        is_for_us |= str_eq(audiences.items[i], *issuer);
    if (!is_for_us)
        return err_set(c->err, ERR_DENIED, "token audiences are none of this server's");
    if (ret_audiences)
        *ret_audiences = (struct str_list){ issuer, 1 };
    rc = check_secret(c, token);
    return rc < 0 ? rc : check_object(c, "serviceaccounts", c->namespace, &account);
}

static int check_bound(struct check *c, struct str_list audiences, struct str_list *ret_audiences)
{
    int rc;

    c->private = value_get(&c->claims, STR("kubernetes.io"));
    c->namespace = value_get_str(c->private, STR("namespace"));
    rc = check_time(c);
    if (rc >= 0)
        rc = check_audience(c, audiences, ret_audiences);
    return rc < 0 ? rc : check_objects(c);
}

int service_account_token_check(struct arena *a, struct apiserver *s, struct str token,
                                struct str_list audiences, struct user_info *ret,
                                struct str_list *ret_audiences, struct err *err)
{
    struct check c = { .arena = a, .server = s, .err = err };
    struct store_snapshot snapshot;
    struct str text, issuer;
    bool is_legacy;
    int rc =
        jwt_verify(a, s->service_account_keys.keys, s->service_account_keys.n, token, &text, err);

    if (rc >= 0)
        rc = value_parse(a, text, &c.claims, NULL, err);
    if (rc < 0)
        return rc;
    issuer = value_get_str(&c.claims, STR("iss"));
    is_legacy = str_eq(issuer, STR(LEGACY_ISSUER));
    if (!is_legacy && !str_eq(issuer, s->service_account_keys.issuer))
        return err_set(err, ERR_DENIED, "the token's issuer is another one");
    rc = store_snapshot_begin(s->store, &snapshot, err);
    if (rc < 0)
        return rc;
    c.reader = (struct stored_reader){ &s->registry, &snapshot, a };
    rc = is_legacy ? check_legacy(&c, token, audiences, ret_audiences)
                   : check_bound(&c, audiences, ret_audiences);
    store_snapshot_end(&snapshot);
    if (rc >= 0)
        fill_user(&c, ret);
    return rc;
}
