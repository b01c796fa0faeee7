/* Rules of containers that look at several fields, or at the Pod that holds them. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/quantity.h"
#include "api/rules_pod_scan.h"
#include "base/arena.h"

enum { MAX_RESTART_RULES = 20 };

bool pod_scan_is_in(const struct field_path *container, const char *list)
{
    return container->parent && str_eq(container->parent->name, str_from_cstr(list));
}

static struct pod_scan *scan_of(const struct rule_context *c)
{
    return c->scratch->pod;
}

/* The path of the list that the struct is an item of: many of upstream's errors name it alone. */
static const struct field_path *list_of(const struct rule_context *c)
{
    return c->path->parent ? c->path->parent : c->path;
}

static void check_restart_policy(const struct rule_context *c, const struct core_v1_container *ctr)
{
    struct field_path rules = field_path_member(c->path, STR("restartPolicyRules"));

    if (!ctr->restart_policy.p) {
        if (ctr->restart_policy_rules.len == 0)
            return;
        rule_required(c, "restartPolicy", "must specify restartPolicy when restart rules are used");
    } else if (!str_eq(ctr->restart_policy, STR("Always")) &&
               !str_eq(ctr->restart_policy, STR("Never")) &&
               !str_eq(ctr->restart_policy, STR("OnFailure"))) {
        rule_unsupported(c, "restartPolicy", ctr->restart_policy, "Always|Never|OnFailure");
    }
    if (ctr->restart_policy_rules.len > MAX_RESTART_RULES)
        field_errors_add_raw(c->errs, &rules, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", ctr->restart_policy_rules.len),
                             "must have at most %d items", MAX_RESTART_RULES);
    rule_below(c, "restartPolicyRules");
}

/* Of init containers only the ports of the same one clash; the path is upstream's. */
static void check_host_ports(const struct rule_context *c, const struct core_v1_container *ctr)
{
    struct rule_names seen = { 0 };
    struct field_path first = field_path_index(list_of(c), 0);
    struct field_path ports = field_path_member(&first, STR("ports"));

    for (uint32_t i = 0; i < ctr->ports.len; i++) {
        const struct core_v1_container_port *p = &ctr->ports.items[i];
        struct field_path item = field_path_index(&ports, i);
        struct field_path at = field_path_member(&item, STR("hostPort"));
        struct str key;

        if (p->host_port == 0)
            continue;
        key = arena_printf(c->arena, "%.*s/%.*s/%d", STR_ARG(p->protocol), STR_ARG(p->host_ip),
                           p->host_port);
        if (!rule_names_add(c, &seen, key, NULL))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, key, "");
    }
    rule_names_done(&seen);
}

/* What init and regular containers have apart from each other, before hooks and probes. */
void rule_container_kind(const struct rule_context *c)
{
    const struct core_v1_container *ctr = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));
    bool init = pod_scan_is_in(c->path, "initContainers");

    if (init && !ctr->restart_policy.p) {
        if (ctr->restart_policy_rules.len)
            rule_required(c, "restartPolicy",
                          "must specify restartPolicy when restart rules are used");
    } else if (init) {
        check_restart_policy(c, ctr);
    }
    if (!rule_names_add(c, &scan_of(c)->all, ctr->name, ctr) && (!init || ctr->name.len))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, ctr->name, "");
    if (init)
        check_host_ports(c, ctr);
}

static void check_init_only(const struct rule_context *c, const struct core_v1_container *ctr)
{
    struct field_path list = field_path_member(c->path, STR("resizePolicy"));

    rule_forbid_set(c, c->path, "core/v1.Container", ctr,
                    "lifecycle|livenessProbe|readinessProbe|startupProbe",
                    "may not be set for init containers without restartPolicy=Always");
    for (uint32_t i = 0; i < ctr->resize_policy.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path at = field_path_member(&item, STR("restartPolicy"));
        struct str policy = ctr->resize_policy.items[i].restart_policy;

        if (str_eq(policy, STR("RestartContainer")))
            field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, policy,
                                  "must not be set to 'RestartContainer' for non-sidecar "
                                  "initContainers");
    }
}

void rule_container_hooks(const struct rule_context *c)
{
    const struct core_v1_container *ctr = c->data;
    bool init = pod_scan_is_in(c->path, "initContainers");

    if (init && !str_eq(ctr->restart_policy, STR("Always"))) {
        check_init_only(c, ctr);
        return;
    }
    rule_below(c, "lifecycle");
    rule_below(c, "livenessProbe");
    rule_below(c, "readinessProbe");
    rule_below(c, "startupProbe");
    if (!init)
        check_restart_policy(c, ctr);
}

void rule_ephemeral_image(const struct rule_context *c)
{
    const struct core_v1_ephemeral_container_common *e = c->data;

    if (str_trim(e->image).len != e->image.len)
        rule_invalid(c, "image", e->image, "must not have leading or trailing whitespace");
}

void rule_ephemeral(const struct rule_context *c)
{
    static const char text[] = "cannot be set for an Ephemeral Container";
    const struct core_v1_ephemeral_container *e = c->data;
    const struct core_v1_ephemeral_container_common *common = &e->ephemeral_container_common;
    struct field_path name = field_path_member(c->path, STR("name"));
    struct field_path target = field_path_member(c->path, STR("targetContainerName"));
    struct field_path mounts = field_path_member(c->path, STR("volumeMounts"));
    struct pod_scan *scan = scan_of(c);
    const void *ctr = NULL;

    if (e->target_container_name.len &&
        (!rule_names_has(&scan->all, e->target_container_name, &ctr) || !ctr))
        ctr = NULL;
    if (!rule_names_add(c, &scan->all, common->name, NULL))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, common->name, "");
    if (e->target_container_name.len && !ctr)
        field_errors_add_text(c->errs, &target, FIELD_ERROR_NOT_FOUND, e->target_container_name,
                              "");
    rule_forbid_set(c, c->path, "core/v1.EphemeralContainerCommon", common, "ports", text);
    if (common->resources.limits.items || common->resources.requests.items ||
        common->resources.claims.items)
        rule_forbidden(c, "resources", text);
    rule_forbid_set(c, c->path, "core/v1.EphemeralContainerCommon", common,
                    "resizePolicy|restartPolicy|restartPolicyRules|livenessProbe|readinessProbe|"
                    "startupProbe|lifecycle",
                    text);
    for (uint32_t i = 0; i < common->volume_mounts.len; i++) {
        struct field_path item = field_path_index(&mounts, i);

        rule_forbid_set(c, &item, "core/v1.VolumeMount", &common->volume_mounts.items[i],
                        "subPath|subPathExpr", text);
    }
}

static void check_resize_policy(const struct rule_context *c,
                                const struct core_v1_container_resize_policy *p)
{
    struct field_path list = field_path_member(c->path, STR("resizePolicy"));

    if (p->resource_name.len == 0)
        field_errors_add(c->errs, &list, FIELD_ERROR_REQUIRED, "");
    else if (!str_eq(p->resource_name, STR("cpu")) && !str_eq(p->resource_name, STR("memory")))
        rule_unsupported(c, "resizePolicy", p->resource_name, "cpu|memory");
    if (p->restart_policy.len == 0)
        field_errors_add(c->errs, &list, FIELD_ERROR_REQUIRED, "");
    else if (!str_eq(p->restart_policy, STR("NotRequired")) &&
             !str_eq(p->restart_policy, STR("RestartContainer")))
        rule_unsupported(c, "resizePolicy", p->restart_policy, "NotRequired|RestartContainer");
    if (str_eq(scan_of(c)->spec->restart_policy, STR("Never")) &&
        !str_eq(p->restart_policy, STR("NotRequired")))
        rule_invalid(c, "resizePolicy", p->restart_policy,
                     "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
}

void rule_resize_policies(const struct rule_context *c)
{
    /* Both kinds of containers begin alike, as their types are generated from the same fields. */
    const struct core_v1_container *ctr = c->data;
    struct field_path list = field_path_member(c->path, STR("resizePolicy"));
    struct rule_names seen = { 0 };

    for (uint32_t i = 0; i < ctr->resize_policy.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct str name = ctr->resize_policy.items[i].resource_name;

        if (!rule_names_add(c, &seen, name, NULL))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, name, "");
        check_resize_policy(c, &ctr->resize_policy.items[i]);
    }
    rule_names_done(&seen);
}

void rule_probe(const struct rule_context *c)
{
    const struct core_v1_probe *p = c->data;
    bool readiness = str_eq(c->path->name, STR("readinessProbe"));

    if (!readiness && p->success_threshold != 1)
        rule_invalid_number(c, "successThreshold", p->success_threshold, "must be 1");
    if (readiness && p->termination_grace_period_seconds)
        rule_invalid_number(c, "terminationGracePeriodSeconds",
                            *p->termination_grace_period_seconds,
                            "must not be set for readinessProbes");
}

void rule_sleep(const struct rule_context *c)
{
    const struct core_v1_sleep_action *s = c->data;
    const int64_t *grace = scan_of(c)->spec->termination_grace_period_seconds;

    if (grace && (s->seconds < 0 || s->seconds > *grace))
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%lld", (long long)s->seconds),
                             "must be non-negative and less than terminationGracePeriodSeconds "
                             "(%lld)",
                             (long long)*grace);
}

void rule_container_port(const struct rule_context *c)
{
    const struct core_v1_container_port *p = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));
    struct rule_names *seen = &scan_of(c)->seen[0];

    if (c->path->index == 0)
        rule_names_done(seen);
    if (p->name.len && name_rule_report(c->errs, &name, NAME_RULE_PORT_NAME, p->name) &&
        !rule_names_add(c, seen, p->name, NULL))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, p->name, "");
}

void rule_env_var_source(const struct rule_context *c)
{
    const struct core_v1_env_var_source *s = c->data;
    const struct core_v1_env_var *e = c->up->data;
    const char *text = NULL;
    int n = !!s->field_ref + !!s->resource_field_ref + !!s->config_map_key_ref +
            !!s->secret_key_ref + !!s->file_key_ref;

    if (n == 0)
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
               "`secretKeyRef` or `fileKeyRef`";
    else if (e->value.len)
        text = "may not be specified when `value` is not empty";
    else if (n > 1)
        text = "may not have more than one field specified at a time";
    if (text)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""), "%s", text);
}

void rule_env_from(const struct rule_context *c)
{
    const struct core_v1_env_from_source *e = c->data;
    int n = !!e->config_map_ref + !!e->secret_ref;

    if (n != 1)
        field_errors_add_text(c->errs, list_of(c), FIELD_ERROR_INVALID, STR(""), "%s",
                              n ? "may not have more than one field specified at a time"
                                : "must specify one of: `configMapRef` or `secretRef`");
}

/* "path['key']" */
static bool cut_subscript(struct str text, struct str *path, struct str *key)
{
    if (!str_has_suffix(text, STR("']")))
        return false;
    text.len -= 2;
    for (size_t i = 1; i + 1 < text.len; i++)
        if (text.p[i] == '[' && text.p[i + 1] == '\'') {
            *path = str_n(text.p, i);
            *key = str_tail(text, i + 2);
            return true;
        }
    return false;
}

static void check_subscript(const struct rule_context *c, struct str path, struct str key)
{
    if (str_eq(path, STR("metadata.annotations"))) {
        char *lower = arena_dup(c->arena, key.p, key.len);

        for (size_t i = 0; i < key.len; i++)
            lower[i] = (char)(lower[i] >= 'A' && lower[i] <= 'Z' ? lower[i] + 32 : lower[i]);
        key.p = lower;
    }
    (void)name_rule_report(c->errs, c->path, NAME_RULE_QUALIFIED_NAME, key);
}

static bool is_one_of(struct str value, const char *list)
{
    return str_is_listed(str_from_cstr(list), '|', value);
}

void rule_field_ref(const struct rule_context *c)
{
    static const char all[] = "metadata.annotations|metadata.labels|metadata.name|"
                              "metadata.namespace|metadata.uid|spec.nodeName|spec.restartPolicy|"
                              "spec.serviceAccountName|spec.schedulerName|status.phase|"
                              "status.hostIP|status.hostIPs|status.podIP|status.podIPs|spec.host";
    static const char env[] = "metadata.name|metadata.namespace|metadata.uid|spec.nodeName|"
                              "spec.serviceAccountName|status.hostIP|status.hostIPs|status.podIP|"
                              "status.podIPs";
    static const char volume[] = "metadata.annotations|metadata.labels|metadata.name|"
                                 "metadata.namespace|metadata.uid";
    const struct core_v1_object_field_selector *f = c->data;
    bool is_env = str_eq(list_of(c)->name, STR("valueFrom"));
    struct field_path at = field_path_member(c->path, STR("fieldPath"));
    struct str path, key, value = f->field_path;
    bool keyed = cut_subscript(value, &path, &key);
    const char *why = NULL;

    if (f->api_version.len == 0 || value.len == 0) {
        rule_required(c, f->api_version.len ? "fieldPath" : "apiVersion", "");
        return;
    }
    if (!str_eq(f->api_version, STR("v1"))) {
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, value,
                              "error converting fieldPath: unsupported pod version: %.*s",
                              STR_ARG(f->api_version));
        return;
    }
    if (keyed && !is_one_of(path, "metadata.annotations|metadata.labels"))
        why = "field label does not support subscript";
    else if (!keyed && !is_one_of(value, all))
        why = "field label not supported";
    if (why)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, value,
                              "error converting fieldPath: %s: %.*s", why, STR_ARG(value));
    else if (keyed)
        check_subscript(c, path, key);
    else if (!is_one_of(str_eq(value, STR("spec.host")) ? STR("spec.nodeName") : value,
                        is_env ? env : volume))
        rule_unsupported(c, "fieldPath", value, is_env ? env : volume);
}

static void check_divisor(const struct rule_context *c, struct str resource, struct str divisor)
{
    static const char bytes[] = "1|1k|1M|1G|1T|1P|1E|1Ki|1Mi|1Gi|1Ti|1Pi|1Ei";
    bool cpu = is_one_of(resource, "limits.cpu|requests.cpu");
    const char *of = cpu                                                    ? "cpu"
                     : is_one_of(resource, "limits.memory|requests.memory") ? "memory"
                     : is_one_of(resource, "limits.ephemeral-storage|requests.ephemeral-storage")
                         ? "local ephemeral storage"
                     : str_has_prefix(resource, STR("requests.hugepages-")) ||
                             str_has_prefix(resource, STR("limits.hugepages-"))
                         ? "hugepages"
                         : NULL;
    struct field_path at = field_path_member(c->path, STR("divisor"));
    struct quantity q;

    if (!of || !quantity_parse(divisor, &q) || q.nano == 0)
        return;
    if (cpu && !is_one_of(divisor, "1m|1"))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, resource,
                              "only divisor's values 1m and 1 are supported with the cpu "
                              "resource");
    else if (!cpu && !is_one_of(divisor, bytes))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, resource,
                              "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, "
                              "1Ti, 1Pi, 1Ei are supported with the %s resource",
                              of);
}

void rule_resource_ref(const struct rule_context *c)
{
    static const char known[] = "limits.cpu|limits.ephemeral-storage|limits.memory|requests.cpu|"
                                "requests.ephemeral-storage|requests.memory";
    const struct core_v1_resource_field_selector *f = c->data;
    bool is_env = str_eq(list_of(c)->name, STR("valueFrom"));

    if (!is_env && f->container_name.len == 0)
        rule_required(c, "containerName", "");
    else if (f->resource.len == 0)
        rule_required(c, "resource", "");
    else if (!is_one_of(f->resource, known) &&
             !str_has_prefix(f->resource, STR("requests.hugepages-")) &&
             !str_has_prefix(f->resource, STR("limits.hugepages-")))
        rule_unsupported(c, "resource", f->resource, known);
    check_divisor(c, f->resource, f->divisor);
}

void rule_file_key(const struct rule_context *c)
{
    const struct core_v1_file_key_selector *f = c->data;

    if (rule_has_parent_step(f->path))
        rule_invalid(c, "path", f->path, "must not contain '..'");
}

void rule_http_get(const struct rule_context *c)
{
    const struct core_v1_http_get_action *a = c->data;
    struct field_path headers = field_path_member(c->path, STR("httpHeaders"));

    rule_check_port(c, "port", &a->port);
    if (!str_eq(a->scheme, STR("HTTP")) && !str_eq(a->scheme, STR("HTTPS")))
        rule_unsupported(c, "scheme", a->scheme, "HTTP|HTTPS");
    for (uint32_t i = 0; i < a->http_headers.len; i++)
        (void)name_rule_report(c->errs, &headers, NAME_RULE_HTTP_HEADER_NAME,
                               a->http_headers.items[i].name);
}

void rule_tcp_socket(const struct rule_context *c)
{
    const struct core_v1_tcp_socket_action *a = c->data;

    rule_check_port(c, "port", &a->port);
}
