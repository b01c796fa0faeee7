#include "apiserver/extensions/openapi_publication.h"

#include <pthread.h>

#include "api/apiextensions_v1.h"
#include "api/openapi.h"
#include "api/openapi_pb.h"
#include "api/structural/custom_openapi.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/openapi_endpoint.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "store/store.h"

struct openapi_publication {
    /* A lock and no message: whoever asks first makes the documents, others wait for them. */
    pthread_mutex_t lock;
    struct arena arena;
    bool has_v3, has_v2;
    struct openapi_text *v3;
    size_t n_v3;
    struct openapi_text v2, v2_pb; /* text unset: it could not be made */
};

struct openapi_publication *openapi_publication_new(void)
{
    struct openapi_publication *p = NEW(struct openapi_publication);

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void openapi_publication_free(struct openapi_publication *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    arena_done(&p->arena);
    mem_free(p);
}

/* --- what is in the documents --- */

/* Schemas are in the store alone: they are read again for the few who ask. */
struct source {
    const struct extension_table *table;
    struct stored_reader reader;
    struct arena *scratch;
};

static const struct apiextensions_v1_json_schema_props *
schema_of(const struct apiextensions_v1_custom_resource_definition *crd, struct str version)
{
    for (uint32_t i = 0; i < crd->spec.versions.len; i++) {
        const struct apiextensions_v1_custom_resource_definition_version *v =
            &crd->spec.versions.items[i];

        if (str_eq(v->name, version))
            return v->schema ? v->schema->open_api_v3_schema : NULL;
    }
    return NULL;
}

static void print_definitions(const struct source *s, struct buf *b,
                              const struct custom_resource *c, bool v2)
{
    const struct resource *row =
        stored_read_row(STR("apiextensions.k8s.io"), STR("customresourcedefinitions"));
    const struct apiextensions_v1_json_schema_props *schema = NULL;
    struct object crd;
    struct err err;

    if (stored_read_get(&s->reader, row, STR(""), c->definition->name, &crd, &err) >= 0)
        schema = schema_of(crd.data, c->row.version);
    if (b->len)
        buf_append_char(b, ',');
    custom_openapi_print(s->scratch, b, c, schema, v2);
}

/* Rows and definitions of one group version, added to what is there. */
static void add_group_version(const struct source *s, const struct resource_group_version *gv,
                              bool v2, const struct resource **rows, size_t *n, struct buf *b)
{
    for (size_t i = 0; i < s->table->n; i++) {
        const struct custom_definition *d = s->table->definitions[i];
        const struct custom_resource *c =
            str_eq(d->group, gv->group) ? custom_definition_version(d, gv->version) : NULL;

        if (!c || !c->is_served)
            continue;
        rows[(*n)++] = &c->row;
        print_definitions(s, b, c, v2);
    }
}

static size_t count_rows(const struct extension_table *t)
{
    size_t n = 1;

    for (size_t i = 0; i < t->n; i++)
        n += t->definitions[i]->n_versions;
    return n;
}

static struct openapi_text made(struct openapi_publication *p, struct str path, struct str text)
{
    unsigned char digest[DIGEST_SHA512_BYTES];
    struct openapi_text t = { .path = path, .text = str_dup(&p->arena, text) };
    struct buf hash = { 0 };

    buf_init_arena(&hash, &p->arena, sizeof(digest) * 2);
    digest_sha512(text, digest);
    digest_append_hex(&hash, digest, sizeof(digest));
    t.hash = buf_str(&hash);
    return t;
}

static void make_v3(struct openapi_publication *p, const struct source *s)
{
    const struct extension_table *t = s->table;
    const struct resource **rows =
        ARENA_NEW_ARRAY(s->scratch, const struct resource *, count_rows(t));

    p->v3 = ARENA_NEW_ARRAY(&p->arena, struct openapi_text, t->n_group_versions + 1);
    for (size_t i = 0; i < t->n_group_versions; i++) {
        const struct resource_group_version *gv = &t->group_versions[i];
        CLEANUP(buf_done) struct buf definitions = { 0 };
        CLEANUP(buf_done) struct buf text = { 0 };
        struct openapi_custom c = { .rows = rows };

        if (resource_find_group_version(gv->group, gv->version))
            continue;
        add_group_version(s, gv, false, rows, &c.n, &definitions);
        c.definitions = buf_str(&definitions);
        openapi_print_custom_v3(&text, &c, STR("v" VERSION_MAJOR "." VERSION_MINOR ".0"));
        p->v3[p->n_v3++] = made(
            p, arena_printf(&p->arena, "apis/%.*s/%.*s", STR_ARG(gv->group), STR_ARG(gv->version)),
            buf_str(&text));
    }
}

static bool builtin_text(struct arena *a, struct str path, struct str *ret)
{
    for (size_t i = 0; i < openapi_documents_len; i++) {
        const struct openapi_document *d = &openapi_documents[i];

        if (str_eq(d->path, path))
            return gzip_expand(a, str_n((const char *)d->gzip, d->gzip_len), d->text_len, ret) == 0;
    }
    return false;
}

/* The members at the begin of those that the built-in document has. */
static bool splice(struct buf *b, struct str *rest, struct str after, struct str members)
{
    ptrdiff_t at = str_find_str(*rest, after);

    if (at < 0)
        return false;
    buf_append_str(b, str_sub(*rest, 0, (size_t)at + after.len));
    buf_append_str(b, members);
    buf_append_char(b, ',');
    *rest = str_tail(*rest, (size_t)at + after.len);
    return true;
}

static void make_v2_json(struct openapi_publication *p, const struct source *s, struct str paths,
                         struct str definitions)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str text;

    if (!builtin_text(s->scratch, STR("v2"), &text) ||
        !splice(&b, &text, STR("\"paths\":{"), paths) ||
        !splice(&b, &text, STR("},\"definitions\":{"), definitions))
        return;
    buf_append_str(&b, text);
    p->v2 = made(p, STR("v2"), buf_str(&b));
}

static void make_v2_protobuf(struct openapi_publication *p, const struct source *s,
                             struct str paths, struct str definitions)
{
    CLEANUP(buf_done) struct buf json = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str text;
    struct err err;

    buf_printf(&json, "{\"paths\":{%.*s},\"definitions\":{%.*s}}", STR_ARG(paths),
               STR_ARG(definitions));
    if (!builtin_text(s->scratch, STR("v2.pb"), &text))
        return;
    buf_append_str(&b, text);
    if (openapi_print_v2_protobuf(s->scratch, &b, buf_str(&json), &err) >= 0)
        p->v2_pb = made(p, STR("v2.pb"), buf_str(&b));
    else
        LOG_WARNING("custom resources are not in OpenAPI's protobuf form",
                    KV("reason", (const char *)err.text));
}

static void make_v2(struct openapi_publication *p, const struct source *s)
{
    CLEANUP(buf_done) struct buf definitions = { 0 };
    CLEANUP(buf_done) struct buf paths = { 0 };
    struct openapi_custom c = { 0 };
    const struct resource **rows =
        ARENA_NEW_ARRAY(s->scratch, const struct resource *, count_rows(s->table));

    c.rows = rows;
    for (size_t i = 0; i < s->table->n_group_versions; i++)
        add_group_version(s, &s->table->group_versions[i], true, rows, &c.n, &definitions);
    openapi_print_custom_v2_paths(&paths, &c);
    make_v2_json(p, s, buf_str(&paths), buf_str(&definitions));
    make_v2_protobuf(p, s, buf_str(&paths), buf_str(&definitions));
}

/* --- asking --- */

/* Under the lock. */
static void make(struct api_request *r, struct openapi_publication *p, bool *has,
                 void (*fn)(struct openapi_publication *p, const struct source *s))
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct store_snapshot snapshot;
    struct source s = { .table = extensions_of(r), .scratch = &scratch };
    struct err err;

    if (*has || store_snapshot_begin(r->server->store, &snapshot, &err) < 0)
        return;
    *has = true;
    s.reader = (struct stored_reader){ &r->server->registry, &snapshot, &scratch };
    fn(p, &s);
    store_snapshot_end(&snapshot);
}

static struct openapi_publication *publication(struct api_request *r)
{
    const struct extension_table *t = extensions_of(r);

    return t && t->n ? t->openapi : NULL;
}

const struct openapi_text *openapi_publication_v3(struct api_request *r, size_t *ret_n)
{
    struct openapi_publication *p = publication(r);

    *ret_n = 0;
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    make(r, p, &p->has_v3, make_v3);
    *ret_n = p->n_v3;
    pthread_mutex_unlock(&p->lock);
    return p->v3;
}

const struct openapi_text *openapi_publication_v2(struct api_request *r, struct str path)
{
    struct openapi_publication *p = publication(r);
    const struct openapi_text *t;

    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    make(r, p, &p->has_v2, make_v2);
    t = str_eq(path, STR("v2")) ? &p->v2 : &p->v2_pb;
    pthread_mutex_unlock(&p->lock);
    return t->text.p ? t : NULL;
}
