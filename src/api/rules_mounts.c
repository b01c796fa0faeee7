/* Rules of a container's volume mounts and devices: both name sound volumes of the Pod, and do not
 * overlap. Paths in errors are upstream's, which name the list where the item is meant. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/rules_pod_scan.h"

enum { NAMES, PATHS };

static const struct core_v1_container *container_of(const struct rule_context *c)
{
    return c->up->data; /* ephemeral ones begin with the same fields */
}

/* At the first item of a list: the list that it must not overlap with. */
static void begin_list(const struct rule_context *c, bool mounts)
{
    const struct core_v1_container *ctr = container_of(c);
    struct pod_scan *scan = c->scratch->pod;

    for (int i = NAMES; i <= PATHS; i++) {
        rule_names_done(&scan->seen[i]);
        rule_names_done(&scan->others[i]);
    }
    /* Of several with one name the last one counts. */
    for (uint32_t i = ctr->volume_devices.len; mounts && i-- > 0;)
        if (rule_names_add(c, &scan->others[NAMES], ctr->volume_devices.items[i].name, ctr))
            (void)rule_names_add(c, &scan->others[PATHS], ctr->volume_devices.items[i].device_path,
                                 ctr);
    for (uint32_t i = ctr->volume_mounts.len; !mounts && i-- > 0;)
        if (rule_names_add(c, &scan->others[NAMES], ctr->volume_mounts.items[i].name, ctr))
            (void)rule_names_add(c, &scan->others[PATHS], ctr->volume_mounts.items[i].mount_path,
                                 ctr);
}

static void check_propagation(const struct rule_context *c, const struct core_v1_volume_mount *m)
{
    const struct core_v1_security_context *s = container_of(c)->security_context;
    struct rule_context list = *c;
    bool is_set = m->mount_propagation.p;
    bool enabled = str_eq(m->recursive_read_only, STR("Enabled")) ||
                   str_eq(m->recursive_read_only, STR("IfPossible"));

    list.path = c->path->parent;
    if (is_set && !str_eq(m->mount_propagation, STR("Bidirectional")) &&
        !str_eq(m->mount_propagation, STR("HostToContainer")) &&
        !str_eq(m->mount_propagation, STR("None")))
        rule_unsupported(&list, "mountPropagation", m->mount_propagation,
                         "Bidirectional|HostToContainer|None");
    if (is_set && str_eq(m->mount_propagation, STR("Bidirectional")) &&
        !(s && s->privileged && *s->privileged))
        rule_forbidden(&list, "mountPropagation",
                       "Bidirectional mount propagation is available only to privileged "
                       "containers");
    if (enabled && !m->read_only)
        rule_forbidden(&list, "recursiveReadOnly", "may only be specified when readOnly is true");
    if (enabled && is_set && !str_eq(m->mount_propagation, STR("None")))
        rule_forbidden(&list, "recursiveReadOnly",
                       "may only be specified when mountPropagation is None or not specified");
    if (m->recursive_read_only.p && !enabled && !str_eq(m->recursive_read_only, STR("Disabled")))
        rule_unsupported(&list, "recursiveReadOnly", m->recursive_read_only,
                         "Disabled|Enabled|IfPossible");
}

static void check_sub_paths(const struct rule_context *c, const struct core_v1_volume_mount *m)
{
    struct field_path sub = field_path_member(c->path->parent, STR("subPath"));
    struct field_path expr = field_path_member(c->path->parent, STR("subPathExpr"));

    rule_check_relative(c, &sub, m->sub_path);
    if (m->sub_path_expr.len && m->sub_path.len)
        rule_invalid(c, "subPathExpr", m->sub_path_expr,
                     "subPathExpr and subPath are mutually exclusive");
    rule_check_relative(c, &expr, m->sub_path_expr);
}

void rule_volume_mount(const struct rule_context *c)
{
    const struct core_v1_volume_mount *m = c->data;
    struct pod_scan *scan = c->scratch->pod;
    struct field_path name = field_path_member(c->path, STR("name"));

    if (c->path->index == 0)
        begin_list(c, true);
    if (m->name.len == 0)
        rule_required(c, "name", "");
    if (!rule_names_has(&scan->volumes, m->name, NULL))
        field_errors_add_text(c->errs, &name, FIELD_ERROR_NOT_FOUND, m->name, "");
    if (m->mount_path.len == 0)
        rule_required(c, "mountPath", "");
    if (!rule_names_add(c, &scan->seen[PATHS], m->mount_path, m))
        rule_invalid(c, "mountPath", m->mount_path, "must be unique");
    if (rule_names_has(&scan->others[NAMES], m->name, NULL))
        rule_invalid(c, "name", m->name, "must not already exist in volumeDevices");
    if (rule_names_has(&scan->others[PATHS], m->mount_path, NULL))
        rule_invalid(c, "mountPath", m->mount_path,
                     "must not already exist as a path in volumeDevices");
    check_sub_paths(c, m);
    check_propagation(c, m);
}

static void check_device_volume(const struct rule_context *c, const struct core_v1_volume_device *d)
{
    struct pod_scan *scan = c->scratch->pod;
    struct field_path name = field_path_member(c->path, STR("name"));
    const void *found = NULL;
    const struct core_v1_volume *v;

    if (!rule_names_has(&scan->volumes, d->name, &found)) {
        field_errors_add_text(c->errs, &name, FIELD_ERROR_NOT_FOUND, d->name, "");
        return;
    }
    v = found;
    if (v && !v->volume_source.persistent_volume_claim && !v->volume_source.ephemeral)
        rule_invalid(c, "name", d->name,
                     "can only use volume source type of PersistentVolumeClaim or Ephemeral for "
                     "block mode");
}

void rule_volume_device(const struct rule_context *c)
{
    const struct core_v1_volume_device *d = c->data;
    struct pod_scan *scan = c->scratch->pod;

    if (c->path->index == 0)
        begin_list(c, false);
    if (d->name.len == 0)
        rule_required(c, "name", "");
    else if (!rule_names_add(c, &scan->seen[NAMES], d->name, d))
        rule_invalid(c, "name", d->name, "must be unique");
    check_device_volume(c, d);
    if (d->device_path.len == 0)
        rule_required(c, "devicePath", "");
    if (rule_names_has(&scan->seen[PATHS], d->device_path, NULL))
        rule_invalid(c, "devicePath", d->device_path, "must be unique");
    if (rule_has_parent_step(d->device_path))
        rule_invalid(c, "devicePath", d->device_path, "can not contain backsteps ('..')");
    else
        (void)rule_names_add(c, &scan->seen[PATHS], d->device_path, d);
    if (rule_names_has(&scan->others[NAMES], d->name, NULL))
        rule_invalid(c, "name", d->name, "must not already exist in volumeMounts");
    if (rule_names_has(&scan->others[PATHS], d->device_path, NULL))
        rule_invalid(c, "devicePath", d->device_path,
                     "must not already exist as a path in volumeMounts");
}
