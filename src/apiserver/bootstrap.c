#include "apiserver/bootstrap.h"

#include "api/defaults.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/bootstrap_policy.h"
#include "apiserver/registry/ip_range.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "store/store.h"

const struct kept_set *const kept_sets[] = {
    &kubernetes_service_set,
    &flow_control_set,
    &local_api_services_set,
    &extension_authentication_set,
    NULL,
};

struct transaction {
    struct store_mutation mutations[2];
    struct store_txn txn;
};

struct bootstrap {
    struct apiserver *server;
    struct arena arena;
    struct store_snapshot snapshot;
    struct loop_task task; /* when there is nothing to write */
    size_t open;
    int result;
    bootstrap_done_fn *done;
    void *arg;
};

static void finish(struct bootstrap *b)
{
    b->done(b->arg, b->result);
    arena_done(&b->arena);
    mem_free(b);
}

static void on_stored(struct store_txn *txn, void *arg)
{
    struct bootstrap *b = arg;

    /* Somebody else made or changed it meanwhile: what is kept comes round again by its watch. */
    if (txn->result < 0 && txn->result != ERR_EXISTS && txn->result != ERR_CONFLICT && !b->result)
        b->result = txn->result;
    if (--b->open == 0)
        finish(b);
}

static void on_nothing(struct loop_task *task)
{
    finish(CONTAINER_OF(task, struct bootstrap, task));
}

static int decode(struct bootstrap *b, const struct bootstrap_object *want,
                  const struct resource *row, struct object *ret, struct err *err)
{
    char uid[RANDOM_UUID_LEN + 1];
    struct meta_v1_object_meta *meta;
    /* texts of the object lie in its JSON */
    int rc = object_json_decode(&b->arena, &schema_builtin, row->type,
                                str_dup(&b->arena, want->json), ret, NULL, err);

    if (rc < 0)
        return rc;
    object_set_gvk(*ret, resource_api_version(&b->arena, row), row->kind);
    object_default(&b->arena, *ret);
    random_uuid(uid);
    meta = object_meta(*ret);
    meta->uid = str_dup(&b->arena, str_from_cstr(uid));
    meta->creation_timestamp = (struct ktime){ .sec = clock_wall_s(b->server->clock), .set = true };
    meta->generation = row->generation.len && !(row->flags & RESOURCE_GENERATION_UNSET) ? 1 : 0;
    return 0;
}

/* What the object is now stays in o where it is not for us to say. False: nothing differs. */
static bool take_over(struct object o, struct object now)
{
    struct meta_v1_object_meta *meta = object_meta(o);
    const struct meta_v1_object_meta *was = object_meta(now);

    meta->uid = was->uid;
    meta->creation_timestamp = was->creation_timestamp;
    meta->generation = was->generation;
    meta->resource_version = was->resource_version;
    meta->managed_fields.items = was->managed_fields.items;
    meta->managed_fields.len = was->managed_fields.len;
    return !object_equal(o, now);
}

static int take_address(struct bootstrap *b, struct str address, struct store_mutation *m,
                        struct err *err)
{
    const struct resource *row = stored_read_row(STR("networking.k8s.io"), STR("ipaddresses"));
    const struct stored_reader reader = { &b->server->registry, &b->snapshot, &b->arena };
    struct bootstrap_object want = {
        .json = arena_printf(
            &b->arena,
            "{\"metadata\":{\"name\":\"%.*s\",\"labels\":{\"ipaddress.kubernetes.io/ip-family\":"
            "\"%.*s\",\"ipaddress.kubernetes.io/managed-by\":\"ipallocator.k8s.io\"}},\"spec\":{"
            "\"parentRef\":{\"resource\":\"services\",\"namespace\":\"default\",\"name\":"
            "\"kubernetes\"}}}",
            STR_ARG(address), STR_ARG(ip_range_family_of(address))),
    };
    struct object o;
    int rc = decode(b, &want, row, &o, err);

    return rc < 0 ? rc : stored_read_put(&reader, row, o, m, err);
}

/* 1: *t is to be submitted; 0: there is nothing to do. */
static int prepare(struct bootstrap *b, const struct bootstrap_object *want, struct transaction *t,
                   struct err *err)
{
    const struct resource *row = stored_read_row(want->group, want->resource);
    const struct stored_reader reader = { &b->server->registry, &b->snapshot, &b->arena };
    struct object o, now;
    const struct meta_v1_object_meta *meta;
    int rc = decode(b, want, row, &o, err);

    if (rc < 0)
        return rc;
    meta = object_meta(o);
    rc = stored_read_get(&reader, row, meta->namespace, meta->name, &now, err);
    if (rc >= 0 && (!want->is_kept || !take_over(o, now)))
        return 0;
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    t->txn = (struct store_txn){ .mutations = t->mutations, .n = 1 };
    if (rc == ERR_NOT_FOUND && want->with_address) {
        t->txn.n = 2;
        rc = take_address(b, ip_range_nth(&b->arena, &b->server->service_ranges.ranges[0], 1),
                          &t->mutations[1], err);
        if (rc < 0)
            return rc;
    }
    rc = stored_read_put(&reader, row, o, &t->mutations[0], err);
    return rc < 0 ? rc : 1;
}

void bootstrap_put(struct apiserver *s, struct loop *l, const struct bootstrap_object *objects,
                   size_t n, bootstrap_done_fn *done, void *arg)
{
    struct bootstrap *b = NEW(struct bootstrap);
    struct transaction **ready = mem_alloc((n + 1) * sizeof(struct transaction *));
    struct err err;
    size_t n_ready = 0;

    b->server = s;
    b->done = done;
    b->arg = arg;
    loop_task_init(&b->task, on_nothing);
    b->result = store_snapshot_begin(s->store, &b->snapshot, &err);
    for (size_t i = 0; i < n && b->result >= 0; i++) {
        struct transaction *t = ARENA_NEW(&b->arena, struct transaction);
        int rc = prepare(b, &objects[i], t, &err);

        if (rc > 0)
            ready[n_ready++] = t;
        if (rc < 0) {
            b->result = rc;
            LOG_ERROR("bootstrap object", KV("resource", objects[i].resource),
                      KV("reason", (const char *)err.text));
        }
    }
    store_snapshot_end(&b->snapshot);
    b->open = n_ready;
    for (size_t i = 0; i < n_ready; i++) {
        ready[i]->txn.mailbox = loop_mailbox(l);
        ready[i]->txn.done = on_stored;
        ready[i]->txn.arg = b;
        store_submit(s->store, &ready[i]->txn);
    }
    if (!n_ready)
        loop_task_post(l, &b->task);
    mem_free(ready);
}

/* --- what there is at the start --- */

static struct str namespace_json(struct arena *a, const char *name)
{
    return arena_printf(a,
                        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/metadata.name\""
                        ":\"%s\"}},\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{"
                        "\"phase\":\"Active\"}}",
                        name, name);
}

static struct str service_cidr_json(const struct apiserver *s, struct arena *a)
{
    struct buf b;

    buf_init_arena(&b, a, 512);
    buf_append_lit(&b, "{\"metadata\":{\"name\":\"kubernetes\"},\"spec\":{\"cidrs\":[");
    for (size_t i = 0; i < s->service_ranges.n; i++)
        buf_printf(&b, "%s\"%.*s\"", i ? "," : "",
                   STR_ARG(ip_range_print(a, &s->service_ranges.ranges[i])));
    buf_append_lit(&b, "]},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
                       "\"lastTransitionTime\":\"2026-01-01T00:00:00Z\",\"reason\":\"\","
                       "\"message\":\"Kubernetes default Service CIDR is ready\"}]}}");
    return buf_str(&b);
}

static const struct bootstrap_object fixed[] = {
    { .group = STR_INIT("scheduling.k8s.io"),
      .resource = STR_INIT("priorityclasses"),
      .json = STR_INIT("{\"metadata\":{\"name\":\"system-node-critical\"},\"value\":2000001000,"
                       "\"description\":\"For system pods that a node cannot do without.\"}") },
    { .group = STR_INIT("scheduling.k8s.io"),
      .resource = STR_INIT("priorityclasses"),
      .json = STR_INIT("{\"metadata\":{\"name\":\"system-cluster-critical\"},\"value\":2000000000,"
                       "\"description\":\"For system pods that a cluster cannot do without; a "
                       "node can be chosen.\"}") },
};

void bootstrap_start(struct apiserver *s, struct loop *l, bootstrap_done_fn *done, void *arg)
{
    static const char *const namespaces[] = { "default", "kube-system", "kube-public",
                                              "kube-node-lease" };
    CLEANUP(arena_done) struct arena a = { 0 };
    size_t n = 0, max = ARRAY_LEN(namespaces) + ARRAY_LEN(fixed) + 1 + bootstrap_policy_count();
    struct bootstrap_object *objects;

    for (size_t i = 0; kept_sets[i]; i++)
        max += kept_sets[i]->max;
    objects = ARENA_NEW_ARRAY(&a, struct bootstrap_object, max);
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        objects[n++] = (struct bootstrap_object){
            .group = STR(""),
            .resource = STR("namespaces"),
            .json = namespace_json(&a, namespaces[i]),
        };
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        objects[n++] = fixed[i];
    objects[n++] = (struct bootstrap_object){
        .group = STR("networking.k8s.io"),
        .resource = STR("servicecidrs"),
        .json = service_cidr_json(s, &a),
    };
    for (size_t i = 0; kept_sets[i]; i++)
        n += kept_sets[i]->objects(s, &a, objects + n);
    n += bootstrap_policy_objects(&a, objects + n);
    bootstrap_put(s, l, objects, n, done, arg);
}
