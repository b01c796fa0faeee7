#include "apiserver/paths_endpoint.h"

#include "apiserver/api_request.h"
#include "apiserver/discovery.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/health.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json_writer.h"
#include "codec/value.h"

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct paths {
    struct arena *arena;
    struct VEC(struct str) all;
};

static void add(struct paths *p, struct str path)
{
    VEC_PUSH(&p->all, path);
}

/* Groups and versions as discovery lists them, those of custom resources with them. */
static void add_groups(struct paths *p, struct str discovery)
{
    struct value doc;
    const struct value *groups, *versions, *name;
    struct err err;

    if (value_parse(p->arena, discovery, &doc, NULL, &err) < 0)
        return;
    groups = value_get(&doc, STR("groups"));
    for (uint32_t i = 0; groups && i < groups->len; i++) {
        name = value_get(&groups->items[i], STR("name"));
        versions = value_get(&groups->items[i], STR("versions"));
        add(p, arena_printf(p->arena, "/apis/%.*s", STR_ARG(name->s)));
        for (uint32_t j = 0; versions && j < versions->len; j++) {
            name = value_get(&versions->items[j], STR("groupVersion"));
            add(p, arena_printf(p->arena, "/apis/%.*s", STR_ARG(name->s)));
        }
    }
}

static void add_check(struct str path, void *arg)
{
    add(arg, path);
}

bool paths_handle(struct api_request *r)
{
    static const struct str fixed[] = {
        STR_INIT("/.well-known/openid-configuration"),
        STR_INIT("/api"),
        STR_INIT("/api/v1"),
        STR_INIT("/apis"),
        STR_INIT("/apis/"),
        STR_INIT("/metrics"),
        STR_INIT("/openapi/v2"),
        STR_INIT("/openapi/v3"),
        STR_INIT("/openapi/v3/"),
        STR_INIT("/openid/v1/jwks"),
        STR_INIT("/version"),
    };
    struct paths p = { .arena = r->arena };
    struct buf b = { .arena = r->arena };

    if (!str_eq(r->info.path, STR("/")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        add(&p, fixed[i]);
    add_groups(&p, discovery_print_groups(r->arena, extensions_of(r)));
    health_each_path(r->arena, add_check, &p);
    qsort(p.all.items, p.all.len, sizeof(*p.all.items), by_text);
    buf_append_lit(&b, "{\n  \"paths\": [");
    for (size_t i = 0; i < p.all.len; i++) {
        buf_append_str(&b, i ? STR(",\n    ") : STR("\n    "));
        json_write_string(&b, p.all.items[i]);
    }
    buf_append_lit(&b, "\n  ]\n}");
    VEC_DONE(&p.all);
    api_respond(r, 200, STR("application/json"), buf_str(&b));
    return true;
}
