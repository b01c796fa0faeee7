#include "apiserver/extensions/definition_status.h"

#include "api/apiextensions_v1.h"
#include "api/meta_v1.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

typedef struct apiextensions_v1_custom_resource_definition crd_t;
typedef struct apiextensions_v1_custom_resource_definition_names names_t;
typedef struct apiextensions_v1_custom_resource_definition_condition condition_t;

#define APPROVED_ANNOTATION "api-approved.kubernetes.io"
#define APPROVAL_PAGE       "https://github.com/kubernetes/enhancements/pull/1111"

static const struct resource *crd_row(void)
{
    return stored_read_row(STR("apiextensions.k8s.io"), STR("customresourcedefinitions"));
}

/* --- conditions --- */

static condition_t *condition_of(const crd_t *d, struct str type)
{
    for (uint32_t i = 0; i < d->status.conditions.len; i++)
        if (str_eq(d->status.conditions.items[i].type, type))
            return &d->status.conditions.items[i];
    return NULL;
}

static bool is_true(const crd_t *d, struct str type)
{
    const condition_t *c = condition_of(d, type);

    return c && str_eq(c->status, STR("True"));
}

static void set_condition(struct arena *a, crd_t *d, int64_t now_s, condition_t to)
{
    condition_t *c = condition_of(d, to.type);
    uint32_t n = d->status.conditions.len;

    to.last_transition_time = (struct ktime){ .sec = now_s, .set = true };
    if (!c) {
        condition_t *items = ARENA_NEW_ARRAY(a, condition_t, n + 1);

        if (n)
            memcpy(items, d->status.conditions.items, n * sizeof(*items));
        d->status.conditions.items = items;
        d->status.conditions.len = n + 1;
        c = &items[n];
        *c = to;
        return;
    }
    if (str_eq(c->status, to.status) && c->last_transition_time.set)
        to.last_transition_time = c->last_transition_time;
    c->status = to.status;
    c->reason = to.reason;
    c->message = to.message;
    c->last_transition_time = to.last_transition_time;
}

static condition_t condition(const char *type, bool status, const char *reason, struct str message)
{
    return (condition_t){
        .type = str_from_cstr(type),
        .status = status ? STR("True") : STR("False"),
        .reason = str_from_cstr(reason),
        .message = message,
    };
}

/* --- names --- */

static bool is_taken(const struct definition_facts *f, const crd_t *d, bool kinds, struct str name)
{
    return f->is_taken(f->arg, d->spec.group, kinds, name);
}

static void check_name(const struct definition_facts *f, const crd_t *d, bool kinds,
                       struct str wanted, struct str *accepted, const char *reason,
                       condition_t *names)
{
    if (!str_eq(wanted, *accepted) && is_taken(f, d, kinds, wanted)) {
        *names = condition("NamesAccepted", false, reason,
                           arena_printf(f->arena, "\"%.*s\" is already in use", STR_ARG(wanted)));
        return;
    }
    *accepted = wanted;
}

static bool contains(const struct str *items, uint32_t n, struct str s)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(items[i], s))
            return true;
    return false;
}

static void check_short_names(const struct definition_facts *f, const crd_t *d, names_t *accepted,
                              condition_t *names)
{
    const names_t *wanted = &d->spec.names;
    struct buf b = { 0 };
    uint32_t bad = 0;

    buf_init_arena(&b, f->arena, 64);
    for (uint32_t i = 0; i < wanted->short_names.len; i++) {
        struct str s = wanted->short_names.items[i];

        if (contains(accepted->short_names.items, accepted->short_names.len, s) ||
            !is_taken(f, d, false, s))
            continue;
        buf_printf(&b, "%s\"%.*s\" is already in use", bad++ ? ", " : "", STR_ARG(s));
    }
    if (!bad) {
        accepted->short_names.items = wanted->short_names.items;
        accepted->short_names.len = wanted->short_names.len;
        return;
    }
    *names =
        condition("NamesAccepted", false, "ShortNamesConflict",
                  bad > 1 ? arena_printf(f->arena, "[%.*s]", STR_ARG(buf_str(&b))) : buf_str(&b));
}

static bool strings_equal(const struct str *a, uint32_t n, const struct str *b, uint32_t m)
{
    if (n != m)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

static bool names_equal(const names_t *a, const names_t *b)
{
    return str_eq(a->plural, b->plural) && str_eq(a->singular, b->singular) &&
           str_eq(a->kind, b->kind) && str_eq(a->list_kind, b->list_kind) &&
           strings_equal(a->short_names.items, a->short_names.len, b->short_names.items,
                         b->short_names.len) &&
           strings_equal(a->categories.items, a->categories.len, b->categories.items,
                         b->categories.len);
}

/* True: some name is taken. */
static bool accept_names(const struct definition_facts *f, crd_t *d)
{
    const names_t *wanted = &d->spec.names;
    names_t *accepted = &d->status.accepted_names;
    condition_t names = condition("NamesAccepted", true, "NoConflicts", STR("no conflicts found"));

    if (names_equal(wanted, accepted) && is_true(d, STR("NamesAccepted")))
        return false;
    check_name(f, d, false, wanted->plural, &accepted->plural, "PluralConflict", &names);
    check_name(f, d, false, wanted->singular, &accepted->singular, "SingularConflict", &names);
    check_short_names(f, d, accepted, &names);
    check_name(f, d, true, wanted->kind, &accepted->kind, "KindConflict", &names);
    check_name(f, d, true, wanted->list_kind, &accepted->list_kind, "ListKindConflict", &names);
    accepted->categories.items = wanted->categories.items;
    accepted->categories.len = wanted->categories.len;
    set_condition(f->arena, d, f->now_s, names);
    if (!is_true(d, STR("Established")))
        set_condition(f->arena, d, f->now_s,
                      str_eq(names.status, STR("True"))
                          ? condition("Established", false, "Installing",
                                      STR("the initial names have been accepted"))
                          : condition("Established", false, "NotAccepted",
                                      STR("not all names are accepted")));
    return !str_eq(names.status, STR("True"));
}

/* --- groups that are Kubernetes's own --- */

static struct str annotation(const crd_t *d, struct str key)
{
    for (uint32_t i = 0; i < d->metadata.annotations.len; i++)
        if (str_eq(d->metadata.annotations.items[i].key, key))
            return d->metadata.annotations.items[i].value;
    return STR("");
}

static void check_approval(const struct definition_facts *f, crd_t *d)
{
    static const char type[] = "KubernetesAPIApprovalPolicyConformant";
    struct str group = d->spec.group, text = annotation(d, STR(APPROVED_ANNOTATION));
    struct arena *a = f->arena;
    condition_t c;

    if (!str_eq(group, STR("k8s.io")) && !str_eq(group, STR("kubernetes.io")) &&
        !str_has_suffix(group, STR(".k8s.io")) && !str_has_suffix(group, STR(".kubernetes.io")))
        return;
    if (!text.len)
        c = condition(type, false, "MissingAnnotation",
                      STR("protected groups must have approval annotation "
                          "\"" APPROVED_ANNOTATION "\", see " APPROVAL_PAGE));
    else if (str_has_prefix(text, STR("unapproved")))
        c = condition(type, false, "UnapprovedAnnotation",
                      arena_printf(a, "not approved: \"%.*s\"", STR_ARG(text)));
    else if (str_find_str(text, STR("://")) > 0)
        c = condition(type, true, "ApprovedAnnotation",
                      arena_printf(a, "approved in %.*s", STR_ARG(text)));
    else
        c = condition(type, false, "InvalidAnnotation",
                      STR("protected groups must have approval annotation "
                          "\"" APPROVED_ANNOTATION "\" with either a URL or a reason starting "
                          "with \"unapproved\", see " APPROVAL_PAGE));
    set_condition(a, d, f->now_s, c);
}

/* --- the end --- */

static bool drop_finalizer(struct arena *a, crd_t *d)
{
    uint32_t n = 0, len = d->metadata.finalizers.len;
    struct str *items = ARENA_NEW_ARRAY(a, struct str, len + 1);

    for (uint32_t i = 0; i < len; i++)
        if (!str_eq(d->metadata.finalizers.items[i], STR(CRD_FINALIZER)))
            items[n++] = d->metadata.finalizers.items[i];
    d->metadata.finalizers.items = n ? items : NULL;
    d->metadata.finalizers.len = n;
    return n != len;
}

static void end(const struct definition_facts *f, crd_t *d)
{
    condition_t c = condition("Terminating", true, "InstanceDeletionInProgress",
                              STR("CustomResource deletion is in progress"));

    if (!contains(d->metadata.finalizers.items, d->metadata.finalizers.len, STR(CRD_FINALIZER)))
        return;
    if (!is_true(d, STR("Established")))
        c = condition("Terminating", false, "NeverEstablished",
                      STR("resource was never established"));
    else if (f->is_cleaned)
        c = condition("Terminating", false, "InstanceDeletionCompleted",
                      STR("removed all instances"));
    set_condition(f->arena, d, f->now_s, c);
    if (str_eq(c.status, STR("False")))
        drop_finalizer(f->arena, d);
}

void definition_status_update(const struct definition_facts *f, struct object o, bool *ret_conflict)
{
    crd_t *d = o.data;
    bool accepted = is_true(d, STR("NamesAccepted"));

    *ret_conflict = false;
    if (d->metadata.deletion_timestamp.set) {
        end(f, d);
        return;
    }
    *ret_conflict = accept_names(f, d);
    check_approval(f, d);
    if (f->failure.p) {
        set_condition(
            f->arena, d, f->now_s,
            condition("NonStructuralSchema", true, "Violations", str_dup(f->arena, f->failure)));
        return;
    }
    /* A step later, when the definition is served: whoever sees this may use it. */
    if (accepted && is_true(d, STR("NamesAccepted")) && !is_true(d, STR("Established")))
        set_condition(f->arena, d, f->now_s,
                      condition("Established", true, "InitialNamesAccepted",
                                STR("the initial names have been accepted")));
}

/* --- for the strategy --- */

void definition_status_stored_versions(struct arena *a, struct object o)
{
    crd_t *d = o.data;
    uint32_t n = d->status.stored_versions.len;
    struct str *items;

    for (uint32_t i = 0; i < d->spec.versions.len; i++) {
        const struct apiextensions_v1_custom_resource_definition_version *v =
            &d->spec.versions.items[i];

        if (!v->storage)
            continue;
        if (contains(d->status.stored_versions.items, n, v->name))
            return;
        items = ARENA_NEW_ARRAY(a, struct str, n + 1);
        if (n)
            memcpy(items, d->status.stored_versions.items, n * sizeof(*items));
        items[n] = v->name;
        d->status.stored_versions.items = items;
        d->status.stored_versions.len = n + 1;
        return;
    }
}

void definition_status_init(struct arena *a, struct object o)
{
    crd_t *d = o.data;

    memset(&d->status, 0, sizeof(d->status));
    definition_status_stored_versions(a, o);
}

void definition_status_terminating(struct arena *a, struct object o, int64_t now_s)
{
    crd_t *d = o.data;
    uint32_t n = d->metadata.finalizers.len;
    struct str *items = ARENA_NEW_ARRAY(a, struct str, n + 1);

    set_condition(a, d, now_s,
                  condition("Terminating", true, "InstanceDeletionPending",
                            STR("CustomResourceDefinition marked for deletion; CustomResource "
                                "deletion will begin soon")));
    if (contains(d->metadata.finalizers.items, n, STR(CRD_FINALIZER)))
        return;
    if (n)
        memcpy(items, d->metadata.finalizers.items, n * sizeof(*items));
    items[n] = STR(CRD_FINALIZER);
    d->metadata.finalizers.items = items;
    d->metadata.finalizers.len = n + 1;
}

/* --- writing --- */

struct definition_writer {
    struct apiserver *server;
    struct loop *loop;
    void (*settled)(void *arg);
    void *arg;
    struct arena arena; /* of the write */
    struct store_mutation mutation;
    struct store_txn txn;
    bool is_busy, is_over;
};

struct definition_writer *definition_writer_new(struct apiserver *s, struct loop *l,
                                                void (*settled)(void *arg), void *arg)
{
    struct definition_writer *w = NEW(struct definition_writer);

    w->server = s;
    w->loop = l;
    w->settled = settled;
    w->arg = arg;
    arena_init(&w->arena, 0);
    return w;
}

static void writer_free(struct definition_writer *w)
{
    arena_done(&w->arena);
    mem_free(w);
}

void definition_writer_release(struct definition_writer *w)
{
    if (!w)
        return;
    w->is_over = true;
    if (!w->is_busy)
        writer_free(w);
}

static void on_stored(struct store_txn *txn, void *arg)
{
    struct definition_writer *w = arg;

    w->is_busy = false;
    arena_done(&w->arena); /* a definition may be large, and there may be many */
    if (txn->result < 0 && txn->result != ERR_CONFLICT && txn->result != ERR_NOT_FOUND)
        LOG_WARNING("the status of a CustomResourceDefinition was not written",
                    KV("reason", err_name(txn->result)));
    if (w->is_over)
        writer_free(w);
    else
        w->settled(w->arg); /* what somebody else wrote meanwhile is looked at by this */
}

static void submit(struct definition_writer *w)
{
    w->is_busy = true;
    w->txn = (struct store_txn){
        .mutations = &w->mutation,
        .n = 1,
        .mailbox = loop_mailbox(w->loop),
        .done = on_stored,
        .arg = w,
    };
    store_submit(w->server->store, &w->txn);
}

static bool run(struct definition_writer *w, const struct store_object *so,
                const struct definition_facts *facts)
{
    struct definition_facts f = *facts;
    const struct meta_v1_object_meta *meta;
    struct object before, o;
    bool conflict = false;
    struct err err;

    f.arena = &w->arena;
    f.now_s = clock_wall_s(w->server->clock);
    w->mutation = (struct store_mutation){
        .op = STORE_PUT,
        .resource = so->resource,
        .key = str_dup(&w->arena, so->key),
        .expected = so->mod_revision,
    };
    if (stored_object_decode(&w->arena, crd_row(), so, &before, &err) < 0)
        return true;
    o = object_copy(&w->arena, before);
    definition_status_update(&f, o, &conflict);
    if (object_equal(before, o))
        return !conflict;
    meta = object_meta(o);
    if (meta->deletion_timestamp.set && !meta->finalizers.len)
        w->mutation.op = STORE_DELETE;
    if (stored_object_encode(&w->arena, crd_row(), o, &w->mutation, &err) < 0) {
        LOG_WARNING("the status of a CustomResourceDefinition was not encoded", KV("name", so->key),
                    KV("reason", (const char *)err.text));
        return true;
    }
    submit(w);
    return false;
}

bool definition_writer_run(struct definition_writer *w, const struct store_object *so,
                           const struct definition_facts *facts)
{
    bool settled;

    if (w->is_busy)
        return false;
    settled = run(w, so, facts);
    if (!w->is_busy)
        arena_done(&w->arena);
    return settled;
}
