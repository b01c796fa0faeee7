/* Checks of values against a schema, in the words of upstream's OpenAPI validator. What allOf,
 * anyOf, oneOf and not find lies in lists of their own until it is known what of it counts. */
#include <inttypes.h>
#include <math.h>

#include "api/field_error.h"
#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "codec/json_writer.h"
#include "codec/value.h"

enum {
    MAX_ERRORS = 200,     /* of one object; more help nobody */
    OLD_ITEMS_MAX = 1000, /* of a list whose items are looked up one by one */
    STEPS_MAX = 5000000,  /* values against schemas, some 100 ns each, and patterns by their cost */
};

struct check {
    const struct value *v;
    const struct value *old; /* what it was; NULL: unknown. What stays the same is not complained
                                of */
    const struct structural *s;
    const struct field_path *path;
    struct field_errors *errs;
    int64_t *steps; /* that may still be taken */
};

static void validate(const struct check *c);

static const char *json_type(const struct value *v)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",     [VALUE_BOOL] = "boolean",  [VALUE_INT] = "integer",
        [VALUE_DOUBLE] = "number", [VALUE_STRING] = "string", [VALUE_ARRAY] = "array",
        [VALUE_OBJECT] = "object",
    };

    return names[v->type];
}

/* "spec.list[0].x", as the validator names a field in its sentences. */
static struct str name_of(const struct check *c)
{
    return c->path ? field_path_print(c->errs->arena, c->path) : STR("");
}

static struct str printed(const struct check *c, const struct value *v)
{
    struct buf b;

    buf_init_arena(&b, c->errs->arena, 32);
    value_print(&b, v);
    return buf_str(&b);
}

/* INVALID with the value itself. */
static void invalid(const struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void invalid(const struct check *c, const char *fmt, ...)
{
    struct str name = name_of(c), text;
    va_list ap;

    va_start(ap, fmt);
    text = arena_vprintf(c->errs->arena, fmt, ap);
    va_end(ap);
    if (c->v->type == VALUE_STRING)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, c->v->s, "%.*s in body %.*s",
                              STR_ARG(name), STR_ARG(text));
    else
        field_errors_add_raw(c->errs, c->path, FIELD_ERROR_INVALID, printed(c, c->v),
                             "%.*s in body %.*s", STR_ARG(name), STR_ARG(text));
}

/* A count that is wrong is the value that upstream shows. */
static void invalid_count(const struct check *c, uint32_t n, int64_t limit, const char *what)
{
    field_errors_add_raw(
        c->errs, c->path, FIELD_ERROR_INVALID, arena_printf(c->errs->arena, "%" PRIu32, n),
        "%.*s in body should have at least %" PRId64 " %s", STR_ARG(name_of(c)), limit, what);
}

static void too_many(const struct check *c, uint32_t n, int64_t limit)
{
    field_errors_add_raw(c->errs, c->path, FIELD_ERROR_TOO_MANY,
                         arena_printf(c->errs->arena, "%" PRIu32, n),
                         "must have at most %" PRId64 " items", limit);
}

static void wrong_type(const struct check *c, const char *wanted, struct str got)
{
    field_errors_add_text(c->errs, c->path, FIELD_ERROR_TYPE_INVALID, got,
                          "%.*s in body must be of type %s: \"%.*s\"", STR_ARG(name_of(c)), wanted,
                          STR_ARG(got));
}

/* --- types --- */

static bool is_whole(const struct value *v)
{
    return v->type == VALUE_INT ||
           (v->type == VALUE_DOUBLE && v->d == trunc(v->d) && fabs(v->d) < 9007199254740992.0);
}

static bool has_type(const struct value *v, const struct structural *s)
{
    if (s->flags & STRUCTURAL_INT_OR_STRING)
        return v->type == VALUE_STRING || is_whole(v);
    switch (s->type) {
    case STRUCTURAL_OBJECT:
        return v->type == VALUE_OBJECT;
    case STRUCTURAL_ARRAY:
        return v->type == VALUE_ARRAY;
    case STRUCTURAL_STRING:
        return v->type == VALUE_STRING;
    case STRUCTURAL_INTEGER:
        return is_whole(v);
    case STRUCTURAL_NUMBER:
        return v->type == VALUE_INT || v->type == VALUE_DOUBLE;
    case STRUCTURAL_BOOLEAN:
        return v->type == VALUE_BOOL;
    case STRUCTURAL_ANY:
    case STRUCTURAL_TYPE_MAX:
        break;
    }
    return true;
}

static bool check_type(const struct check *c)
{
    if (c->v->type == VALUE_NULL && (c->s->flags & STRUCTURAL_NULLABLE))
        return true;
    if (has_type(c->v, c->s))
        return true;
    wrong_type(c,
               c->s->flags & STRUCTURAL_INT_OR_STRING ? "integer,string"
                                                      : structural_type_name(c->s->type),
               str_from_cstr(json_type(c->v)));
    return false;
}

/* --- scalars --- */

static void check_enum(const struct check *c, const struct structural_checks *k)
{
    struct str *texts;

    if (!k->n_enums)
        return;
    for (size_t i = 0; i < k->n_enums; i++) {
        if (value_equal(c->v, &k->enums[i]))
            return;
    }
    texts = ARENA_NEW_ARRAY(c->errs->arena, struct str, k->n_enums);
    for (size_t i = 0; i < k->n_enums; i++)
        texts[i] = k->enums[i].type == VALUE_STRING ? k->enums[i].s : printed(c, &k->enums[i]);
    field_errors_add_unsupported(c->errs, c->path,
                                 c->v->type == VALUE_STRING ? c->v->s : printed(c, c->v), texts,
                                 k->n_enums);
}

static int64_t characters(struct str s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void check_string(const struct check *c, const struct structural_checks *k)
{
    int64_t n = characters(c->v->s);

    if (k->max_length >= 0 && n > k->max_length)
        field_errors_add(c->errs, c->path, FIELD_ERROR_TOO_LONG,
                         "may not be more than %" PRId64 " bytes", k->max_length);
    if (k->min_length > 0 && n < k->min_length)
        invalid(c, "should be at least %" PRId64 " chars long", k->min_length);
    if (k->pattern_code && !structural_pattern_matches(k->pattern_code, c->v->s, c->steps))
        invalid(c, "should match '%.*s'", STR_ARG(k->pattern));
    if (k->format.len && !structural_format_holds(k->format, c->v->s))
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_TYPE_INVALID, c->v->s,
                              "%.*s in body must be of type %.*s: \"%.*s\"", STR_ARG(name_of(c)),
                              STR_ARG(k->format), STR_ARG(c->v->s));
}

static struct str number_text(const struct check *c, double d)
{
    struct buf b;

    buf_init_arena(&b, c->errs->arena, 32);
    json_write_double(&b, d);
    return buf_str(&b);
}

static bool is_multiple(const struct value *v, double of)
{
    double q;

    if (of <= 0)
        return true;
    if (v->type == VALUE_INT && of == trunc(of) && of < 9e15)
        return v->i % (int64_t)of == 0;
    q = (v->type == VALUE_INT ? (double)v->i : v->d) / of;
    return q == trunc(q);
}

static void check_range(const struct check *c, const struct structural_checks *k)
{
    double d = c->v->type == VALUE_INT ? (double)c->v->i : c->v->d;
    bool fits = true;

    if (str_eq(k->format, STR("int32")))
        fits = d >= INT32_MIN && d <= INT32_MAX;
    else if (str_eq(k->format, STR("float")))
        fits = fabs(d) <= 3.40282346638528859811704183484516925440e+38;
    if (!fits) {
        field_errors_add_text(c->errs, NULL, FIELD_ERROR_INVALID, STR(""),
                              "Checked value must be of type %s with format %.*s in %.*s",
                              structural_type_name(c->s->type), STR_ARG(k->format),
                              STR_ARG(name_of(c)));
        c->errs->items[c->errs->len - 1].path = STR("<nil>");
    }
}

static void check_number(const struct check *c, const struct structural_checks *k)
{
    double d = c->v->type == VALUE_INT ? (double)c->v->i : c->v->d;

    check_range(c, k);
    if (k->has_multiple_of && !is_multiple(c->v, k->multiple_of))
        invalid(c, "should be a multiple of %.*s", STR_ARG(number_text(c, k->multiple_of)));
    if (k->has_maximum && (k->exclusive_maximum ? d >= k->maximum : d > k->maximum))
        invalid(c, "should be less than %s%.*s", k->exclusive_maximum ? "" : "or equal to ",
                STR_ARG(number_text(c, k->maximum)));
    if (k->has_minimum && (k->exclusive_minimum ? d <= k->minimum : d < k->minimum))
        invalid(c, "should be greater than %s%.*s", k->exclusive_minimum ? "" : "or equal to ",
                STR_ARG(number_text(c, k->minimum)));
}

/* --- lists --- */

static void duplicate(const struct check *c, uint32_t i, const struct value *shown)
{
    struct field_path at = field_path_index(c->path, i);

    if (shown->type == VALUE_STRING)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_DUPLICATE, shown->s, "%s", "");
    else
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_DUPLICATE, printed(c, shown), "%s", "");
}

/* The members of an item that tell it from others, defaults standing in. */
static struct value keys_of(const struct check *c, const struct value *item)
{
    struct value keys = value_object();

    for (size_t i = 0; i < c->s->n_list_keys; i++) {
        const struct value *v = value_get(item, c->s->list_keys[i]);

        if (v)
            value_set(c->errs->arena, &keys, c->s->list_keys[i], *v);
    }
    return keys;
}

/* By the printed text of what tells items apart: linear for long lists, too. */
static bool has_duplicates(const struct check *c, const struct value *list, bool tell)
{
    struct map seen = { 0 };
    bool found = false;

    for (uint32_t i = 0; i < list->len && c->errs->len < MAX_ERRORS; i++) {
        struct value key =
            c->s->flags & STRUCTURAL_LIST_MAP ? keys_of(c, &list->items[i]) : list->items[i];
        struct str text = printed(c, &key);
        uintptr_t times = (uintptr_t)map_get(&seen, text);

        if (times == 1 && tell)
            duplicate(c, i, &key);
        found |= times != 0;
        map_put(&seen, text, (void *)(times + 1)); /* a count, no pointer */
    }
    map_done(&seen);
    return found;
}

static void check_unique(const struct check *c)
{
    for (uint32_t i = 0; c->s->flags & STRUCTURAL_LIST_MAP && i < c->v->len; i++) {
        struct field_path at = field_path_index(c->path, i);

        if (c->v->items[i].type == VALUE_OBJECT || c->v->items[i].type == VALUE_NULL)
            continue;
        field_errors_add_raw(c->errs, &at, FIELD_ERROR_INVALID, printed(c, &c->v->items[i]),
                             "must be an object for an array of list-type map");
        return;
    }
    if (c->v->len < 2 ||
        (c->old && c->old->type == VALUE_ARRAY && has_duplicates(c, c->old, false)))
        return;
    (void)has_duplicates(c, c->v, true);
}

/* The item that was there by the same keys. One pass an item: long lists of type map are rare. */
static const struct value *old_item(const struct check *c, const struct value *item)
{
    struct value keys, other;

    if (!c->old || c->old->type != VALUE_ARRAY || !(c->s->flags & STRUCTURAL_LIST_MAP) ||
        item->type != VALUE_OBJECT || c->old->len > OLD_ITEMS_MAX)
        return NULL;
    keys = keys_of(c, item);
    *c->steps -= c->old->len;
    for (uint32_t i = 0; i<c->old->len && * c->steps> 0; i++) {
        other = keys_of(c, &c->old->items[i]);
        if (value_equal(&keys, &other))
            return &c->old->items[i];
    }
    return NULL;
}

static void check_array(const struct check *c)
{
    const struct structural_checks *k = c->s->checks;

    for (uint32_t i = 0; c->s->items && i < c->v->len && c->errs->len < MAX_ERRORS; i++) {
        struct field_path at = field_path_index(c->path, i);

        validate(&(struct check){ &c->v->items[i], old_item(c, &c->v->items[i]), c->s->items, &at,
                                  c->errs, c->steps });
    }
    if (c->s->flags & (STRUCTURAL_LIST_SET | STRUCTURAL_LIST_MAP))
        check_unique(c);
    if (!k)
        return;
    if (k->min_items > 0 && c->v->len < k->min_items)
        invalid_count(c, c->v->len, k->min_items, "items");
    if (k->max_items >= 0 && c->v->len > k->max_items)
        too_many(c, c->v->len, k->max_items);
}

/* --- objects --- */

static void check_object(const struct check *c)
{
    const struct structural_checks *k = c->s->checks;

    if (k && k->min_properties > 0 && c->v->len < k->min_properties)
        invalid_count(c, c->v->len, k->min_properties, "properties");
    if (k && k->max_properties >= 0 && c->v->len > k->max_properties)
        too_many(c, c->v->len, k->max_properties);
    for (uint32_t i = 0; i < c->v->len && c->errs->len < MAX_ERRORS; i++) {
        const struct value_member *m = &c->v->members[i];
        const struct structural *below = structural_member(c->s, m->key);
        struct field_path at = field_path_member(c->path, m->key);

        if (below)
            validate(&(struct check){ &m->v, c->old ? value_get(c->old, m->key) : NULL, below, &at,
                                      c->errs, c->steps });
    }
    for (size_t i = 0; k && i < k->n_required; i++) {
        struct field_path at = field_path_member(c->path, k->required[i]);

        if (!value_get(c->v, k->required[i]))
            field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "%s", "");
    }
}

/* --- allOf and its like --- */

static void add_junctor_error(const struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add_junctor_error(const struct check *c, const char *fmt, ...)
{
    struct str text, name = name_of(c);
    va_list ap;

    va_start(ap, fmt);
    text = arena_vprintf(c->errs->arena, fmt, ap);
    va_end(ap);
    field_errors_add_text(c->errs, NULL, FIELD_ERROR_INVALID, STR(""), "\"%.*s\" %.*s",
                          STR_ARG(name), STR_ARG(text));
    c->errs->items[c->errs->len - 1].path = STR("<nil>");
}

static void merge_errors(struct field_errors *to, const struct field_errors *from)
{
    for (size_t i = 0; i < from->len; i++) {
        struct field_path none = field_path_member(NULL, STR("x"));

        field_errors_add(to, &none, FIELD_ERROR_INVALID, "%s", "");
        to->items[to->len - 1] = from->items[i];
    }
}

/* How many of the schemas hold; *ret_best has the fewest complaints of one that does not. */
static size_t count_holding(const struct check *c, const struct structural *schemas, size_t n,
                            struct field_errors *ret_best)
{
    size_t holding = 0;

    field_errors_init(ret_best, c->errs->arena);
    for (size_t i = 0; i < n; i++) {
        struct field_errors errs;

        field_errors_init(&errs, c->errs->arena);
        validate(&(struct check){ c->v, c->old, &schemas[i], c->path, &errs, c->steps });
        if (!errs.len)
            holding++;
        else if (!ret_best->len || errs.len < ret_best->len)
            *ret_best = errs;
    }
    return holding;
}

static void check_junctors(const struct check *c, const struct structural_checks *k)
{
    struct field_errors best;
    size_t n;

    if (k->n_any_of && !count_holding(c, k->any_of, k->n_any_of, &best)) {
        add_junctor_error(c, "must validate at least one schema (anyOf)");
        merge_errors(c->errs, &best);
    }
    if (k->n_one_of) {
        n = count_holding(c, k->one_of, k->n_one_of, &best);
        if (n > 1)
            add_junctor_error(c,
                              "must validate one and only one schema (oneOf). Found %zu valid "
                              "alternatives",
                              n);
        if (n == 0) {
            add_junctor_error(c, "must validate one and only one schema (oneOf). Found none valid");
            merge_errors(c->errs, &best);
        }
    }
    n = 0;
    for (size_t i = 0; i < k->n_all_of; i++) {
        size_t before = c->errs->len;

        validate(&(struct check){ c->v, c->old, &k->all_of[i], c->path, c->errs, c->steps });
        n += c->errs->len == before;
    }
    if (n != k->n_all_of)
        add_junctor_error(c, "must validate all the schemas (allOf)%s",
                          n ? "" : ". None validated");
    if (k->none_of && count_holding(c, k->none_of, 1, &best))
        add_junctor_error(c, "must not validate the schema (not)");
}

/* --- one value --- */

static void validate(const struct check *c)
{
    const struct structural_checks *k = c->s->checks;

    if (c->errs->len >= MAX_ERRORS || arena_is_over(c->errs->arena) || --*c->steps <= 0)
        return;
    if (c->old && value_equal(c->v, c->old))
        return;
    if (!check_type(c))
        return;
    if (k)
        check_enum(c, k);
    if (c->v->type == VALUE_NULL)
        return;
    if (c->v->type == VALUE_OBJECT)
        check_object(c);
    else if (c->v->type == VALUE_ARRAY)
        check_array(c);
    if (!k)
        return;
    if (c->v->type == VALUE_STRING)
        check_string(c, k);
    else if (c->v->type == VALUE_INT || c->v->type == VALUE_DOUBLE)
        check_number(c, k);
    check_junctors(c, k);
}

void structural_validate(const struct value *v, const struct value *old, const struct structural *s,
                         const struct field_path *path, struct field_errors *errs)
{
    int64_t steps = STEPS_MAX;

    validate(&(struct check){ v, old, s, path, errs, &steps });
    if (steps <= 0) /* what was not looked at may be wrong */
        field_errors_add(errs, path, FIELD_ERROR_TOO_LONG,
                         "the object takes more than %d steps to be checked", STEPS_MAX);
}
