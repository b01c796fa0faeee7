#include "apiserver/admission/admission.h"

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/status_response.h"

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
