#include "api/internal_print.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "base/arena.h"

static struct str print(struct arena *a, const char *type, const void *data)
{
    return internal_print(a, schema_walk_type(&schema_builtin, type), data);
}

Test(internal_print, names_and_members_are_upstreams)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct core_v1_seccomp_profile p = { .type = STR("Localhost") };
    struct core_v1_config_map_key_selector k = { .key = STR("k") };

    cr_expect(str_eq(print(&a, "core/v1.SeccompProfile", &p),
                     STR("{\"Type\":\"Localhost\",\"LocalhostProfile\":null}")));
    k.local_object_reference.name = STR("n");
    cr_expect(str_eq(print(&a, "core/v1.ConfigMapKeySelector", &k),
                     STR("{\"Name\":\"n\",\"Key\":\"k\",\"Optional\":null}")));
}

Test(internal_print, what_the_wire_has_elsewhere)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct core_v1_pod_security_context s = { 0 };
    struct core_v1_pod_spec spec = { .host_pid = true, .security_context = &s };
    struct str text = print(&a, "core/v1.PodSpec", &spec);

    cr_expect(str_contains(text, STR("\"SecurityContext\":{\"HostNetwork\":false,\"HostPID\":true,"
                                     "\"HostIPC\":false,\"ShareProcessNamespace\":null,"
                                     "\"HostUsers\":null,\"SELinuxOptions\":null,")),
              "%.*s", STR_ARG(text));
    cr_expect(!str_contains(text, STR("\"HostIPC\":false,\"ImagePullSecrets\"")));
}

Test(internal_print, lines)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text =
        internal_print_indented(&a, STR("{\"a\":[1,{\"b\":\"x\\\"{,:\"}],\"c\":{},\"d\":[]}"));

    cr_expect(str_eq(text, STR("{\n \"a\": [\n  1,\n  {\n   \"b\": \"x\\\"{,:\"\n  }\n ],\n"
                               " \"c\": {},\n \"d\": []\n}")),
              "%.*s", STR_ARG(text));
}

static const struct {
    const char *before;
    const char *after;
    const char *want;
} diffs[] = {
    { "a\nb", "a\nb", "" },
    { "a\nb\nc", "a\nx\nc", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n" },
    { "1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\nx\n6\n7\n8\n9",
      "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
    { "a", "a\nb", "@@ -1 +1,2 @@\n a\n+b\n" },
    { "a\n1\n2\n3\n4\n5\n6\n7\nb", "x\n1\n2\n3\n4\n5\n6\n7\ny",
      "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n" },
    { "a\n1\n2\n3\n4\nb", "x\n1\n2\n3\n4\ny", "@@ -1,6 +1,6 @@\n-a\n+x\n 1\n 2\n 3\n 4\n-b\n+y\n" },
    { "", "b", "@@ -1 +1 @@\n-\n+b\n" },
};

Test(internal_print, changes)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(diffs); i++) {
        struct str have =
            internal_print_diff(&a, str_from_cstr(diffs[i].before), str_from_cstr(diffs[i].after));

        cr_expect(str_eq(have, str_from_cstr(diffs[i].want)), "%s | %s\n%.*s", diffs[i].before,
                  diffs[i].after, STR_ARG(have));
    }
}
