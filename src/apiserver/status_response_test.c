#include "apiserver/status_response.h"

#include <criterion/criterion.h>

#include "api/field_error.h"
#include "api/object_json.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static const struct group_resource deployments = { STR_INIT("apps"), STR_INIT("deployments") };
static const struct group_resource pods = { STR_INIT(""), STR_INIT("pods") };

static void text(struct status s, int code, const char *want)
{
    cr_assert_eq(status_code(s.reason), code);
    cr_assert(str_eq(s.message, str_from_cstr(want)), "got '%.*s'", STR_ARG(s.message));
}

Test(status_response, texts_are_upstreams)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    text(status_not_found(&a, deployments, STR("web")), 404, "deployments.apps \"web\" not found");
    text(status_already_exists(&a, pods, STR("p")), 409, "pods \"p\" already exists");
    text(status_not_unique(&a, pods, STR("p-")), 409,
         "pods \"p-\" already exists, the server was not able to generate a unique name for the "
         "object");
    text(status_modified(&a, pods, STR("p")), 409,
         "Operation cannot be fulfilled on pods \"p\": the object has been modified; please apply "
         "your changes to the latest version and try again");
    text(status_forbidden(&a, pods, STR("p"), "why"), 403, "pods \"p\" is forbidden: why");
    text(status_forbidden(&a, pods, STR(""), "why"), 403, "pods is forbidden: why");
    text(status_forbidden(&a, (struct group_resource){ 0 }, STR(""), "why"), 403, "forbidden: why");
    text(status_internal(&a, "disk"), 500, "Internal error occurred: disk");
    text(status_future_revision(&a, 9, 5), 504,
         "Timeout: Too large resource version: 9, current: 5");
    text(status_of_store(&a, ERR_CORRUPT, NULL), 500, "corrupt");
    text(status_of_store(&a, ERR_NO_SPACE, NULL), 507, "the store is out of space: no space left");
}

Test(status_response, encodes_with_its_details_and_causes)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_path p = field_path_member(NULL, STR("spec"));
    struct field_errors errs;
    struct status s;
    struct buf b = { .arena = &a };

    field_errors_init(&errs, &a);
    field_errors_add(&errs, &p, FIELD_ERROR_REQUIRED, "%s", "");
    s = status_invalid(&a, STR("apps"), STR("Deployment"), STR("web"), &errs);
    object_json_encode(&b, status_object(&a, &s), NULL);
    cr_assert(str_eq(buf_str(&b),
                     STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                         "\"status\":\"Failure\",\"message\":\"Deployment.apps \\\"web\\\" is "
                         "invalid: spec: Required value\",\"reason\":\"Invalid\",\"details\":{"
                         "\"name\":\"web\",\"group\":\"apps\",\"kind\":\"Deployment\",\"causes\":[{"
                         "\"reason\":\"FieldValueRequired\",\"message\":\"Required value\","
                         "\"field\":\"spec\"}]},\"code\":422}")),
              "%.*s", STR_ARG(buf_str(&b)));
}
