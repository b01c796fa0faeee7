#include "apiserver/request_info.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

static struct request_info parse(struct arena *a, const char *method, const char *path,
                                 const char *query)
{
    struct request_info info;
    struct err err;

    cr_assert_eq(request_info_parse(a, str_from_cstr(method), str_from_cstr(path),
                                    str_from_cstr(query), &info, &err),
                 0, "%s", err.text);
    return info;
}

static void eq(struct str got, const char *want)
{
    cr_assert(str_eq(got, str_from_cstr(want)), "got '%.*s', want '%s'", STR_ARG(got), want);
}

Test(request_info, paths_and_methods_name_what_is_asked_for)
{
    static const struct {
        const char *method, *path, *query;
        const char *verb, *group, *version, *ns, *resource, *name, *sub;
    } rows[] = {
        { "GET", "/api/v1/pods", NULL, "list", "", "v1", "", "pods", "", "" },
        { "GET", "/api/v1/namespaces/a/pods/x", NULL, "get", "", "v1", "a", "pods", "x", "" },
        { "GET", "/api/v1/namespaces/a/pods/x/log", "follow=1", "get", "", "v1", "a", "pods", "x",
          "log" },
        { "GET", "/api/v1/namespaces/a/pods", "watch=1", "watch", "", "v1", "a", "pods", "", "" },
        { "GET", "/api/v1/namespaces/a/pods", "watch=false", "list", "", "v1", "a", "pods", "",
          "" },
        { "GET", "/api/v1/namespaces/a/pods", "watch=0", "list", "", "v1", "a", "pods", "", "" },
        { "GET", "/api/v1/namespaces/a/pods", "watch", "watch", "", "v1", "a", "pods", "", "" },
        { "GET", "/api/v1/watch/namespaces/a/pods/x", NULL, "watch", "", "v1", "a", "pods", "x",
          "" },
        { "POST", "/apis/apps/v1/namespaces/a/deployments", NULL, "create", "apps", "v1", "a",
          "deployments", "", "" },
        { "PUT", "/apis/apps/v1/namespaces/a/deployments/d/status", NULL, "update", "apps", "v1",
          "a", "deployments", "d", "status" },
        { "PATCH", "/api/v1/nodes/n", NULL, "patch", "", "v1", "", "nodes", "n", "" },
        { "DELETE", "/api/v1/nodes", NULL, "deletecollection", "", "v1", "", "nodes", "", "" },
        { "DELETE", "/api/v1/nodes/n", NULL, "delete", "", "v1", "", "nodes", "n", "" },
        { "GET", "/api/v1/namespaces", NULL, "list", "", "v1", "", "namespaces", "", "" },
        { "GET", "/api/v1/namespaces/a", NULL, "get", "", "v1", "a", "namespaces", "a", "" },
        { "PUT", "/api/v1/namespaces/a/finalize", NULL, "update", "", "v1", "a", "namespaces", "a",
          "finalize" },
        { "PUT", "/api/v1/namespaces/a/status", NULL, "update", "", "v1", "a", "namespaces", "a",
          "status" },
        { "GET", "/api/v1/namespaces/a%2Db/pods/x%2ey", NULL, "get", "", "v1", "a-b", "pods", "x.y",
          "" },
    };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct request_info info = parse(&a, rows[i].method, rows[i].path, rows[i].query);

        cr_assert(info.is_resource, "%s", rows[i].path);
        eq(info.verb_text, rows[i].verb);
        eq(info.group, rows[i].group);
        eq(info.version, rows[i].version);
        eq(info.namespace, rows[i].ns);
        eq(info.resource, rows[i].resource);
        eq(info.name, rows[i].name);
        eq(info.subresource, rows[i].sub);
    }
}

Test(request_info, other_paths_are_no_resources)
{
    static const char *const paths[] = { "/", "/api", "/apis/apps", "/apis/apps/v1", "/healthz" };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct request_info info = parse(&a, "GET", paths[i], NULL);

        cr_assert_not(info.is_resource, "%s", paths[i]);
        eq(info.verb_text, "get");
    }
}

Test(request_info, an_escaped_slash_stays_in_its_segment)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct request_info info = parse(&a, "GET", "/api/v1/namespaces/a/pods/x%2Fy", NULL);

    eq(info.name, "x/y");
    eq(info.subresource, "");
}

Test(request_info, broken_escapes_and_floods_are_refused)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    static const char *const paths[] = { "/api/v1/%", "/api/v1/%4", "/api/v1/%zz", "/api/%00" };
    struct request_info info;
    struct err err;
    char many[400];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        cr_assert_eq(
            request_info_parse(&a, STR("GET"), str_from_cstr(paths[i]), STR_NULL, &info, &err),
            ERR_INVALID, "%s", paths[i]);
    for (int i = 0; i <= REQUEST_INFO_MAX_PARAMS; i++) {
        many[n++] = 'a';
        many[n++] = '&';
    }
    cr_assert_eq(request_info_parse(&a, STR("GET"), STR("/api"), str_n(many, n), &info, &err),
                 ERR_INVALID);
}

Test(request_info, query_parameters_are_decoded_and_typed)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct request_info info = parse(&a, "GET", "/api/v1/pods", "limit=5&x=a%3Db+c&b=TRUE&bad=x&e");
    struct err err;
    int64_t v = 0;

    cr_assert_eq(request_info_int(&info, STR("limit"), &v, &err), 1);
    cr_assert_eq(v, 5);
    cr_assert_eq(request_info_int(&info, STR("none"), &v, &err), 0);
    cr_assert_eq(request_info_int(&info, STR("bad"), &v, &err), ERR_INVALID);
    eq(request_info_param(&info, STR("x")), "a=b c");
    cr_assert(request_info_bool(&info, STR("b")));
    cr_assert(request_info_bool(&info, STR("e")));
    cr_assert_not(request_info_bool(&info, STR("none")));
}
