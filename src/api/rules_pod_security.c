/* Rules of security contexts, and of the annotations that said the same before them. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/rules_pod_scan.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"

enum { PROFILE_MAX_BYTES = 4095 };

#define SECCOMP_POD       "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"
#define APP_ARMOR         "container.apparmor.security.beta.kubernetes.io/"
#define MIRROR            "kubernetes.io/config.mirror"
#define DELETION_COST     "controller.kubernetes.io/pod-deletion-cost"

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

static void check_sysctl(const struct rule_context *c, const struct core_v1_pod_spec *spec,
                         const struct field_path *item, struct str name, struct rule_names *seen)
{
    struct field_path at = field_path_member(item, STR("name"));
    const char *why = NULL;

    if (name.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else if (!is_sysctl_name(name))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, name,
                              "must have at most 253 characters and match regex "
                              "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9]"
                              ")?$");
    else if (rule_names_has(seen, name, NULL))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, name, "");
    (void)rule_names_add(c, seen, name, NULL);
    if (spec->host_network && str_has_prefix(name, STR("net.")))
        why = "may not be specified when 'hostNetwork' is true";
    else if (spec->host_ipc && is_sysctl_of_ipc(name))
        why = "may not be specified when 'hostIPC' is true";
    if (why)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, name, "%s", why);
}

void rule_pod_security(const struct rule_context *c)
{
    const struct core_v1_pod_security_context *s = c->data;
    const struct core_v1_pod_spec *spec = c->up->data;
    struct field_path groups = field_path_member(c->path, STR("supplementalGroups"));
    struct field_path sysctls = field_path_member(c->path, STR("sysctls"));
    struct field_path share = field_path_member(c->path, STR("shareProcessNamespace"));
    struct rule_names seen = { 0 };

    for (uint32_t i = 0; i < s->supplemental_groups.len; i++) {
        struct field_path item = field_path_index(&groups, i);
        int64_t gid = s->supplemental_groups.items[i];

        if (gid < 0 || gid > INT32_MAX)
            field_errors_add_raw(c->errs, &item, FIELD_ERROR_INVALID,
                                 arena_printf(c->arena, "%lld", (long long)gid),
                                 "must be between 0 and 2147483647, inclusive");
    }
    if (spec->host_pid && spec->share_process_namespace && *spec->share_process_namespace)
        field_errors_add_raw(c->errs, &share, FIELD_ERROR_INVALID, STR("true"),
                             "ShareProcessNamespace and HostPID cannot both be enabled");
    for (uint32_t i = 0; i < s->sysctls.len; i++) {
        struct field_path item = field_path_index(&sysctls, i);

        check_sysctl(c, spec, &item, s->sysctls.items[i].name, &seen);
    }
    rule_names_done(&seen);
}

void rule_proc_mount(const struct rule_context *c)
{
    const struct core_v1_security_context *s = c->data;

    if (c->scratch->pod->host_users && str_eq(s->proc_mount, STR("Unmasked")))
        rule_invalid(c, "procMount", s->proc_mount, "`hostUsers` must be false to use `Unmasked`");
}

void rule_security_context(const struct rule_context *c)
{
    const struct core_v1_security_context *s = c->data;
    struct str printed;

    if (!s->allow_privilege_escalation || *s->allow_privilege_escalation)
        return;
    printed = rule_print_internal(c->arena, "core/v1.SecurityContext", s);
    if (s->privileged && *s->privileged)
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, printed,
                             "cannot set `allowPrivilegeEscalation` to false and `privileged` to "
                             "true");
    for (uint32_t i = 0; s->capabilities && i < s->capabilities->add.len; i++)
        if (str_eq(s->capabilities->add.items[i], STR("CAP_SYS_ADMIN")))
            field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, printed,
                                 "cannot set `allowPrivilegeEscalation` to false and "
                                 "`capabilities.Add` CAP_SYS_ADMIN");
}

void rule_seccomp_profile(const struct rule_context *c)
{
    const struct core_v1_seccomp_profile *s = c->data;
    struct field_path at = field_path_member(c->path, STR("localhostProfile"));

    if (!str_eq(s->type, STR("Localhost"))) {
        if (s->localhost_profile.p)
            field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID,
                                 rule_print_internal(c->arena, "core/v1.SeccompProfile", s),
                                 "can only be set when seccomp type is Localhost");
    } else if (!s->localhost_profile.p) {
        rule_required(c, "localhostProfile", "must be set when seccomp type is Localhost");
    } else {
        rule_check_relative(c, &at, s->localhost_profile);
    }
}

static void check_app_armor_file(const struct rule_context *c, struct str file)
{
    static const char text[] = "must be set when AppArmor type is Localhost";
    struct field_path at = field_path_member(c->path, STR("localhostProfile"));

    if (!file.p) {
        rule_required(c, "localhostProfile", text);
        return;
    }
    if (str_trim(file).len != file.len)
        rule_invalid(c, "localhostProfile", file, "must not be padded with whitespace");
    else if (file.len == 0)
        rule_required(c, "localhostProfile", text);
    if (file.len > PROFILE_MAX_BYTES)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         PROFILE_MAX_BYTES);
}

void rule_app_armor(const struct rule_context *c)
{
    const struct core_v1_app_armor_profile *p = c->data;

    if (str_eq(p->type, STR("Localhost"))) {
        check_app_armor_file(c, p->localhost_profile);
    } else if (str_eq(p->type, STR("RuntimeDefault")) || str_eq(p->type, STR("Unconfined"))) {
        if (p->localhost_profile.p)
            rule_invalid(c, "localhostProfile", p->localhost_profile,
                         "can only be set when AppArmor type is Localhost");
    } else if (p->type.len == 0) {
        rule_required(c, "type", "type is required when appArmorProfile is set");
    } else {
        rule_unsupported(c, "type", p->type, "Localhost|RuntimeDefault|Unconfined");
    }
}

static void check_seccomp_text(const struct rule_context *c, const struct field_path *at,
                               struct str p)
{
    if (str_eq(p, STR("runtime/default")) || str_eq(p, STR("docker/default")) ||
        str_eq(p, STR("unconfined")))
        return;
    if (str_has_prefix(p, STR("localhost/")))
        rule_check_relative(c, at, str_tail(p, 10));
    else
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, p,
                              "must be a valid seccomp profile");
}

static const struct core_v1_pod_spec *spec_of(const struct rule_context *c)
{
    const struct core_v1_pod_template_spec *t = c->data;
    const struct core_v1_pod *pod = c->data;

    return c->up ? &t->spec : &pod->spec;
}

static const struct meta_v1_object_meta *meta_of(const struct rule_context *c)
{
    const struct core_v1_pod_template_spec *t = c->data;
    const struct core_v1_pod *pod = c->data;

    return c->up ? &t->metadata : &pod->metadata;
}

static bool has_container(const struct core_v1_pod_spec *s, struct str name)
{
    for (uint32_t i = 0; i < s->containers.len; i++)
        if (str_eq(s->containers.items[i].name, name))
            return true;
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        if (str_eq(s->init_containers.items[i].name, name))
            return true;
    return false;
}

static void check_app_armor_text(const struct rule_context *c, const struct field_path *at,
                                 struct str container, struct str p)
{
    struct buf quoted;

    if (!has_container(spec_of(c), container))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, container, "container not found");
    if (p.len == 0 || str_eq(p, STR("runtime/default")) || str_eq(p, STR("unconfined")) ||
        str_has_prefix(p, STR("localhost/")))
        return;
    buf_init_arena(&quoted, c->arena, p.len + 2);
    field_error_quote(&quoted, p);
    field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, p,
                          "invalid AppArmor profile name: %.*s", STR_ARG(buf_str(&quoted)));
}

static bool is_int32(struct str text)
{
    int64_t n;
    struct str digits = text.len && text.p[0] == '-' ? str_tail(text, 1) : text;

    return digits.len && !(digits.p[0] == '0' && text.len > 1) && digits.p[0] != '+' &&
           str_to_i64(text, &n) && n >= INT32_MIN && n <= INT32_MAX;
}

/* The kinds of annotations in the order in which they are looked at. */
enum annotation_kind {
    IS_MIRROR,
    IS_COST,
    IS_SECCOMP,
    IS_SECCOMP_OF_CONTAINER,
    IS_APP_ARMOR,
    N_KINDS
};

static bool is_kind(struct str key, enum annotation_kind kind)
{
    switch (kind) {
    case IS_MIRROR:
        return str_eq(key, STR(MIRROR));
    case IS_COST:
        return str_eq(key, STR(DELETION_COST));
    case IS_SECCOMP:
        return str_eq(key, STR(SECCOMP_POD));
    case IS_SECCOMP_OF_CONTAINER:
        return str_has_prefix(key, STR(SECCOMP_CONTAINER));
    case IS_APP_ARMOR:
        return str_has_prefix(key, STR(APP_ARMOR));
    case N_KINDS:
        break;
    }
    return false;
}

static void check_annotation(const struct rule_context *c, const struct field_path *path,
                             enum annotation_kind kind, const struct schema_str_entry *e)
{
    struct field_path member = field_path_member(path, e->key), at = field_path_key(path, e->key);

    if (kind == IS_MIRROR && spec_of(c)->node_name.len == 0)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e->value,
                              "must set spec.nodeName if mirror pod annotation is set");
    else if (kind == IS_COST && !is_int32(e->value))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, e->value,
                              "must be a 32bit integer");
    else if (kind == IS_SECCOMP || kind == IS_SECCOMP_OF_CONTAINER)
        check_seccomp_text(c, &member, e->value);
    else if (kind == IS_APP_ARMOR)
        check_app_armor_text(c, &at, str_tail(e->key, sizeof(APP_ARMOR) - 1), e->value);
}

/* Of templates the paths leave out "metadata", as upstream's do. */
void rule_pod_annotations(const struct rule_context *c)
{
    const struct meta_v1_object_meta *m = meta_of(c);
    struct field_path meta = field_path_member(c->path, STR("metadata"));
    struct field_path labels = field_path_member(c->path, STR("labels"));
    struct field_path annotations = field_path_member(c->up ? c->path : &meta, STR("annotations"));

    if (c->up) {
        meta_validate_labels(c->errs, &m->labels, &labels);
        meta_validate_annotations(c->errs, &m->annotations, &annotations);
    }
    for (int kind = 0; m->annotations.len && kind < N_KINDS; kind++)
        for (uint32_t i = 0; i < m->annotations.len; i++)
            if (is_kind(m->annotations.items[i].key, (enum annotation_kind)kind))
                check_annotation(c, &annotations, (enum annotation_kind)kind,
                                 &m->annotations.items[i]);
}

/* An annotation says the same as the field beside it. */
struct annotated {
    const struct rule_context *c;
    const struct field_path *path; /* of the security context */
    const char *kind;              /* "seccomp", "apparmor" */
    struct str type;
    struct str file; /* p NULL: unset */
};

static void check_same(const struct annotated *f, const char *field, struct str text)
{
    struct field_path profile = field_path_member(f->path, str_from_cstr(field));
    struct field_path type = field_path_member(&profile, STR("type"));
    struct field_path file = field_path_member(&profile, STR("localhostProfile"));
    bool docker = f->kind[0] == 's' && str_eq(text, STR("docker/default"));
    bool same = true;

    if (str_eq(f->type, STR("Unconfined")))
        same = str_eq(text, STR("unconfined"));
    else if (str_eq(f->type, STR("RuntimeDefault")))
        same = str_eq(text, STR("runtime/default")) || docker;
    else if (str_eq(f->type, STR("Localhost")))
        same = str_has_prefix(text, STR("localhost/"));
    if (!same)
        field_errors_add(f->c->errs, &type, FIELD_ERROR_FORBIDDEN,
                         "%s type in annotation and field must match", f->kind);
    else if (str_eq(f->type, STR("Localhost")) && !str_eq(str_tail(text, 10), f->file))
        field_errors_add(f->c->errs, &file, FIELD_ERROR_FORBIDDEN,
                         "%s profile in annotation and field must match", f->kind);
}

static void check_seccomp_field(const struct rule_context *c, const struct field_path *path,
                                const struct core_v1_seccomp_profile *p, struct str key)
{
    const struct schema_str_entry *e = text_map_find(&meta_of(c)->annotations, key);
    struct annotated f = { .c = c, .path = path, .kind = "seccomp" };

    if (!p || !e)
        return;
    f.type = p->type;
    f.file = p->localhost_profile;
    check_same(&f, "seccompProfile", e->value);
}

static void check_container_annotations(const struct rule_context *c,
                                        const struct core_v1_container *ctr,
                                        const struct field_path *path)
{
    const struct rule_context *top = c->up;
    const struct core_v1_pod_spec *s = c->data;
    const struct core_v1_security_context *own = ctr->security_context;
    const struct core_v1_app_armor_profile *p = own ? own->app_armor_profile : NULL;
    struct field_path security = field_path_member(path, STR("securityContext"));
    const struct schema_str_entry *e;
    struct annotated f = { .c = c, .path = &security, .kind = "apparmor" };

    if (own)
        check_seccomp_field(top, &security, own->seccomp_profile,
                            arena_printf(c->arena, SECCOMP_CONTAINER "%.*s", STR_ARG(ctr->name)));
    if (!p && s->security_context)
        p = s->security_context->app_armor_profile;
    if (!p || top->up || (s->os && str_eq(s->os->name, STR("windows"))))
        return;
    e = text_map_find(&meta_of(top)->annotations,
                      str_join(c->arena, STR(APP_ARMOR), ctr->name, STR_NULL));
    if (!e)
        return;
    f.type = p->type;
    f.file = p->localhost_profile;
    check_same(&f, "appArmorProfile", e->value);
}

void rule_annotations_match(const struct rule_context *c)
{
    struct field_path path = field_path_member(c->path, STR("spec"));
    struct field_path security = field_path_member(&path, STR("securityContext"));
    struct rule_context spec = *c;

    if (meta_of(c)->annotations.len == 0)
        return;
    spec.path = &path;
    spec.data = spec_of(c);
    spec.up = c;
    if (spec_of(c)->security_context)
        check_seccomp_field(c, &security, spec_of(c)->security_context->seccomp_profile,
                            STR(SECCOMP_POD));
    pod_scan_containers(&spec, check_container_annotations);
}
