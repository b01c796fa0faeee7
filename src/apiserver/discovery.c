#include "apiserver/discovery.h"

#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "apiserver/extensions/extensions.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "codec/json_writer.h"

/* Everything that is served: the tables, and what definitions add to them. */
struct served {
    const struct extension_table *extensions;
    const struct resource_group_version **items; /* versions of a group in order */
    size_t n;
};

static bool served_has(const struct served *s, const struct resource_group_version *gv)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->items[i]->group, gv->group) && str_eq(s->items[i]->version, gv->version))
            return true;
    return false;
}

static struct served all_served(struct arena *a, const struct extension_table *t)
{
    size_t more = t ? t->n_group_versions : 0;
    struct served s = { .extensions = t };

    s.items = ARENA_NEW_ARRAY(a, const struct resource_group_version *,
                              resource_group_versions_len + more + 1);
    for (size_t i = 0; i < resource_group_versions_len; i++)
        if (resource_group_versions[i].served)
            s.items[s.n++] = &resource_group_versions[i];
    for (size_t i = 0; i < more; i++)
        if (!served_has(&s, &t->group_versions[i]))
            s.items[s.n++] = &t->group_versions[i];
    return s;
}

/* --- printing --- */

static void member(struct buf *b, const char *key, struct str value)
{
    buf_printf(b, "\"%s\":", key);
    json_write_string(b, value);
}

/* ["a","b"] of words separated by spaces. */
static void words(struct buf *b, const char *key, struct str text)
{
    struct str word;
    bool first = true;

    if (!text.len)
        return;
    buf_printf(b, ",\"%s\":[", key);
    while (str_next(&text, ' ', &word)) {
        if (!first)
            buf_append_char(b, ',');
        first = false;
        json_write_string(b, word);
    }
    buf_append_char(b, ']');
}

static void verbs(struct buf *b, unsigned set)
{
    bool first = true;

    buf_append_lit(b, "\"verbs\":[");
    for (unsigned v = 0; v < RESOURCE_VERB_INDEX_MAX; v++) {
        if (!(set & (1U << v)))
            continue;
        buf_printf(b, "%s\"%s\"", first ? "" : ",",
                   resource_verb_name((enum resource_verb_index)v));
        first = false;
    }
    buf_append_char(b, ']');
}

/* Of a resource itself: custom ones have them all, in an order of their own. */
static void resource_verbs(struct buf *b, const struct resource *r)
{
    if (r->custom)
        buf_append_lit(b, "\"verbs\":[\"delete\",\"deletecollection\",\"get\",\"list\",\"patch\","
                          "\"create\",\"update\",\"watch\"]");
    else
        verbs(b, r->verbs);
}

/* Base64 of the first eight bytes of SHA-256 over GROUP/VERSION/KIND as stored: clients may tell by
 * it whether two versions are stored alike. Upstream says v1beta1 of definitions, which nobody can
 * read any more. */
static void storage_version_hash(struct buf *b, const struct resource *r)
{
    const struct schema *s = &schema_builtin;
    CLEANUP(buf_done) struct buf text = { 0 };
    unsigned char digest[DIGEST_SHA256_BYTES];

    if (!r->storage_type)
        return;
    if (r->custom)
        buf_printf(&text, "%.*s/%.*s/%.*s", STR_ARG(r->group),
                   STR_ARG(r->custom->definition->storage->row.version), STR_ARG(r->kind));
    else
        buf_printf(&text, "%s/%s/%s", schema_cstr(s, r->storage_type->group),
                   str_eq(r->kind, STR("CustomResourceDefinition"))
                       ? "v1beta1"
                       : schema_cstr(s, r->storage_type->version),
                   schema_cstr(s, r->storage_type->name));
    digest_sha256(buf_str(&text), digest);
    buf_append_lit(b, ",\"storageVersionHash\":\"");
    base64_encode(b, str_n((const char *)digest, 8));
    buf_append_char(b, '"');
}

static bool is_listed(const struct resource *r, struct str group, struct str version)
{
    return (r->flags & RESOURCE_SERVED) && str_eq(r->group, group) && str_eq(r->version, version);
}

/* The rows of a group version, one after the other from *at = 0; NULL at the end. */
static const struct resource *next_row(const struct served *s, struct str group, struct str version,
                                       size_t *at)
{
    size_t n = s->extensions ? s->extensions->n : 0;

    while (*at < resource_table_len) {
        const struct resource *r = &resource_table[(*at)++];

        if (is_listed(r, group, version))
            return r;
    }
    while (*at - resource_table_len < n) {
        const struct custom_definition *d =
            s->extensions->definitions[(*at)++ - resource_table_len];
        const struct custom_resource *c =
            str_eq(d->group, group) ? custom_definition_version(d, version) : NULL;

        if (c && c->is_served)
            return &c->row;
    }
    return NULL;
}

/* The kind of a subresource: of a custom resource itself where it is a part of it. */
struct kind_name {
    struct str group, version, kind;
};
static struct kind_name kind_of(const struct resource *r, const struct schema_type *t)
{
    const struct schema *s = &schema_builtin;

    if (r->custom && t == r->type)
        return (struct kind_name){ r->group, r->version, r->kind };
    return (struct kind_name){ schema_str(s, t->group), schema_str(s, t->version),
                               schema_str(s, t->name) };
}

/* --- the legacy documents --- */

static void print_resource(struct buf *b, const struct resource *r)
{
    buf_append_char(b, '{');
    member(b, "name", r->name);
    buf_append_char(b, ',');
    member(b, "singularName", r->singular);
    buf_printf(b, ",\"namespaced\":%s,", resource_is_namespaced(r) ? "true" : "false");
    member(b, "kind", r->kind);
    buf_append_char(b, ',');
    resource_verbs(b, r);
    words(b, "shortNames", r->short_names);
    words(b, "categories", r->categories);
    storage_version_hash(b, r);
    buf_append_char(b, '}');
}

/* "pods/status"; group and version only where the kind is of another one. */
static void print_subresource(struct buf *b, const struct resource *r,
                              const struct resource_subresource *sub)
{
    struct kind_name k = kind_of(r, sub->type);

    buf_printf(b, "{\"name\":\"%.*s/%.*s\",\"singularName\":\"\",\"namespaced\":%s,",
               STR_ARG(r->name), STR_ARG(sub->name), resource_is_namespaced(r) ? "true" : "false");
    if (!str_eq(k.group, r->group) || !str_eq(k.version, r->version)) {
        member(b, "group", k.group);
        buf_append_char(b, ',');
        member(b, "version", k.version);
        buf_append_char(b, ',');
    }
    member(b, "kind", k.kind);
    buf_append_char(b, ',');
    verbs(b, sub->verbs);
    buf_append_char(b, '}');
}

struct str discovery_print_resources(struct arena *a, const struct extension_table *t,
                                     struct str group, struct str version)
{
    const struct served served = { .extensions = t };
    const struct resource *r;
    bool first = true;
    size_t at = 0;
    struct buf b;

    if (!resource_find_group_version(group, version) &&
        !extension_table_has_group_version(t, group, version))
        return STR_NULL;
    buf_init_arena(&b, a, 16384);
    buf_append_lit(&b, "{\"kind\":\"APIResourceList\",");
    if (group.len) /* the oldest group's document never said so */
        buf_printf(&b, "\"apiVersion\":\"v1\",\"groupVersion\":\"%.*s/", STR_ARG(group));
    else
        buf_append_lit(&b, "\"groupVersion\":\"");
    buf_printf(&b, "%.*s\",\"resources\":[", STR_ARG(version));
    while ((r = next_row(&served, group, version, &at))) {
        if (!first)
            buf_append_char(&b, ',');
        first = false;
        print_resource(&b, r);
        for (size_t s = 0; s < r->n_subresources; s++) {
            buf_append_char(&b, ',');
            print_subresource(&b, r, &r->subresources[s]);
        }
    }
    buf_append_lit(&b, "]}\n");
    return buf_str(&b);
}

struct str discovery_print_api_versions(struct arena *a, struct str server_address)
{
    struct buf b;

    buf_init_arena(&b, a, 256);
    buf_append_lit(&b, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
                       "\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\",");
    member(&b, "serverAddress", server_address);
    buf_append_lit(&b, "}]}\n");
    return buf_str(&b);
}

static void print_group_version(struct buf *b, const struct resource_group_version *gv)
{
    buf_printf(b, "{\"groupVersion\":\"%.*s/%.*s\",\"version\":\"%.*s\"}", STR_ARG(gv->group),
               STR_ARG(gv->version), STR_ARG(gv->version));
}

/* The members of an APIGroup; rows of a group stand together, the preferred version first. */
static void print_group_members(struct buf *b, const struct served *s, size_t first_row)
{
    struct str group = s->items[first_row]->group;
    const struct resource_group_version *preferred = NULL;

    member(b, "name", group);
    buf_append_lit(b, ",\"versions\":[");
    for (size_t i = first_row; i < s->n; i++) {
        const struct resource_group_version *gv = s->items[i];

        if (!str_eq(gv->group, group))
            continue;
        if (preferred)
            buf_append_char(b, ',');
        else
            preferred = gv;
        print_group_version(b, gv);
    }
    buf_append_lit(b, "],\"preferredVersion\":");
    if (preferred)
        print_group_version(b, preferred);
}

/* The first row of each group, one after the other; n at the end. */
static size_t next_group(const struct served *s, size_t i, bool from_start)
{
    for (i += !from_start; i < s->n; i++) {
        bool seen = false;

        for (size_t k = 0; k < i; k++)
            seen |= str_eq(s->items[k]->group, s->items[i]->group);
        if (!seen)
            break;
    }
    return i;
}

struct str discovery_print_groups(struct arena *a, const struct extension_table *t)
{
    const struct served s = all_served(a, t);
    bool first = true;
    struct buf b;

    buf_init_arena(&b, a, 8192);
    buf_append_lit(&b, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (size_t i = next_group(&s, 0, true); i < s.n; i = next_group(&s, i, false)) {
        if (!s.items[i]->group.len)
            continue;
        buf_append_str(&b, first ? STR("{") : STR(",{"));
        first = false;
        print_group_members(&b, &s, i);
        buf_append_char(&b, '}');
    }
    buf_append_lit(&b, "]}\n");
    return buf_str(&b);
}

struct str discovery_print_group(struct arena *a, const struct extension_table *t, struct str group)
{
    const struct served s = all_served(a, t);
    size_t i = next_group(&s, 0, true);
    struct buf b;

    while (i < s.n && !str_eq(s.items[i]->group, group))
        i = next_group(&s, i, false);
    if (i == s.n || !group.len)
        return STR_NULL;
    buf_init_arena(&b, a, 512);
    buf_append_lit(&b, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
    print_group_members(&b, &s, i);
    buf_append_lit(&b, "}\n");
    return buf_str(&b);
}

/* --- the aggregated form --- */

/* Of a built-in resource its own group and version go without saying. */
static void print_response_kind(struct buf *b, const struct resource *r, struct kind_name k)
{
    if (!r->custom && str_eq(k.group, r->group) && str_eq(k.version, r->version))
        k.group = k.version = STR("");
    buf_append_lit(b, "\"responseKind\":{");
    member(b, "group", k.group);
    buf_append_char(b, ',');
    member(b, "version", k.version);
    buf_append_char(b, ',');
    member(b, "kind", k.kind);
    buf_append_lit(b, "},");
}

static void print_aggregated_subresources(struct buf *b, const struct resource *r)
{
    if (!r->n_subresources)
        return;
    buf_append_lit(b, ",\"subresources\":[");
    for (size_t i = 0; i < r->n_subresources; i++) {
        buf_append_str(b, i ? STR(",{") : STR("{"));
        member(b, "subresource", r->subresources[i].name);
        buf_append_char(b, ',');
        print_response_kind(b, r, kind_of(r, r->subresources[i].type));
        verbs(b, r->subresources[i].verbs);
        buf_append_char(b, '}');
    }
    buf_append_char(b, ']');
}

static void print_aggregated_resource(struct buf *b, const struct resource *r)
{
    buf_append_char(b, '{');
    member(b, "resource", r->name);
    buf_append_char(b, ',');
    print_response_kind(b, r, kind_of(r, r->type));
    member(b, "scope", resource_is_namespaced(r) ? STR("Namespaced") : STR("Cluster"));
    buf_append_char(b, ',');
    member(b, "singularResource", r->singular);
    buf_append_char(b, ',');
    resource_verbs(b, r);
    words(b, "shortNames", r->short_names);
    words(b, "categories", r->categories);
    print_aggregated_subresources(b, r);
    buf_append_char(b, '}');
}

static void print_aggregated_version(struct buf *b, const struct served *s,
                                     const struct resource_group_version *gv)
{
    const struct resource *r;
    bool first = true;
    size_t at = 0;

    buf_append_char(b, '{');
    member(b, "version", gv->version);
    buf_append_lit(b, ",\"resources\":[");
    while ((r = next_row(s, gv->group, gv->version, &at))) {
        if (!first)
            buf_append_char(b, ',');
        first = false;
        print_aggregated_resource(b, r);
    }
    buf_append_lit(b, "],\"freshness\":\"Current\"}");
}

static void print_aggregated_group(struct buf *b, const struct served *s, size_t first_row)
{
    struct str group = s->items[first_row]->group;
    bool first = true;

    buf_append_lit(b, "{\"metadata\":{");
    if (group.len)
        member(b, "name", group);
    buf_append_lit(b, "},\"versions\":[");
    for (size_t i = first_row; i < s->n; i++) {
        const struct resource_group_version *gv = s->items[i];

        if (!str_eq(gv->group, group))
            continue;
        if (!first)
            buf_append_char(b, ',');
        first = false;
        print_aggregated_version(b, s, gv);
    }
    buf_append_lit(b, "]}");
}

struct str discovery_print_aggregated(struct arena *a, const struct extension_table *t,
                                      bool is_core)
{
    const struct served s = all_served(a, t);
    bool first = true;
    struct buf b;

    buf_init_arena(&b, a, 65536);
    buf_append_lit(&b,
                   "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\","
                   "\"metadata\":{},\"items\":[");
    for (size_t i = next_group(&s, 0, true); i < s.n; i = next_group(&s, i, false)) {
        if (is_core != !s.items[i]->group.len)
            continue;
        if (!first)
            buf_append_char(&b, ',');
        first = false;
        print_aggregated_group(&b, &s, i);
    }
    buf_append_lit(&b, "]}\n");
    return buf_str(&b);
}
