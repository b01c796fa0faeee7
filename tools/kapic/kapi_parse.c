/* Reads the .kapi form: one statement a line, what belongs to it indented below (docs/kapi.md). */
#include <stdarg.h>

#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "kapi.h"

int kapi_error(struct err *err, struct kapi_place place, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)err_vset(err, ERR_SYNTAX, fmt, ap);
    va_end(ap);
    return err_wrap(err, "%s:%d", place.file, place.line);
}

/* Where the reader stands. */
struct reader {
    struct kapi *k;
    struct kapi_place at;
    struct kapi_group *group;
    enum { IN_NOTHING, IN_GROUP, IN_ENUM, IN_TYPE, IN_RESOURCE } in;
    struct kapi_enum *an_enum;
    struct kapi_type *type;
    struct kapi_resource *resource;
    bool open_quote; /* this line has a quote that does not end */
    struct err *err;
};

#define FAIL(r, ...) kapi_error((r)->err, (r)->at, __VA_ARGS__)

/* The next word, or a "quoted one" without its quotes; unset at the end of the line. */
static struct str next_word(struct reader *r, struct str *line)
{
    struct str s = str_trim(*line), word;

    if (!s.len) {
        *line = STR_NULL;
        return STR_NULL;
    }
    if (s.p[0] == '"') {
        if (!str_cut(str_tail(s, 1), '"', &word, line))
            r->open_quote = true;
        return word;
    }
    (void)str_cut(s, ' ', &word, line);
    return word;
}

static bool to_number(struct str s, unsigned max, unsigned *ret)
{
    uint64_t v;

    if (!str_to_u64(s, &v) || v > max)
        return false;
    *ret = (unsigned)v;
    return true;
}

/* --- group --- */

static int parse_group(struct reader *r, struct str rest)
{
    struct kapi_group *g = ARENA_NEW(r->k->arena, struct kapi_group);

    g->place = r->at;
    if (!str_cut(next_word(r, &rest), '/', &g->label, &g->version) || !g->version.len)
        return FAIL(r, "group needs NAME/VERSION");
    g->name = STR("");
    g->openapi = STR("");
    g->stability = STR("");
    VEC_PUSH(&r->k->groups, g);
    r->group = g;
    r->in = IN_GROUP;
    return 0;
}

static int parse_group_line(struct reader *r, struct str key, struct str rest)
{
    struct kapi_group *g = r->group;
    struct str words = str_trim(rest), word = next_word(r, &rest), second = next_word(r, &rest);

    if (str_eq(key, STR("name"))) {
        g->name = word;
    } else if (str_eq(key, STR("proto"))) {
        g->proto = word;
    } else if (str_eq(key, STR("openapi"))) {
        g->openapi = word;
    } else if (str_eq(key, STR("priority"))) {
        if (!to_number(word, 100000, &g->priority) ||
            !to_number(second, 100000, &g->version_priority))
            return FAIL(r, "priority needs two numbers");
    } else if (str_eq(key, STR("order"))) {
        if (!to_number(word, 1000, &g->order) || !g->order)
            return FAIL(r, "order needs a number");
        g->preferred = str_eq(second, STR("preferred"));
    } else if (str_eq(key, STR("stability"))) {
        g->stability = word;
        g->served = str_eq(second, STR("served"));
    } else if (str_eq(key, STR("docs"))) {
        g->docs = words;
    } else {
        return FAIL(r, "unknown word '%.*s' in a group", STR_ARG(key));
    }
    return 0;
}

/* --- enum --- */

static void parse_enum_values(struct reader *r, struct str rest)
{
    for (struct str w; (w = next_word(r, &rest)).p;)
        VEC_PUSH(&r->an_enum->values, w);
}

static int parse_enum(struct reader *r, struct str rest)
{
    struct str name = next_word(r, &rest);

    if (!r->group)
        return FAIL(r, "enum before group");
    if (!str_has_suffix(name, STR(":")) || name.len < 2)
        return FAIL(r, "enum needs NAME: VALUES");
    r->an_enum = ARENA_NEW(r->k->arena, struct kapi_enum);
    r->an_enum->place = r->at;
    r->an_enum->name = str_sub(name, 0, name.len - 1);
    VEC_PUSH(&r->group->enums, r->an_enum);
    r->in = IN_ENUM;
    parse_enum_values(r, rest);
    return 0;
}

/* --- type --- */

/* Takes " -- words to the end" off the line. */
static struct str take_doc(struct str *line)
{
    ptrdiff_t at = str_find_str(*line, STR(" -- "));
    struct str doc = STR("");

    if (at >= 0) {
        doc = str_trim(str_tail(*line, (size_t)at + 4));
        *line = str_sub(*line, 0, (size_t)at);
    }
    return doc;
}

static int parse_type(struct reader *r, struct str rest)
{
    struct kapi_type *t = ARENA_NEW(r->k->arena, struct kapi_type);

    if (!r->group)
        return FAIL(r, "type before group");
    t->place = r->at;
    t->group = r->group;
    t->doc = take_doc(&rest);
    t->name = next_word(r, &rest);
    if (!t->name.len)
        return FAIL(r, "type needs a name");
    for (struct str w; (w = next_word(r, &rest)).p;) {
        if (!str_eq(w, STR("atomic")))
            return FAIL(r, "unknown mark '%.*s' of a type", STR_ARG(w));
        t->atomic = true;
    }
    VEC_PUSH(&r->group->types, t);
    r->type = t;
    r->in = IN_TYPE;
    return 0;
}

static const struct {
    struct str word;
    uint16_t flag;
} plain_marks[] = {
    { STR_INIT("omitempty"), SCHEMA_OMIT_EMPTY },
    { STR_INIT("omitzero"), SCHEMA_OMIT_ZERO },
    { STR_INIT("required"), SCHEMA_REQUIRED },
    { STR_INIT("atomic"), SCHEMA_ATOMIC },
    { STR_INIT("listset"), SCHEMA_LIST_SET },
    { STR_INIT("merge"), SCHEMA_PATCH_MERGE },
    { STR_INIT("retainkeys"), SCHEMA_PATCH_RETAIN_KEYS },
    { STR_INIT("replace"), SCHEMA_PATCH_REPLACE },
    { STR_INIT("deprecated"), SCHEMA_DEPRECATED },
    { STR_INIT("others"), SCHEMA_OTHERS },
};

/* "word(argument)": true and the argument when w is one of these. */
static bool has_argument(struct str w, struct str word, struct str *ret)
{
    if (!str_has_prefix(w, word) || w.len < word.len + 2 || w.p[word.len] != '(' ||
        w.p[w.len - 1] != ')')
        return false;
    *ret = str_sub(w, word.len + 1, w.len - 1);
    return true;
}

static int parse_mark(struct reader *r, struct kapi_field *f, struct str w)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_marks); i++) {
        if (str_eq(w, plain_marks[i].word)) {
            f->flags |= plain_marks[i].flag;
            return 0;
        }
    }
    if (has_argument(w, STR("listmap"), &f->list_keys)) {
        f->flags |= SCHEMA_LIST_MAP;
    } else if (has_argument(w, STR("merge"), &f->patch_key)) {
        f->flags |= SCHEMA_PATCH_MERGE;
    } else if (str_has_prefix(w, STR("default="))) {
        f->default_json = str_tail(w, 8);
    } else if (str_has_prefix(w, STR("enum="))) {
        f->enum_name = str_tail(w, 5);
        f->flags |= SCHEMA_ENUM_CLOSED;
    } else {
        return FAIL(r, "unknown mark '%.*s'", STR_ARG(w));
    }
    return 0;
}

static void parse_shape(struct kapi_field *f, struct str type)
{
    if (str_has_prefix(type, STR("[]"))) {
        f->shape = SCHEMA_LIST;
        type = str_tail(type, 2);
    } else if (str_has_prefix(type, STR("map[]"))) {
        f->shape = SCHEMA_MAP;
        type = str_tail(type, 5);
    } else if (str_has_prefix(type, STR("*"))) {
        f->shape = SCHEMA_POINTER;
        type = str_tail(type, 1);
    }
    f->type_text = type;
}

static int parse_field(struct reader *r, struct str name, struct str rest)
{
    struct kapi_field f = { .place = r->at, .name = name, .shape = SCHEMA_ONE };
    struct str number;
    unsigned n = 0;
    int x;

    f.doc = take_doc(&rest);
    parse_shape(&f, next_word(r, &rest));
    number = next_word(r, &rest);
    if (!f.type_text.len || !number.len)
        return FAIL(r, "a field needs NAME TYPE NUMBER");
    if (!str_eq(number, STR("-")) && (!to_number(number, 65535, &n) || !n))
        return FAIL(r, "'%.*s' is no protobuf number", STR_ARG(number));
    f.number = (uint16_t)n;
    if (name.p[0] == '.') {
        if (f.shape != SCHEMA_ONE)
            return FAIL(r, "only a plain struct can be inline");
        f.name = str_tail(name, 1);
        f.shape = SCHEMA_INLINE;
    }
    for (struct str w; (w = next_word(r, &rest)).p;) {
        x = parse_mark(r, &f, w);
        if (x < 0)
            return x;
    }
    VEC_PUSH(&r->type->fields, f);
    return 0;
}

/* common NAME TYPE -- text */
static int parse_common(struct reader *r, struct str rest)
{
    struct kapi_common c = { .place = r->at, .doc = take_doc(&rest) };

    c.name = next_word(r, &rest);
    c.type_text = next_word(r, &rest);
    if (!c.type_text.len || !c.doc.len || next_word(r, &rest).p)
        return FAIL(r, "common needs NAME TYPE -- TEXT");
    VEC_PUSH(&r->k->commons, c);
    r->in = IN_NOTHING;
    return 0;
}

/* --- resource --- */

static int parse_resource(struct reader *r, struct str rest)
{
    struct kapi_resource *x = ARENA_NEW(r->k->arena, struct kapi_resource);

    if (!r->group)
        return FAIL(r, "resource before group");
    x->place = r->at;
    x->group = r->group;
    x->name = next_word(r, &rest);
    x->flags = RESOURCE_SERVED;
    if (!x->name.len)
        return FAIL(r, "resource needs a name");
    VEC_PUSH(&r->group->resources, x);
    r->resource = x;
    r->in = IN_RESOURCE;
    return 0;
}

static const struct {
    struct str word;
    unsigned verb;
} verb_words[] = {
#define X(name, text) { STR_INIT(text), RESOURCE_VERB_##name },
    RESOURCE_VERBS(X)
#undef X
};

static bool parse_verb(struct str w, unsigned *verbs)
{
    for (size_t i = 0; i < ARRAY_LEN(verb_words); i++) {
        if (str_eq(w, verb_words[i].word)) {
            *verbs |= verb_words[i].verb;
            return true;
        }
    }
    return false;
}

static int parse_sub(struct reader *r, struct str rest)
{
    struct kapi_sub s = { .name = next_word(r, &rest) };

    s.type_text = next_word(r, &rest);
    if (!s.type_text.len)
        return FAIL(r, "sub needs NAME KIND VERBS");
    for (struct str w; (w = next_word(r, &rest)).p;) {
        if (str_eq(w, STR("connect")))
            s.connect = true;
        else if (!parse_verb(w, &s.verbs))
            return FAIL(r, "unknown verb '%.*s'", STR_ARG(w));
    }
    VEC_PUSH(&r->resource->subs, s);
    return 0;
}

static int parse_column(struct reader *r, struct str rest)
{
    struct kapi_column c = { .name = next_word(r, &rest) };
    struct str priority;
    unsigned n = 0;

    c.type = next_word(r, &rest);
    priority = next_word(r, &rest);
    c.cell = next_word(r, &rest);
    if (str_eq(c.cell, STR("name"))) {
        c.is_name = true;
        c.cell = next_word(r, &rest);
    }
    if (!c.cell.len || !to_number(priority, 9, &n))
        return FAIL(r, "column needs \"NAME\" TYPE PRIORITY [name] CELL");
    c.priority = (int)n;
    VEC_PUSH(&r->resource->columns, c);
    return 0;
}

static const struct {
    struct str word;
    unsigned flag;
} resource_flag_words[] = {
    { STR_INIT("putcreates"), RESOURCE_PUT_CREATES },
    { STR_INIT("needsversion"), RESOURCE_NEEDS_VERSION },
    { STR_INIT("deletereturnsobject"), RESOURCE_DELETE_RETURNS_OBJECT },
    { STR_INIT("orphans"), RESOURCE_ORPHANS },
    { STR_INIT("nogc"), RESOURCE_NO_GC },
};

static int parse_flags(struct reader *r, struct str rest)
{
    for (struct str w; (w = next_word(r, &rest)).p;) {
        unsigned flag = 0;

        for (size_t i = 0; i < ARRAY_LEN(resource_flag_words); i++) {
            if (str_eq(w, resource_flag_words[i].word))
                flag = resource_flag_words[i].flag;
        }
        if (!flag)
            return FAIL(r, "unknown flag '%.*s'", STR_ARG(w));
        r->resource->flags |= flag;
    }
    return 0;
}

/* Lines whose words are kept as they are. */
static struct str *text_of(struct kapi_resource *x, struct str key)
{
    const struct {
        struct str key;
        struct str *text;
    } texts[] = {
        { STR("kind"), &x->kind },
        { STR("singular"), &x->singular },
        { STR("short"), &x->short_names },
        { STR("categories"), &x->categories },
        { STR("selectable"), &x->selectable },
        { STR("index"), &x->indexed },
        { STR("generation"), &x->generation },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(key, texts[i].key))
            return texts[i].text;
    }
    return NULL;
}

static int parse_scope(struct reader *r, struct str word)
{
    if (str_eq(word, STR("namespaced")))
        r->resource->flags |= RESOURCE_NAMESPACED;
    else if (!str_eq(word, STR("cluster")))
        return FAIL(r, "scope is namespaced or cluster");
    return 0;
}

static int parse_store(struct reader *r, struct str rest)
{
    struct kapi_resource *x = r->resource;

    x->store_prefix = next_word(r, &rest);
    x->store_type = next_word(r, &rest);
    if (!str_has_suffix(x->store_prefix, STR("/")) || !x->store_type.len)
        return FAIL(r, "store needs PREFIX/ TYPE");
    if (str_eq(next_word(r, &rest), STR("soft")))
        x->flags |= RESOURCE_SOFT;
    return 0;
}

static int parse_names(struct reader *r, struct str rest)
{
    struct str max;
    unsigned n = 0;

    r->resource->name_rule = next_word(r, &rest);
    max = next_word(r, &rest);
    if (max.len && !to_number(max, 253, &n))
        return FAIL(r, "names needs RULE [MAX]");
    r->resource->name_max = (int)n;
    return 0;
}

static int parse_reset(struct reader *r, struct str rest)
{
    struct str endpoint = next_word(r, &rest);

    if (str_eq(endpoint, STR("main")))
        r->resource->reset_main = str_trim(rest);
    else if (str_eq(endpoint, STR("status")))
        r->resource->reset_status = str_trim(rest);
    else if (!endpoint.len)
        return FAIL(r, "reset needs ENDPOINT PATHS");
    return 0;
}

static int parse_resource_line(struct reader *r, struct str key, struct str rest)
{
    struct kapi_resource *x = r->resource;
    struct str *text = text_of(x, key);

    if (text) {
        *text = str_trim(rest);
        return 0;
    }
    if (str_eq(key, STR("scope")))
        return parse_scope(r, next_word(r, &rest));
    if (str_eq(key, STR("sub")))
        return parse_sub(r, rest);
    if (str_eq(key, STR("column")))
        return parse_column(r, rest);
    if (str_eq(key, STR("flags")))
        return parse_flags(r, rest);
    if (str_eq(key, STR("store")))
        return parse_store(r, rest);
    if (str_eq(key, STR("names")))
        return parse_names(r, rest);
    if (str_eq(key, STR("reset")))
        return parse_reset(r, rest);
    if (str_eq(key, STR("served"))) {
        x->flags &= ~(unsigned)RESOURCE_SERVED;
        return 0;
    }
    if (!str_eq(key, STR("verbs")))
        return FAIL(r, "unknown word '%.*s' in a resource", STR_ARG(key));
    for (struct str w; (w = next_word(r, &rest)).p;) {
        if (!parse_verb(w, &x->verbs))
            return FAIL(r, "unknown verb '%.*s'", STR_ARG(w));
    }
    return 0;
}

/* --- lines --- */

static int parse_statement(struct reader *r, struct str line)
{
    struct str word = next_word(r, &line);

    if (str_eq(word, STR("group")))
        return parse_group(r, line);
    if (str_eq(word, STR("enum")))
        return parse_enum(r, line);
    if (str_eq(word, STR("type")))
        return parse_type(r, line);
    if (str_eq(word, STR("resource")))
        return parse_resource(r, line);
    if (str_eq(word, STR("common")))
        return parse_common(r, line);
    return FAIL(r, "unknown statement '%.*s'", STR_ARG(word));
}

static int parse_detail(struct reader *r, struct str line)
{
    struct str rest = line, key = next_word(r, &rest);

    switch (r->in) {
    case IN_GROUP:
        return parse_group_line(r, key, rest);
    case IN_ENUM:
        parse_enum_values(r, line);
        return 0;
    case IN_TYPE:
        return parse_field(r, key, rest);
    case IN_RESOURCE:
        return parse_resource_line(r, key, rest);
    case IN_NOTHING:
        break;
    }
    return FAIL(r, "an indented line that belongs to nothing");
}

int kapi_parse(struct kapi *k, const char *file, struct str text, struct err *err)
{
    struct reader r = { .k = k, .at = { .file = file }, .err = err };
    struct str line;
    int x;

    while (str_next(&text, '\n', &line)) {
        struct str bare = str_trim(line);

        r.at.line++;
        if (!bare.len || bare.p[0] == '#')
            continue;
        x = line.p[0] == ' ' ? parse_detail(&r, bare) : parse_statement(&r, bare);
        if (r.open_quote)
            return FAIL(&r, "a quote that does not end");
        if (x < 0)
            return x;
    }
    return 0;
}
