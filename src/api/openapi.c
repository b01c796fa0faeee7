/* The documents: which paths there are, and the frame around them. */
#include "api/openapi.h"

#include "api/openapi_internal.h"
#include "api/openapi_paths.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "codec/json_writer.h"

/* --- paths --- */

static void print_base(struct buf *b, const struct resource_group_version *gv)
{
    if (gv->group.len)
        buf_printf(b, "/apis/%.*s/%.*s", STR_ARG(gv->group), STR_ARG(gv->version));
    else
        buf_printf(b, "/api/%.*s", STR_ARG(gv->version));
}

static void print_path(struct openapi_doc *d, bool *first, const struct resource_group_version *gv,
                       const struct target *t)
{
    CLEANUP(buf_done) struct buf path = { 0 };

    print_base(&path, gv);
    if (t->watch)
        buf_append_lit(&path, "/watch");
    if (t->namespaced)
        buf_append_lit(&path, "/namespaces/{namespace}");
    buf_printf(&path, "/%.*s", STR_ARG(t->r->name));
    if (t->item)
        buf_append_lit(&path, "/{name}");
    if (t->sub)
        buf_printf(&path, "/%.*s", STR_ARG(t->sub->name));
    if (t->below)
        buf_append_lit(&path, "/{path}");
    openapi_comma(d, first);
    json_write_string(d->b, buf_str(&path));
    buf_append_char(d->b, ':');
    openapi_print_path_item(d, t);
}

enum {
    COLLECTION_VERBS = RESOURCE_VERB_LIST | RESOURCE_VERB_CREATE | RESOURCE_VERB_DELETECOLLECTION,
    ITEM_VERBS =
        RESOURCE_VERB_GET | RESOURCE_VERB_UPDATE | RESOURCE_VERB_PATCH | RESOURCE_VERB_DELETE,
};

static void print_resource_paths(struct openapi_doc *d, bool *first,
                                 const struct resource_group_version *gv, const struct resource *r)
{
    bool ns = resource_is_namespaced(r);

    if (r->verbs & COLLECTION_VERBS)
        print_path(d, first, gv, &(struct target){ .r = r, .namespaced = ns });
    if (r->verbs & ITEM_VERBS)
        print_path(d, first, gv, &(struct target){ .r = r, .namespaced = ns, .item = true });
    for (size_t i = 0; i < r->n_subresources; i++) {
        struct target sub = { .r = r, .namespaced = ns, .item = true, .sub = &r->subresources[i] };

        print_path(d, first, gv, &sub);
        sub.below = true;
        if (str_eq(sub.sub->name, STR("proxy")))
            print_path(d, first, gv, &sub);
    }
    if (ns && (r->verbs & RESOURCE_VERB_LIST))
        print_path(d, first, gv, &(struct target){ .r = r, .all_namespaces = true });
    if (!(r->verbs & RESOURCE_VERB_WATCH) || r->custom) /* the old way is not shown of those */
        return;
    print_path(d, first, gv, &(struct target){ .r = r, .namespaced = ns, .watch = true });
    print_path(d, first, gv,
               &(struct target){ .r = r, .namespaced = ns, .watch = true, .item = true });
    if (ns)
        print_path(d, first, gv, &(struct target){ .r = r, .all_namespaces = true, .watch = true });
}

/* A GET that is of no resource. */
struct plain_get {
    struct str path;
    const char *text;
    const char *tag;
    struct str id;
    const char *media[4]; /* of the answer, ended by NULL */
    bool consumes;        /* version 2 says the same types of a body */
    const char *type;     /* of meta/v1; NULL: text, or the server's version */
    bool code_version;
};

static void print_media(struct openapi_doc *d, const char *const *media)
{
    for (size_t i = 0; media[i]; i++)
        buf_printf(d->b, "%s\"%s\"", i ? "," : "[", media[i]);
    buf_append_char(d->b, ']');
}

static void print_get_schema(struct openapi_doc *d, const struct plain_get *g)
{
    buf_append_lit(d->b, "\"schema\":");
    if (g->type)
        openapi_ref_type(
            d, schema_find_type(d->schema, STR("meta.k8s.io"), STR("v1"), str_from_cstr(g->type)));
    else if (g->code_version)
        openapi_ref_code_version(d);
    else
        buf_append_lit(d->b, "{\"type\":\"string\"}");
}

static void print_plain_get(struct openapi_doc *d, bool *first, const struct plain_get *g)
{
    openapi_comma(d, first);
    json_write_string(d->b, g->path);
    buf_printf(d->b,
               ":{\"get\":{\"description\":\"%s\",\"tags\":[\"%s\"],\"operationId\":\"%.*s\",",
               g->text, g->tag, STR_ARG(g->id));
    if (d->version == OPENAPI_V2) {
        if (g->consumes) {
            buf_append_lit(d->b, "\"consumes\":");
            print_media(d, g->media);
            buf_append_char(d->b, ',');
        }
        buf_append_lit(d->b, "\"produces\":");
        print_media(d, g->media);
        buf_append_lit(d->b, ",\"schemes\":[\"https\"],");
    }
    buf_append_lit(d->b, "\"responses\":{\"200\":{\"description\":\"OK\",");
    if (d->version == OPENAPI_V2)
        print_get_schema(d, g);
    else
        buf_append_lit(d->b, "\"content\":{");
    for (size_t i = 0; d->version == OPENAPI_V3 && g->media[i]; i++) {
        buf_printf(d->b, "%s\"%s\":{", i ? "," : "", g->media[i]);
        print_get_schema(d, g);
        buf_append_char(d->b, '}');
    }
    if (d->version == OPENAPI_V3)
        buf_append_char(d->b, '}');
    buf_append_lit(d->b, "},\"401\":{\"description\":\"Unauthorized\"}}}}");
}

/* GET of a discovery document. */
static void print_discovery_path(struct openapi_doc *d, bool *first, struct str path,
                                 const char *text, struct str group, struct str version,
                                 const char *id_suffix, const char *type)
{
    CLEANUP(buf_done) struct buf id = { 0 };
    CLEANUP(buf_done) struct buf tag = { 0 };

    buf_append_lit(&id, "get");
    openapi_print_group_name(&id, group);
    openapi_print_tag(&tag, group, version);
    if (version.len)
        buf_printf(&id, "V%.*s", STR_ARG(str_tail(version, 1)));
    buf_printf(&id, "%s", id_suffix);
    print_plain_get(d, first,
                    &(struct plain_get){
                        .path = path,
                        .text = text,
                        .tag = buf_cstr(&tag),
                        .id = buf_str(&id),
                        .media = { "application/json", "application/yaml",
                                   "application/vnd.kubernetes.protobuf" },
                        .consumes = true,
                        .type = type,
                    });
}

static void print_resources_path(struct openapi_doc *d, bool *first,
                                 const struct resource_group_version *gv)
{
    CLEANUP(buf_done) struct buf base = { 0 };

    print_base(&base, gv);
    buf_append_char(&base, '/');
    print_discovery_path(d, first, buf_str(&base), "Resources of the group version", gv->group,
                         gv->version, "APIResources", "APIResourceList");
}

static void print_group_version_paths(struct openapi_doc *d, bool *first,
                                      const struct resource_group_version *gv)
{
    print_resources_path(d, first, gv);
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];

        if (str_eq(r->group, gv->group) && str_eq(r->version, gv->version) &&
            (r->flags & RESOURCE_SERVED))
            print_resource_paths(d, first, gv, r);
    }
}

static void print_group_path(struct openapi_doc *d, bool *first, struct str group)
{
    CLEANUP(buf_done) struct buf path = { 0 };

    buf_printf(&path, "/apis/%.*s/", STR_ARG(group));
    print_discovery_path(d, first, buf_str(&path), "Versions of the group", group, STR(""),
                         "APIGroup", "APIGroup");
}

/* What the server has besides its groups, by the path of its version 3 document. */
static const struct {
    struct str document;
    struct plain_get get;
} fixed_paths[] = {
    { STR_INIT(".well-known/openid-configuration"),
      { STR_INIT("/.well-known/openid-configuration/"),
        "Who issues service account tokens, as OpenID Connect has it",
        "WellKnown",
        STR_INIT("getServiceAccountIssuerOpenIDConfiguration"),
        { "application/json" },
        false,
        NULL,
        false } },
    { STR_INIT("api"),
      { STR_INIT("/api/"),
        "Versions of the oldest group",
        "core",
        STR_INIT("getCoreAPIVersions"),
        { "application/json", "application/yaml", "application/vnd.kubernetes.protobuf" },
        true,
        "APIVersions",
        false } },
    { STR_INIT("apis"),
      { STR_INIT("/apis/"),
        "Groups and their versions",
        "apis",
        STR_INIT("getAPIVersions"),
        { "application/json", "application/yaml", "application/vnd.kubernetes.protobuf" },
        true,
        "APIGroupList",
        false } },
    { STR_INIT("openid/v1/jwks"),
      { STR_INIT("/openid/v1/jwks/"),
        "Public keys of service account tokens",
        "openid",
        STR_INIT("getServiceAccountIssuerOpenIDKeyset"),
        { "application/jwk-set+json" },
        false,
        NULL,
        false } },
    { STR_INIT("version"),
      { STR_INIT("/version/"),
        "What the server is",
        "version",
        STR_INIT("getCodeVersion"),
        { "application/json" },
        true,
        NULL,
        true } },
};

/* --- documents --- */

static void print_info(struct openapi_doc *d, const char *title)
{
    buf_printf(d->b, "\"info\":{\"title\":\"%s\",\"version\":", title);
    json_write_string(d->b, d->git_version);
    buf_append_lit(d->b, "},\"paths\":{");
}

#define BEARER_TOKEN                                                                               \
    "{\"BearerToken\":{\"description\":\"Bearer Token authentication\",\"type\":\"apiKey\","       \
    "\"name\":\"authorization\",\"in\":\"header\"}}"

/* With d.types to be freed. */
static struct openapi_doc new_doc(struct buf *b, enum openapi_version version,
                                  struct str git_version)
{
    return (struct openapi_doc){
        .b = b,
        .schema = &schema_builtin,
        .version = version,
        .types = mem_zalloc(schema_builtin.n_types * sizeof(bool)),
        .git_version = git_version,
    };
}

/* Definitions can only be printed when all paths have referred to them: paths are printed first. */
void openapi_print_v2(struct buf *b, struct str git_version)
{
    struct openapi_doc d = new_doc(b, OPENAPI_V2, git_version);
    struct str last_group = STR("");
    bool first = true;

    buf_append_lit(b, "{\"swagger\":\"2.0\",");
    print_info(&d, "Kubernetes");
    for (size_t i = 0; i < ARRAY_LEN(fixed_paths); i++)
        print_plain_get(&d, &first, &fixed_paths[i].get);
    for (size_t i = 0; i < resource_group_versions_len; i++) {
        const struct resource_group_version *gv = &resource_group_versions[i];

        if (!gv->served)
            continue;
        if (!str_eq(gv->group, last_group))
            print_group_path(&d, &first, gv->group);
        last_group = gv->group;
        print_group_version_paths(&d, &first, gv);
    }
    buf_append_lit(b, "},\"definitions\":{");
    openapi_print_definitions(&d);
    buf_append_lit(b, "},\"securityDefinitions\":" BEARER_TOKEN
                      ",\"security\":[{\"BearerToken\":[]}]}\n");
    mem_free(d.types);
}

static void print_v3_paths(struct openapi_doc *d, struct str path)
{
    struct str rest, group, version;
    bool first = true;

    for (size_t i = 0; i < ARRAY_LEN(fixed_paths); i++)
        if (str_eq(fixed_paths[i].document, path)) {
            print_plain_get(d, &first, &fixed_paths[i].get);
            return;
        }
    (void)str_cut(path, '/', &group, &rest);
    if (str_eq(group, STR("api"))) {
        version = rest;
        group = STR("");
    } else if (!str_cut(rest, '/', &group, &version)) {
        print_group_path(d, &first, group);
        return;
    }
    d->group = group;
    d->group_version = version;
    print_group_version_paths(d, &first, resource_find_group_version(group, version));
}

void openapi_print_v3(struct buf *b, struct str path, struct str git_version)
{
    struct openapi_doc d = new_doc(b, OPENAPI_V3, git_version);

    buf_append_lit(b, "{\"openapi\":\"3.0.0\",");
    print_info(&d, "Kubernetes");
    print_v3_paths(&d, path);
    buf_append_lit(b, "},\"components\":{\"schemas\":{");
    openapi_print_definitions(&d);
    buf_append_lit(b, "},\"securitySchemes\":" BEARER_TOKEN "}}\n");
    mem_free(d.types);
}

/* --- custom resources --- */

static void print_custom_paths(struct openapi_doc *d, const struct openapi_custom *c)
{
    struct resource_group_version gv = { .group = STR_NULL };
    bool first = true;

    for (size_t i = 0; i < c->n; i++) {
        const struct resource *r = c->rows[i];

        if (!str_eq(gv.group, r->group) || !str_eq(gv.version, r->version)) {
            gv.group = r->group;
            gv.version = r->version;
        }
        print_resource_paths(d, &first, &gv, r);
    }
}

/* Their definitions refer to these. */
static void note_meta(struct openapi_doc *d)
{
    static const char *const names[] = { "ObjectMeta", "ListMeta" };
    CLEANUP(buf_done) struct buf ignored = { 0 };
    struct buf *out = d->b;

    d->b = &ignored;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        openapi_ref_type(
            d, schema_find_type(d->schema, STR("meta.k8s.io"), STR("v1"), str_from_cstr(names[i])));
    d->b = out;
}

void openapi_print_custom_v3(struct buf *b, const struct openapi_custom *c, struct str git_version)
{
    struct openapi_doc d = new_doc(b, OPENAPI_V3, git_version);

    buf_append_lit(b, "{\"openapi\":\"3.0.0\",");
    print_info(&d, "Kubernetes CRD Swagger");
    print_custom_paths(&d, c);
    buf_append_lit(b, "},\"components\":{\"schemas\":{");
    note_meta(&d);
    openapi_print_definitions(&d);
    buf_append_char(b, ',');
    buf_append_str(b, c->definitions);
    buf_append_lit(b, "}}}\n");
    mem_free(d.types);
}

void openapi_print_custom_v2_paths(struct buf *b, const struct openapi_custom *c)
{
    struct openapi_doc d = new_doc(b, OPENAPI_V2, STR(""));

    print_custom_paths(&d, c);
    mem_free(d.types);
}

/* The fixed ones, then "apis/GROUP" once a group and each "apis/GROUP/VERSION". */
struct str openapi_v3_path(struct arena *a, size_t i)
{
    struct str last_group = STR("");

    if (i < ARRAY_LEN(fixed_paths))
        return fixed_paths[i].document;
    i -= ARRAY_LEN(fixed_paths);
    for (size_t g = 0; g < resource_group_versions_len; g++) {
        const struct resource_group_version *gv = &resource_group_versions[g];

        if (!gv->served)
            continue;
        if (gv->group.len && !str_eq(gv->group, last_group) && i-- == 0)
            return arena_printf(a, "apis/%.*s", STR_ARG(gv->group));
        last_group = gv->group;
        if (i-- == 0)
            return gv->group.len
                       ? arena_printf(a, "apis/%.*s/%.*s", STR_ARG(gv->group), STR_ARG(gv->version))
                       : arena_printf(a, "api/%.*s", STR_ARG(gv->version));
    }
    return STR_NULL;
}
