#include "apiserver/admission/admission.h"

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/status_response.h"
#include "base/err.h"

const struct admission_plugin *const admission_plugins[] = {
    &namespace_lifecycle_plugin,
    &limit_range_plugin,
    &service_account_plugin,
    &node_restriction_plugin,
    &pod_security_plugin,
    &priority_plugin,
    &default_toleration_plugin,
    &default_storage_class_plugin,
    &storage_protection_plugin,
    &claim_resize_plugin,
    &runtime_class_plugin,
    &certificate_approval_plugin,
    &certificate_signing_plugin,
    &certificate_subject_plugin,
    &default_ingress_class_plugin,
    &rbac_escalation_plugin,
    &quota_plugin,
    NULL,
};

static bool is_named(struct str names, const char *name)
{
    struct str word;

    while (str_next(&names, ',', &word))
        if (str_eq(str_trim(word), str_from_cstr(name)))
            return true;
    return false;
}

int admission_select(struct str disabled, const struct admission_plugin **ret, struct err *err)
{
    struct str rest = disabled, word;
    size_t n = 0;

    while (str_next(&rest, ',', &word)) {
        bool known = !word.len;

        for (size_t i = 0; admission_plugins[i]; i++)
            known |= str_eq(str_trim(word), str_from_cstr(admission_plugins[i]->name));
        if (!known)
            return err_set(err, ERR_INVALID, "'%.*s' is no admission plugin", STR_ARG(word));
    }
    for (size_t i = 0; admission_plugins[i] && n < ADMISSION_PLUGINS_MAX - 1; i++)
        if (!is_named(disabled, admission_plugins[i]->name))
            ret[n++] = admission_plugins[i];
    ret[n] = NULL;
    return 0;
}

bool admission_mutate(const struct admission_call *call, struct status *ret)
{
    const struct admission_plugin *const *p = call->request->server->admission;

    for (; *p; p++)
        if ((*p)->mutate && !(*p)->mutate(call, ret))
            return false;
    return true;
}

bool admission_validate(const struct admission_call *call, struct status *ret)
{
    const struct admission_plugin *const *p = call->request->server->admission;

    for (; *p; p++)
        if ((*p)->validate && !(*p)->validate(call, ret))
            return false;
    return true;
}
