#include "apiserver/bootstrap.h"

#include "api/core_v1.h"
#include "api/object.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_object.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "store/store.h"

static const struct str namespaces[] = { STR_INIT("default"), STR_INIT("kube-system"),
                                         STR_INIT("kube-public"), STR_INIT("kube-node-lease") };

struct bootstrap {
    struct arena arena;
    struct store_mutation mutations[ARRAY_LEN(namespaces)];
    struct store_txn txns[ARRAY_LEN(namespaces)];
    size_t open;
    int result;
    void (*done)(void *arg, int result);
    void *arg;
};

static void on_stored(struct store_txn *txn, void *arg)
{
    struct bootstrap *b = arg;

    if (txn->result < 0 && txn->result != ERR_EXISTS)
        b->result = txn->result;
    if (--b->open)
        return;
    b->done(b->arg, b->result);
    arena_done(&b->arena);
    mem_free(b);
}

static int make_namespace(struct apiserver *s, struct arena *a, struct str name,
                          struct store_mutation *m, struct err *err)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("namespaces"));
    struct object o = object_new(a, &schema_builtin, row->type);
    struct core_v1_namespace *ns = o.data;
    struct str *finalizers = ARENA_NEW(a, struct str);
    char uid[RANDOM_UUID_LEN + 1];

    random_uuid(uid);
    object_set_gvk(o, STR("v1"), row->kind);
    ns->metadata.name = name;
    ns->metadata.uid = str_dup(a, str_from_cstr(uid));
    ns->metadata.creation_timestamp = (struct ktime){ .sec = clock_wall_s(s->clock), .set = true };
    text_map_put(a, &ns->metadata.labels, STR("kubernetes.io/metadata.name"), name);
    *finalizers = STR("kubernetes");
    ns->spec.finalizers.items = finalizers;
    ns->spec.finalizers.len = 1;
    ns->status.phase = STR("Active");
    *m = (struct store_mutation){
        .op = STORE_PUT,
        .resource = s->registry.namespaces_id,
        .key = name,
        .expected = STORE_EXPECT_ABSENT,
    };
    return stored_object_encode(a, row, o, m, err);
}

void bootstrap_start(struct apiserver *s, struct loop *l, void (*done)(void *arg, int result),
                     void *arg)
{
    struct bootstrap *b = NEW(struct bootstrap);
    struct err err;

    b->done = done;
    b->arg = arg;
    b->open = ARRAY_LEN(namespaces);
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        /* Cannot fail: the namespace type is its own storage version. */
        (void)make_namespace(s, &b->arena, namespaces[i], &b->mutations[i], &err);
        b->txns[i] = (struct store_txn){
            .mutations = &b->mutations[i],
            .n = 1,
            .mailbox = loop_mailbox(l),
            .done = on_stored,
            .arg = b,
        };
        store_submit(s->store, &b->txns[i]);
    }
}
