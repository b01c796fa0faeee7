/* What rule functions share: errors at a member, and checks of single values. */
#include <ctype.h>

#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"

void rule_invalid(const struct rule_context *c, const char *member, struct str value,
                  const char *text)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    field_errors_add_text(c->errs, &p, FIELD_ERROR_INVALID, value, "%s", text);
}

void rule_forbidden(const struct rule_context *c, const char *member, const char *text)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    field_errors_add(c->errs, &p, FIELD_ERROR_FORBIDDEN, "%s", text);
}

void rule_required(const struct rule_context *c, const char *member, const char *text)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    field_errors_add(c->errs, &p, FIELD_ERROR_REQUIRED, "%s", text);
}

void rule_check_port(const struct rule_context *c, const char *member,
                     const struct int_or_string *port)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    if (port->type == INT_OR_STRING_STRING)
        (void)name_rule_report(c->errs, &p, NAME_RULE_PORT_NAME, port->s);
    else if (port->i < 1 || port->i > 65535)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%d", port->i),
                             "must be between 1 and 65535, inclusive");
}

void rule_invalid_number(const struct rule_context *c, const char *member, int64_t value,
                         const char *text)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID,
                         arena_printf(c->arena, "%lld", (long long)value), "%s", text);
}

void rule_check_collisions(const struct rule_context *c, const int32_t *count, const int32_t *old)
{
    if (old && (!count || *count < *old))
        rule_invalid_number(c, "collisionCount", count ? *count : 0, "cannot be decremented");
}

void rule_check_kind(const struct rule_context *c, const char *member, struct str value)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));

    if (value.len == 0)
        field_errors_add(c->errs, &p, FIELD_ERROR_REQUIRED, "");
    else
        (void)name_rule_report(c->errs, &p, NAME_RULE_PATH_SEGMENT, value);
}

/* The characters of a path in a URL, as upstream lists them. */
static bool is_path_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("/-._~%!$&'()*+,;=:", s.p[i]))
            return false;
    return s.len > 0;
}

void rule_check_prefixed_path(const struct rule_context *c, const char *member, struct str value)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));
    struct str host, path;

    if (value.len == 0) {
        field_errors_add(c->errs, &p, FIELD_ERROR_REQUIRED, "");
        return;
    }
    if (!str_cut(value, '/', &host, &path) || host.len == 0 || path.len == 0) {
        field_errors_add_text(c->errs, &p, FIELD_ERROR_INVALID, value,
                              "must be a domain-prefixed path (such as \"acme.io/foo\")");
        return;
    }
    (void)name_rule_report(c->errs, &p, NAME_RULE_DNS1123_SUBDOMAIN, host);
    if (!is_path_text(path))
        field_errors_add_text(c->errs, &p, FIELD_ERROR_INVALID, path,
                              "Invalid path (regex used for validation is "
                              "'[A-Za-z0-9/\\-._~%%!$&'()*+,;=:]+')");
}

void rule_unsupported(const struct rule_context *c, const char *member, struct str value,
                      const char *supported)
{
    struct field_path p = field_path_member(c->path, str_from_cstr(member));
    struct str rest = str_from_cstr(supported), part, names[16];
    size_t n = 0;

    while (n < ARRAY_LEN(names) && str_next(&rest, '|', &part))
        names[n++] = part;
    field_errors_add_unsupported(c->errs, &p, value, names, n);
}
