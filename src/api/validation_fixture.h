/* Tables of objects and what validation says of them. Texts have ' for ". */
#pragma once

#include <criterion/criterion.h>

#include "api/defaults.h"
#include "api/field_error.h"
#include "api/meta_validation.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/err.h"

#define META "'metadata':{'name':'x','namespace':'d','resourceVersion':'1'}"
#define CTR  "'name':'a','image':'i:1'"

#define SPEC(spec)        "{" META ",'spec':{" spec "}}"
#define WITH_STATUS(st)   "{" META ",'status':{" st "}}"
#define TOP(m)            "{" META "," m "}"
#define NAMED(name, spec) "{'metadata':{'name':'" name "','namespace':'d'},'spec':{" spec "}}"
#define TEMPLATE          "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{" CTR "}]}}"
#define SELECTOR          "'selector':{'matchLabels':{'a':'b'}}"

#define TIMES_8(t)  t t t t t t t t
#define TIMES_64(t) TIMES_8(TIMES_8(t))

struct validation_case {
    const char *type;
    const char *old; /* NULL: create */
    const char *json;
    const char *want; /* all errors in one line; NULL: accepted; "...": its beginning */
    bool status;      /* through the status endpoint */
};

static inline struct object validation_decode(struct arena *a, const char *type, const char *text)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    struct object o;
    struct err err = { 0 };
    char *p = arena_dup(a, text, strlen(text) + 1);

    for (char *c = p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert(t, "no type %s", type);
    cr_assert_eq(object_json_decode(a, &schema_builtin, t, str_from_cstr(p), &o, NULL, &err), 0,
                 "%s: %s", text, err.text);
    object_default(a, o);
    return o;
}

static inline void validation_run_with(const struct validation_case *c,
                                       const struct meta_rules *meta)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct validation_request req = { .object = validation_decode(&a, c->type, c->json),
                                      .meta = meta,
                                      .part = c->status ? VALIDATION_STATUS : VALIDATION_MAIN };
    struct field_errors errs;
    struct str text, want = str_from_cstr(c->want);

    field_errors_init(&errs, &a);
    if (c->old)
        req.old = validation_decode(&a, c->type, c->old);
    validation_run(&req, &errs);
    text = field_errors_print(&a, &errs);
    if (str_has_suffix(want, STR("..."))) {
        want.len -= 3;
        cr_expect(str_has_prefix(text, want), "%s\nhave %.*s", c->json, STR_ARG(text));
        return;
    }
    cr_expect(str_eq(text, want), "%s\nhave %.*s\nwant %.*s", c->json, STR_ARG(text),
              STR_ARG(want));
}

/* All tables of all files, for what is asked of them together (validation_rows_test.c). */
struct validation_table {
    const struct validation_case *cases;
    size_t len;
    void (*run)(const struct validation_case *c);
    struct validation_table *next;
};
extern struct validation_table *validation_tables;

static inline void validation_run_case(const struct validation_case *c)
{
    static const struct meta_rules meta = { .namespaced = true,
                                            .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };

    validation_run_with(c, &meta);
}

/* Metadata is left to the rows. */
static inline void validation_run_rows(const struct validation_case *c)
{
    validation_run_with(c, NULL);
}

/* A test that runs the table, which is listed with the others. */
#define VALIDATION_TABLE(group, name, table)                                                       \
    VALIDATION_TABLE_BY(group, name, table, validation_run_case)
#define VALIDATION_TABLE_BY(group, name, table, runner)                                            \
    __attribute__((constructor)) static void list_##table(void)                                    \
    {                                                                                              \
        static struct validation_table t = { table, sizeof(table) / sizeof((table)[0]), runner,    \
                                             NULL };                                               \
                                                                                                   \
        t.next = validation_tables;                                                                \
        validation_tables = &t;                                                                    \
    }                                                                                              \
    Test(group, name)                                                                              \
    {                                                                                              \
        for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                            \
            runner(&(table)[i]);                                                                   \
    }
