#include "apiserver/authz/rbac.h"

#include <pthread.h>

#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/registry/stored_read.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

enum { RESOURCES = 4 };

struct rbac {
    struct apiserver *server;
    struct loop *loop;
    struct loop_task rebuild; /* once a turn, however many changes came */
    struct store_watch *watches[RESOURCES];
    /* A lock and no message: every request on every loop reads the pointer, for some
     * nanoseconds. */
    pthread_mutex_t lock;
    struct rbac_policy *policy;
};

static int build(struct rbac *r, struct err *err)
{
    struct rbac_policy *made, *old;
    struct store_snapshot snapshot;
    int rc = store_snapshot_begin(r->server->store, &snapshot, err);

    if (rc < 0)
        return rc;
    rc = rbac_policy_new(&r->server->registry, &snapshot, &made, err);
    store_snapshot_end(&snapshot);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&r->lock);
    old = r->policy;
    r->policy = made;
    pthread_mutex_unlock(&r->lock);
    rbac_policy_unref(old);
    return 0;
}

static void on_rebuild(struct loop_task *t)
{
    struct err err;

    if (build(CONTAINER_OF(t, struct rbac, rebuild), &err) < 0)
        LOG_ERROR("roles were not read", KV("reason", (const char *)err.text));
}

static void on_change(struct store_watch *w, void *arg)
{
    struct rbac *r = arg;
    const struct store_event *e;

    while ((e = store_watch_next(w)))
        store_event_unref(e);
    if (store_watch_status(w) < 0)
        LOG_ERROR("roles are no longer watched", KV("reason", err_name(store_watch_status(w))));
    loop_task_post(r->loop, &r->rebuild);
}

static int watch_all(struct rbac *r, struct err *err)
{
    static const struct str names[RESOURCES] = { STR_INIT("clusterroles"), STR_INIT("roles"),
                                                 STR_INIT("clusterrolebindings"),
                                                 STR_INIT("rolebindings") };

    for (size_t i = 0; i < RESOURCES; i++) {
        const struct store_watch_options o = {
            .resource = registry_store_id(
                &r->server->registry, stored_read_row(STR("rbac.authorization.k8s.io"), names[i])),
            .prefix = STR(""),
            .after = store_revision(r->server->store),
            .max_queued = UINT32_MAX, /* only counted, at once */
        };
        int rc = store_watch_start(r->server->store, &o, loop_mailbox(r->loop), on_change, r,
                                   &r->watches[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

int rbac_new(struct apiserver *s, struct loop *l, struct rbac **ret, struct err *err)
{
    struct rbac *r = NEW(struct rbac);
    int rc;

    r->server = s;
    r->loop = l;
    pthread_mutex_init(&r->lock, NULL);
    loop_task_init(&r->rebuild, on_rebuild);
    rc = watch_all(r, err);
    if (rc >= 0)
        rc = build(r, err);
    if (rc < 0) {
        rbac_stop(r);
        rbac_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void rbac_stop(struct rbac *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < RESOURCES; i++) {
        store_watch_stop(r->watches[i]);
        r->watches[i] = NULL;
    }
    loop_task_cancel(&r->rebuild);
}

void rbac_free(struct rbac *r)
{
    if (!r)
        return;
    rbac_policy_unref(r->policy);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

struct rbac_policy *rbac_policy_get(struct rbac *r)
{
    struct rbac_policy *p;

    pthread_mutex_lock(&r->lock);
    p = rbac_policy_ref(r->policy);
    pthread_mutex_unlock(&r->lock);
    return p;
}

static enum authorizer_answer authorize(struct apiserver *s, const struct authz_attributes *a,
                                        struct str *ret_reason)
{
    struct rbac_policy *p;
    bool allowed;

    (void)ret_reason;
    if (!s->rbac) /* not yet: the server is starting */
        return AUTHORIZER_NO_OPINION;
    p = rbac_policy_get(s->rbac);
    allowed = rbac_policy_allows(p, a);
    rbac_policy_unref(p);
    return allowed ? AUTHORIZER_ALLOW : AUTHORIZER_NO_OPINION;
}

const struct authorizer rbac_authorizer = {
    .name = "rbac",
    .authorize = authorize,
};
