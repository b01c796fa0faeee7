#include "client/kube_config.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

#define CONFIG(server, user)                                                                       \
    "apiVersion: v1\nkind: Config\ncurrent-context: me\n"                                          \
    "contexts:\n- name: other\n  context: {cluster: x, user: y}\n"                                 \
    "- name: me\n  context: {cluster: c, user: u, namespace: team}\n"                              \
    "clusters:\n- name: c\n  cluster:\n    server: " server                                        \
    "\n    certificate-authority-data: Y2E=\n"                                                     \
    "users:\n- name: u\n  user: " user "\n"

Test(kube_config, reads_the_current_context)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct kube_config c;
    struct err err;
    struct str yaml = STR(
        CONFIG("https://127.0.0.1:6443", "{client-certificate-data: Y3J0, client-key-data: a2V5}"));

    cr_assert_eq(kube_config_parse(&a, yaml, STR_NULL, &c, &err), 0, "%s", err.text);
    cr_assert(str_eq(c.host, STR("127.0.0.1")));
    cr_assert_eq(c.port, 6443);
    cr_assert(c.is_tls);
    cr_assert(str_eq(c.ca_pem, STR("ca")));
    cr_assert(str_eq(c.certificate_pem, STR("crt")));
    cr_assert(str_eq(c.key_pem, STR("key")));
    cr_assert(str_eq(c.namespace, STR("team")));
    cr_assert_not(c.token.p);
}

Test(kube_config, takes_servers_apart)
{
    static const struct {
        const char *yaml, *host, *path;
        int port;
        bool is_tls;
    } rows[] = {
        { CONFIG("https://example.com", "{token: t}"), "example.com", "", 443, true },
        { CONFIG("http://localhost:8080/", "{token: t}"), "localhost", "", 8080, false },
        { CONFIG("\"https://[fd00::1]:6443/k8s/one\"", "{token: t}"), "fd00::1", "/k8s/one", 6443,
          true },
        { CONFIG("\"https://[fd00::1]\"", "{token: t}"), "fd00::1", "", 443, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct kube_config c;
        struct err err;

        cr_assert_eq(kube_config_parse(&a, str_from_cstr(rows[i].yaml), STR_NULL, &c, &err), 0,
                     "%zu: %s", i, err.text);
        cr_assert(str_eq(c.host, str_from_cstr(rows[i].host)), "%zu", i);
        cr_assert(str_eq(c.path, str_from_cstr(rows[i].path)), "%zu", i);
        cr_assert_eq(c.port, rows[i].port, "%zu", i);
        cr_assert_eq(c.is_tls, rows[i].is_tls, "%zu", i);
        cr_assert(str_eq(c.token, STR("t")));
    }
}

Test(kube_config, says_what_is_wrong)
{
    static const struct {
        const char *yaml, *text;
    } rows[] = {
        { "current-context: a\n", "no context 'a'" },
        { "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n",
          "context 'a' names no cluster" },
        { CONFIG("ftp://x", "{}"), "server 'ftp://x' is no http or https URL" },
        { CONFIG("https://x:0", "{}"), "server 'https://x:0' has no host or a wrong port" },
        { CONFIG("https://x:70000", "{}"), "server 'https://x:70000' has no host or a wrong port" },
        { CONFIG("https://x", "{client-key-data: '!'}"),
          "'client-key-data' is no base64 at byte 0" },
        { CONFIG("https://x", "{client-key: /nowhere/k}"),
          "read '/nowhere/k': No such file or directory" },
        { CONFIG("https://x", "{exec: {command: x}}"), "users by plugin are not supported" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct kube_config c;
        struct err err = { 0 };

        cr_assert_lt(kube_config_parse(&a, str_from_cstr(rows[i].yaml), STR_NULL, &c, &err), 0);
        cr_assert_str_eq(err.text, rows[i].text);
    }
}
