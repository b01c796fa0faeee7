/* JSON Merge Patch. */
#include "api/merge_patch.h"

#include "api/value_index.h"
#include "base/arena.h"
#include "base/err.h"

int merge_patch_decode(struct arena *a, struct str json, struct value *ret, struct err *err)
{
    struct value v;
    int r = value_parse(a, json, &v, NULL, err);

    if (r < 0)
        return r;
    if (v.type == VALUE_NULL)
        return err_set(err, ERR_SYNTAX, "Invalid JSON Patch");
    if (v.type != VALUE_OBJECT)
        return err_set(err, ERR_SYNTAX,
                       "error decoding patch: json: cannot unmarshal %s into Go value of type "
                       "map[string]interface {}",
                       value_type_name(&v));
    *ret = v;
    return 0;
}

static void merge(struct arena *a, struct value *doc, const struct value *patch);

/* What becomes of a member that the patch sets to `p`; `old` is its value so far, or NULL. */
static struct value merged(struct arena *a, const struct value *old, const struct value *p)
{
    struct value v;

    if (p->type != VALUE_OBJECT)
        return value_copy(a, p);
    v = old ? *old : value_object();
    merge(a, &v, p);
    return v;
}

/* Builds the member list anew: old members in their order, then the new ones. Depth is that of the
 * patch, which the parser bounds by VALUE_MAX_DEPTH. */
static void merge(struct arena *a, struct value *doc, const struct value *patch)
{
    CLEANUP(value_index_done) struct value_index in_patch, in_doc;
    struct value out = value_object();

    if (doc->type != VALUE_OBJECT)
        *doc = value_object();
    value_index_init(&in_patch, patch, doc->len);
    value_index_init(&in_doc, doc, patch->len);
    out.cap = doc->len + patch->len;
    out.members = ARENA_NEW_ARRAY(a, struct value_member, out.cap);
    for (uint32_t i = 0; i < doc->len; i++) {
        struct value_member m = doc->members[i];
        const struct value_member *p = value_index_find(&in_patch, m.key);

        if (p && p->v.type == VALUE_NULL)
            continue;
        if (p)
            m.v = merged(a, &m.v, &p->v);
        out.members[out.len++] = m;
    }
    for (uint32_t i = 0; i < patch->len && !arena_is_over(a); i++) {
        const struct value_member *p = &patch->members[i];

        if (p->v.type != VALUE_NULL && !value_index_find(&in_doc, p->key))
            out.members[out.len++] =
                (struct value_member){ .key = p->key, .v = merged(a, NULL, &p->v) };
    }
    *doc = out;
}

int merge_patch_apply(struct arena *a, struct value *doc, const struct value *patch,
                      struct err *err)
{
    if (patch->type != VALUE_OBJECT)
        return err_set(err, ERR_SYNTAX, "Invalid JSON Patch");
    merge(a, doc, patch);
    if (arena_is_over(a))
        return err_set(err, ERR_TOO_LARGE, "the patched object is too large");
    return 0;
}
