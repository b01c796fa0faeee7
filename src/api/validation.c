/* The validation engine: rows sorted by type once per process, one walk over the object. Metadata
 * has its own rules (meta_validation.h); the status is walked only through its own endpoint, the
 * rest only through the main one. */
#include "api/validation.h"

#include <pthread.h>

#include "api/field_error.h"
#include "api/internal_print.h"
#include "api/meta_validation.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

/* What an unset field means to a row. */
enum unset_answer { UNSET_IS_CHECKED, UNSET_IS_FINE, UNSET_IS_WRONG };

/* A member of a union. */
struct planned_choice {
    struct str extra; /* its name when it is one too many */
    struct str below; /* its name in paths below */
    struct schema_walk_probe probe;
    const struct schema_walk_child *child; /* NULL: no rules below */
};

struct planned_rule {
    const struct rule *rule;
    const struct schema_field *field;
    const struct schema_walk_child *child;     /* of RULE_BELOW, RULE_SET; NULL: no rules below */
    struct VEC(struct planned_choice) choices; /* of RULE_ONE_OF */
    struct VEC(struct str) words;              /* of RULE_ENUM */
    struct str name;                           /* of the field */
    uint32_t offset;
    struct schema_walk_probe probe;
    enum unset_answer unset;
};

struct type_plan {
    struct VEC(struct planned_rule) rules;
    uint16_t
        n_after; /* the first children, which are walked after the rows; rows walk the others */
};

struct plan {
    const struct schema *schema;
    struct type_plan *types;
    struct schema_walk_children *children;
    size_t unknown; /* rows whose type or field does not exist */
};

static const struct rule *const rule_tables[] = {
    rules_core,          rules_pod,
    rules_container,     rules_volume_sources,
    rules_placement,     rules_service,
    rules_apps,          rules_batch,
    rules_autoscaling,   rules_rbac,
    rules_networking,    rules_volumes,
    rules_storage,       rules_cluster,
    rules_discovery,     rules_admission,
    rules_flowcontrol,   rules_certificates,
    rules_devices,       rules_device_slice,
    rules_authorization, rules_admission_policy,
};

static struct plan plan;
static validation_seen_fn observer;
static pthread_once_t plan_once = PTHREAD_ONCE_INIT; /* objects are validated on every I/O thread */

static enum unset_answer unset_answer(const struct rule *r, const struct schema_field *f)
{
    switch (r->check) {
    case RULE_REQUIRED:
        return UNSET_IS_WRONG;
    case RULE_FORBIDDEN:
    case RULE_ENUM:
    case RULE_NAME:
    case RULE_NAME_PREFIX:
    case RULE_KEYS:
    case RULE_LABELS:
    case RULE_UNIQUE:
    case RULE_RANGE:
    case RULE_MAX_ITEMS:
    case RULE_MAX_BYTES:
    case RULE_SET:
    case RULE_BELOW:
        return UNSET_IS_FINE;
    case RULE_NUMBER:
    case RULE_MIN:
        return f->shape == SCHEMA_POINTER ? UNSET_IS_FINE : UNSET_IS_CHECKED;
    case RULE_ONE_OF:
    case RULE_IMMUTABLE:
    case RULE_LOCKED:
    case RULE_NAME_ALWAYS:
    case RULE_FN:
    case RULE_DO:
        break;
    case RULE_NAME_SET:
    case RULE_ENUM_SET:
        return f->shape == SCHEMA_POINTER ? UNSET_IS_FINE : UNSET_IS_CHECKED;
    }
    return UNSET_IS_CHECKED;
}

static void plan_words(struct planned_rule *row)
{
    struct str rest = str_from_cstr(row->rule->text), word;

    while ((row->rule->check == RULE_ENUM || row->rule->check == RULE_ENUM_SET) &&
           str_next(&rest, '|', &word))
        VEC_PUSH(&row->words, word);
}

static const struct schema_field *embedded_field(const struct schema *s,
                                                 const struct schema_type *t)
{
    for (uint16_t i = 0; i < t->n_fields; i++)
        if (s->fields[t->first_field + i].shape == SCHEMA_INLINE)
            return &s->fields[t->first_field + i];
    return NULL;
}

static void plan_table(struct plan *p, const struct rule *table)
{
    for (const struct rule *r = table; r->type; r++) {
        const struct schema_type *t = schema_walk_type(p->schema, r->type);
        struct planned_rule row = { .rule = r };
        uint32_t base = 0;

        if (t && r->field && str_eq(str_from_cstr(r->field), STR("*")))
            row.field = embedded_field(p->schema, t);
        else if (t && r->field)
            row.field = schema_find_member(p->schema, t, str_from_cstr(r->field), &base);
        if (!t || (r->field && !row.field)) {
            p->unknown++;
            continue;
        }
        if (row.field) {
            row.name = schema_field_name(p->schema, row.field);
            row.offset = base + row.field->offset;
            row.probe = schema_walk_probe(row.field, row.offset);
            row.unset = unset_answer(r, row.field);
            plan_words(&row);
        }
        VEC_PUSH(&p->types[t - p->schema->types].rules, row);
    }
}

static const struct schema_walk_child *child_of(const struct plan *p, const struct schema_type *t,
                                                const struct schema_field *f)
{
    const struct schema_walk_children *all = &p->children[t - p->schema->types];

    for (uint16_t i = 0; i < all->len; i++)
        if (all->items[i].field == f)
            return &all->items[i];
    return NULL;
}

/* "name:extra:below", the latter two optional. */
static void plan_choice(struct plan *p, const struct schema_type *t, struct planned_rule *row,
                        struct str text)
{
    struct planned_choice c = { 0 };
    const struct schema_field *f;
    struct str name, rest, extra, below;
    uint32_t base = 0;

    (void)str_cut(text, ':', &name, &rest);
    (void)str_cut(rest, ':', &extra, &below);
    f = schema_find_member(p->schema, t, name, &base);
    if (!f) {
        p->unknown++;
        return;
    }
    c.extra = extra.len ? extra : name;
    c.below = below.len ? below : name;
    c.probe = schema_walk_probe(f, base + f->offset);
    c.child = child_of(p, t, f);
    VEC_PUSH(&row->choices, c);
}

static bool is_walked_by_row(const struct type_plan *t, const struct schema *s,
                             const struct schema_walk_child *c)
{
    for (size_t i = 0; i < t->rules.len; i++) {
        const struct planned_rule *row = &t->rules.items[i];
        struct str rest = str_from_cstr(row->rule->order ? row->rule->order : ""), part;

        if ((row->rule->check == RULE_BELOW || row->rule->check == RULE_SET) && row->field &&
            row->field == c->field)
            return true;
        while (row->rule->order && str_next(&rest, '|', &part)) {
            (void)str_cut(part, ':', &part, &(struct str){ 0 });
            if (str_eq(part, schema_field_name(s, c->field)))
                return true;
        }
    }
    return false;
}

/* Children that rows walk go behind the others, and the rows learn of them. */
static void plan_order(struct plan *p, uint16_t type)
{
    struct schema_walk_children *all = &p->children[type];
    struct type_plan *t = &p->types[type];
    struct schema_walk_child *sorted = mem_zalloc((all->len + 1U) * sizeof(*sorted));
    uint16_t n = 0;

    for (int walked = 0; walked < 2; walked++) {
        for (uint16_t i = 0; i < all->len; i++)
            if (is_walked_by_row(t, p->schema, &all->items[i]) == walked)
                sorted[n++] = all->items[i];
        if (!walked)
            t->n_after = n;
    }
    if (all->len)
        memcpy(all->items, sorted, all->len * sizeof(*sorted));
    mem_free(sorted);
    for (size_t i = 0; i < t->rules.len; i++) {
        struct planned_rule *row = &t->rules.items[i];
        struct str rest = str_from_cstr(row->rule->order ? row->rule->order : ""), part;

        if ((row->rule->check == RULE_BELOW || row->rule->check == RULE_SET) && row->field)
            row->child = child_of(p, &p->schema->types[type], row->field);
        while (row->rule->check == RULE_ONE_OF && str_next(&rest, '|', &part))
            plan_choice(p, &p->schema->types[type], row, part);
    }
}

static void plan_children(struct plan *p)
{
    bool *has_own = mem_zalloc(p->schema->n_types + 1U);

    for (uint16_t t = 0; t < p->schema->n_types; t++)
        has_own[t] = p->types[t].rules.len > 0;
    p->children = schema_walk_plan(p->schema, has_own);
    mem_free(has_own);
    for (uint16_t t = 0; t < p->schema->n_types; t++)
        plan_order(p, t);
}

static void make_plan(void)
{
    plan.schema = &schema_builtin;
    plan.types = mem_zalloc(sizeof(*plan.types) * (schema_builtin.n_types + 1U));
    for (size_t i = 0; i < ARRAY_LEN(rule_tables); i++)
        plan_table(&plan, rule_tables[i]);
    plan_children(&plan);
}

/* A row at a place. */
struct place {
    const struct rule_context *c;
    const struct planned_rule *row;
    const void *at;  /* the field */
    const void *old; /* the field in the stored object, or NULL */
    struct field_path path;
};

static void check_listed(const struct place *p, const struct field_path *path, struct str value)
{
    const struct planned_rule *row = p->row;

    for (size_t i = 0; i < row->words.len; i++)
        if (str_eq(row->words.items[i], value))
            return;
    field_errors_add_unsupported(p->c->errs, path, value, row->words.items,
                                 MIN(row->words.len, 16U));
}

static void check_enum(const struct place *p)
{
    const struct schema_list *list = p->at;
    const struct str *texts = p->at;

    if (p->row->field->shape != SCHEMA_LIST) {
        if (texts->len || p->row->rule->check == RULE_ENUM_SET)
            check_listed(p, &p->path, *texts);
        return;
    }
    texts = list->items;
    for (uint32_t i = 0; i < list->len; i++) {
        struct field_path item = field_path_index(&p->path, i);

        check_listed(p, &item, texts[i]);
    }
}

static void check_prefix(const struct place *p)
{
    const struct str *text = p->at;
    struct name_messages m;

    name_rule_check_prefix((enum name_rule)p->row->rule->min, *text, &m);
    for (size_t i = 0; i < m.len; i++)
        field_errors_add_text(p->c->errs, &p->path, FIELD_ERROR_INVALID, *text, "%s", m.items[i].p);
}

static void check_name(const struct place *p)
{
    enum name_rule rule = (enum name_rule)p->row->rule->min;
    const struct schema_list *list = p->at;
    const struct str *texts = p->at;

    if (p->row->field->shape != SCHEMA_LIST) {
        if (texts->len || p->row->rule->check != RULE_NAME)
            (void)name_rule_report(p->c->errs, &p->path, rule, *texts);
        return;
    }
    texts = list->items;
    for (uint32_t i = 0; i < list->len; i++) {
        struct field_path item = field_path_index(&p->path, i);

        (void)name_rule_report(p->c->errs, &item, rule, texts[i]);
    }
}

static void check_keys(const struct place *p)
{
    size_t value_offset, stride = schema_map_entry_size(plan.schema, p->row->field, &value_offset);
    const struct schema_list *map = p->at;

    for (uint32_t i = 0; i < map->len; i++) {
        const struct str *key = (const void *)((const char *)map->items + i * stride);
        struct field_path at = field_path_key(&p->path, *key);

        (void)name_rule_report(p->c->errs, &at, (enum name_rule)p->row->rule->min, *key);
    }
}

/* The number that a field holds; false when it is an unset pointer. */
static bool number_of(const struct planned_rule *row, const void *at, int64_t *ret)
{
    if (row->field->shape == SCHEMA_POINTER) {
        at = *(void *const *)at;
        if (!at)
            return false;
    }
    switch (row->field->kind) {
    case SCHEMA_KIND_INT32:
        *ret = *(const int32_t *)at;
        return true;
    case SCHEMA_KIND_INT64:
        *ret = *(const int64_t *)at;
        return true;
    }
    return false;
}

static void check_number(const struct place *p)
{
    const struct rule *r = p->row->rule;
    struct str printed;
    int64_t n;

    if (!number_of(p->row, p->at, &n))
        return;
    if (r->check == RULE_RANGE && n == 0 && p->row->field->shape != SCHEMA_POINTER)
        return;
    if (n >= r->min && (r->check == RULE_MIN || n <= r->max))
        return;
    printed = arena_printf(p->c->arena, "%lld", (long long)n);
    if (r->text)
        field_errors_add_raw(p->c->errs, &p->path, FIELD_ERROR_INVALID, printed, "%s", r->text);
    else if (r->check == RULE_MIN)
        field_errors_add_raw(p->c->errs, &p->path, FIELD_ERROR_INVALID, printed,
                             "must be greater than or equal to %lld", (long long)r->min);
    else
        field_errors_add_raw(p->c->errs, &p->path, FIELD_ERROR_INVALID, printed,
                             "must be between %lld and %lld, inclusive", (long long)r->min,
                             (long long)r->max);
}

/* The member `offset` of the items of a list, as long as it is short. */
enum { FEW_ITEMS = 16 };

static bool is_few_and_unique(const struct schema_list *list, size_t stride, size_t offset)
{
    const char *items = list->items;

    for (uint32_t i = 1; i < list->len; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct str *a = (const void *)(items + i * stride + offset);
            const struct str *b = (const void *)(items + k * stride + offset);

            if (a->len && str_eq(*a, *b))
                return false;
        }
    return true;
}

static void check_unique(const struct place *p)
{
    CLEANUP(map_done) struct map seen = { 0 };
    const struct schema_list *list = p->at;
    size_t stride = schema_kind_size(plan.schema, p->row->field->kind, p->row->field->type);
    struct str member = str_from_cstr(p->row->rule->text);
    uint32_t base;
    const struct schema_field *key =
        schema_find_member(plan.schema, &plan.schema->types[p->row->field->type], member, &base);

    if (!key || (list->len <= FEW_ITEMS && is_few_and_unique(list, stride, base + key->offset)))
        return;
    for (uint32_t i = 0; i < list->len; i++) {
        const struct str *text =
            (const void *)((const char *)list->items + i * stride + base + key->offset);
        struct field_path item = field_path_index(&p->path, i);
        struct field_path at = field_path_member(&item, member);

        if (text->len == 0)
            continue;
        if (map_has(&seen, *text))
            field_errors_add_text(p->c->errs, &at, FIELD_ERROR_DUPLICATE, *text, "");
        else
            (void)map_put(&seen, *text, &seen); /* a set */
    }
}

static struct str printed_value(const struct place *p)
{
    const struct schema_field *f = p->row->field;
    int64_t n;

    if (number_of(p->row, p->at, &n))
        return arena_printf(p->c->arena, "%lld", (long long)n);
    if (f->kind == SCHEMA_KIND_BOOL) {
        const bool *b = f->shape == SCHEMA_POINTER ? *(const bool *const *)p->at : p->at;

        return !b ? STR("null") : *b ? STR("true") : STR("false");
    }
    return internal_print_field(p->c->arena, f, p->at);
}

static void check_immutable(const struct place *p)
{
    const struct schema_field *f = p->row->field;
    const char *text = p->row->rule->text ? p->row->rule->text : "field is immutable";

    if (!p->old || rule_fields_equal(f, p->at, p->old))
        return;
    if (p->row->rule->check == RULE_LOCKED)
        field_errors_add(p->c->errs, &p->path, FIELD_ERROR_FORBIDDEN, "%s", text);
    else if (f->kind == SCHEMA_KIND_STRING && f->shape != SCHEMA_LIST && f->shape != SCHEMA_MAP)
        field_errors_add_text(p->c->errs, &p->path, FIELD_ERROR_INVALID, *(const struct str *)p->at,
                              "%s", text);
    else
        field_errors_add_raw(p->c->errs, &p->path, FIELD_ERROR_INVALID, printed_value(p), "%s",
                             text);
}

/* Lists by their items, texts by their bytes. */
static void check_length(const struct place *p)
{
    const struct rule *r = p->row->rule;
    size_t n = r->check == RULE_MAX_ITEMS ? ((const struct schema_list *)p->at)->len
                                          : ((const struct str *)p->at)->len;

    if (n <= (size_t)r->max)
        return;
    if (r->check == RULE_MAX_BYTES && r->text)
        field_errors_add(p->c->errs, &p->path, FIELD_ERROR_TOO_LONG, "%s", r->text);
    else if (r->check == RULE_MAX_BYTES)
        field_errors_add(p->c->errs, &p->path, FIELD_ERROR_TOO_LONG,
                         "may not be more than %lld bytes", (long long)r->max);
    else
        field_errors_add_raw(p->c->errs, &p->path, FIELD_ERROR_TOO_MANY,
                             arena_printf(p->c->arena, "%zu", n), "must have at most %lld items",
                             (long long)r->max);
}

/* Rows that say nothing of an unset field, or only of one, are most. */
static inline bool is_silent(const struct planned_rule *row, const void *data)
{
    return row->unset != UNSET_IS_CHECKED &&
           schema_walk_probe_is_zero(row->probe, data) != (row->unset == UNSET_IS_WRONG);
}

static void check_field(const struct rule_context *c, const struct planned_rule *row)
{
    const struct rule *r = row->rule;
    struct place p = { .c = c,
                       .row = row,
                       .at = (const char *)c->data + row->offset,
                       .old = c->old ? (const char *)c->old + row->offset : NULL,
                       .path = field_path_member(c->path, row->name) };

    switch (r->check) {
    case RULE_REQUIRED:
        field_errors_add(c->errs, &p.path, FIELD_ERROR_REQUIRED, "%s", r->text ? r->text : "");
        break;
    case RULE_FORBIDDEN:
        field_errors_add(c->errs, &p.path, FIELD_ERROR_FORBIDDEN, "%s", r->text ? r->text : "");
        break;
    case RULE_ENUM:
    case RULE_ENUM_SET:
        check_enum(&p);
        break;
    case RULE_NAME:
    case RULE_NAME_ALWAYS:
    case RULE_NAME_SET:
        check_name(&p);
        break;
    case RULE_NAME_PREFIX:
        check_prefix(&p);
        break;
    case RULE_KEYS:
        check_keys(&p);
        break;
    case RULE_LABELS:
        meta_validate_labels(c->errs, p.at, &p.path);
        break;
    case RULE_RANGE:
    case RULE_NUMBER:
    case RULE_MIN:
        check_number(&p);
        break;
    case RULE_UNIQUE:
        check_unique(&p);
        break;
    case RULE_IMMUTABLE:
    case RULE_LOCKED:
        check_immutable(&p);
        break;
    case RULE_MAX_ITEMS:
    case RULE_MAX_BYTES:
        check_length(&p);
        break;
    case RULE_ONE_OF:
    case RULE_DO:
    case RULE_FN:
    case RULE_SET:
    case RULE_BELOW:
        break;
    }
}

static void walk(const struct rule_context *c);
static void walk_field(const struct rule_context *c, const struct schema_walk_child *f,
                       struct str name);
static struct field_path path_of_item(const struct schema_walk_child *f,
                                      const struct field_path *member, const void *data,
                                      uint32_t i);

static void check_below(const struct rule_context *c, const struct planned_rule *row)
{
    if (row->rule->fn)
        row->rule->fn(c);
    else if (row->child)
        walk_field(c, row->child, row->name);
}

/* Exactly one of the members, and only it is walked. */
static void check_one_of(const struct rule_context *c, const struct planned_rule *row)
{
    struct str none, more;
    bool any = false;

    (void)str_cut(str_from_cstr(row->rule->text), '|', &none, &more);
    for (size_t i = 0; i < row->choices.len; i++) {
        const struct planned_choice *choice = &row->choices.items[i];
        struct field_path at = field_path_member(c->path, choice->extra);

        if (schema_walk_probe_is_zero(choice->probe, c->data))
            continue;
        if (any)
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN, "%.*s", STR_ARG(more));
        else if (choice->child)
            walk_field(c, choice->child, choice->below);
        any = true;
    }
    if (!any)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED, "%.*s", STR_ARG(none));
}

void rule_below_item(const struct rule_context *c, const char *member, uint32_t i)
{
    const struct schema_walk_children *all = &plan.children[c->type];
    struct field_path list = field_path_member(c->path, str_from_cstr(member));
    struct field_path item;
    struct rule_context below = *c;
    char *first;

    for (uint16_t k = plan.types[c->type].n_after; k < all->len; k++) {
        const struct schema_walk_child *f = &all->items[k];

        if (!str_eq(f->name, str_from_cstr(member)) ||
            i >= schema_walk_child_structs(f, (char *)(uintptr_t)c->data, &first))
            continue;
        below.old = NULL;
        below.up = c;
        below.type = f->type;
        below.path = &item;
        below.data = first + (size_t)i * f->stride;
        item = path_of_item(f, &list, below.data, i);
        walk(&below);
    }
}

/* Items that bear the key of an earlier one. */
static void check_set_keys(const struct rule_context *c, const struct schema_field *f,
                           const struct schema_list *list, const char *key)
{
    CLEANUP(map_done) struct map seen = { 0 };
    size_t stride = schema_kind_size(plan.schema, f->kind, f->type);
    struct field_path member = field_path_member(c->path, schema_field_name(plan.schema, f));
    uint32_t base;
    const struct schema_field *k =
        schema_find_member(plan.schema, &plan.schema->types[f->type], str_from_cstr(key), &base);

    for (uint32_t i = 0; k && i < list->len; i++) {
        const struct str *text =
            (const void *)((const char *)list->items + i * stride + base + k->offset);
        struct field_path item = field_path_index(&member, i);

        if (map_has(&seen, *text))
            field_errors_add_text(c->errs, &item, FIELD_ERROR_DUPLICATE, *text, "");
        else
            (void)map_put(&seen, *text, &seen); /* a set */
    }
}

static void walk_set(const struct rule_context *c, const struct planned_rule *row, uint32_t max,
                     const char *key)
{
    const struct schema_list *list = (const void *)((const char *)c->data + row->offset);
    struct field_path at = field_path_member(c->path, row->name);

    if (max && list->len > max) {
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_TOO_MANY,
                             arena_printf(c->arena, "%u", list->len), "must have at most %u items",
                             max);
        return;
    }
    if (row->child)
        walk_field(c, row->child, row->name);
    if (key)
        check_set_keys(c, row->field, list, key);
}

static void check_set(const struct rule_context *c, const struct planned_rule *row)
{
    walk_set(c, row, (uint32_t)row->rule->max, row->rule->text);
}

void rule_below_set(const struct rule_context *c, const char *member, uint32_t max, const char *key)
{
    const struct type_plan *p = &plan.types[c->type];

    for (size_t i = 0; i < p->rules.len; i++)
        if (p->rules.items[i].rule->check == RULE_BELOW &&
            str_eq(p->rules.items[i].name, str_from_cstr(member)))
            walk_set(c, &p->rules.items[i], max, key);
}

void rule_below(const struct rule_context *c, const char *member)
{
    const struct schema_walk_children *all = &plan.children[c->type];

    for (uint16_t i = plan.types[c->type].n_after; i < all->len; i++)
        if (str_eq(all->items[i].name, str_from_cstr(member)))
            walk_field(c, &all->items[i], all->items[i].name);
}

static void check_row(const struct rule_context *c, const struct planned_rule *row)
{
    switch (row->rule->check) {
    case RULE_DO:
    case RULE_FN:
        row->rule->fn(c);
        break;
    case RULE_ONE_OF:
        check_one_of(c, row);
        break;
    case RULE_BELOW:
        check_below(c, row);
        break;
    case RULE_SET:
        check_set(c, row);
        break;
    default:
        check_field(c, row);
        break;
    }
}

static void observe(const struct rule_context *c, const struct planned_rule *row)
{
    size_t before = c->errs->len;

    if (!is_silent(row, c->data)) {
        check_row(c, row);
        observer(row->rule, c->errs->len > before);
    } else if (row->unset == UNSET_IS_WRONG || row->rule->check == RULE_FORBIDDEN) {
        observer(row->rule, false); /* nothing is said because all is well */
    }
}

static void check_rows(const struct rule_context *c)
{
    const struct type_plan *p = &plan.types[c->type];

    for (size_t i = 0; i < p->rules.len; i++) {
        const struct planned_rule *row = &p->rules.items[i];

        if (observer)
            observe(c, row);
        else if (!is_silent(row, c->data))
            check_row(c, row);
    }
}

static struct field_path path_of_item(const struct schema_walk_child *f,
                                      const struct field_path *member, const void *data, uint32_t i)
{
    return f->shape == SCHEMA_MAP
               ? field_path_key(member, *(const struct str *)(const void *)((const char *)data -
                                                                            f->value_offset))
               : field_path_index(member, i);
}

/* Visits the structs of one field, which is named so in paths. */
static void walk_field(const struct rule_context *c, const struct schema_walk_child *f,
                       struct str name)
{
    char *data = (char *)(uintptr_t)c->data; /* read only, for the walk's helper */
    char *first, *old = NULL;
    uint32_t n = schema_walk_child_structs(f, data, &first);
    struct field_path member, item;
    bool is_many = f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP;
    struct rule_context below;

    if (!n)
        return;
    if (c->old && !is_many && !schema_walk_child_structs(f, (char *)(uintptr_t)c->old, &old))
        old = NULL;
    below = *c;
    below.old = old;
    below.up = c;
    below.type = f->type;
    item = member = field_path_member(c->path, name);
    if (f->shape != SCHEMA_INLINE)
        below.path = is_many ? &item : &member;
    for (uint32_t i = 0; i < n && !arena_is_over(c->arena); i++) {
        below.data = first + (size_t)i * f->stride;
        if (is_many)
            item = path_of_item(f, &member, below.data, i);
        walk(&below);
    }
}

static void walk(const struct rule_context *c)
{
    const struct schema_walk_child *below = plan.children[c->type].items;

    check_rows(c);
    for (uint16_t i = 0; i < plan.types[c->type].n_after; i++)
        walk_field(c, &below[i], below[i].name);
}

/* The members of the top: "status" belongs to its endpoint, all others to the main one. */
static void walk_top(const struct rule_context *c)
{
    const struct schema_walk_child *below = plan.children[c->type].items;
    bool status_part = c->request->part == VALIDATION_STATUS;

    if (!status_part)
        check_rows(c);
    for (uint16_t i = 0; i < plan.types[c->type].n_after; i++) {
        struct str name = below[i].name;

        if (!str_eq(name, STR("metadata")) && str_eq(name, STR("status")) == status_part)
            walk_field(c, &below[i], name);
    }
}

void validation_run(const struct validation_request *req, struct field_errors *errs)
{
    static const struct field_path metadata = { .name = STR_INIT("metadata"), .index = -1 };
    struct rule_scratch scratch = { 0 };
    struct rule_context c = { .request = req,
                              .scratch = &scratch,
                              .errs = errs,
                              .arena = errs->arena,
                              .data = req->object.data,
                              .old = req->old.data };
    const struct meta_v1_object_meta *meta = object_meta(req->object);

    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    if (meta && req->meta && req->old.data)
        meta_validate_update(errs, meta, object_meta(req->old), req->meta, &metadata);
    else if (meta && req->meta)
        meta_validate(errs, meta, req->meta, &metadata);
    if (req->part == VALIDATION_OTHER || req->object.schema != plan.schema)
        return;
    c.type = (uint16_t)(req->object.type - plan.schema->types);
    walk_top(&c);
}

bool validation_has_rules(const struct schema *s, const struct schema_type *t)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    return s == plan.schema && plan.children[t - s->types].any;
}

/* Types may hold themselves (JSON schemas): each is gone through once. */
static size_t count_below(uint16_t type, bool *seen)
{
    const struct schema_walk_children *below = &plan.children[type];
    size_t n = plan.types[type].rules.len;

    seen[type] = true;
    for (uint16_t i = 0; i < below->len; i++)
        if (!seen[below->items[i].type])
            n += count_below(below->items[i].type, seen);
    return n;
}

size_t validation_count_rules(const struct schema *s, const struct schema_type *t)
{
    bool *seen;
    size_t n;

    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    if (s != plan.schema)
        return 0;
    seen = mem_zalloc(s->n_types + 1U);
    n = count_below((uint16_t)(t - s->types), seen);
    mem_free(seen);
    return n;
}

size_t validation_unknown_rules(void)
{
    (void)pthread_once(&plan_once, make_plan); /* cannot fail */
    return plan.unknown;
}

void validation_observe(validation_seen_fn fn)
{
    observer = fn;
}

void validation_each_rule(void (*fn)(const struct rule *r))
{
    for (size_t i = 0; i < ARRAY_LEN(rule_tables); i++)
        for (const struct rule *r = rule_tables[i]; r->type; r++)
            fn(r);
}
