/* Volumes by claim: the claim and its PersistentVolume are read once, and what the PersistentVolume
 * says takes the claim's place. A Pod comes here after the scheduler has seen its claims bound, so
 * one that is not is an error that is looked at again, not a state to watch. */
#include "api/core_v1.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "io/loop.h"
#include "kubelet/volume/volume_internal.h"

enum { RETRY_MS = 1000 };

struct volume_claim {
    struct volume_manager *manager;
    struct arena arena; /* of everything here */
    struct str pod_uid, pod_name, namespace, name;
    bool is_ephemeral;
    struct str uid, volume_name; /* of the claim, and what it is bound to */
    struct rest_call *call;
    struct core_v1_volume resolved;
    struct core_v1_host_path_volume_source host_path;
    bool is_resolved;
    bool wants_group; /* of a local volume, until its contents are the group's */
    int64_t failed_at_ms;
    struct err err; /* why it is not resolved */
};

/* --- the answers --- */

static void end(struct volume_claim *c, int code)
{
    if (code < 0) {
        c->failed_at_ms = loop_now_ms(c->manager->o.loop);
        if (code == ERR_NOT_FOUND || code == ERR_AGAIN) /* these mean that somebody will tell */
            c->err.code = ERR_INVALID;
    }
    c->manager->o.on_change(c->pod_uid, c->manager->o.arg);
}

/* What kinds of PersistentVolume a node of ours can mount. */
static int take_source(struct volume_claim *c, const struct core_v1_persistent_volume *pv)
{
    const struct core_v1_persistent_volume_source *s = &pv->spec.persistent_volume_source;

    if (str_eq(pv->spec.volume_mode, STR("Block")))
        return err_set(&c->err, ERR_UNSUPPORTED,
                       "no volume plugin matched: this kubelet has none for block devices");
    c->wants_group = s->local;
    if (s->host_path) {
        c->host_path.path = str_dup(&c->arena, s->host_path->path);
        c->host_path.type = str_dup(&c->arena, s->host_path->type);
    } else if (s->local) {
        c->host_path.path = str_dup(&c->arena, s->local->path);
        c->host_path.type = STR("Directory"); /* a provisioner's; never made here */
    } else {
        return err_set(&c->err, ERR_UNSUPPORTED,
                       "no volume plugin matched: this kubelet has none for PersistentVolume "
                       "\"%.*s\"",
                       STR_ARG(pv->metadata.name));
    }
    c->resolved.volume_source.host_path = &c->host_path;
    c->is_resolved = true;
    return 0;
}

static int check_volume(struct volume_claim *c, const struct core_v1_persistent_volume *pv)
{
    const struct core_v1_object_reference *ref = pv->spec.claim_ref;

    if (!str_eq(pv->status.phase, STR("Bound")) || !ref)
        return err_set(&c->err, ERR_INVALID,
                       "PV %.*s has non-bound phase (\"%.*s\") or empty pv.Spec.ClaimRef",
                       STR_ARG(pv->metadata.name), STR_ARG(pv->status.phase));
    if (!str_eq(ref->uid, c->uid))
        return err_set(&c->err, ERR_INVALID,
                       "PV %.*s's claim reference is to uid %.*s, not that of PVC %.*s/%.*s",
                       STR_ARG(pv->metadata.name), STR_ARG(ref->uid), STR_ARG(c->namespace),
                       STR_ARG(c->name));
    return take_source(c, pv);
}

static void on_volume(const struct rest_result *res, void *arg)
{
    struct volume_claim *c = arg;

    c->call = NULL;
    if (res->result < 0 || !res->object)
        end(c, err_set(&c->err, res->result < 0 ? res->result : ERR_PROTOCOL,
                       "failed to fetch PV %.*s from API server: %.*s", STR_ARG(c->volume_name),
                       STR_ARG(res->message)));
    else
        end(c, check_volume(c, API_OBJECT(res->object, struct core_v1_persistent_volume)));
}

static bool is_owned(const struct core_v1_persistent_volume_claim *claim, struct str pod_uid)
{
    for (uint32_t i = 0; i < claim->metadata.owner_references.len; i++) {
        const struct meta_v1_owner_reference *o = &claim->metadata.owner_references.items[i];

        if (o->controller && *o->controller && str_eq(o->uid, pod_uid))
            return true;
    }
    return false;
}

static int check_claim(struct volume_claim *c, const struct core_v1_persistent_volume_claim *claim)
{
    if (c->is_ephemeral && !is_owned(claim, c->pod_uid))
        return err_set(&c->err, ERR_INVALID,
                       "PVC %.*s/%.*s was not created for pod %.*s/%.*s (pod is not owner)",
                       STR_ARG(c->namespace), STR_ARG(c->name), STR_ARG(c->namespace),
                       STR_ARG(c->pod_name));
    if (claim->metadata.deletion_timestamp.set)
        return err_set(&c->err, ERR_INVALID,
                       "can't start pod because PVC %.*s/%.*s is being deleted",
                       STR_ARG(c->namespace), STR_ARG(c->name));
    if (!str_eq(claim->status.phase, STR("Bound")) || !claim->spec.volume_name.len)
        return err_set(&c->err, ERR_INVALID,
                       "PVC %.*s/%.*s has non-bound phase (\"%.*s\") or empty pvc.Spec.VolumeName "
                       "(\"%.*s\")",
                       STR_ARG(c->namespace), STR_ARG(c->name), STR_ARG(claim->status.phase),
                       STR_ARG(claim->spec.volume_name));
    c->uid = str_dup(&c->arena, claim->metadata.uid);
    c->volume_name = str_dup(&c->arena, claim->spec.volume_name);
    return 0;
}

static void on_claim(const struct rest_result *res, void *arg)
{
    struct volume_claim *c = arg;
    int r;

    c->call = NULL;
    if (res->result < 0 || !res->object) {
        end(c, err_set(&c->err, res->result < 0 ? res->result : ERR_PROTOCOL,
                       "failed to fetch PVC from API server: %.*s", STR_ARG(res->message)));
        return;
    }
    r = check_claim(c, API_OBJECT(res->object, struct core_v1_persistent_volume_claim));
    if (r < 0) {
        end(c, r);
        return;
    }
    c->call =
        rest_call_start(c->manager->o.client,
                        &(struct rest_request){
                            .verb = REST_GET,
                            .resource = resource_find(STR(""), STR("v1"), STR("persistentvolumes")),
                            .name = c->volume_name },
                        on_volume, c);
}

/* --- its life --- */

static void ask(struct volume_claim *c)
{
    (void)err_set(&c->err, ERR_AGAIN, "the claim is being read");
    c->call = rest_call_start(
        c->manager->o.client,
        &(struct rest_request){
            .verb = REST_GET,
            .resource = resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims")),
            .namespace = c->namespace,
            .name = c->name },
        on_claim, c);
}

static struct volume_claim *claim_new(const struct volume_task *t)
{
    const struct core_v1_volume_source *s = &t->volume->volume_source;
    struct volume_claim *c = NEW(struct volume_claim);

    c->manager = t->manager;
    c->pod_uid = str_dup(&c->arena, t->pod->metadata.uid);
    c->pod_name = str_dup(&c->arena, t->pod->metadata.name);
    c->namespace = str_dup(&c->arena, t->pod->metadata.namespace);
    c->is_ephemeral = s->ephemeral;
    c->name = s->ephemeral ? arena_printf(&c->arena, "%.*s-%.*s", STR_ARG(c->pod_name),
                                          STR_ARG(t->volume->name))
                           : str_dup(&c->arena, s->persistent_volume_claim->claim_name);
    c->resolved.name = str_dup(&c->arena, t->volume->name);
    ask(c);
    return c;
}

static void claim_free(struct volume_claim *c)
{
    rest_call_cancel(c->call);
    arena_done(&c->arena);
    mem_free(c);
}

static struct str key_of(struct arena *a, const struct core_v1_pod *pod,
                         const struct core_v1_volume *v)
{
    return arena_printf(a, "%.*s/%.*s", STR_ARG(pod->metadata.uid), STR_ARG(v->name));
}

bool volume_claim_is(const struct core_v1_volume *v)
{
    return v->volume_source.persistent_volume_claim || v->volume_source.ephemeral;
}

const struct core_v1_volume *volume_claim_resolved(struct arena *a, const struct volume_manager *m,
                                                   const struct core_v1_pod *pod,
                                                   const struct core_v1_volume *v)
{
    const struct volume_claim *c;

    if (!volume_claim_is(v))
        return v;
    c = map_get(&m->claims, key_of(a, pod, v));
    return c && c->is_resolved ? &c->resolved : NULL;
}

int volume_claim_resolve(struct volume_task *t)
{
    struct str key;
    struct volume_claim *c;

    if (!volume_claim_is(t->volume))
        return 0;
    key = key_of(t->arena, t->pod, t->volume);
    c = map_get(&t->manager->claims, key);
    if (!c) {
        c = claim_new(t);
        (void)map_put(&t->manager->claims, key, c);
    } else if (!c->is_resolved && !c->call &&
               loop_now_ms(t->manager->o.loop) - c->failed_at_ms >= RETRY_MS) {
        ask(c);
    }
    if (!c->is_resolved) {
        *t->err = c->err;
        return c->err.code;
    }
    t->volume = &c->resolved;
    t->wants_group = &c->wants_group;
    return 0;
}

void volume_claim_forget_pod(struct volume_manager *m, struct str pod_uid)
{
    MAP_FOREACH(it, &m->claims) {
        struct volume_claim *c = it->value;

        if (!str_eq(c->pod_uid, pod_uid))
            continue;
        (void)map_remove(&m->claims, it->key);
        claim_free(c);
    }
}

void volume_claim_done(struct volume_manager *m)
{
    MAP_FOREACH(it, &m->claims)
        claim_free(it->value);
    map_done(&m->claims);
}
