/* Rules of Pods that look at several fields. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/object.h"
#include "api/rules_pod_scan.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

enum { HOST_NAME_MAX_BYTES = 64, NAMESERVERS_MAX = 3, SEARCHES_MAX = 32, SEARCH_MAX_BYTES = 2048 };

#define MIRROR "kubernetes.io/config.mirror"

/* Tokens need an account; templates get theirs when a Pod is made of them. */
static void check_tokens(const struct rule_context *c, const struct core_v1_pod_spec *s)
{
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path volumes = field_path_member(&spec, STR("volumes"));

    if (s->service_account_name.len)
        return;
    for (uint32_t i = 0; i < s->volumes.len; i++) {
        const struct core_v1_projected_volume_source *p =
            s->volumes.items[i].volume_source.projected;
        struct field_path item = field_path_index(&volumes, i);
        struct field_path projected = field_path_member(&item, STR("projected"));
        struct field_path sources = field_path_member(&projected, STR("sources"));

        for (uint32_t k = 0; p && k < p->sources.len; k++) {
            struct field_path source = field_path_index(&sources, k);
            struct field_path at = field_path_member(&source, STR("serviceAccountToken"));

            if (p->sources.items[k].service_account_token)
                field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                                 "must not be specified when serviceAccountName is not set");
        }
    }
}

static void check_images(const struct rule_context *c, const char *list,
                         const struct core_v1_container *items, uint32_t n)
{
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path all = field_path_member(&spec, str_from_cstr(list));

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&all, i);
        struct field_path at = field_path_member(&item, STR("image"));
        struct str image = items[i].image;

        if (str_trim(image).len != image.len)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, image,
                                  "must not have leading or trailing whitespace");
    }
}

void rule_pod(const struct rule_context *c)
{
    const struct core_v1_pod *pod = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path ephemeral = field_path_member(&spec, STR("ephemeralContainers"));
    struct field_path node = field_path_member(&spec, STR("nodeName"));

    check_tokens(c, &pod->spec);
    check_images(c, "containers", pod->spec.containers.items, pod->spec.containers.len);
    check_images(c, "initContainers", pod->spec.init_containers.items,
                 pod->spec.init_containers.len);
    if (c->request->old.data) {
        rule_pod_update(c);
        return;
    }
    if (pod->spec.ephemeral_containers.len)
        field_errors_add(c->errs, &ephemeral, FIELD_ERROR_FORBIDDEN, "cannot be set on create");
    if (pod->spec.node_name.len && pod->spec.scheduling_gates.len)
        field_errors_add(c->errs, &node, FIELD_ERROR_FORBIDDEN,
                         "cannot be set until all schedulingGates have been cleared");
    rule_annotations_match(c);
}

void rule_pod_template(const struct rule_context *c)
{
    const struct core_v1_pod_template_spec *t = c->data;
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path ephemeral = field_path_member(&spec, STR("ephemeralContainers"));

    rule_annotations_match(c);
    if (t->spec.ephemeral_containers.len)
        field_errors_add(c->errs, &ephemeral, FIELD_ERROR_FORBIDDEN,
                         "ephemeral containers not allowed in pod template");
}

/* The claim templates of a StatefulSet are volumes of its Pods. */
static void scan_claim_templates(struct pod_scan *s)
{
    const struct object *o = &s->c->request->object;
    const struct apps_v1_stateful_set *set = o->data;

    if (!str_eq(schema_str(o->schema, o->type->name), STR("StatefulSet")) ||
        o->type != schema_walk_type(o->schema, "apps/v1.StatefulSet"))
        return;
    for (uint32_t i = 0; i < set->spec.volume_claim_templates.len; i++)
        (void)rule_names_add(s->c, &s->volumes,
                             set->spec.volume_claim_templates.items[i].metadata.name, NULL);
}

void rule_pod_begin(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct pod_scan *scan = ARENA_NEW(c->arena, struct pod_scan);
    bool is_pod = c->up && !c->up->up;

    *scan = (struct pod_scan){ .c = c, .spec = s, .host_users = !s->host_users || *s->host_users };
    c->scratch->pod = scan;
    if (is_pod)
        scan->meta = &((const struct core_v1_pod *)c->up->data)->metadata;
    scan_claim_templates(scan);
    for (uint32_t i = 0; is_pod && scan->meta->name.len && i < s->volumes.len; i++)
        if (s->volumes.items[i].volume_source.ephemeral)
            (void)rule_names_add(c, &scan->created,
                                 arena_printf(c->arena, "%.*s-%.*s", STR_ARG(scan->meta->name),
                                              STR_ARG(s->volumes.items[i].name)),
                                 scan);
    for (uint32_t i = 0; i < s->resource_claims.len; i++)
        if (s->resource_claims.items[i].name.len)
            (void)rule_names_add(c, &scan->claims, s->resource_claims.items[i].name, NULL);
}

void rule_pod_end(const struct rule_context *c)
{
    struct pod_scan *scan = c->scratch->pod;
    struct rule_names *all[] = { &scan->volumes, &scan->claims,    &scan->all,
                                 &scan->created, &scan->seen[0],   &scan->seen[1],
                                 &scan->files,   &scan->others[0], &scan->others[1] };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        rule_names_done(all[i]);
}

void pod_scan_containers(const struct rule_context *spec, pod_scan_fn fn)
{
    const struct core_v1_pod_spec *s = spec->data;
    struct field_path inits = field_path_member(spec->path, STR("initContainers"));
    struct field_path regular = field_path_member(spec->path, STR("containers"));
    struct field_path ephemeral = field_path_member(spec->path, STR("ephemeralContainers"));

    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        struct field_path item = field_path_index(&inits, i);

        fn(spec, &s->init_containers.items[i], &item);
    }
    for (uint32_t i = 0; i < s->containers.len; i++) {
        struct field_path item = field_path_index(&regular, i);

        fn(spec, &s->containers.items[i], &item);
    }
    for (uint32_t i = 0; i < s->ephemeral_containers.len; i++) {
        struct field_path item = field_path_index(&ephemeral, i);

        /* They begin with the fields of a container. */
        fn(spec, (const void *)&s->ephemeral_containers.items[i], &item);
    }
}

/* Of regular containers no two may want one port of the host. */
void rule_host_ports(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path list = field_path_member(c->path, STR("containers"));
    struct rule_names seen = { 0 };

    for (uint32_t i = 0; i < s->containers.len; i++) {
        const struct core_v1_container *ctr = &s->containers.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path ports = field_path_member(&item, STR("ports"));

        for (uint32_t k = 0; k < ctr->ports.len; k++) {
            const struct core_v1_container_port *p = &ctr->ports.items[k];
            struct field_path port = field_path_index(&ports, k);
            struct field_path at = field_path_member(&port, STR("hostPort"));
            struct str key;

            if (p->host_port == 0)
                continue;
            key = arena_printf(c->arena, "%.*s/%.*s/%d", STR_ARG(p->protocol), STR_ARG(p->host_ip),
                               p->host_port);
            if (!rule_names_add(c, &seen, key, NULL))
                field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, key, "");
        }
    }
    rule_names_done(&seen);
}

void rule_host_network(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    const struct pod_scan *scan = c->scratch->pod;
    struct field_path list = field_path_member(c->path, STR("containers"));

    for (uint32_t i = 0; s->host_network && i < s->containers.len; i++) {
        const struct core_v1_container *ctr = &s->containers.items[i];
        struct field_path item = field_path_index(&list, i);
        struct field_path ports = field_path_member(&item, STR("ports"));

        for (uint32_t k = 0; k < ctr->ports.len; k++) {
            const struct core_v1_container_port *p = &ctr->ports.items[k];
            struct field_path port = field_path_index(&ports, k);
            struct field_path at = field_path_member(&port, STR("hostPort"));

            if ((scan->meta || p->host_port) && p->host_port != p->container_port)
                field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                                     arena_printf(c->arena, "%d", p->host_port),
                                     "must match `containerPort` when `hostNetwork` is true");
        }
    }
}

static void forbid_devices(const struct rule_context *c, const struct core_v1_container *ctr,
                           const struct field_path *path)
{
    struct field_path at = field_path_member(path, STR("volumeDevices"));

    if (ctr->volume_devices.len)
        field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN, "when `hostUsers` is false");
}

void rule_host_users(const struct rule_context *c)
{
    static const char text[] = "when `hostUsers` is false";
    const struct core_v1_pod_spec *s = c->data;
    const struct pod_scan *scan = c->scratch->pod;

    if (scan->host_users)
        return;
    if (s->host_network)
        rule_forbidden(c, "hostNetwork", text);
    if (s->host_pid)
        rule_forbidden(c, "HostPID", text);
    if (s->host_ipc)
        rule_forbidden(c, "HostIPC", text);
    pod_scan_containers(c, forbid_devices);
}

void rule_pod_host_name(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path at = field_path_member(c->path, STR("hostnameOverride"));

    if (!s->hostname_override.p)
        return;
    if (s->set_hostname_as_fqdn && *s->set_hostname_as_fqdn)
        rule_forbidden(c, "hostnameOverride",
                       "may not be specified when setHostnameAsFQDN is true");
    if (s->host_network)
        rule_forbidden(c, "hostnameOverride", "may not be specified when hostNetwork is true");
    if (s->hostname_override.len > HOST_NAME_MAX_BYTES)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         HOST_NAME_MAX_BYTES);
    (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, s->hostname_override);
}

static void check_searches(const struct rule_context *c, const struct core_v1_pod_dns_config *d,
                           const struct field_path *path)
{
    struct field_path searches = field_path_member(path, STR("searches"));
    struct str printed = rule_print_texts(c->arena, d->searches.items, d->searches.len);
    size_t bytes = d->searches.len ? d->searches.len - 1 : 0;

    for (uint32_t i = 0; i < d->searches.len; i++)
        bytes += d->searches.items[i].len;
    if (d->searches.len > SEARCHES_MAX)
        field_errors_add_raw(c->errs, &searches, FIELD_ERROR_INVALID, printed,
                             "must not have more than %d search paths", SEARCHES_MAX);
    if (bytes > SEARCH_MAX_BYTES)
        field_errors_add_raw(c->errs, &searches, FIELD_ERROR_INVALID, printed,
                             "must not have more than %d characters (including spaces) in the "
                             "search list",
                             SEARCH_MAX_BYTES);
    for (uint32_t i = 0; i < d->searches.len; i++) {
        struct field_path item = field_path_index(&searches, i);
        struct str s = d->searches.items[i];

        if (str_eq(s, STR(".")))
            continue;
        if (s.len && s.p[s.len - 1] == '.')
            s.len--;
        (void)name_rule_report(c->errs, &item, NAME_RULE_DNS1123_SUBDOMAIN_UNDERSCORE, s);
    }
}

static void check_dns_options(const struct rule_context *c, const struct core_v1_pod_dns_config *d,
                              const struct field_path *path)
{
    struct field_path servers = field_path_member(path, STR("nameservers"));
    struct field_path options = field_path_member(path, STR("options"));

    if (d->nameservers.len > NAMESERVERS_MAX)
        field_errors_add_raw(c->errs, &servers, FIELD_ERROR_INVALID,
                             rule_print_texts(c->arena, d->nameservers.items, d->nameservers.len),
                             "must not have more than %d nameservers", NAMESERVERS_MAX);
    for (uint32_t i = 0; i < d->nameservers.len; i++) {
        struct field_path item = field_path_index(&servers, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_IP, d->nameservers.items[i]);
    }
    check_searches(c, d, path);
    for (uint32_t i = 0; i < d->options.len; i++) {
        struct field_path item = field_path_index(&options, i);

        if (d->options.items[i].name.len == 0)
            field_errors_add(c->errs, &item, FIELD_ERROR_REQUIRED, "must not be empty");
    }
}

void rule_pod_preemption(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;

    if (s->preemption_policy.p && !s->preemption_policy.len)
        rule_required(c, "preemptionPolicy", "");
}

void rule_dns_config(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path path = field_path_member(c->path, STR("dnsConfig"));
    struct field_path servers = field_path_member(&path, STR("nameservers"));
    bool none = str_eq(s->dns_policy, STR("None"));

    if (none && !s->dns_config)
        rule_required(c, "dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None");
    else if (none && s->dns_config->nameservers.len == 0)
        field_errors_add(c->errs, &servers, FIELD_ERROR_REQUIRED,
                         "must provide at least one DNS nameserver when `dnsPolicy` is None");
    else if (s->dns_config)
        check_dns_options(c, s->dns_config, &path);
}

void rule_host_alias(const struct rule_context *c)
{
    const struct core_v1_host_alias *h = c->data;
    struct field_path ip = field_path_member(c->path, STR("ip"));
    struct field_path names = field_path_member(c->path, STR("hostnames"));

    (void)name_rule_report(c->errs, &ip, NAME_RULE_IP, h->ip);
    for (uint32_t i = 0; i < h->hostnames.len; i++) {
        struct field_path item = field_path_index(&names, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_DNS1123_SUBDOMAIN, h->hostnames.items[i]);
    }
}

void rule_pod_gate(const struct rule_context *c)
{
    const struct core_v1_pod_scheduling_gate *g = c->data;
    struct rule_names *seen = &c->scratch->pod->seen[0];

    if (c->path->index == 0)
        rule_names_done(seen);
    (void)name_rule_report(c->errs, c->path, NAME_RULE_QUALIFIED_NAME, g->name);
    if (!rule_names_add(c, seen, g->name, g))
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_DUPLICATE, g->name, "");
}

static void check_claim_source(const struct rule_context *c,
                               const struct core_v1_pod_resource_claim *claim)
{
    struct field_path one = field_path_member(c->path, STR("resourceClaimName"));
    struct field_path template = field_path_member(c->path, STR("resourceClaimTemplateName"));
    struct str name = claim->resource_claim_name, of = claim->resource_claim_template_name;

    if (!name.p == !of.p)
        field_errors_add_raw(
            c->errs, c->path, FIELD_ERROR_INVALID,
            rule_print_internal(c->arena, "core/v1.PodResourceClaim", claim), "%s",
            name.p ? "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be "
                     "specified"
                   : "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    if (name.p)
        (void)name_rule_report(c->errs, &one, NAME_RULE_DNS1123_SUBDOMAIN, name);
    if (of.p)
        (void)name_rule_report(c->errs, &template, NAME_RULE_DNS1123_SUBDOMAIN, of);
}

void rule_pod_claim(const struct rule_context *c)
{
    const struct core_v1_pod_resource_claim *claim = c->data;
    struct pod_scan *scan = c->scratch->pod;
    struct field_path at = field_path_member(c->path, STR("name"));

    if (c->path->index == 0)
        rule_names_done(&scan->seen[0]);
    if (scan->meta && text_map_find(&scan->meta->annotations, STR(MIRROR))) {
        field_errors_add(c->errs, &(struct field_path){ .index = -1, .is_key = 1 },
                         FIELD_ERROR_FORBIDDEN, "static pods do not support resource claims");
        return;
    }
    if (claim->name.len == 0)
        rule_required(c, "name", "");
    else if (!rule_names_add(c, &scan->seen[0], claim->name, claim))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, claim->name, "");
    else
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_LABEL, claim->name);
    check_claim_source(c, claim);
}

static void check_file_keys(const struct rule_context *c, const struct core_v1_container *ctr,
                            const struct field_path *path)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path env = field_path_member(path, STR("env"));

    for (uint32_t i = 0; i < ctr->env.len; i++) {
        const struct core_v1_env_var_source *from = ctr->env.items[i].value_from;
        struct field_path item = field_path_index(&env, i);
        struct field_path source = field_path_member(&item, STR("valueFrom"));
        struct field_path key = field_path_member(&source, STR("fileKeyRef"));
        struct field_path at = field_path_member(&key, STR("volumeName"));
        const struct core_v1_volume *v = NULL;

        if (!from || !from->file_key_ref)
            continue;
        for (uint32_t k = 0; k < s->volumes.len; k++)
            if (str_eq(s->volumes.items[k].name, from->file_key_ref->volume_name))
                v = &s->volumes.items[k];
        if (!v)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_NOT_FOUND,
                                  from->file_key_ref->volume_name, "");
        else if (!v->volume_source.empty_dir)
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID,
                                  from->file_key_ref->volume_name,
                                  "referenced volume must be of type emptyDir");
    }
}

void rule_file_keys(const struct rule_context *c)
{
    pod_scan_containers(c, check_file_keys);
}
