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
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/thread.h"
#include "store/store.h"

enum { MAKING_NOT, MAKING_NOW, MAKING_DONE };

/* Who waits for a part, in the request's arena. */
struct waiter {
    struct mailbox_message message;
    struct api_request *r;
    openapi_ready_fn *ready;
    struct waiter *next;
};

/* What a thread makes, and nothing else may look at before it is done. */
struct part {
    struct openapi_publication *publication;
    enum openapi_part which;
    int state;
    struct waiter *waiters;
    struct thread *thread;
    const struct apiserver *server;
    const struct extension_table *table; /* held by who waits */
    struct arena arena;
    struct openapi_text *texts;
    size_t n;
};

struct openapi_publication {
    struct openapi_makers *makers;
    struct part parts[OPENAPI_PART_MAX]; /* under the makers' lock */
};

/* A lock and no message: all loops ask, and the end must be waited for. */
struct openapi_makers {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t running;
};

struct openapi_makers *openapi_makers_new(void)
{
    struct openapi_makers *m = NEW(struct openapi_makers);

    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->idle, NULL);
    return m;
}

void openapi_makers_settle(struct openapi_makers *m)
{
    pthread_mutex_lock(&m->lock);
    while (m->running)
        pthread_cond_wait(&m->idle, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

void openapi_makers_free(struct openapi_makers *m)
{
    if (!m)
        return;
    pthread_cond_destroy(&m->idle);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

struct openapi_publication *openapi_publication_new(struct openapi_makers *m)
{
    struct openapi_publication *p = NEW(struct openapi_publication);

    p->makers = m;
    for (size_t i = 0; i < OPENAPI_PART_MAX; i++) {
        p->parts[i].publication = p;
        p->parts[i].which = (enum openapi_part)i;
    }
    return p;
}

void openapi_publication_free(struct openapi_publication *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < OPENAPI_PART_MAX; i++) {
        thread_join(p->parts[i].thread); /* it has told everybody, or never ran */
        arena_done(&p->parts[i].arena);
    }
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

static void add(struct part *p, struct str path, struct str text)
{
    unsigned char digest[DIGEST_SHA512_BYTES];
    CLEANUP(buf_done) struct buf packed = { 0 };
    struct openapi_text *t = &p->texts[p->n++];
    struct buf hash = { 0 };

    *t = (struct openapi_text){ .path = path, .text = str_dup(&p->arena, text) };
    buf_init_arena(&hash, &p->arena, sizeof(digest) * 2);
    digest_sha512(text, digest);
    digest_append_hex(&hash, digest, sizeof(digest));
    t->hash = buf_str(&hash);
    if (gzip_compress(&packed, text, 1) == 0)
        t->gzip = str_dup(&p->arena, buf_str(&packed));
}

static void make_v3(struct part *p, const struct source *s)
{
    const struct extension_table *t = s->table;
    const struct resource **rows =
        ARENA_NEW_ARRAY(s->scratch, const struct resource *, count_rows(t));

    p->texts = ARENA_NEW_ARRAY(&p->arena, struct openapi_text, t->n_group_versions + 1);
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
        add(p, arena_printf(&p->arena, "apis/%.*s/%.*s", STR_ARG(gv->group), STR_ARG(gv->version)),
            buf_str(&text));
    }
}

static void make_v3_protobuf(struct part *p, const struct source *s)
{
    const struct part *v3 = &p->publication->parts[OPENAPI_PART_V3];
    struct err err;

    p->texts = ARENA_NEW_ARRAY(&p->arena, struct openapi_text, v3->n + 1);
    for (size_t i = 0; i < v3->n; i++) {
        CLEANUP(buf_done) struct buf b = { 0 };

        if (openapi_print_v3_protobuf(s->scratch, &b, v3->texts[i].text, &err) < 0)
            LOG_WARNING("a custom resource is not in OpenAPI's protobuf form",
                        KV("reason", (const char *)err.text));
        else
            add(p, v3->texts[i].path, buf_str(&b));
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

static void make_v2_json(struct part *p, const struct source *s, struct str paths,
                         struct str definitions)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str text;

    if (!builtin_text(s->scratch, STR("v2"), &text) ||
        !splice(&b, &text, STR("\"paths\":{"), paths) ||
        !splice(&b, &text, STR("},\"definitions\":{"), definitions))
        return;
    buf_append_str(&b, text);
    add(p, STR("v2"), buf_str(&b));
}

static void make_v2_protobuf(struct part *p, const struct source *s, struct str paths,
                             struct str definitions)
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
        add(p, STR("v2.pb"), buf_str(&b));
    else
        LOG_WARNING("custom resources are not in OpenAPI's protobuf form",
                    KV("reason", (const char *)err.text));
}

static void make_v2(struct part *p, const struct source *s)
{
    CLEANUP(buf_done) struct buf definitions = { 0 };
    CLEANUP(buf_done) struct buf paths = { 0 };
    struct openapi_custom c = { 0 };
    const struct resource **rows =
        ARENA_NEW_ARRAY(s->scratch, const struct resource *, count_rows(s->table));

    p->texts = ARENA_NEW_ARRAY(&p->arena, struct openapi_text, 2);
    c.rows = rows;
    for (size_t i = 0; i < s->table->n_group_versions; i++)
        add_group_version(s, &s->table->group_versions[i], true, rows, &c.n, &definitions);
    openapi_print_custom_v2_paths(&paths, &c);
    make_v2_json(p, s, buf_str(&paths), buf_str(&definitions));
    make_v2_protobuf(p, s, buf_str(&paths), buf_str(&definitions));
}

/* --- making --- */

static void make(struct part *p)
{
    static void (*const fns[OPENAPI_PART_MAX])(struct part * p, const struct source *s) = {
        [OPENAPI_PART_V3] = make_v3,
        [OPENAPI_PART_V3_PB] = make_v3_protobuf,
        [OPENAPI_PART_V2] = make_v2,
    };
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct store_snapshot snapshot;
    struct source s = { .table = p->table, .scratch = &scratch };
    struct err err;

    if (store_snapshot_begin(p->server->store, &snapshot, &err) < 0) {
        LOG_WARNING("custom resources are not in OpenAPI", KV("reason", (const char *)err.text));
        return;
    }
    s.reader = (struct stored_reader){ &p->server->registry, &snapshot, &scratch };
    fns[p->which](p, &s);
    store_snapshot_end(&snapshot);
}

/* The thread. With the last message the publication may go as soon as this has ended. */
static void make_and_tell(void *arg)
{
    struct part *p = arg;
    struct openapi_makers *m = p->publication->makers;
    struct waiter *w, *next;

    make(p);
    pthread_mutex_lock(&m->lock);
    p->state = MAKING_DONE;
    w = p->waiters;
    p->waiters = NULL;
    for (; w; w = next) {
        next = w->next; /* what was posted may be gone */
        mailbox_post(loop_mailbox(w->r->loop), &w->message);
    }
    if (--m->running == 0)
        pthread_cond_signal(&m->idle);
    pthread_mutex_unlock(&m->lock);
}

/* --- asking --- */

static struct openapi_publication *publication(struct api_request *r)
{
    const struct extension_table *t = extensions_of(r);

    return t && t->n ? t->openapi : NULL;
}

static void on_made(struct mailbox_message *message)
{
    struct waiter *w = CONTAINER_OF(message, struct waiter, message);
    struct api_request *r = w->r;

    w->ready(r);
    api_request_release(r);
}

bool openapi_publication_is_ready(struct api_request *r, enum openapi_part part,
                                  openapi_ready_fn *ready)
{
    struct openapi_publication *p = publication(r);
    struct part *it = p ? &p->parts[part] : NULL;
    struct waiter *w;
    bool done;

    if (!p)
        return true;
    pthread_mutex_lock(&p->makers->lock);
    done = it->state == MAKING_DONE;
    if (!done) {
        w = ARENA_NEW(r->arena, struct waiter);
        *w = (struct waiter){ .message.fn = on_made, .r = r, .ready = ready, .next = it->waiters };
        it->waiters = w;
        api_request_hold(r);
    }
    if (it->state == MAKING_NOT) {
        it->state = MAKING_NOW;
        it->server = r->server;
        it->table = extensions_of(r);
        p->makers->running++;
        it->thread = thread_start("openapi", make_and_tell, it);
    }
    pthread_mutex_unlock(&p->makers->lock);
    return done;
}

const struct openapi_text *openapi_publication_of(struct api_request *r, enum openapi_part part,
                                                  size_t *ret_n)
{
    struct openapi_publication *p = publication(r);

    *ret_n = p ? p->parts[part].n : 0;
    return p ? p->parts[part].texts : NULL;
}
