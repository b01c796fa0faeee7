/* What the runtime is asked for: control groups, scores, names, security. */
#include "kubelet/pod_config.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "client/api_object.h"
#include "kubelet/pod_containers.h"

static const struct str host_dns[] = { STR_INIT("192.0.2.1") };
static const struct str host_searches[] = { STR_INIT("example.com") };
static const struct pod_config_node node = {
    .log_directory = "/var/log/pods",
    .cgroup_root = "/x",
    .seccomp_directory = "/seccomp",
    .cluster_dns = STR_INIT("10.96.0.10"),
    .cluster_domain = STR_INIT("cluster.local"),
    .host_dns = { host_dns, 1 },
    .host_searches = { host_searches, 1 },
    .memory_bytes = 1000 << 20,
};

static void unref(void *o)
{
    api_object_unref(o);
}

static const struct core_v1_pod *pod_of(struct arena *a, const char *container, const char *spec)
{
    struct api_object *o;
    struct err err;
    struct str json = arena_printf(
        a,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
        "\"uid\":\"u\"},\"spec\":{%s%s\"containers\":[{\"name\":\"c\"%s%s}]}}",
        spec, *spec ? "," : "", *container ? "," : "", container);

    cr_assert(api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")), json, &o, &err) >=
                  0,
              "%s: %s", json.p, err.text);
    arena_defer(a, unref, o);
    return API_OBJECT(o, struct core_v1_pod);
}

static int config_of(struct arena *a, const struct core_v1_pod *pod,
                     const struct runtime_image *image, struct runtime_container_config *ret,
                     struct err *err)
{
    const struct pod_container *cs;

    (void)pod_containers(a, pod, &cs);
    return pod_config_container(
        a, &node, pod, &(struct pod_config_container){ .container = &cs[0], .image = image }, ret,
        err);
}

#define RES(limits, requests) "\"resources\":{\"limits\":{" limits "},\"requests\":{" requests "}}"

Test(pod_config, resources)
{
    static const struct {
        const char *container, *cgroup;
        unsigned long long shares;
        long long quota, memory, score;
    } cases[] = {
        { "", "/x/kubepods/besteffort/podu", 2, 0, 0, 1000 },
        { RES("\"cpu\":\"500m\",\"memory\":\"64Mi\"", "\"cpu\":\"500m\",\"memory\":\"64Mi\""),
          "/x/kubepods/podu", 512, 50000, 64 << 20, -997 },
        { RES("\"cpu\":\"1\"", "\"memory\":\"100Mi\""), "/x/kubepods/burstable/podu", 1024, 100000,
          0, 900 },
        { RES("", "\"cpu\":\"1m\",\"memory\":\"1000Mi\""), "/x/kubepods/burstable/podu", 2, 0, 0,
          3 },
        { RES("\"cpu\":\"1m\"", "\"cpu\":\"1m\""), "/x/kubepods/burstable/podu", 2, 1000, 0, 999 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const struct core_v1_pod *pod = pod_of(&a, cases[i].container, "");
        struct runtime_container_config c;
        struct err err;

        cr_assert_eq(config_of(&a, pod, NULL, &c, &err), 0, "%s", err.text);
        cr_expect_str_eq(str_cstr(&a, pod_config_cgroup(&a, &node, pod)), cases[i].cgroup);
        cr_expect_eq(c.resources.cpu_shares, cases[i].shares, "%zu", i);
        cr_expect_eq(c.resources.cpu_quota_us, cases[i].quota, "%zu", i);
        cr_expect_eq(c.resources.memory_limit_bytes, cases[i].memory, "%zu", i);
        cr_expect_eq(c.resources.oom_score_adj, cases[i].score, "%zu: %d", i,
                     c.resources.oom_score_adj);
    }
}

Test(pod_config, the_group_of_a_pod)
{
    static const struct {
        const char *container, *spec;
        long long quota, memory;
    } cases[] = {
        { RES("\"cpu\":\"1\",\"memory\":\"1Gi\"", ""), "", 100000, 1 << 30 },
        /* one without a limit makes the whole unlimited */
        { RES("\"cpu\":\"1\"", ""), "\"initContainers\":[{\"name\":\"i\"}]", 0, 0 },
        /* an init container may need more for a while, a sidecar always */
        { RES("\"cpu\":\"1\"", ""),
          "\"initContainers\":[{\"name\":\"i\",\"resources\":{\"limits\":{\"cpu\":\"3\"}}}]",
          300000, 0 },
        { RES("\"cpu\":\"1\"", ""),
          "\"initContainers\":[{\"name\":\"i\",\"restartPolicy\":\"Always\",\"resources\":{"
          "\"limits\":{\"cpu\":\"3\"}}}]",
          400000, 0 },
        /* the Pod's own word */
        { "", "\"resources\":{\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\"}}", 200000, 1 << 30 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct runtime_resources r;

        pod_config_cgroup_limits(pod_of(&a, cases[i].container, cases[i].spec), &r);
        cr_expect_eq(r.cpu_quota_us, cases[i].quota, "%zu: %lld", i, (long long)r.cpu_quota_us);
        cr_expect_eq(r.memory_limit_bytes, cases[i].memory, "%zu: %lld", i,
                     (long long)r.memory_limit_bytes);
    }
}

static const char *joined(struct arena *a, struct runtime_strs s)
{
    struct buf b;

    buf_init_arena(&b, a, 64);
    for (size_t i = 0; i < s.len; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(s.items[i]));
    return buf_cstr(&b);
}

Test(pod_config, names)
{
    static const struct {
        const char *spec, *servers, *searches, *options;
    } cases[] = {
        { "\"dnsPolicy\":\"ClusterFirst\"", "10.96.0.10",
          "n.svc.cluster.local svc.cluster.local cluster.local example.com", "ndots:5" },
        { "\"dnsPolicy\":\"ClusterFirst\",\"hostNetwork\":true", "192.0.2.1", "example.com", "" },
        { "\"dnsPolicy\":\"ClusterFirstWithHostNet\",\"hostNetwork\":true", "10.96.0.10",
          "n.svc.cluster.local svc.cluster.local cluster.local example.com", "ndots:5" },
        { "\"dnsPolicy\":\"Default\"", "192.0.2.1", "example.com", "" },
        { "\"dnsPolicy\":\"None\",\"dnsConfig\":{\"nameservers\":[\"192.0.2.9\"],\"searches\":["
          "\"a\",\"b\"],\"options\":[{\"name\":\"ndots\",\"value\":\"2\"},{\"name\":\"edns0\"}]}",
          "192.0.2.9", "a b", "ndots:2 edns0" },
        { "\"dnsPolicy\":\"ClusterFirst\",\"dnsConfig\":{\"options\":[{\"name\":\"ndots\","
          "\"value\":\"2\"}],\"nameservers\":[\"10.96.0.10\"]}",
          "10.96.0.10", "n.svc.cluster.local svc.cluster.local cluster.local example.com",
          "ndots:2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct runtime_sandbox_config s;
        struct err err;

        cr_assert_eq(pod_config_sandbox(&a, &node, pod_of(&a, "", cases[i].spec), 0, &s, &err), 0);
        cr_expect_str_eq(joined(&a, s.dns_servers), cases[i].servers, "%zu", i);
        cr_expect_str_eq(joined(&a, s.dns_searches), cases[i].searches, "%zu", i);
        cr_expect_str_eq(joined(&a, s.dns_options), cases[i].options, "%zu: %s", i,
                         joined(&a, s.dns_options));
    }
}

Test(pod_config, sandboxes)
{
    static const struct {
        const char *spec, *hostname;
        enum runtime_namespace_mode network, ipc, pid;
        bool fails;
    } cases[] = {
        { "", "p", RUNTIME_NS_POD, RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, false },
        { "\"hostNetwork\":true,\"hostIPC\":true,\"hostPID\":true", "p", RUNTIME_NS_NODE,
          RUNTIME_NS_NODE, RUNTIME_NS_NODE, false },
        { "\"shareProcessNamespace\":true,\"hostname\":\"h\",\"subdomain\":\"s\"", "h",
          RUNTIME_NS_POD, RUNTIME_NS_POD, RUNTIME_NS_POD, false },
        { "\"hostname\":\"h\",\"subdomain\":\"s\",\"setHostnameAsFQDN\":true",
          "h.s.n.svc.cluster.local", RUNTIME_NS_POD, RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, false },
        { "\"hostnameOverride\":\"o.example\",\"hostname\":\"h\"", "o.example", RUNTIME_NS_POD,
          RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, false },
        { "\"securityContext\":{\"sysctls\":[{\"name\":\"net/ipv4/tcp_syncookies\",\"value\":"
          "\"1\"}]}",
          "p", RUNTIME_NS_POD, RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, false },
        { "\"hostNetwork\":true,\"securityContext\":{\"sysctls\":[{\"name\":"
          "\"net.ipv4.tcp_syncookies\",\"value\":\"1\"}]}",
          "p", RUNTIME_NS_NODE, RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, true },
        { "\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.core_pattern\",\"value\":\"1\"}]}",
          "p", RUNTIME_NS_POD, RUNTIME_NS_POD, RUNTIME_NS_CONTAINER, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct runtime_sandbox_config s;
        struct err err;
        int r = pod_config_sandbox(&a, &node, pod_of(&a, "", cases[i].spec), 0, &s, &err);

        cr_expect_eq(r < 0, cases[i].fails, "%zu", i);
        cr_expect_str_eq(str_cstr(&a, s.hostname), cases[i].hostname, "%zu", i);
        cr_expect_eq(s.namespaces.network, cases[i].network, "%zu", i);
        cr_expect_eq(s.namespaces.ipc, cases[i].ipc, "%zu", i);
        cr_expect_eq(s.namespaces.pid, cases[i].pid, "%zu", i);
    }
}

Test(pod_config, who_may_be_root)
{
    static const struct runtime_image root = { .has_uid = true },
                                      user = { .has_uid = true, .uid = 7 },
                                      named = { .username = STR_INIT("web") };
    static const struct {
        const char *container, *spec;
        const struct runtime_image *image;
        const char *error; /* NULL: it may run */
    } cases[] = {
        { "", "", &root, NULL },
        { "", "\"securityContext\":{\"runAsNonRoot\":true}", &root,
          "container has runAsNonRoot and image will run as root" },
        { "", "\"securityContext\":{\"runAsNonRoot\":true}", &user, NULL },
        { "", "\"securityContext\":{\"runAsNonRoot\":true}", &named,
          "container has runAsNonRoot and image has non-numeric user (web)" },
        { "", "\"securityContext\":{\"runAsNonRoot\":true,\"runAsUser\":0}", &user,
          "container's runAsUser breaks non-root policy" },
        { "", "\"securityContext\":{\"runAsNonRoot\":true,\"runAsUser\":5}", &root, NULL },
        { "\"securityContext\":{\"runAsUser\":0}",
          "\"securityContext\":{\"runAsNonRoot\":true,"
          "\"runAsUser\":5}",
          &user, "container's runAsUser breaks non-root policy" },
        { "\"securityContext\":{\"runAsNonRoot\":false}",
          "\"securityContext\":{\"runAsNonRoot\":"
          "true}",
          &root, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct runtime_container_config c;
        struct err err = { 0 };
        int r =
            config_of(&a, pod_of(&a, cases[i].container, cases[i].spec), cases[i].image, &c, &err);

        cr_expect_eq(r < 0, cases[i].error != NULL, "%zu: %s", i, err.text);
        cr_expect(!cases[i].error || strstr(err.text, cases[i].error), "%zu: %s", i, err.text);
    }
}

Test(pod_config, seccomp_fails_closed)
{
    static const struct {
        const char *profile;
        int type; /* -1: refused */
        const char *path;
    } cases[] = {
        { "", RUNTIME_SECCOMP_UNCONFINED, "" },
        { "{\"type\":\"RuntimeDefault\"}", RUNTIME_SECCOMP_DEFAULT, "" },
        { "{\"type\":\"Localhost\",\"localhostProfile\":\"a/b.json\"}", RUNTIME_SECCOMP_LOCALHOST,
          "/seccomp/a/b.json" },
        { "{\"type\":\"Localhost\"}", -1, "" },
        { "{\"type\":\"Localhost\",\"localhostProfile\":\"\"}", -1, "" },
        { "{\"type\":\"Localhost\",\"localhostProfile\":\"../x\"}", -1, "" },
        { "{\"type\":\"Localhost\",\"localhostProfile\":\"/etc/x\"}", -1, "" },
        { "{\"type\":\"Whatever\"}", -1, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const char *container =
            *cases[i].profile
                ? arena_printf(&a, "\"securityContext\":{\"seccompProfile\":%s}", cases[i].profile)
                      .p
                : "";
        struct runtime_container_config c;
        struct err err;
        int r = config_of(&a, pod_of(&a, container, ""), NULL, &c, &err);

        cr_expect_eq(r < 0, cases[i].type < 0, "%zu", i);
        if (r < 0)
            continue;
        cr_expect_eq((int)c.security.seccomp.type, cases[i].type, "%zu", i);
        cr_expect_str_eq(str_cstr(&a, c.security.seccomp.localhost_path), cases[i].path);
    }
}
