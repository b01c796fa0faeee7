/* Rules of Pods for one operating system: what is of the other one may not be set. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/rules_pod_scan.h"
#include "base/arena.h"

enum { GMSA_MAX_BYTES = 64 * 1024, DOMAIN_MAX_BYTES = 256, USER_MAX_BYTES = 104 };

static void forbid_windows_options(const struct rule_context *c,
                                   const struct core_v1_container *ctr,
                                   const struct field_path *path)
{
    struct field_path security = field_path_member(path, STR("securityContext"));

    if (ctr->security_context)
        rule_forbid_set(c, &security, "core/v1.SecurityContext", ctr->security_context,
                        "windowsOptions", "windows options cannot be set for a linux pod");
}

static void forbid_linux_options(const struct rule_context *c, const struct core_v1_container *ctr,
                                 const struct field_path *path)
{
    struct field_path security = field_path_member(path, STR("securityContext"));

    if (ctr->security_context)
        rule_forbid_set(c, &security, "core/v1.SecurityContext", ctr->security_context,
                        "appArmorProfile|seLinuxOptions|seccompProfile|capabilities|"
                        "readOnlyRootFilesystem|privileged|allowPrivilegeEscalation|procMount|"
                        "runAsUser|runAsGroup",
                        "cannot be set for a windows pod");
}

static void check_windows(const struct rule_context *c, const struct core_v1_pod_spec *s)
{
    static const char text[] = "cannot be set for a windows pod",
                      type[] = "core/v1.PodSecurityContext";
    static const struct core_v1_pod_security_context none;
    const void *p = s->security_context ? s->security_context : &none;
    struct field_path at = field_path_member(c->path, STR("securityContext"));

    rule_forbid_set(c, &at, type, p, "appArmorProfile|seLinuxOptions", text);
    rule_forbid_set(c, c->path, "core/v1.PodSpec", s, "hostUsers|hostPID|hostIPC", text);
    rule_forbid_set(c, &at, type, p, "seccompProfile|fsGroup|fsGroupChangePolicy|sysctls", text);
    rule_forbid_set(c, c->path, "core/v1.PodSpec", s, "shareProcessNamespace", text);
    rule_forbid_set(c, &at, type, p,
                    "runAsUser|runAsGroup|supplementalGroups|supplementalGroupsPolicy|"
                    "seLinuxChangePolicy",
                    text);
    pod_scan_containers(c, forbid_linux_options);
}

void rule_pod_os(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path os = field_path_member(c->path, STR("os"));
    struct field_path name = field_path_member(&os, STR("name"));
    struct field_path at = field_path_member(c->path, STR("securityContext"));

    if (!s->os)
        return;
    if (s->os->name.len == 0) {
        field_errors_add(c->errs, &name, FIELD_ERROR_REQUIRED, "");
    } else if (str_eq(s->os->name, STR("windows"))) {
        check_windows(c, s);
    } else if (str_eq(s->os->name, STR("linux"))) {
        if (s->security_context)
            rule_forbid_set(c, &at, "core/v1.PodSecurityContext", s->security_context,
                            "windowsOptions", "windows options cannot be set for a linux pod");
        pod_scan_containers(c, forbid_windows_options);
    } else {
        rule_unsupported(c, "os", s->os->name, "linux|windows");
    }
}

static const bool *host_process_of(const struct core_v1_container *ctr)
{
    const struct core_v1_security_context *s = ctr->security_context;

    return s && s->windows_options ? s->windows_options->host_process : NULL;
}

static const bool *host_process_of_pod(const struct core_v1_pod_spec *s)
{
    const struct core_v1_pod_security_context *p = s->security_context;

    return p && p->windows_options ? p->windows_options->host_process : NULL;
}

static void check_host_process(const struct rule_context *c, const struct core_v1_container *ctr,
                               const struct field_path *path)
{
    const bool *pod = host_process_of_pod(c->data), *own = host_process_of(ctr);
    struct field_path security = field_path_member(path, STR("securityContext"));
    struct field_path options = field_path_member(&security, STR("windowsOptions"));
    struct field_path at = field_path_member(&options, STR("hostProcess"));
    struct pod_scan *scan = c->scratch->pod;

    if (pod && own && *pod != *own)
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, *own ? STR("true") : STR("false"),
                             "pod hostProcess value must be identical if both are specified, was "
                             "%s",
                             *pod ? "true" : "false");
    if (own ? *own : pod && *pod)
        scan->n_host_processes++;
}

void rule_host_processes(const struct rule_context *c)
{
    const struct core_v1_pod_spec *s = c->data;
    struct field_path network = field_path_member(c->path, STR("hostNetwork"));
    struct pod_scan *scan = c->scratch->pod;
    size_t n = (size_t)s->containers.len + s->init_containers.len + s->ephemeral_containers.len;

    scan->n_host_processes = 0;
    pod_scan_containers(c, check_host_process);
    if (scan->n_host_processes == 0)
        return;
    if (scan->n_host_processes != n)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR(""),
                              "If pod contains any hostProcess containers then all containers must "
                              "be HostProcess containers");
    if (!s->host_network)
        field_errors_add_raw(c->errs, &network, FIELD_ERROR_INVALID, STR("false"),
                             "hostNetwork must be true if pod contains any hostProcess containers");
}

static bool has_any_of(struct str text, const char *chars)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] && strchr(chars, text.p[i]))
            return true;
    return false;
}

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return true;
    return false;
}

static size_t count_runes(struct str text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_domain(struct str domain)
{
    struct str rest = domain, label;
    size_t n = count_runes(domain);

    if (n >= 1 && n <= 15 && domain.p[0] != '.' && !has_any_of(domain, "\\/:*?\"<>|"))
        return true;
    while (str_next(&rest, '.', &label)) {
        struct name_messages m;
        char lower[64];

        if (label.len == 0 || label.len >= sizeof(lower))
            return false;
        for (size_t i = 0; i < label.len; i++)
            lower[i] =
                (char)(label.p[i] >= 'A' && label.p[i] <= 'Z' ? label.p[i] + 32 : label.p[i]);
        name_rule_check(NAME_RULE_DNS1123_LABEL, str_n(lower, label.len), &m);
        if (m.len)
            return false;
    }
    return domain.len > 0;
}

static bool is_dots_and_spaces(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] != '.' && text.p[i] != ' ')
            return false;
    return text.len > 0;
}

static void check_user(const struct rule_context *c, struct str name, struct str user)
{
    if (user.len == 0)
        rule_invalid(c, "runAsUserName", name, "runAsUserName's User cannot be empty");
    else if (user.len > USER_MAX_BYTES)
        rule_invalid(c, "runAsUserName", name,
                     "runAsUserName's User length must not be longer than 104 characters");
    if (is_dots_and_spaces(user))
        rule_invalid(c, "runAsUserName", name,
                     "runAsUserName's User cannot contain only periods or spaces");
    if (has_any_of(user, "\"/\\:;|=,+*?<>@[]"))
        rule_invalid(c, "runAsUserName", name,
                     "runAsUserName's User cannot contain the following characters: "
                     "\"/\\:;|=,+*?<>@[]");
}

static void check_user_name(const struct rule_context *c, struct str name)
{
    struct str domain, user, more;
    bool has_domain = str_cut(name, '\\', &domain, &user);

    if (!has_domain) {
        domain = STR("");
        user = name;
    }
    if (name.len == 0) {
        rule_invalid(c, "runAsUserName", name, "runAsUserName cannot be an empty string");
    } else if (has_control(name)) {
        rule_invalid(c, "runAsUserName", name, "runAsUserName cannot contain control characters");
    } else if (has_domain && str_cut(user, '\\', &(struct str){ 0 }, &more)) {
        rule_invalid(c, "runAsUserName", name,
                     "runAsUserName cannot contain more than one backslash");
    } else {
        if (domain.len >= DOMAIN_MAX_BYTES)
            rule_invalid(c, "runAsUserName", name,
                         "runAsUserName's Domain length must be under 256 characters");
        if (has_domain && !is_domain(domain))
            rule_invalid(c, "runAsUserName", name,
                         "runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        check_user(c, name, user);
    }
}

void rule_windows_options(const struct rule_context *c)
{
    const struct core_v1_windows_security_context_options *w = c->data;
    struct field_path name = field_path_member(c->path, STR("gmsaCredentialSpecName"));

    if (w->gmsa_credential_spec_name.p)
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN,
                               w->gmsa_credential_spec_name);
    if (w->gmsa_credential_spec.p && w->gmsa_credential_spec.len == 0)
        rule_invalid(c, "gmsaCredentialSpec", w->gmsa_credential_spec,
                     "gmsaCredentialSpec cannot be an empty string");
    else if (w->gmsa_credential_spec.len > GMSA_MAX_BYTES)
        rule_invalid(c, "gmsaCredentialSpec", w->gmsa_credential_spec,
                     "gmsaCredentialSpec size must be under 64 KiB");
    if (w->run_as_user_name.p)
        check_user_name(c, w->run_as_user_name);
}
