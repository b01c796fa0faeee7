/* Rules of Pods that look at several fields. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/quantity.h"
#include "api/rules_internal.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/map.h"

void rule_pod(const struct rule_context *c)
{
    const struct core_v1_pod *pod = c->data;

    if (c->request->old.data) {
        rule_pod_update(c);
        return;
    }
    if (pod->spec.ephemeral_containers.len) {
        struct field_path spec = field_path_member(c->path, STR("spec"));
        struct field_path p = field_path_member(&spec, STR("ephemeralContainers"));

        field_errors_add(c->errs, &p, FIELD_ERROR_FORBIDDEN, "cannot be set on create");
    }
}

/* The paths leave out "metadata", as upstream's do. */
void rule_pod_template(const struct rule_context *c)
{
    const struct core_v1_pod_template_spec *t = c->data;
    struct field_path labels = field_path_member(c->path, STR("labels"));
    struct field_path annotations = field_path_member(c->path, STR("annotations"));
    struct field_path spec = field_path_member(c->path, STR("spec"));
    struct field_path ephemeral = field_path_member(&spec, STR("ephemeralContainers"));

    meta_validate_labels(c->errs, &t->metadata.labels, &labels);
    meta_validate_annotations(c->errs, &t->metadata.annotations, &annotations);
    if (t->spec.ephemeral_containers.len)
        field_errors_add(c->errs, &ephemeral, FIELD_ERROR_FORBIDDEN,
                         "ephemeral containers not allowed in pod template");
}

/* State that all containers of a Pod share. */
struct pod_scan {
    const struct rule_context *c;
    const struct core_v1_pod_spec *spec;
    struct map names;
    struct map volumes;
    struct map host_ports;
};

static void scan_ports(struct pod_scan *s, const struct core_v1_container *ctr,
                       const struct field_path *path)
{
    struct field_path ports = field_path_member(path, STR("ports"));

    for (uint32_t i = 0; i < ctr->ports.len; i++) {
        const struct core_v1_container_port *p = &ctr->ports.items[i];
        struct field_path item = field_path_index(&ports, i);
        struct field_path host = field_path_member(&item, STR("hostPort"));
        struct field_path own = field_path_member(&item, STR("containerPort"));
        struct str key;

        if (s->spec->host_network && p->host_port != p->container_port)
            field_errors_add_raw(s->c->errs, &own, FIELD_ERROR_INVALID,
                                 arena_printf(s->c->arena, "%d", p->container_port),
                                 "must match `hostPort` when `hostNetwork` is true");
        if (p->host_port == 0)
            continue;
        key = arena_printf(s->c->arena, "%.*s/%.*s/%d", STR_ARG(p->protocol), STR_ARG(p->host_ip),
                           p->host_port);
        if (map_has(&s->host_ports, key))
            field_errors_add_text(s->c->errs, &host, FIELD_ERROR_DUPLICATE, key, "");
        else
            (void)map_put(&s->host_ports, key, s); /* a set */
    }
}

static void scan_mounts(struct pod_scan *s, const struct core_v1_container *ctr,
                        const struct field_path *path)
{
    CLEANUP(map_done) struct map seen = { 0 };
    struct field_path mounts = field_path_member(path, STR("volumeMounts"));

    for (uint32_t i = 0; i < ctr->volume_mounts.len; i++) {
        const struct core_v1_volume_mount *m = &ctr->volume_mounts.items[i];
        struct field_path item = field_path_index(&mounts, i);
        struct field_path name = field_path_member(&item, STR("name"));
        struct field_path at = field_path_member(&item, STR("mountPath"));

        if (m->name.len && !map_has(&s->volumes, m->name))
            field_errors_add_text(s->c->errs, &name, FIELD_ERROR_NOT_FOUND, m->name, "");
        if (m->mount_path.len && map_put(&seen, m->mount_path, s))
            field_errors_add_text(s->c->errs, &at, FIELD_ERROR_INVALID, m->mount_path,
                                  "must be unique");
    }
}

static void scan_container(struct pod_scan *s, const struct core_v1_container *ctr,
                           const struct field_path *path, bool is_init)
{
    struct field_path name = field_path_member(path, STR("name"));
    bool sidecar = str_eq(ctr->restart_policy, STR("Always"));
    struct rule_context at = *s->c;

    if (ctr->name.len && map_put(&s->names, ctr->name, s))
        field_errors_add_text(s->c->errs, &name, FIELD_ERROR_DUPLICATE, ctr->name, "");
    scan_mounts(s, ctr, path);
    if (!is_init || sidecar)
        scan_ports(s, ctr, path);
    if (!is_init || sidecar)
        return;
    at.path = path;
    if (ctr->lifecycle)
        rule_forbidden(&at, "lifecycle",
                       "may not be set for init containers without restartPolicy=Always");
    if (ctr->liveness_probe)
        rule_forbidden(&at, "livenessProbe",
                       "may not be set for init containers without restartPolicy=Always");
    if (ctr->readiness_probe)
        rule_forbidden(&at, "readinessProbe",
                       "may not be set for init containers without restartPolicy=Always");
    if (ctr->startup_probe)
        rule_forbidden(&at, "startupProbe",
                       "may not be set for init containers without restartPolicy=Always");
}

static bool is_sysctl_of_ipc(struct str name)
{
    static const struct str names[] = {
        STR_INIT("kernel.sem"),    STR_INIT("kernel.shmall"), STR_INIT("kernel.shmmax"),
        STR_INIT("kernel.shmmni"), STR_INIT("kernel.shm"),    STR_INIT("kernel.shm_rmid_forced"),
        STR_INIT("kernel.msgmax"), STR_INIT("kernel.msgmnb"), STR_INIT("kernel.msgmni"),
        STR_INIT("kernel.msg"),
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_has_prefix(name, STR("fs.mqueue."));
}

/* A Pod does not set what is its host's. */
static void check_host_sysctls(const struct rule_context *c, const struct core_v1_pod_spec *s)
{
    struct field_path context = field_path_member(c->path, STR("securityContext"));
    struct field_path list = field_path_member(&context, STR("sysctls"));

    if (!s->security_context || c->old)
        return;
    for (uint32_t i = 0; i < s->security_context->sysctls.len; i++) {
        struct str name = s->security_context->sysctls.items[i].name;
        struct field_path item = field_path_index(&list, i);
        struct field_path p = field_path_member(&item, STR("name"));

        const char *why = NULL;

        if (s->host_network && str_has_prefix(name, STR("net.")))
            why = "may not be specified when 'hostNetwork' is true";
        else if (s->host_ipc && is_sysctl_of_ipc(name))
            why = "may not be specified when 'hostIPC' is true";
        if (why)
            field_errors_add_text(c->errs, &p, FIELD_ERROR_INVALID, name, "%s", why);
    }
}

static void check_host_namespaces(const struct rule_context *c, const struct core_v1_pod_spec *s)
{
    struct field_path p = field_path_member(c->path, STR("shareProcessNamespace"));

    if (s->host_pid && s->share_process_namespace && *s->share_process_namespace)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID, STR("true"),
                             "ShareProcessNamespace and HostPID cannot both be enabled");
    check_host_sysctls(c, s);
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
        (void)map_put(&s->volumes, set->spec.volume_claim_templates.items[i].metadata.name, s);
}

void rule_pod_spec(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct pod_scan scan = { .c = c, .spec = s };
    struct field_path containers = field_path_member(c->path, STR("containers"));
    struct field_path inits = field_path_member(c->path, STR("initContainers"));

    for (uint32_t i = 0; i < s->volumes.len; i++)
        (void)map_put(&scan.volumes, s->volumes.items[i].name, &scan); /* a set */
    scan_claim_templates(&scan);
    for (uint32_t i = 0; i < s->containers.len; i++) {
        struct field_path item = field_path_index(&containers, i);

        scan_container(&scan, &s->containers.items[i], &item, false);
    }
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        struct field_path item = field_path_index(&inits, i);

        scan_container(&scan, &s->init_containers.items[i], &item, true);
    }
    check_host_namespaces(c, s);
    map_done(&scan.names);
    map_done(&scan.volumes);
    map_done(&scan.host_ports);
}

static bool is_sysctl_char(char c, bool is_inner)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (is_inner && (c == '-' || c == '_'));
}

/* Segments of lower case letters and digits, "-" and "_" inside, between dots or slashes. */
static bool is_sysctl_name(struct str name)
{
    bool begins = true;

    for (size_t i = 0; i < name.len; i++) {
        bool is_end = i + 1 == name.len || name.p[i + 1] == '.' || name.p[i + 1] == '/';

        if (!begins && (name.p[i] == '.' || name.p[i] == '/')) {
            begins = true;
            continue;
        }
        if (!is_sysctl_char(name.p[i], !begins && !is_end))
            return false;
        begins = false;
    }
    return name.len && !begins && name.len <= 253;
}

void rule_sysctl(const struct rule_context *c)
{
    const struct core_v1_sysctl *s = c->data;

    if (s->name.len && !is_sysctl_name(s->name))
        rule_invalid(c, "name", s->name,
                     "must have at most 253 characters and match regex "
                     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
}

void rule_supplemental_groups(const struct rule_context *c)
{
    const struct core_v1_pod_security_context *s = c->data;
    struct field_path list = field_path_member(c->path, STR("supplementalGroups"));

    for (uint32_t i = 0; i < s->supplemental_groups.len; i++) {
        struct field_path item = field_path_index(&list, i);
        int64_t gid = s->supplemental_groups.items[i];

        if (gid < 0 || gid > INT32_MAX)
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_INVALID,
                                 arena_printf(c->arena, "%lld", (long long)gid),
                                 "must be between 0 and 2147483647, inclusive");
    }
}

static bool is_false(const bool *b)
{
    return b && !*b;
}

void rule_security_context(const struct rule_context *c)
{
    const struct core_v1_security_context *s = c->data;
    bool admin = false;

    if (!is_false(s->allow_privilege_escalation))
        return;
    if (s->privileged && *s->privileged)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             rule_print_struct(c->arena, "core/v1.SecurityContext", s),
                             "cannot set `allowPrivilegeEscalation` to false and `privileged` to "
                             "true");
    for (uint32_t i = 0; s->capabilities && i < s->capabilities->add.len; i++)
        admin |= str_eq(s->capabilities->add.items[i], STR("CAP_SYS_ADMIN"));
    if (admin)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             rule_print_struct(c->arena, "core/v1.SecurityContext", s),
                             "cannot set `allowPrivilegeEscalation` to false and "
                             "`capabilities.Add` CAP_SYS_ADMIN");
}

void rule_seccomp_profile(const struct rule_context *c)
{
    const struct core_v1_seccomp_profile *s = c->data;

    if (str_eq(s->type, STR("Localhost"))) {
        if (s->localhost_profile.len == 0)
            rule_required(c, "localhostProfile", "must be set when seccomp type is Localhost");
    } else if (s->localhost_profile.p) {
        rule_invalid(c, "localhostProfile", s->localhost_profile,
                     "can only be set when seccomp type is Localhost");
    }
}

static void check_success_threshold(const struct rule_context *c, const char *probe,
                                    const struct core_v1_probe *p)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(probe));
    struct field_path threshold = field_path_member(&at, STR("successThreshold"));

    if (p && p->success_threshold != 1)
        field_errors_add_raw(c->errs, &threshold, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%d", p->success_threshold), "must be 1");
}

void rule_container(const struct rule_context *c)
{
    const struct core_v1_container *ctr = c->data;

    if (ctr->image.len && !str_eq(str_trim(ctr->image), ctr->image))
        rule_invalid(c, "image", ctr->image, "must not have leading or trailing whitespace");
    check_success_threshold(c, "livenessProbe", ctr->liveness_probe);
    check_success_threshold(c, "startupProbe", ctr->startup_probe);
}

void rule_env_var(const struct rule_context *c)
{
    const struct core_v1_env_var *e = c->data;
    const struct core_v1_env_var_source *s = e->value_from;
    int n;

    if (!s)
        return;
    n = !!s->field_ref + !!s->resource_field_ref + !!s->config_map_key_ref + !!s->secret_key_ref +
        !!s->file_key_ref;
    if (n == 0)
        rule_invalid(c, "valueFrom", STR(""),
                     "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                     "`secretKeyRef` or `fileKeyRef`");
    else if (e->value.len)
        rule_invalid(c, "valueFrom", STR(""), "may not be specified when `value` is not empty");
    else if (n > 1)
        rule_invalid(c, "valueFrom", STR(""),
                     "may not have more than one field specified at a time");
}

void rule_env_from(const struct rule_context *c)
{
    const struct core_v1_env_from_source *e = c->data;
    int n = !!e->config_map_ref + !!e->secret_ref;

    if (n == 0)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "must specify one of: `configMapRef` or `secretRef`");
    else if (n > 1)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "may not have more than one field specified at a time");
}

static void check_not_negative(const struct rule_context *c, const char *member, const void *map)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    const struct schema_str_entry *e = text_map_items(map);

    for (uint32_t i = 0; i < text_map_len(map); i++) {
        struct field_path key = field_path_key(&at, e[i].key);
        struct quantity q;

        (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, e[i].key);
        if (quantity_parse(e[i].value, &q) && q.nano < 0)
            field_errors_add_text(c->errs, &key, FIELD_ERROR_INVALID, e[i].value,
                                  "must be greater than or equal to 0");
    }
}

void rule_resources(const struct rule_context *c)
{
    const struct core_v1_resource_requirements *r = c->data;
    const struct schema_str_entry *e = text_map_items(&r->requests);
    struct field_path requests = field_path_member(c->path, STR("requests"));

    check_not_negative(c, "limits", &r->limits);
    check_not_negative(c, "requests", &r->requests);
    for (uint32_t i = 0; i < text_map_len(&r->requests); i++) {
        const struct schema_str_entry *limit = text_map_find(&r->limits, e[i].key);
        struct quantity want, most;

        if (limit && quantity_parse(e[i].value, &want) && quantity_parse(limit->value, &most) &&
            quantity_compare(want, most) > 0)
            field_errors_add_text(c->errs, &requests, FIELD_ERROR_INVALID, e[i].value,
                                  "must be less than or equal to %.*s limit of %.*s",
                                  STR_ARG(e[i].key), STR_ARG(limit->value));
    }
}

static bool has_parent_step(struct str path)
{
    struct str part;

    while (str_next(&path, '/', &part))
        if (str_eq(part, STR("..")))
            return true;
    return false;
}

static void check_sub_path(const struct rule_context *c, const char *member, struct str path)
{
    if (path.len && path.p[0] == '/')
        rule_invalid(c, member, path, "must be a relative path");
    if (has_parent_step(path))
        rule_invalid(c, member, path, "must not contain '..'");
}

void rule_volume_mount(const struct rule_context *c)
{
    const struct core_v1_volume_mount *m = c->data;

    check_sub_path(c, "subPath", m->sub_path);
    if (m->sub_path_expr.len && m->sub_path.len)
        rule_invalid(c, "subPathExpr", m->sub_path_expr,
                     "subPathExpr and subPath are mutually exclusive");
    else
        check_sub_path(c, "subPathExpr", m->sub_path_expr);
}

void rule_http_get(const struct rule_context *c)
{
    const struct core_v1_http_get_action *a = c->data;

    rule_check_port(c, "port", &a->port);
}

void rule_tcp_socket(const struct rule_context *c)
{
    const struct core_v1_tcp_socket_action *a = c->data;

    rule_check_port(c, "port", &a->port);
}

void rule_host_path(const struct rule_context *c)
{
    const struct core_v1_host_path_volume_source *h = c->data;

    if (has_parent_step(h->path))
        rule_invalid(c, "path", h->path, "must not contain '..'");
}

void rule_key_to_path(const struct rule_context *c)
{
    const struct core_v1_key_to_path *k = c->data;

    check_sub_path(c, "path", k->path);
    if (str_has_prefix(k->path, STR("..")) && !has_parent_step(k->path))
        rule_invalid(c, "path", k->path, "must not start with '..'");
}

void rule_toleration(const struct rule_context *c)
{
    static const struct str effects[] = { STR_INIT("NoSchedule"), STR_INIT("PreferNoSchedule"),
                                          STR_INIT("NoExecute") };
    static const struct str operators[] = { STR_INIT("Equal"), STR_INIT("Exists") };
    const struct core_v1_toleration *t = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));
    struct field_path op = field_path_member(c->path, STR("operator"));
    struct field_path effect = field_path_member(c->path, STR("effect"));
    bool exists = str_eq(t->operator, STR("Exists"));

    if (t->key.len)
        (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, t->key);
    else if (!exists)
        field_errors_add_text(c->errs, &op, FIELD_ERROR_INVALID, t->operator,
                              "operator must be Exists when `key` is empty, which means \"match "
                              "all values and all keys\"");
    if (t->toleration_seconds && !str_eq(t->effect, effects[2]))
        field_errors_add_text(c->errs, &effect, FIELD_ERROR_INVALID, t->effect,
                              "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (exists && t->value.len)
        field_errors_add_raw(c->errs, &op, FIELD_ERROR_INVALID,
                             rule_print_struct(c->arena, "core/v1.Toleration", t),
                             "value must be empty when `operator` is 'Exists'");
    else if (t->operator.len == 0 || str_eq(t->operator, operators[0]))
        (void)name_rule_report(c->errs, &op, NAME_RULE_LABEL_VALUE, t->value);
    else if (!exists)
        field_errors_add_unsupported(c->errs, &op, t->operator, operators, 2);
    if (t->effect.len && !str_eq(t->effect, effects[0]) && !str_eq(t->effect, effects[1]) &&
        !str_eq(t->effect, effects[2]))
        field_errors_add_unsupported(c->errs, &effect, t->effect, effects, 3);
}

void rule_node_requirement(const struct rule_context *c)
{
    const struct core_v1_node_selector_requirement *r = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));

    if (str_eq(r->operator, STR("In")) || str_eq(r->operator, STR("NotIn"))) {
        if (r->values.len == 0)
            rule_required(c, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (str_eq(r->operator, STR("Exists")) || str_eq(r->operator, STR("DoesNotExist"))) {
        if (r->values.len)
            rule_forbidden(c, "values",
                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (str_eq(r->operator, STR("Gt")) || str_eq(r->operator, STR("Lt"))) {
        if (r->values.len != 1)
            rule_required(c, "values",
                          "must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        rule_invalid(c, "operator", r->operator, "not a valid selector operator");
    }
    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, r->key);
}

void rule_label_requirement(const struct rule_context *c)
{
    const struct meta_v1_label_selector_requirement *r = c->data;
    struct field_path key = field_path_member(c->path, STR("key"));
    struct field_path values = field_path_member(c->path, STR("values"));

    if (str_eq(r->operator, STR("In")) || str_eq(r->operator, STR("NotIn"))) {
        if (r->values.len == 0)
            rule_required(c, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (str_eq(r->operator, STR("Exists")) || str_eq(r->operator, STR("DoesNotExist"))) {
        if (r->values.len)
            rule_forbidden(c, "values",
                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
        rule_invalid(c, "operator", r->operator, "not a valid selector operator");
    }
    (void)name_rule_report(c->errs, &key, NAME_RULE_QUALIFIED_NAME, r->key);
    for (uint32_t i = 0; i < r->values.len; i++) {
        struct field_path item = field_path_index(&values, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_LABEL_VALUE, r->values.items[i]);
    }
}
