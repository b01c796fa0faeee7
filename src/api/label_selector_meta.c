/* Label selectors from meta/v1 LabelSelector structs. */
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/err.h"

static bool op_of(struct str name, enum label_op *ret)
{
    static const struct {
        struct str name;
        enum label_op op;
    } ops[] = {
        { STR_INIT("In"), LABEL_OP_IN },
        { STR_INIT("NotIn"), LABEL_OP_NOT_IN },
        { STR_INIT("Exists"), LABEL_OP_EXISTS },
        { STR_INIT("DoesNotExist"), LABEL_OP_NOT_EXISTS },
    };

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (str_eq(ops[i].name, name)) {
            *ret = ops[i].op;
            return true;
        }
    return false;
}

int label_selector_from_meta(struct arena *a, const struct meta_v1_label_selector *sel,
                             struct label_selector *ret, struct err *err)
{
    struct label_requirement *reqs;
    size_t n = 0;

    if (!sel) {
        *ret = (struct label_selector){ .nothing = true };
        return 0;
    }
    reqs = ARENA_NEW_ARRAY(a, struct label_requirement,
                           (size_t)sel->match_labels.len + sel->match_expressions.len);
    for (uint32_t i = 0; i < sel->match_labels.len; i++) {
        reqs[n].key = sel->match_labels.items[i].key;
        reqs[n].op = LABEL_OP_EQUALS;
        reqs[n].values = &sel->match_labels.items[i].value;
        reqs[n++].n_values = 1;
    }
    for (uint32_t i = 0; i < sel->match_expressions.len; i++) {
        const struct meta_v1_label_selector_requirement *m = &sel->match_expressions.items[i];
        struct label_requirement *r = &reqs[n++];

        if (!op_of(m->operator, & r->op))
            return err_set(err, ERR_INVALID, "\"%.*s\" is not a valid label selector operator",
                           STR_ARG(m->operator));
        r->key = m->key;
        r->n_values = m->values.len;
        /* A copy: the values are sorted. */
        r->values = arena_dup(a, m->values.items, m->values.len * sizeof(struct str));
    }
    return label_selector_from_requirements(a, reqs, n, ret, err);
}
