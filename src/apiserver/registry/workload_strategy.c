/* Jobs: the selector and labels by which they know their Pods. DaemonSets: the generation of their
 * template, which upstream's older clients read from an annotation. StatefulSets: what a gate holds
 * back. */
#include "api/apps_v1.h"
#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"

static void put_unless_there(struct arena *a, void *map, struct str key, struct str value)
{
    if (!text_map_find(map, key))
        text_map_put(a, map, key, value);
}

/* What the client set stays; a wrong value is refused by validation. */
static void job_prepare_create(struct api_request *r, struct object o)
{
    static const struct str uid_key = STR_INIT("batch.kubernetes.io/controller-uid");
    struct batch_v1_job *j = o.data;
    void *labels = &j->spec.template.metadata.labels;

    if (j->spec.manual_selector && *j->spec.manual_selector)
        return;
    put_unless_there(r->arena, labels, STR("job-name"), j->metadata.name);
    put_unless_there(r->arena, labels, STR("batch.kubernetes.io/job-name"), j->metadata.name);
    put_unless_there(r->arena, labels, STR("controller-uid"), j->metadata.uid);
    put_unless_there(r->arena, labels, uid_key, j->metadata.uid);
    if (!j->spec.selector)
        j->spec.selector = ARENA_NEW(r->arena, struct meta_v1_label_selector);
    put_unless_there(r->arena, &j->spec.selector->match_labels, uid_key, j->metadata.uid);
    /* A Job without labels has its template's, as upstream's defaults make it when it is read. */
    if (!j->metadata.labels.len)
        text_map_copy(r->arena, &j->metadata.labels, labels);
}

const struct strategy job_strategy = {
    .group = STR_INIT("batch"),
    .resource = STR_INIT("jobs"),
    .prepare_create = job_prepare_create,
};

#define TEMPLATE_GENERATION STR("deprecated.daemonset.template.generation")

static int64_t template_generation(const struct apps_v1_daemon_set *d)
{
    const struct schema_str_entry *e = text_map_find(&d->metadata.annotations, TEMPLATE_GENERATION);
    int64_t n = 0;

    return e && str_to_i64(e->value, &n) ? n : 0;
}

static void set_template_generation(struct arena *a, struct apps_v1_daemon_set *d, int64_t n)
{
    text_map_put(a, &d->metadata.annotations, TEMPLATE_GENERATION,
                 arena_printf(a, "%lld", (long long)n));
}

static void daemon_set_prepare_create(struct api_request *r, struct object o)
{
    int64_t n = template_generation(o.data);

    set_template_generation(r->arena, o.data, n < 1 ? 1 : n);
}

static bool templates_equal(struct apps_v1_daemon_set *d, struct apps_v1_daemon_set *old)
{
    struct object x = { .schema = &schema_builtin,
                        .type = schema_walk_type(&schema_builtin, "core/v1.PodTemplateSpec"),
                        .data = &d->spec.template };
    struct object y = x;

    y.data = &old->spec.template;
    return object_equal(x, y);
}

static void daemon_set_prepare_update(struct api_request *r, struct object o, struct object old)
{
    int64_t n = template_generation(old.data);

    if (n > 0)
        set_template_generation(r->arena, o.data, n + !templates_equal(o.data, old.data));
}

const struct strategy daemon_set_strategy = {
    .group = STR_INIT("apps"),
    .resource = STR_INIT("daemonsets"),
    .prepare_create = daemon_set_prepare_create,
    .prepare_update = daemon_set_prepare_update,
};

/* maxUnavailable of a StatefulSet is behind a gate that is off: it is dropped where it was not set
 * before. */
static bool has_max_unavailable(const struct apps_v1_stateful_set *s)
{
    return s->spec.update_strategy.rolling_update &&
           s->spec.update_strategy.rolling_update->max_unavailable.type != INT_OR_STRING_UNSET;
}

static void drop_max_unavailable(struct object o)
{
    struct apps_v1_stateful_set *s = o.data;

    if (has_max_unavailable(s))
        s->spec.update_strategy.rolling_update->max_unavailable = (struct int_or_string){ 0 };
}

static void stateful_set_prepare_create(struct api_request *r, struct object o)
{
    (void)r;
    drop_max_unavailable(o);
}

static void stateful_set_prepare_update(struct api_request *r, struct object o, struct object old)
{
    (void)r;
    if (!has_max_unavailable(old.data))
        drop_max_unavailable(o);
}

const struct strategy stateful_set_strategy = {
    .group = STR_INIT("apps"),
    .resource = STR_INIT("statefulsets"),
    .prepare_create = stateful_set_prepare_create,
    .prepare_update = stateful_set_prepare_update,
};

/* Of secrets only the name is kept. */
static void keep_secret_names(struct object o)
{
    struct core_v1_service_account *s = o.data;

    for (uint32_t i = 0; i < s->secrets.len; i++)
        s->secrets.items[i] = (struct core_v1_object_reference){ .name = s->secrets.items[i].name };
}

static void account_prepare_create(struct api_request *r, struct object o)
{
    (void)r;
    keep_secret_names(o);
}

static void account_prepare_update(struct api_request *r, struct object o, struct object old)
{
    (void)r;
    (void)old;
    keep_secret_names(o);
}

const struct strategy service_account_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("serviceaccounts"),
    .prepare_create = account_prepare_create,
    .prepare_update = account_prepare_update,
};
