#include "apiserver/discovery.h"

#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "codec/json_writer.h"

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

/* Base64 of the first eight bytes of SHA-256 over GROUP/VERSION/KIND as stored: clients may tell by
 * it whether two versions are stored alike. */
static void storage_version_hash(struct buf *b, const struct resource *r)
{
    const struct schema *s = &schema_builtin;
    CLEANUP(buf_done) struct buf text = { 0 };
    unsigned char digest[DIGEST_SHA256_BYTES];

    if (!r->storage_type)
        return;
    buf_printf(&text, "%s/%s/%s", schema_cstr(s, r->storage_type->group),
               schema_cstr(s, r->storage_type->version), schema_cstr(s, r->storage_type->name));
    digest_sha256(buf_str(&text), digest);
    buf_append_lit(b, ",\"storageVersionHash\":\"");
    base64_encode(b, str_n((const char *)digest, 8));
    buf_append_char(b, '"');
}

static bool is_listed(const struct resource *r, struct str group, struct str version)
{
    return (r->flags & RESOURCE_SERVED) && str_eq(r->group, group) && str_eq(r->version, version);
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
    verbs(b, r->verbs);
    words(b, "shortNames", r->short_names);
    words(b, "categories", r->categories);
    storage_version_hash(b, r);
    buf_append_char(b, '}');
}

/* "pods/status"; group and version only where the kind is of another one. */
static void print_subresource(struct buf *b, const struct resource *r,
                              const struct resource_subresource *sub)
{
    const struct schema *s = &schema_builtin;
    struct str group = schema_str(s, sub->type->group), version = schema_str(s, sub->type->version);

    buf_printf(b, "{\"name\":\"%.*s/%.*s\",\"singularName\":\"\",\"namespaced\":%s,",
               STR_ARG(r->name), STR_ARG(sub->name), resource_is_namespaced(r) ? "true" : "false");
    if (!str_eq(group, r->group) || !str_eq(version, r->version)) {
        member(b, "group", group);
        buf_append_char(b, ',');
        member(b, "version", version);
        buf_append_char(b, ',');
    }
    member(b, "kind", schema_str(s, sub->type->name));
    buf_append_char(b, ',');
    verbs(b, sub->verbs);
    buf_append_char(b, '}');
}

struct str discovery_print_resources(struct arena *a, struct str group, struct str version)
{
    bool first = true;
    struct buf b;

    if (!resource_find_group_version(group, version))
        return STR_NULL;
    buf_init_arena(&b, a, 16384);
    buf_append_lit(&b, "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"");
    if (group.len)
        buf_printf(&b, "%.*s/", STR_ARG(group));
    buf_printf(&b, "%.*s\",\"resources\":[", STR_ARG(version));
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];

        if (!is_listed(r, group, version))
            continue;
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
static void print_group_members(struct buf *b, size_t first_row)
{
    struct str group = resource_group_versions[first_row].group;
    const struct resource_group_version *preferred = NULL;

    member(b, "name", group);
    buf_append_lit(b, ",\"versions\":[");
    for (size_t i = first_row; i < resource_group_versions_len; i++) {
        const struct resource_group_version *gv = &resource_group_versions[i];

        if (!gv->served || !str_eq(gv->group, group))
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

/* The first served row of each group, one after the other; resource_group_versions_len at the end.
 */
static size_t next_group(size_t i, bool from_start)
{
    for (i += !from_start; i < resource_group_versions_len; i++) {
        const struct resource_group_version *gv = &resource_group_versions[i];
        bool seen = false;

        for (size_t k = 0; k < i && gv->served; k++)
            seen |= resource_group_versions[k].served &&
                    str_eq(resource_group_versions[k].group, gv->group);
        if (gv->served && !seen)
            break;
    }
    return i;
}

struct str discovery_print_groups(struct arena *a)
{
    bool first = true;
    struct buf b;

    buf_init_arena(&b, a, 8192);
    buf_append_lit(&b, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (size_t i = next_group(0, true); i < resource_group_versions_len;
         i = next_group(i, false)) {
        if (!resource_group_versions[i].group.len)
            continue;
        buf_append_str(&b, first ? STR("{") : STR(",{"));
        first = false;
        print_group_members(&b, i);
        buf_append_char(&b, '}');
    }
    buf_append_lit(&b, "]}\n");
    return buf_str(&b);
}

struct str discovery_print_group(struct arena *a, struct str group)
{
    size_t i = next_group(0, true);
    struct buf b;

    while (i < resource_group_versions_len && !str_eq(resource_group_versions[i].group, group))
        i = next_group(i, false);
    if (i == resource_group_versions_len || !group.len)
        return STR_NULL;
    buf_init_arena(&b, a, 512);
    buf_append_lit(&b, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
    print_group_members(&b, i);
    buf_append_lit(&b, "}\n");
    return buf_str(&b);
}

/* --- the aggregated form --- */

static void print_response_kind(struct buf *b, const struct schema_type *t)
{
    const struct schema *s = &schema_builtin;

    buf_append_lit(b, "\"responseKind\":{");
    member(b, "group", schema_str(s, t->group));
    buf_append_char(b, ',');
    member(b, "version", schema_str(s, t->version));
    buf_append_char(b, ',');
    member(b, "kind", schema_str(s, t->name));
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
        print_response_kind(b, r->subresources[i].type);
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
    print_response_kind(b, r->type);
    member(b, "scope", resource_is_namespaced(r) ? STR("Namespaced") : STR("Cluster"));
    buf_append_char(b, ',');
    member(b, "singularResource", r->singular);
    buf_append_char(b, ',');
    verbs(b, r->verbs);
    words(b, "shortNames", r->short_names);
    words(b, "categories", r->categories);
    print_aggregated_subresources(b, r);
    buf_append_char(b, '}');
}

static void print_aggregated_version(struct buf *b, const struct resource_group_version *gv)
{
    bool first = true;

    buf_append_char(b, '{');
    member(b, "version", gv->version);
    buf_append_lit(b, ",\"resources\":[");
    for (size_t i = 0; i < resource_table_len; i++) {
        if (!is_listed(&resource_table[i], gv->group, gv->version))
            continue;
        if (!first)
            buf_append_char(b, ',');
        first = false;
        print_aggregated_resource(b, &resource_table[i]);
    }
    buf_append_lit(b, "],\"freshness\":\"Current\"}");
}

static void print_aggregated_group(struct buf *b, size_t first_row)
{
    struct str group = resource_group_versions[first_row].group;
    bool first = true;

    buf_append_lit(b, "{\"metadata\":{");
    if (group.len)
        member(b, "name", group);
    buf_append_lit(b, "},\"versions\":[");
    for (size_t i = first_row; i < resource_group_versions_len; i++) {
        const struct resource_group_version *gv = &resource_group_versions[i];

        if (!gv->served || !str_eq(gv->group, group))
            continue;
        if (!first)
            buf_append_char(b, ',');
        first = false;
        print_aggregated_version(b, gv);
    }
    buf_append_lit(b, "]}");
}

struct str discovery_print_aggregated(struct arena *a, bool is_core)
{
    bool first = true;
    struct buf b;

    buf_init_arena(&b, a, 65536);
    buf_append_lit(&b,
                   "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/v2\","
                   "\"metadata\":{},\"items\":[");
    for (size_t i = next_group(0, true); i < resource_group_versions_len;
         i = next_group(i, false)) {
        if (is_core != !resource_group_versions[i].group.len)
            continue;
        if (!first)
            buf_append_char(&b, ',');
        first = false;
        print_aggregated_group(&b, i);
    }
    buf_append_lit(&b, "]}\n");
    return buf_str(&b);
}
