#include "apiserver/authz/node_identity.h"

#include "apiserver/api_request.h"

bool node_identity(const struct user_info *user, struct str *ret_name)
{
    static const struct str prefix = STR_INIT("system:node:");

    if (!str_has_prefix(user->name, prefix))
        return false;
    for (size_t i = 0; i < user->n_groups; i++)
        if (str_eq(user->groups[i], STR("system:nodes"))) {
            *ret_name = str_tail(user->name, prefix.len);
            return true;
        }
    return false;
}
