/* What claims, classes and slices of devices share: names, identifiers, binding conditions. */
#include <ctype.h>

#include "api/field_error.h"
#include "api/rules_internal.h"
#include "base/arena.h"

enum { DRIVER_MAX = 63, POOL_MAX = 253, ID_MAX = 32, BINDINGS_MAX = 4, UUID_LEN = 36 };

static void add_too_long(const struct rule_context *c, const struct field_path *at, int max)
{
    field_errors_add(c->errs, at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes", max);
}

static void check_driver_at(const struct rule_context *c, const struct field_path *at,
                            struct str name)
{
    if (name.len == 0) {
        field_errors_add(c->errs, at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    if (name.len > DRIVER_MAX)
        add_too_long(c, at, DRIVER_MAX);
    (void)name_rule_report(c->errs, at, NAME_RULE_DNS1123_SUBDOMAIN_CASELESS, name);
}

void rule_check_driver(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));

    check_driver_at(c, &at, name);
}

void rule_check_pool(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    struct str rest = name, part;
    bool more = true;

    if (name.len == 0) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    if (name.len > POOL_MAX)
        add_too_long(c, &at, POOL_MAX);
    while (more) {
        more = str_cut(rest, '/', &part, &rest);
        (void)name_rule_report(c->errs, &at, NAME_RULE_DNS1123_SUBDOMAIN, part);
    }
}

static void check_identifier(const struct rule_context *c, const struct field_path *at,
                             struct str id)
{
    if (id.len > ID_MAX)
        add_too_long(c, at, ID_MAX);
    (void)name_rule_report(c->errs, at, NAME_RULE_C_IDENTIFIER, id);
}

void rule_check_attribute_name(const struct rule_context *c, const struct field_path *at,
                               struct str name)
{
    struct str domain, id;

    if (!str_cut(name, '/', &domain, &id)) {
        check_identifier(c, at, name);
        return;
    }
    if (str_find(id, '/') >= 0)
        return; /* upstream overlooks these */
    if (domain.len == 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, STR(""),
                              "the domain must not be empty");
    else
        check_driver_at(c, at, domain);
    if (id.len == 0)
        field_errors_add_text(c->errs, at, FIELD_ERROR_INVALID, STR(""),
                              "the name must not be empty");
    else
        check_identifier(c, at, id);
}

static const char *uuid_fault(struct arena *a, struct str id)
{
    static const char dashes[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    struct str s = id;

    if (s.len == UUID_LEN + 9) {
        if (strncasecmp(s.p, "urn:uuid:", 9) != 0)
            return str_cstr(a, arena_printf(a, "invalid urn prefix: \"%.*s\"", 9, s.p));
        s = str_tail(s, 9);
    } else if (s.len == UUID_LEN + 2) {
        if (s.p[0] != '{' || s.p[s.len - 1] != '}')
            return "invalid bracketed UUID format";
        s = str_n(s.p + 1, UUID_LEN);
    } else if (s.len != UUID_LEN && s.len != 32) {
        return str_cstr(a, arena_printf(a, "invalid UUID length: %zu", id.len));
    }
    for (size_t i = 0; i < s.len; i++)
        if (s.len == UUID_LEN && dashes[i] == '-' ? s.p[i] != '-'
                                                  : !isxdigit((unsigned char)s.p[i]))
            return "invalid UUID format";
    return NULL;
}

void rule_check_uuid(const struct rule_context *c, const char *member, struct str id)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    const char *fault = uuid_fault(c->arena, id);
    bool lower = true;

    for (size_t i = 0; i < id.len; i++)
        lower &= !isupper((unsigned char)id.p[i]);
    if (fault)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, id, "error validating uid: %s",
                              fault);
    else if (id.len != UUID_LEN || !lower)
        rule_invalid(
            c, member, id,
            "uid must be in RFC 4122 normalized form, "
            "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters");
}

static bool has_text(const struct str *texts, uint32_t n, struct str text)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(texts[i], text))
            return true;
    return false;
}

struct texts {
    struct field_path at;
    const struct str *items;
    uint32_t len;
};

static struct texts texts_of(const struct rule_context *c, const char *member, const void *list)
{
    const struct schema_list *l = list;

    return (struct texts){ .at = field_path_member(c->path, str_from_cstr(member)),
                           .items = l->items,
                           .len = l->len };
}

static void check_condition_names(const struct rule_context *c, const struct texts *t)
{
    if (t->len > BINDINGS_MAX) {
        field_errors_add_raw(c->errs, &t->at, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", t->len), "must have at most %d items",
                             BINDINGS_MAX);
        return;
    }
    for (uint32_t i = 0; i < t->len; i++) {
        struct field_path item = field_path_index(&t->at, i);

        (void)name_rule_report(c->errs, &item, NAME_RULE_QUALIFIED_NAME, t->items[i]);
    }
}

/* Duplicates, and what stands in the other list, too. Long lists were refused by their length;
 * looking at all of them would be quadratic. */
static void check_condition_set(const struct rule_context *c, const struct texts *t,
                                const struct texts *other)
{
    uint32_t n = MIN(t->len, 64U);

    for (uint32_t i = 0; i < n; i++) {
        struct field_path item = field_path_index(&t->at, i);

        if (has_text(t->items, i, t->items[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, t->items[i], "");
        if (other && has_text(other->items, MIN(other->len, 64U), t->items[i]))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_INVALID, t->items[i],
                                  "bindingFailureConditions must not overlap with "
                                  "bindingConditions");
    }
}

static void add_lonely(const struct rule_context *c, const struct texts *t, const char *text)
{
    field_errors_add_raw(c->errs, &t->at, FIELD_ERROR_INVALID,
                         t->items ? rule_print_texts(c->arena, t->items, t->len) : STR("null"),
                         "%s", text);
}

void rule_check_bindings(const struct rule_context *c, const void *conditions, const void *failures)
{
    struct texts t = texts_of(c, "bindingConditions", conditions);
    struct texts f = texts_of(c, "bindingFailureConditions", failures);

    check_condition_names(c, &t);
    check_condition_names(c, &f);
    check_condition_set(c, &t, NULL);
    check_condition_set(c, &f, &t);
    if (!t.len && f.len)
        add_lonely(c, &t, "bindingConditions are required to use bindingFailureConditions");
    if (!f.len && t.len)
        add_lonely(c, &f, "bindingFailureConditions are required to use bindingConditions");
}
