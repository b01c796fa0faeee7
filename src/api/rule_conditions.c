/* Lists of meta/v1.Condition. Not rows of that type: upstream checks them in some kinds only. */
#include <ctype.h>

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rules_internal.h"
#include "base/arena.h"
#include "base/map.h"

enum { REASON_MAX = 1024, MESSAGE_MAX = 32 * 1024 };

static bool is_reason(struct str s)
{
    if (s.len == 0 || !isalpha((unsigned char)s.p[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("_,:", s.p[i]))
            return false;
    return isalnum((unsigned char)s.p[s.len - 1]) || s.p[s.len - 1] == '_';
}

static void check_reason(const struct rule_context *c, struct str reason)
{
    struct field_path at = field_path_member(c->path, STR("reason"));

    if (reason.len == 0) {
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
        return;
    }
    if (!is_reason(reason))
        rule_invalid(c, "reason", reason,
                     "a condition reason must start with alphabetic character, optionally followed "
                     "by a string of alphanumeric characters or '_,:', and must end with an "
                     "alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  "
                     "or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
                     "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
    if (reason.len > REASON_MAX)
        field_errors_add(c->errs, &at, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         REASON_MAX);
}

static void check_condition(const struct rule_context *c, const struct meta_v1_condition *cond)
{
    struct field_path type = field_path_member(c->path, STR("type"));
    struct field_path message = field_path_member(c->path, STR("message"));

    (void)name_rule_report(c->errs, &type, NAME_RULE_QUALIFIED_NAME, cond->type);
    if (!str_eq(cond->status, STR("True")) && !str_eq(cond->status, STR("False")) &&
        !str_eq(cond->status, STR("Unknown")))
        rule_unsupported(c, "status", cond->status, "False|True|Unknown");
    if (cond->observed_generation < 0)
        rule_invalid_number(c, "observedGeneration", cond->observed_generation,
                            "must be greater than or equal to zero");
    if (!cond->last_transition_time.set)
        rule_required(c, "lastTransitionTime", "");
    check_reason(c, cond->reason);
    if (cond->message.len > MESSAGE_MAX)
        field_errors_add(c->errs, &message, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         MESSAGE_MAX);
}

void rule_check_conditions(const struct rule_context *c, const char *member,
                           const struct meta_v1_condition *items, uint32_t n)
{
    CLEANUP(map_done) struct map seen = { 0 };
    struct field_path list = field_path_member(c->path, str_from_cstr(member));

    for (uint32_t i = 0; i < n && !arena_is_over(c->arena); i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path type = field_path_member(&item, STR("type"));
        struct rule_context at = *c;

        at.path = &item;
        if (map_has(&seen, items[i].type))
            field_errors_add_text(c->errs, &type, FIELD_ERROR_DUPLICATE, items[i].type, "");
        else
            (void)map_put(&seen, items[i].type, &seen); /* a set */
        check_condition(&at, &items[i]);
    }
}
