/* The levels, what a namespace's labels say, and how findings read. The checks themselves are in
 * pod_security_checks.c. */
#include "api/pod_security.h"

#include "api/field_error.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"

#define PREFIX "pod-security.kubernetes.io/"

static const struct str level_names[] = { [POD_SECURITY_PRIVILEGED] = STR_INIT("privileged"),
                                          [POD_SECURITY_BASELINE] = STR_INIT("baseline"),
                                          [POD_SECURITY_RESTRICTED] = STR_INIT("restricted") };

struct str pod_security_print(struct arena *a, struct pod_security_standard s)
{
    struct str level = level_names[s.level];

    if (s.minor == POD_SECURITY_LATEST)
        return arena_printf(a, "%.*s:latest", STR_ARG(level));
    return arena_printf(a, "%.*s:v1.%d", STR_ARG(level), s.minor);
}

/* --- labels --- */

static bool parse_level(struct str text, enum pod_security_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (str_eq(text, level_names[i])) {
            *ret = (enum pod_security_level)i;
            return true;
        }
    *ret = POD_SECURITY_RESTRICTED;
    return false;
}

/* "latest" or "v1.N", without leading zeros; anything else counts as latest. */
static bool parse_version(struct str text, int32_t *ret)
{
    static const struct str prefix = STR_INIT("v1.");
    struct str digits = str_has_prefix(text, prefix) ? str_tail(text, prefix.len) : STR("");
    uint64_t minor;

    *ret = POD_SECURITY_LATEST;
    if (str_eq(text, STR("latest")))
        return true;
    if (!digits.len || (digits.p[0] == '0' && digits.len > 1) || digits.p[0] == '+' ||
        !str_to_u64(digits, &minor) || minor >= POD_SECURITY_LATEST)
        return false;
    *ret = (int32_t)minor;
    return true;
}

struct labels {
    pod_security_label_fn *fn;
    void *arg;
    struct field_errors *errs;
};

static void refuse(const struct labels *l, struct str key, struct str value, const char *why)
{
    struct field_path metadata = field_path_member(NULL, STR("metadata"));
    struct field_path labels = field_path_member(&metadata, STR("labels"));
    struct field_path path = field_path_key(&labels, key);

    if (l->errs)
        field_errors_add_text(l->errs, &path, FIELD_ERROR_INVALID, value, "%s", why);
}

struct said {
    bool has_level, is_level_good, has_version;
};

static struct said read_mode(const struct labels *l, struct str level_key, struct str version_key,
                             struct pod_security_standard *s)
{
    struct said said = { 0 };
    struct str value;

    if (l->fn(l->arg, level_key, &value)) {
        said.has_level = true;
        said.is_level_good = parse_level(value, &s->level);
        if (!said.is_level_good)
            refuse(l, level_key, value, "must be one of privileged, baseline, restricted");
    }
    if (l->fn(l->arg, version_key, &value)) {
        said.has_version = true;
        if (!parse_version(value, &s->minor))
            refuse(l, version_key, value, "must be \"latest\" or \"v1.x\"");
    }
    return said;
}

void pod_security_policy_of(pod_security_label_fn *label, void *arg, struct field_errors *errs,
                            struct pod_security_policy *ret)
{
    static const struct pod_security_standard none = { POD_SECURITY_PRIVILEGED,
                                                       POD_SECURITY_LATEST };
    const struct labels l = { label, arg, errs };
    struct said enforce, audit, warn;

    *ret = (struct pod_security_policy){ none, none, none };
    enforce = read_mode(&l, STR(PREFIX "enforce"), STR(PREFIX "enforce-version"), &ret->enforce);
    audit = read_mode(&l, STR(PREFIX "audit"), STR(PREFIX "audit-version"), &ret->audit);
    if (audit.has_level && !audit.is_level_good)
        ret->audit.level = POD_SECURITY_PRIVILEGED;
    warn = read_mode(&l, STR(PREFIX "warn"), STR(PREFIX "warn-version"), &ret->warn);
    if (warn.has_level && !warn.is_level_good)
        ret->warn.level = POD_SECURITY_PRIVILEGED;
    /* What is enforced is warned of, too, unless something else is asked for. */
    if (warn.has_level || !enforce.is_level_good || ret->enforce.level <= ret->warn.level)
        return;
    ret->warn.level = ret->enforce.level;
    if (!warn.has_version)
        ret->warn.minor = ret->enforce.minor;
}

/* --- findings --- */

struct str pod_security_join(struct arena *a, const struct pod_security_finding *f, size_t n,
                             bool with_details)
{
    struct buf b;

    buf_init_arena(&b, a, 256);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(f[i].reason));
        if (with_details && f[i].detail.len)
            buf_printf(&b, " (%.*s)", STR_ARG(f[i].detail));
    }
    return buf_str(&b);
}
