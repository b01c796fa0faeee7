#include "api/warnings.h"

#include "api/apps_v1.h"
#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

struct warner {
    struct arena *arena;
    warnings_fn fn;
    void *arg;
};

static void warn(const struct warner *w, const struct field_path *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* "PATH: TEXT" */
static void warn(const struct warner *w, const struct field_path *at, const char *fmt, ...)
{
    struct buf b;
    va_list ap;

    buf_init_arena(&b, w->arena, 128);
    buf_append_str(&b, field_path_print(w->arena, at));
    buf_append_lit(&b, ": ");
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    w->fn(w->arg, buf_str(&b));
}

static struct str quoted(const struct warner *w, struct str text)
{
    struct buf b;

    buf_init_arena(&b, w->arena, text.len + 2);
    field_error_quote(&b, text);
    return buf_str(&b);
}

/* "a.b.c" below a path. */
static struct field_path *path_of(const struct warner *w, const struct field_path *parent,
                                  const char *members)
{
    struct str rest = str_from_cstr(members), member;
    const struct field_path *p = parent;
    struct field_path *ret = NULL;

    while (str_next(&rest, '.', &member)) {
        ret = ARENA_NEW(w->arena, struct field_path);
        *ret = field_path_member(p, member);
        p = ret;
    }
    return ret;
}

static const char *old_label(struct str key)
{
    static const struct {
        struct str key;
        const char *text;
    } labels[] = {
        { STR_INIT("beta.kubernetes.io/arch"),
          "deprecated since v1.14; use \"kubernetes.io/arch\" instead" },
        { STR_INIT("beta.kubernetes.io/os"),
          "deprecated since v1.14; use \"kubernetes.io/os\" instead" },
        { STR_INIT("failure-domain.beta.kubernetes.io/region"),
          "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead" },
        { STR_INIT("failure-domain.beta.kubernetes.io/zone"),
          "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead" },
        { STR_INIT("beta.kubernetes.io/instance-type"),
          "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead" },
        { STR_INIT("app.kubernetes.io/created-by"), "deprecated since v1.9" },
        { STR_INIT("scheduler.alpha.kubernetes.io/preferAvoidPods"),
          "deprecated since v1.22; use Taints and Tolerations instead" },
        { STR_INIT("node-role.kubernetes.io/master"),
          "use \"node-role.kubernetes.io/control-plane\" instead" },
    };

    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (str_eq(key, labels[i].key))
            return labels[i].text;
    return NULL;
}

static void of_placement(const struct warner *w, const struct core_v1_pod_spec *s,
                         const struct field_path *spec)
{
    struct field_path selector = field_path_member(spec, STR("nodeSelector"));
    struct field_path list = field_path_member(spec, STR("topologySpreadConstraints"));

    for (uint32_t i = 0; i < s->node_selector.len; i++) {
        struct field_path key = field_path_key(&selector, s->node_selector.items[i].key);
        const char *text = old_label(s->node_selector.items[i].key);

        if (text)
            warn(w, &key, "%s", text);
    }
    for (uint32_t i = 0; i < s->topology_spread_constraints.len; i++) {
        const struct core_v1_topology_spread_constraint *t =
            &s->topology_spread_constraints.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path key = field_path_member(&item, STR("topologyKey"));
        struct field_path labels = field_path_member(&item, STR("labelSelector"));
        const char *text = old_label(t->topology_key);

        if (text)
            warn(w, &key, "%.*s is %s", STR_ARG(t->topology_key), text);
        if (!t->label_selector)
            warn(w, &labels, "a null labelSelector results in matching no pod");
    }
}

/* Volumes that nothing serves any more. */
static void of_volumes(const struct warner *w, const struct core_v1_pod_spec *s,
                       const struct field_path *spec)
{
    struct field_path list = field_path_member(spec, STR("volumes"));

    for (uint32_t i = 0; i < s->volumes.len; i++) {
        const struct core_v1_volume_source *v = &s->volumes.items[i].volume_source;
        const struct {
            const char *name;
            const void *set;
            const char *text;
        } old[] = {
            { "photonPersistentDisk", v->photon_persistent_disk,
              "deprecated in v1.11, non-functional in v1.16+" },
            { "gitRepo", v->git_repo, "deprecated in v1.11, and disabled by default in v1.33+" },
            { "scaleIO", v->scale_io, "deprecated in v1.16, non-functional in v1.22+" },
            { "flocker", v->flocker, "deprecated in v1.22, non-functional in v1.25+" },
            { "storageOS", v->storageos, "deprecated in v1.22, non-functional in v1.25+" },
            { "quobyte", v->quobyte, "deprecated in v1.22, non-functional in v1.25+" },
            { "glusterfs", v->glusterfs, "deprecated in v1.25, non-functional in v1.26+" },
            { "cephfs", v->cephfs, "deprecated in v1.28, non-functional in v1.31+" },
            { "rbd", v->rbd, "deprecated in v1.28, non-functional in v1.31+" },
        };
        struct field_path item = field_path_index(&list, i);

        for (size_t k = 0; k < ARRAY_LEN(old); k++) {
            struct field_path at = field_path_member(&item, str_from_cstr(old[k].name));

            if (old[k].set)
                warn(w, &at, "%s", old[k].text);
        }
        for (uint32_t k = 0; v->projected && k < v->projected->sources.len; k++) {
            const struct core_v1_volume_projection *p = &v->projected->sources.items[k];

            if (!p->secret && !p->config_map && !p->downward_api && !p->service_account_token)
                w->fn(w->arg,
                      arena_printf(w->arena, "volume %.*s (Projected) has no sources provided",
                                   STR_ARG(quoted(w, s->volumes.items[i].name))));
        }
    }
}

/* A text that an earlier item of the list has, too. */
static bool seen(struct map *m, struct str text)
{
    if (map_has(m, text))
        return true;
    (void)map_put(m, text, m); /* a set */
    return false;
}

static void of_doubles(const struct warner *w, const struct core_v1_pod_spec *s,
                       const struct field_path *spec)
{
    CLEANUP(map_done) struct map ips = { 0 }, names = { 0 };
    struct field_path aliases = field_path_member(spec, STR("hostAliases"));
    struct field_path secrets = field_path_member(spec, STR("imagePullSecrets"));

    for (uint32_t i = 0; i < s->host_aliases.len; i++) {
        struct field_path item = field_path_index(&aliases, i);
        struct field_path at = field_path_member(&item, STR("ip"));

        if (seen(&ips, s->host_aliases.items[i].ip))
            warn(w, &at, "duplicate ip %.*s", STR_ARG(quoted(w, s->host_aliases.items[i].ip)));
    }
    for (uint32_t i = 0; i < s->image_pull_secrets.len; i++) {
        struct str name = s->image_pull_secrets.items[i].name;
        struct field_path item = field_path_index(&secrets, i);
        struct field_path at = field_path_member(&item, STR("name"));

        if (seen(&names, name))
            warn(w, &at, "duplicate name %.*s", STR_ARG(quoted(w, name)));
        if (name.len == 0)
            warn(w, &at, "invalid empty name \"\"");
    }
}

static void of_amounts(const struct warner *w, const void *map, const struct field_path *at)
{
    static const struct str bytes[] = { STR_INIT("memory"), STR_INIT("ephemeral-storage") };

    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        const struct schema_str_entry *e = text_map_find(map, bytes[i]);
        struct field_path key = field_path_key(at, bytes[i]);
        struct quantity q;

        if (e && quantity_parse(e->value, &q) && quantity_milli_value(q) % 1000 != 0)
            warn(w, &key, "fractional byte value %.*s is invalid, must be an integer",
                 STR_ARG(quoted(w, e->value)));
    }
}

static void of_env(const struct warner *w, const struct core_v1_container *c,
                   const struct field_path *path)
{
    CLEANUP(map_done) struct map names = { 0 };
    struct field_path env = field_path_member(path, STR("env"));

    for (uint32_t i = 0; i < c->env.len; i++) {
        const struct core_v1_env_var *e = &c->env.items[i];
        struct field_path at = field_path_index(&env, i);
        struct str ref = arena_printf(w->arena, "$(%.*s)", STR_ARG(e->name));

        /* A value that builds on the earlier one is fine. */
        if (seen(&names, e->name) &&
            (e->value_from || str_eq(e->value, ref) || !str_contains(e->value, ref)))
            warn(w, &at, "hides previous definition of %.*s, which may be dropped when using apply",
                 STR_ARG(quoted(w, e->name)));
    }
}

static void of_container(const struct warner *w, const struct core_v1_container *c,
                         const struct field_path *path)
{
    struct field_path resources = field_path_member(path, STR("resources"));
    struct field_path limits = field_path_member(&resources, STR("limits"));
    struct field_path requests = field_path_member(&resources, STR("requests"));

    of_amounts(w, &c->resources.limits, &limits);
    of_amounts(w, &c->resources.requests, &requests);
    of_env(w, c, path);
}

static void of_containers(const struct warner *w, const struct core_v1_pod_spec *s,
                          const struct field_path *spec)
{
    struct field_path inits = field_path_member(spec, STR("initContainers"));
    struct field_path list = field_path_member(spec, STR("containers"));

    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        struct field_path item = field_path_index(&inits, i);

        of_container(w, &s->init_containers.items[i], &item);
    }
    for (uint32_t i = 0; i < s->containers.len; i++) {
        struct field_path item = field_path_index(&list, i);

        of_container(w, &s->containers.items[i], &item);
    }
}

static void of_terms(const struct warner *w, const struct core_v1_pod_affinity_term *terms,
                     uint32_t n, const struct field_path *list)
{
    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(list, i);
        struct field_path at = field_path_member(&item, STR("labelSelector"));

        if (!terms[i].label_selector)
            warn(w, &at, "a null labelSelector results in matching no pod");
    }
}

static void of_affinity(const struct warner *w, const struct core_v1_pod_spec *s,
                        const struct field_path *spec)
{
    static const char *const required = "requiredDuringSchedulingIgnoredDuringExecution";
    const struct core_v1_pod_affinity *near = s->affinity ? s->affinity->pod_affinity : NULL;
    const struct core_v1_pod_anti_affinity *far =
        s->affinity ? s->affinity->pod_anti_affinity : NULL;

    if (near)
        of_terms(w, near->required_during_scheduling_ignored_during_execution.items,
                 near->required_during_scheduling_ignored_during_execution.len,
                 path_of(w, path_of(w, spec, "affinity.podAffinity"), required));
    if (far)
        of_terms(w, far->required_during_scheduling_ignored_during_execution.items,
                 far->required_during_scheduling_ignored_during_execution.len,
                 path_of(w, path_of(w, spec, "affinity.podAntiAffinity"), required));
}

static void of_pod(const struct warner *w, const struct core_v1_pod_spec *s,
                   const struct field_path *spec)
{
    struct field_path overhead = field_path_member(spec, STR("overhead"));

    of_placement(w, s, spec);
    of_volumes(w, s, spec);
    of_doubles(w, s, spec);
    of_amounts(w, &s->overhead, &overhead);
    of_containers(w, s, spec);
    of_affinity(w, s, spec);
}

static void of_persistent_volume(const struct warner *w,
                                 const struct core_v1_persistent_volume_source *v)
{
    const struct field_path *spec = path_of(w, NULL, "spec");
    const struct {
        const char *name;
        const void *set;
        const char *text;
    } old[] = {
        { "photonPersistentDisk", v->photon_persistent_disk,
          "deprecated in v1.11, non-functional in v1.16+" },
        { "scaleIO", v->scale_io, "deprecated in v1.16, non-functional in v1.22+" },
        { "storageOS", v->storageos, "deprecated in v1.22, non-functional in v1.25+" },
        { "glusterfs", v->glusterfs, "deprecated in v1.25, non-functional in v1.26+" },
        { "rbd", v->rbd, "deprecated in v1.28, non-functional in v1.31+" },
        { "cephfs", v->cephfs, "deprecated in v1.28, non-functional in v1.31+" },
    };

    for (size_t i = 0; i < ARRAY_LEN(old); i++) {
        struct field_path at = field_path_member(spec, str_from_cstr(old[i].name));

        if (old[i].set)
            warn(w, &at, "%s", old[i].text);
    }
}

static void of_service(const struct warner *w, const struct core_v1_service_spec *s)
{
    bool headless = str_eq(s->type, STR("ClusterIP")) && str_eq(s->cluster_ip, STR("None"));
    bool external = str_eq(s->type, STR("ExternalName"));

    if (headless && s->load_balancer_ip.len)
        w->fn(w->arg, STR("spec.loadBalancerIP is ignored for headless services"));
    if (headless && s->external_ips.len)
        w->fn(w->arg, STR("spec.externalIPs is ignored for headless services"));
    if (headless && !str_eq(s->session_affinity, STR("None")))
        w->fn(w->arg, STR("spec.SessionAffinity is ignored for headless services"));
    if (s->external_ips.len && !headless && !external)
        w->fn(w->arg, STR("spec.externalIPs is deprecated and may no longer be implemented in some "
                          "clusters"));
    if (s->external_ips.len && external)
        w->fn(w->arg, STR("spec.externalIPs is ignored when spec.type is \"ExternalName\""));
    if (!external && s->external_name.len)
        w->fn(w->arg, STR("spec.externalName is ignored when spec.type is not \"ExternalName\""));
    if (str_eq(s->traffic_distribution, STR("PreferClose")))
        w->fn(w->arg, STR("spec.trafficDistribution: \"PreferClose\" is deprecated; use "
                          "\"PreferSameZone\""));
}

/* Where the kinds with a template have it. */
static const struct {
    const char *type;
    const char *path;
    size_t offset;
} templates[] = {
    { "apps/v1.Deployment", "spec.template.spec",
      offsetof(struct apps_v1_deployment, spec.template.spec) },
    { "apps/v1.ReplicaSet", "spec.template.spec",
      offsetof(struct apps_v1_replica_set, spec.template.spec) },
    { "apps/v1.DaemonSet", "spec.template.spec",
      offsetof(struct apps_v1_daemon_set, spec.template.spec) },
    { "apps/v1.StatefulSet", "spec.template.spec",
      offsetof(struct apps_v1_stateful_set, spec.template.spec) },
    { "batch/v1.Job", "spec.template.spec", offsetof(struct batch_v1_job, spec.template.spec) },
    { "batch/v1.CronJob", "spec.jobTemplate.spec.template.spec",
      offsetof(struct batch_v1_cron_job, spec.job_template.spec.template.spec) },
    { "core/v1.PodTemplate", "template.spec",
      offsetof(struct core_v1_pod_template, template.spec) },
};

static bool is_type(struct object o, const char *type)
{
    return o.type == schema_walk_type(&schema_builtin, type);
}

/* Names of configurations that a server may take from files. */
static void of_admission(const struct warner *w, struct object o)
{
    static const char *const types[] = {
        "MutatingAdmissionPolicy",          "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",     "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    };
    const struct field_path *name = path_of(w, NULL, "metadata.name");

    if (!str_has_suffix(object_meta(o)->name, STR(".static.k8s.io")))
        return;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (is_type(o,
                    str_cstr(w->arena, arena_printf(w->arena, "admissionregistration.k8s.io/v1.%s",
                                                    types[i]))))
            warn(w, name,
                 "names ending with \".static.k8s.io\" are reserved for static manifest-based "
                 "configurations and cannot be managed via the API");
}

void warnings_of(struct arena *a, struct object o, struct object old, warnings_fn fn, void *arg)
{
    struct warner w = { .arena = a, .fn = fn, .arg = arg };

    if (o.schema != &schema_builtin)
        return;
    if (is_type(o, "core/v1.Service"))
        of_service(&w, &((const struct core_v1_service *)o.data)->spec);
    else if (is_type(o, "core/v1.PersistentVolume"))
        of_persistent_volume(
            &w, &((const struct core_v1_persistent_volume *)o.data)->spec.persistent_volume_source);
    else if (is_type(o, "core/v1.Pod") && !old.data) /* people rarely change a Pod */
        of_pod(&w, &((const struct core_v1_pod *)o.data)->spec, path_of(&w, NULL, "spec"));
    of_admission(&w, o);
    for (size_t i = 0; i < ARRAY_LEN(templates); i++)
        if (is_type(o, templates[i].type) &&
            (!old.data || object_meta(o)->generation != object_meta(old)->generation))
            of_pod(&w, (const void *)((const char *)o.data + templates[i].offset),
                   path_of(&w, NULL, templates[i].path));
}
