/* Secrets of type kubernetes.io/service-account-token: each is filled with a token of the account
 * that it names, the authority and the namespace; it goes when the account does. Such a token has
 * no end of its own: it is good for as long as its Secret holds it. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "codec/json_writer.h"
#include "codec/jwt.h"
#include "controller/controller.h"

#define NAME "kubernetes.io/service-account.name"
#define UID  "kubernetes.io/service-account.uid"

static const struct resource *secrets_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("secrets"));
}

static const struct resource *accounts_row(void)
{
    return resource_find(STR(""), STR("v1"), STR("serviceaccounts"));
}

static struct str annotation(const struct meta_v1_object_meta *m, struct str key)
{
    const struct schema_str_entry *e = text_map_find(&m->annotations, key);

    return e ? e->value : STR_NULL;
}

static bool is_token(const struct api_object *secret)
{
    return str_eq(API_OBJECT(secret, struct core_v1_secret)->type,
                  STR("kubernetes.io/service-account-token"));
}

static bool is_of(const struct api_object *secret, const struct api_object *account)
{
    struct str uid = annotation(secret->meta, STR(UID));

    return str_eq(annotation(secret->meta, STR(NAME)), account->meta->name) &&
           (!uid.len || str_eq(uid, account->meta->uid));
}

/* --- filling --- */

static void put_claim(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    json_write_string(b, value);
}

static int make_token(struct reconcile *r, const struct jwt_key *key,
                      const struct api_object *secret, const struct api_object *account,
                      struct str *ret, struct err *err)
{
    struct buf b;

    buf_init_arena(&b, r->arena, 512);
    buf_append_char(&b, '{');
    put_claim(&b, "iss", STR("kubernetes/serviceaccount"));
    put_claim(&b, "kubernetes.io/serviceaccount/namespace", account->meta->namespace);
    put_claim(&b, "kubernetes.io/serviceaccount/secret.name", secret->meta->name);
    put_claim(&b, "kubernetes.io/serviceaccount/service-account.name", account->meta->name);
    put_claim(&b, "kubernetes.io/serviceaccount/service-account.uid", account->meta->uid);
    put_claim(&b, "sub",
              arena_printf(r->arena, "system:serviceaccount:%.*s:%.*s",
                           STR_ARG(account->meta->namespace), STR_ARG(account->meta->name)));
    buf_append_char(&b, '}');
    return jwt_sign(r->arena, key, buf_str(&b), ret, err);
}

static enum reconcile_result fill(struct reconcile *r, const struct api_object *secret,
                                  const struct api_object *account)
{
    const struct jwt_key *key = controller_state(r->manager, r->controller);
    struct object o = object_copy(r->arena, secret->o);
    struct core_v1_secret *s = o.data;
    const struct schema_str_entry *have = text_map_find(&s->data, STR("token"));
    struct str token, ca = controller_root_ca(r->manager);
    struct err err;

    if (!have || !have->value.len) {
        if (make_token(r, key, secret, account, &token, &err) < 0) {
            LOG_WARNING("cannot make a token", KV("secret", r->key), KV("err", err.text));
            return RECONCILE_FAILED;
        }
        text_map_put(r->arena, &s->data, STR("token"), token);
    }
    if (ca.len)
        text_map_put(r->arena, &s->data, STR("ca.crt"), ca);
    have = text_map_find(&s->data, STR("namespace"));
    if (!have || !have->value.len)
        text_map_put(r->arena, &s->data, STR("namespace"), secret->meta->namespace);
    if (object_equal(o, secret->o))
        return RECONCILE_DONE;
    text_map_put(r->arena, &s->metadata.annotations, STR(NAME), account->meta->name);
    text_map_put(r->arena, &s->metadata.annotations, STR(UID), account->meta->uid);
    reconcile_update(r, secrets_row(), o);
    return RECONCILE_DONE;
}

/* --- reconcile --- */

static const struct api_object *find_secret(struct reconcile *r)
{
    const struct api_object *o =
        informer_get(controller_informer(r->manager, secrets_row()), r->key);

    return o && is_token(o) && annotation(o->meta, STR(NAME)).len ? o : NULL;
}

/* The cache does not know the account; what does the server say? */
static enum reconcile_result delete_if_orphaned(struct reconcile *r)
{
    const struct reconcile_answer *answer = &r->answers.items[0];
    const struct api_object *o = find_secret(r);
    struct str uid = o ? annotation(o->meta, STR(UID)) : STR_NULL;

    if (o && (answer->result == ERR_NOT_FOUND ||
              (answer->result == 0 && uid.len && !str_eq(uid, answer->uid))))
        reconcile_delete(r, secrets_row(), r->namespace, r->name, o->meta->uid, STR_NULL);
    return RECONCILE_DONE;
}

/* Accounts that still name a Secret which is gone. */
static void drop_references(struct reconcile *r)
{
    const struct api_object *const *accounts;
    size_t n = controller_in_namespace(controller_informer(r->manager, accounts_row()),
                                       r->namespace, &accounts);

    for (size_t i = 0; i < n; i++) {
        struct object o = object_copy(r->arena, accounts[i]->o);
        struct core_v1_service_account *account = o.data;
        uint32_t kept = 0;

        for (uint32_t k = 0; k < account->secrets.len; k++)
            if (!str_eq(account->secrets.items[k].name, r->name))
                account->secrets.items[kept++] = account->secrets.items[k];
        if (kept == account->secrets.len)
            continue;
        account->secrets.len = kept;
        reconcile_update(r, accounts_row(), o);
    }
}

static enum reconcile_result reconcile_secret(struct reconcile *r)
{
    const struct api_object *o = find_secret(r), *account;
    struct str name = o ? annotation(o->meta, STR(NAME)) : STR_NULL;

    if (!controller_state(r->manager, r->controller))
        return RECONCILE_DONE;
    if (!o) {
        if (!informer_get(controller_informer(r->manager, secrets_row()), r->key))
            drop_references(r);
        return RECONCILE_DONE;
    }
    account = informer_get(controller_informer(r->manager, accounts_row()),
                           controller_key(r->arena, r->namespace, name));
    if (account && is_of(o, account))
        return fill(r, o, account);
    reconcile_get(r, accounts_row(), r->namespace, name);
    r->then = delete_if_orphaned;
    return RECONCILE_DONE;
}

static void map_secret(struct controller_manager *m, const struct controller *c,
                       const struct api_object *old, const struct api_object *new)
{
    const struct api_object *o = new ? new : old;

    if (is_token(o))
        controller_enqueue(m, c, o->key);
}

static void map_account(struct controller_manager *m, const struct controller *c,
                        const struct api_object *old, const struct api_object *new)
{
    const struct api_object *account = new ? new : old, *const *secrets;
    size_t n;

    if (!account || (old && new))
        return;
    n = controller_in_namespace(controller_informer(m, secrets_row()), account->meta->namespace,
                                &secrets);
    for (size_t i = 0; i < n; i++)
        if (is_token(secrets[i]) &&
            str_eq(annotation(secrets[i]->meta, STR(NAME)), account->meta->name))
            controller_enqueue(m, c, secrets[i]->key);
}

extern const struct controller service_account_tokens_controller;

static void free_key(void *arg)
{
    jwt_key_free(arg);
}

/* Without a key nothing is filled. */
static void prepare(struct controller_manager *m)
{
    const char *path = controller_options(m)->service_account_key_file;
    struct arena *a = controller_arena(m);
    struct jwt_key *key;
    struct str pem;
    struct err err;

    if (!path)
        return;
    if (kube_config_read_file(a, path, &pem, &err) < 0 || jwt_key_new(pem, &key, &err) < 0) {
        LOG_WARNING("no tokens for Secrets of service accounts", KV("err", err.text));
        return;
    }
    arena_defer(a, free_key, key);
    controller_set_state(m, &service_account_tokens_controller, key);
}

static const struct controller_watch watches[] = {
    { "", "v1", "secrets", map_secret },
    { "", "v1", "serviceaccounts", map_account },
    { 0 },
};

const struct controller service_account_tokens_controller = {
    .name = "serviceaccount-token",
    .watches = watches,
    .reconcile = reconcile_secret,
    .prepare = prepare,
};
