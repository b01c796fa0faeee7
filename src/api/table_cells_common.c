/* Cells that serve many kinds: ages, counts, joined lists, selectors. */
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/object_path.h"
#include "api/schema.h"
#include "api/table_cells.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/time_text.h"

void cell_text(struct cell *c, struct str s)
{
    buf_append_str(c->b, s);
}

void cell_or(struct cell *c, struct str s, struct str fallback)
{
    buf_append_str(c->b, s.len ? s : fallback);
}

void cell_age(struct cell *c, const struct ktime *t, struct str unset)
{
    if (t->set)
        time_text_print_age(c->b, c->now_s - t->sec);
    else
        buf_append_str(c->b, unset);
}

void cell_join(struct cell *c, size_t begin, struct str part)
{
    if (c->b->len > begin)
        buf_append_char(c->b, ',');
    buf_append_str(c->b, part);
}

static void age(struct cell *c)
{
    const struct schema_field *f;
    const void *at;

    if (!c->argument.len) {
        cell_age(c, &object_meta(c->o)->creation_timestamp, STR("<unknown>"));
        return;
    }
    at = object_path_at(c->o, c->argument, &f);
    cell_age(c, at ? at : &(struct ktime){ 0 }, STR("<none>"));
}

static void created(struct cell *c)
{
    const struct ktime *t = &object_meta(c->o)->creation_timestamp;

    if (t->set)
        time_text_print(c->b, t->sec);
}

static void count(struct cell *c)
{
    const struct schema_field *f;
    const struct schema_list *l = object_path_at(c->o, c->argument, &f);

    c->is_number = true;
    buf_append_u64(c->b, l ? l->len : 0);
}

/* "a/b" of two paths. */
static void ratio(struct cell *c)
{
    struct str have, want;

    (void)str_cut(c->argument, '/', &have, &want);
    if (!object_path_print(c->b, c->o, have))
        buf_append_char(c->b, '0');
    buf_append_char(c->b, '/');
    if (!object_path_print(c->b, c->o, want))
        buf_append_char(c->b, '0');
}

static void join(struct cell *c)
{
    const struct schema_field *f;
    const struct schema_strings *l = object_path_at(c->o, c->argument, &f);
    size_t begin = c->b->len;

    for (uint32_t i = 0; l && i < l->len; i++)
        cell_join(c, begin, l->items[i]);
    if (!l || !l->len)
        cell_text(c, STR("<none>"));
}

/* A map as k=v,k=v: it is sorted already. */
static void pairs(struct cell *c)
{
    const struct schema_field *f;
    const struct schema_list *l = object_path_at(c->o, c->argument, &f);
    const struct schema_str_entry *e = l ? l->items : NULL;

    for (uint32_t i = 0; l && i < l->len; i++)
        buf_printf(c->b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(e[i].key), STR_ARG(e[i].value));
    if (!l || !l->len)
        cell_text(c, STR("<none>"));
}

static void selector(struct cell *c)
{
    const struct schema_field *f;
    const void *at = object_path_at(c->o, c->argument, &f);
    const struct meta_v1_label_selector *sel = at ? object_path_value(f, at) : NULL;
    struct label_selector s;
    struct err ignored;

    if (!sel || (!sel->match_labels.len && !sel->match_expressions.len))
        cell_text(c, STR("<none>"));
    else if (label_selector_from_meta(c->arena, sel, &s, &ignored) < 0)
        cell_text(c, STR("<error>"));
    else
        cell_text(c, label_selector_print(c->arena, &s));
}

/* KIND/NAME, APIVERSION/KIND of structs with such members. */
static void two_members(struct cell *c, const char *first, const char *second, struct str unset)
{
    struct arena *a = c->arena;
    struct str left = arena_printf(a, "%.*s.%s", STR_ARG(c->argument), first);
    struct str right = arena_printf(a, "%.*s.%s", STR_ARG(c->argument), second);
    size_t begin = c->b->len;

    if (!object_path_print(c->b, c->o, left)) {
        c->b->len = begin;
        cell_text(c, unset);
        return;
    }
    buf_append_char(c->b, '/');
    (void)object_path_print(c->b, c->o, right); /* unset: nothing */
}

static void kind_name(struct cell *c)
{
    two_members(c, "kind", "name", STR(""));
}

static void api_kind(struct cell *c)
{
    two_members(c, "apiVersion", "kind", STR("<unset>"));
}

static void access_modes(struct cell *c)
{
    static const struct {
        struct str mode;
        struct str text;
    } modes[] = { { STR_INIT("ReadWriteOnce"), STR_INIT("RWO") },
                  { STR_INIT("ReadOnlyMany"), STR_INIT("ROX") },
                  { STR_INIT("ReadWriteMany"), STR_INIT("RWX") },
                  { STR_INIT("ReadWriteOncePod"), STR_INIT("RWOP") } };
    const struct schema_field *f;
    const struct schema_strings *l = object_path_at(c->o, c->argument, &f);
    size_t begin = c->b->len;

    for (size_t m = 0; l && m < ARRAY_LEN(modes); m++) {
        for (uint32_t i = 0; i < l->len; i++) {
            if (str_eq(l->items[i], modes[m].mode)) {
                cell_join(c, begin, modes[m].text);
                break;
            }
        }
    }
}

/* The PodSpec of a Pod, or of a template at the usual place. */
static const struct core_v1_pod_spec *pod_spec(struct object o)
{
    static const struct str places[] = { STR_INIT("spec.template.spec"),
                                         STR_INIT("spec.jobTemplate.spec.template.spec"),
                                         STR_INIT("template.spec"), STR_INIT("spec") };
    const struct schema_type *t = schema_find_type(o.schema, STR(""), STR("v1"), STR("PodSpec"));

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const struct schema_field *f;
        const void *at = object_path_at(o, places[i], &f);

        if (at && f->kind == SCHEMA_KIND_STRUCT && &o.schema->types[f->type] == t)
            return object_path_value(f, at);
    }
    return NULL;
}

/* A ReplicationController's template is behind a pointer, which the path passes. */
static void containers(struct cell *c, bool images)
{
    const struct core_v1_pod_spec *spec = pod_spec(c->o);
    size_t begin = c->b->len;

    for (uint32_t i = 0; spec && i < spec->containers.len; i++)
        cell_join(c, begin,
                  images ? spec->containers.items[i].image : spec->containers.items[i].name);
}

static void container_names(struct cell *c)
{
    containers(c, false);
}

static void container_images(struct cell *c)
{
    containers(c, true);
}

static void phase(struct cell *c)
{
    if (object_meta(c->o)->deletion_timestamp.set)
        cell_text(c, STR("Terminating"));
    else
        (void)object_path_print(c->b, c->o, STR("status.phase")); /* unset: nothing */
}

static struct str annotation(struct object o, struct str key)
{
    const struct meta_v1_object_meta *m = object_meta(o);

    for (uint32_t i = 0; i < m->annotations.len; i++) {
        if (str_eq(m->annotations.items[i].key, key))
            return m->annotations.items[i].value;
    }
    return STR_NULL;
}

static void storage_class(struct cell *c)
{
    struct str class = annotation(c->o, STR("volume.beta.kubernetes.io/storage-class"));

    if (class.p)
        cell_text(c, class);
    else
        (void)object_path_print(c->b, c->o, STR("spec.storageClassName")); /* unset: nothing */
}

static void default_name(struct cell *c)
{
    static const struct str marks[] = { STR_INIT("storageclass.kubernetes.io/is-default-class"),
                                        STR_INIT(
                                            "storageclass.beta.kubernetes.io/is-default-class"),
                                        STR_INIT("ingressclass.kubernetes.io/is-default-class") };
    bool is_default = false;

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        is_default |= str_eq(annotation(c->o, marks[i]), STR("true"));
    cell_text(c, object_meta(c->o)->name);
    if (is_default)
        cell_text(c, STR(" (default)"));
}

const struct cell_row table_cells_common[] = {
    { STR_INIT("age"), age },
    { STR_INIT("created"), created },
    { STR_INIT("count"), count },
    { STR_INIT("ratio"), ratio },
    { STR_INIT("join"), join },
    { STR_INIT("pairs"), pairs },
    { STR_INIT("selector"), selector },
    { STR_INIT("kind_name"), kind_name },
    { STR_INIT("api_kind"), api_kind },
    { STR_INIT("access_modes"), access_modes },
    { STR_INIT("container_names"), container_names },
    { STR_INIT("container_images"), container_images },
    { STR_INIT("phase"), phase },
    { STR_INIT("storage_class"), storage_class },
    { STR_INIT("default_name"), default_name },
    { { 0 }, NULL },
};
