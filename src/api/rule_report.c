/* What rule functions share: errors at a member, and checks of single values. */
#include <ctype.h>

#include "api/field_error.h"
#include "api/rules_internal.h"
#include "api/schema_walk.h"
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

bool rule_has_text(const struct str *texts, uint32_t n, struct str text)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(texts[i], text))
            return true;
    return false;
}

void rule_invalid_texts(const struct rule_context *c, const char *member, const struct str *texts,
                        uint32_t n, const char *text)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, rule_print_texts(c->arena, texts, n),
                         "%s", text);
}

bool rule_names_has(const struct rule_names *n, struct str name, const void **ret)
{
    if (n->len > RULE_NAMES_FEW && !map_has(&n->many, name))
        return false;
    for (size_t i = 0; n->len <= RULE_NAMES_FEW && i < n->len; i++)
        if (str_eq(n->items[i], name)) {
            if (ret)
                *ret = n->values[i];
            return true;
        }
    if (ret && n->len > RULE_NAMES_FEW)
        *ret = map_get(&n->many, name);
    return n->len > RULE_NAMES_FEW;
}

bool rule_names_add(const struct rule_context *c, struct rule_names *n, struct str name,
                    const void *value)
{
    if (rule_names_has(n, name, NULL))
        return false;
    if (n->len < RULE_NAMES_FEW) {
        if (!n->items) {
            n->items = ARENA_NEW_ARRAY(c->arena, struct str, RULE_NAMES_FEW);
            n->values = ARENA_NEW_ARRAY(c->arena, const void *, RULE_NAMES_FEW);
        }
        n->items[n->len] = name;
        n->values[n->len++] = value;
        return true;
    }
    for (size_t i = 0; n->len == RULE_NAMES_FEW && i < n->len; i++)
        (void)map_put(&n->many, n->items[i], (void *)(uintptr_t)n->values[i]);
    (void)map_put(&n->many, name, (void *)(uintptr_t)value); /* only read through const pointers */
    n->len++;
    return true;
}

void rule_names_done(struct rule_names *n)
{
    map_done(&n->many);
    n->many = (struct map){ 0 };
    n->len = 0;
}

bool rule_has_parent_step(struct str path)
{
    struct str part;

    while (str_next(&path, '/', &part))
        if (str_eq(part, STR("..")))
            return true;
    return false;
}

void rule_check_relative(const struct rule_context *c, const struct field_path *at, struct str path)
{
    if (path.len && path.p[0] == '/')
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, path, "must be a relative path");
    if (rule_has_parent_step(path))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, path, "must not contain '..'");
}

void rule_check_not_reserved(const struct rule_context *c, const struct field_path *at,
                             struct str path)
{
    rule_check_relative(c, at, path);
    if (str_has_prefix(path, STR("..")) && !str_has_prefix(path, STR("../")))
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, path, "must not start with '..'");
}

void rule_forbid_set(const struct rule_context *c, const struct field_path *path, const char *type,
                     const void *data, const char *members, const char *text)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    struct str rest = str_from_cstr(members), name;

    while (t && str_next(&rest, '|', &name)) {
        struct field_path at = field_path_member(path, name);
        uint32_t base = 0;
        const struct schema_field *f = schema_find_member(&schema_builtin, t, name, &base);

        if (f && !schema_walk_is_zero(f, (const char *)data + base + f->offset))
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN, "%s", text);
    }
}
