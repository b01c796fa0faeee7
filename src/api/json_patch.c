/* JSON Patch. A pointer is walked token by token; "~1" and "~0" are undone into a scratch text only
 * where they occur. Every operation works on the place that holds the target (its parent), so that
 * removing and inserting are the same walk. */
#include "api/json_patch.h"

#include "base/arena.h"
#include "base/err.h"

/* One application. Looking up a member and moving elements are linear in their container, so the
 * steps are added up: a patch of many small operations on a wide object cannot hold a thread. */
struct run {
    struct arena *arena;
    struct value *doc;
    struct err *err;
    size_t copied;
    size_t work;
};

static const char *const names[] = {
    [JSON_PATCH_ADD] = "add",   [JSON_PATCH_REMOVE] = "remove", [JSON_PATCH_REPLACE] = "replace",
    [JSON_PATCH_MOVE] = "move", [JSON_PATCH_COPY] = "copy",     [JSON_PATCH_TEST] = "test",
};

static enum json_patch_op_type type_of(struct str name)
{
    for (int i = 0; i < JSON_PATCH_UNKNOWN; i++)
        if (str_eq(name, str_from_cstr(names[i])))
            return (enum json_patch_op_type)i;
    return JSON_PATCH_UNKNOWN;
}

static bool take_string(const struct value *op, struct str key, struct str *ret)
{
    const struct value *v = value_get(op, key);

    if (!v || v->type != VALUE_STRING)
        return false;
    *ret = v->s;
    return true;
}

int json_patch_decode(struct arena *a, struct str json, struct json_patch *ret, struct err *err)
{
    struct value root;
    struct json_patch p = { 0 };
    int r = value_parse(a, json, &root, NULL, err);

    if (r < 0)
        return r;
    if (root.type != VALUE_ARRAY)
        return err_set(err, ERR_SYNTAX,
                       "error decoding patch: json: cannot unmarshal %s into Go value of type "
                       "[]handlers.jsonPatchOp",
                       value_type_name(&root));
    if (root.len > JSON_PATCH_MAX_OPS)
        return err_set(err, ERR_TOO_LARGE,
                       "The allowed maximum operations in a JSON patch is %d, got %u",
                       JSON_PATCH_MAX_OPS, root.len);
    p.ops = ARENA_NEW_ARRAY(a, struct json_patch_op, root.len);
    for (p.len = 0; p.len < root.len; p.len++) {
        const struct value *item = &root.items[p.len], *v;
        struct json_patch_op *op = &p.ops[p.len];

        if (item->type != VALUE_OBJECT)
            return err_set(err, ERR_SYNTAX,
                           "error decoding patch: json: cannot unmarshal %s into Go value of "
                           "type handlers.jsonPatchOp",
                           value_type_name(item));
        if (!take_string(item, STR("op"), &op->name))
            op->name = STR("unknown");
        op->type = type_of(op->name);
        op->has_path = take_string(item, STR("path"), &op->path);
        op->has_from = take_string(item, STR("from"), &op->from);
        v = value_get(item, STR("value"));
        op->has_value = v != NULL;
        if (v)
            op->value = *v;
    }
    *ret = p;
    return 0;
}

static int refuse(struct err *err, const struct json_patch_op *op, const char *what)
{
    return err_set(err, ERR_INVALID, "%.*s operation does not apply to path \"%.*s\": %s",
                   STR_ARG(op->name), STR_ARG(op->path), what);
}

/* One reference token with "~1" and "~0" undone. */
static struct str unescape(struct arena *a, struct str token)
{
    char *p;
    size_t n = 0;

    if (str_find(token, '~') < 0)
        return token;
    p = arena_alloc(a, token.len, 1);
    for (size_t i = 0; i < token.len; i++) {
        char c = token.p[i];

        if (c == '~' && i + 1 < token.len && (token.p[i + 1] == '0' || token.p[i + 1] == '1'))
            c = token.p[++i] == '0' ? '~' : '/';
        p[n++] = c;
    }
    return str_n(p, n);
}

/* The element that an index names: negative ones count from the end. `len` is one past the last
 * index that is allowed. */
static bool array_index(struct str token, size_t len, size_t *ret)
{
    int64_t i;

    if (token.len > 1 && token.p[0] == '+')
        token = str_tail(token, 1);
    if (!str_to_i64(token, &i))
        return false;
    if (i < 0)
        i += (int64_t)len;
    if (i < 0 || (uint64_t)i >= len)
        return false;
    *ret = (size_t)i;
    return true;
}

static struct value *child(struct run *run, struct value *v, struct str token)
{
    size_t i;

    run->work += v->type == VALUE_OBJECT ? v->len : 1;
    if (v->type == VALUE_OBJECT)
        return value_get(v, token);
    if (v->type == VALUE_ARRAY && array_index(token, v->len, &i))
        return &v->items[i];
    return NULL;
}

/* The container that holds the target of pointer, and the last token. The pointer is not "". */
static struct value *find_parent(struct run *run, struct str pointer, struct str *ret_last)
{
    struct str rest, token;
    struct value *v = run->doc;

    if (pointer.len == 0 || pointer.p[0] != '/')
        return NULL;
    rest = str_tail(pointer, 1);
    for (;;) {
        bool more = str_cut(rest, '/', &token, &rest);

        token = unescape(run->arena, token);
        if (!more)
            break;
        v = child(run, v, token);
        if (!v)
            return NULL;
    }
    if (v->type != VALUE_OBJECT && v->type != VALUE_ARRAY)
        return NULL;
    *ret_last = token;
    return v;
}

static int op_add(struct run *run, const struct json_patch_op *op, struct value v)
{
    struct str last;
    struct value *parent;
    size_t at;

    if (op->path.len == 0) {
        *run->doc = v;
        return 0;
    }
    parent = find_parent(run, op->path, &last);
    if (!parent)
        return refuse(run->err, op, "missing path");
    if (parent->type == VALUE_OBJECT) {
        run->work += parent->len;
        value_set(run->arena, parent, last, v);
        return 0;
    }
    if (str_eq(last, STR("-")))
        at = parent->len;
    else if (!array_index(last, (size_t)parent->len + 1, &at))
        return refuse(run->err, op, "index out of bounds");
    run->work += parent->len - at;
    value_insert(run->arena, parent, at, v);
    return 0;
}

/* Takes the value at pointer out of the document. */
static int take_out(struct run *run, const struct json_patch_op *op, struct str pointer,
                    struct value *ret)
{
    struct str last;
    struct value *parent = find_parent(run, pointer, &last), *v;
    size_t at = 0;

    v = parent ? child(run, parent, last) : NULL;
    if (!v)
        return refuse(run->err, op, "missing value");
    *ret = *v;
    run->work += parent->len;
    if (parent->type == VALUE_OBJECT) {
        value_remove(parent, last);
    } else {
        (void)array_index(last, parent->len, &at); /* child() found it by the same rule */
        value_remove_at(parent, at);
    }
    return 0;
}

static struct value *find(struct run *run, struct str pointer)
{
    struct str last;
    struct value *parent;

    if (pointer.len == 0)
        return run->doc;
    parent = find_parent(run, pointer, &last);
    return parent ? child(run, parent, last) : NULL;
}

/* The value at pointer; of a member that its object lacks, null. NULL: there is no such place. */
static const struct value *look(struct run *run, struct str pointer)
{
    static const struct value null = { .type = VALUE_NULL };
    const struct value *v = find(run, pointer), *parent;
    struct str last;

    if (v)
        return v;
    parent = find_parent(run, pointer, &last);
    return parent && parent->type == VALUE_OBJECT ? &null : NULL;
}

static int op_test(struct run *run, const struct json_patch_op *op)
{
    static const struct value null = { .type = VALUE_NULL };
    const struct value *want = op->has_value ? &op->value : &null;
    const struct value *have = look(run, op->path);

    if (!have || !value_equal(have, want))
        return refuse(run->err, op, "testing value failed");
    return 0;
}

/* An upper bound of the JSON that v prints as, in steps: stops counting beyond limit. */
static size_t count_bytes(const struct value *v, size_t limit)
{
    size_t n = 8;

    if (v->type == VALUE_STRING)
        return n + v->s.len;
    if (v->type == VALUE_ARRAY)
        for (uint32_t i = 0; i < v->len && n <= limit; i++)
            n += count_bytes(&v->items[i], limit - n);
    if (v->type == VALUE_OBJECT)
        for (uint32_t i = 0; i < v->len && n <= limit; i++) {
            n += v->members[i].key.len;
            if (n <= limit)
                n += count_bytes(&v->members[i].v, limit - n);
        }
    return n;
}

static int op_copy(struct run *run, const struct json_patch_op *op)
{
    const struct value *from = look(run, op->from);
    size_t left = JSON_PATCH_MAX_COPY_BYTES - run->copied, n;

    if (!from)
        return refuse(run->err, op, "missing value");
    n = count_bytes(from, left);
    if (n > left)
        return err_set(run->err, ERR_INVALID,
                       "Unable to complete the copy, the accumulated size increase of copy is "
                       "%zu, exceeding the limit %d",
                       run->copied + n, JSON_PATCH_MAX_COPY_BYTES);
    run->copied += n;
    return op_add(run, op, value_copy(run->arena, from));
}

static bool is_inside(struct str path, struct str of)
{
    return path.len > of.len && str_has_prefix(path, of) && path.p[of.len] == '/';
}

static int op_move(struct run *run, const struct json_patch_op *op)
{
    struct value v = { .type = VALUE_NULL };
    int r;

    if (is_inside(op->path, op->from))
        return refuse(run->err, op, "a value cannot be moved into itself");
    r = take_out(run, op, op->from, &v);
    if (r < 0)
        return r;
    return op_add(run, op, v);
}

static int op_replace(struct run *run, const struct json_patch_op *op)
{
    struct value *at = find(run, op->path);

    if (!at && look(run, op->path)) /* as upstream's library: a member that is not there is added */
        return op_add(run, op, value_copy(run->arena, &op->value));
    if (!at)
        return refuse(run->err, op, "missing value");
    *at = value_copy(run->arena, &op->value);
    return 0;
}

static int apply_op(struct run *run, const struct json_patch_op *op)
{
    struct value gone;

    if (!op->has_path)
        return refuse(run->err, op, "no path");
    if ((op->type == JSON_PATCH_MOVE || op->type == JSON_PATCH_COPY) && !op->has_from)
        return refuse(run->err, op, "no from");
    if ((op->type == JSON_PATCH_ADD || op->type == JSON_PATCH_REPLACE) && !op->has_value)
        return refuse(run->err, op, "no value");
    switch (op->type) {
    case JSON_PATCH_ADD:
        return op_add(run, op, value_copy(run->arena, &op->value));
    case JSON_PATCH_REMOVE:
        return take_out(run, op, op->path, &gone);
    case JSON_PATCH_REPLACE:
        return op_replace(run, op);
    case JSON_PATCH_MOVE:
        return op_move(run, op);
    case JSON_PATCH_COPY:
        return op_copy(run, op);
    case JSON_PATCH_TEST:
        return op_test(run, op);
    case JSON_PATCH_UNKNOWN:
        break;
    }
    return err_set(run->err, ERR_INVALID, "Unexpected kind: %.*s", STR_ARG(op->name));
}

int json_patch_apply(struct arena *a, const struct json_patch *p, struct value *doc,
                     struct err *err)
{
    struct run run = { .arena = a, .doc = doc, .err = err };

    for (size_t i = 0; i < p->len; i++) {
        int r = apply_op(&run, &p->ops[i]);

        if (r < 0)
            return r;
        if (arena_is_over(a))
            return err_set(err, ERR_TOO_LARGE, "the patched object is too large");
        if (run.work > JSON_PATCH_MAX_WORK)
            return err_set(err, ERR_INVALID, "the patch takes more than %d steps",
                           JSON_PATCH_MAX_WORK);
    }
    return 0;
}
