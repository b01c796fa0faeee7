#include "cni/cni_network.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "io/loop.h"
#include "net/net_fixture.h"

static struct loop *loop;
static struct cni_network_result got;
static char got_text[ERR_TEXT_BYTES];

static void on_done(const struct cni_network_result *res, void *arg)
{
    (void)arg;
    got = *res;
    (void)snprintf(got_text, sizeof(got_text), "%s", res->code < 0 ? res->err->text : "");
    loop_stop(loop);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const char *read_text(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static const struct cni_attachment pod = {
    .container_id = STR_INIT("c1"),
    .netns_path = STR_INIT("/mnt/ns"),
    .pod_namespace = STR_INIT("default"),
    .pod_name = STR_INIT("web"),
    .pod_uid = STR_INIT("u1"),
};

static struct cni_network *enter(const char *conflist)
{
    net_fixture_enter();
    cr_assert(mkdir("/mnt/conf", 0700) == 0 && mkdir("/mnt/bin", 0700) == 0);
    /* Says who calls and with what; the first gives an address, the second passes it on. */
    write_file("/mnt/bin/first",
               "#!/bin/sh\ncat >/mnt/first.in\necho first $CNI_COMMAND $CNI_IFNAME >>/mnt/calls\n"
               "[ -e /mnt/first.fails ] && { echo '{\"code\":11,\"msg\":\"no luck\"}'; exit 1; }\n"
               "echo '{\"cniVersion\":\"0.4.0\",\"ips\":[{\"address\":\"10.9.8.7/24\"}]}'\n",
               0700);
    write_file(
        "/mnt/bin/second",
        "#!/bin/sh\ncat >/mnt/second.in\necho second $CNI_COMMAND \"$CNI_ARGS\" >>/mnt/calls\n"
        "[ -e /mnt/second.fails ] && { echo words >&2; exit 1; }\n"
        "echo '{\"cniVersion\":\"0.4.0\",\"ips\":[{\"address\":\"10.9.8.7/24\"}]}'\n",
        0700);
    write_file("/mnt/conf/50-z.conf", "not JSON", 0600);
    write_file("/mnt/conf/10-a.conflist", conflist, 0600);
    loop = loop_new(&clock_system);
    return cni_network_new_plugins(loop, "/mnt/conf", "/nowhere:/mnt/bin", "/mnt/cache");
}

static const char chain[] =
    "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"first\",\"mtu\":9},"
    "{\"type\":\"second\",\"capabilities\":{\"portMappings\":true}}]}";

Test(cni_plugins, run_in_order_and_back)
{
    struct cni_network *n = enter(chain);
    const struct cni_port_mapping port = { .protocol = "tcp",
                                           .container_port = 80,
                                           .host_port = 81 };
    struct cni_attachment with_port = pod;

    with_port.ports = &port;
    with_port.n_ports = 1;
    cni_network_add(n, &with_port, on_done, NULL);
    loop_run(loop);
    cr_assert_eq(got.code, 0, "%s", got_text);
    cr_expect_eq(got.n_ips, 1);
    cr_expect_str_eq(read_text("/mnt/calls"),
                     "first ADD eth0\nsecond ADD IgnoreUnknown=1;K8S_POD_NAMESPACE=default;"
                     "K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1\n");
    cr_expect(strstr(read_text("/mnt/first.in"), "\"mtu\":9"));
    cr_expect_not(strstr(read_text("/mnt/first.in"), "prevResult"));
    cr_expect(strstr(read_text("/mnt/second.in"), "\"prevResult\":{"));
    cr_expect(strstr(read_text("/mnt/second.in"), "\"hostPort\":81"));

    unlink("/mnt/calls");
    cni_network_delete(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_assert_eq(got.code, 0, "%s", got_text);
    cr_expect(strstr(read_text("/mnt/calls"), "second DEL"));
    cr_expect(strstr(read_text("/mnt/calls"), "first DEL") >
              strstr(read_text("/mnt/calls"), "second"));
    cr_expect(strstr(read_text("/mnt/first.in"), "\"prevResult\":{"));
    cr_expect_eq(access("/mnt/cache/c1", F_OK), -1);
    cni_network_free(n);
    loop_free(loop);
}

Test(cni_plugins, a_failed_add_is_undone)
{
    struct cni_network *n = enter(chain);

    write_file("/mnt/second.fails", "", 0600);
    cni_network_add(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_expect_lt(got.code, 0);
    cr_expect(strstr(got_text, "'second' failed: words"), "%s", got_text);
    cr_expect(strstr(read_text("/mnt/calls"), "second DEL"));
    cr_expect(strstr(read_text("/mnt/calls"), "first DEL"));
    unlink("/mnt/second.fails");
    write_file("/mnt/first.fails", "", 0600);
    cni_network_delete(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_expect_lt(got.code, 0);
    cr_expect(strstr(got_text, "no luck"), "%s", got_text);
    cni_network_free(n);
    loop_free(loop);
}

Test(cni_plugins, are_cancelled)
{
    struct cni_network *n = enter(chain);
    struct cni_call *c = cni_network_add(n, &pod, on_done, NULL);

    got.code = 77;
    cni_network_cancel(c);
    loop_turn(loop);
    cr_expect_eq(got.code, 77);
    cni_network_free(n);
    loop_free(loop);
}

Test(cni_plugins, bad_configurations_are_named)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "{", "10-a.conflist" },
        { "{\"name\":\"n\",\"plugins\":[]}", "1 to 16" },
        { "{\"name\":\"n\",\"type\":\"../x\"}", "no program's name" },
        { "{\"name\":\"a/b\",\"type\":\"first\"}", "usable 'name'" },
        { "{\"name\":\"n\",\"type\":\"absent\"}", "'absent' is not in" },
        { "[]", "is an object" },
    };
    struct cni_network *n = enter("{}");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_file("/mnt/conf/10-a.conflist", cases[i].text, 0600);
        cni_network_add(n, &pod, on_done, NULL);
        loop_run(loop);
        cr_expect_lt(got.code, 0);
        cr_expect(strstr(got_text, cases[i].words), "%s: %s", cases[i].text, got_text);
    }
    cni_network_free(n);
    loop_free(loop);
}

Test(cni_network, the_routed_one_needs_a_range)
{
    struct cni_network *n;
    struct ip_prefix range;
    struct err err;

    net_fixture_enter();
    loop = loop_new(&clock_system);
    n = cni_network_new_routed(loop, "/mnt/ipam", 0);
    cr_expect_lt(cni_network_ready(n, &err), 0);
    cni_network_add(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_expect_eq(got.code, ERR_NOT_FOUND);
    cr_assert(ip_prefix_parse(STR("10.1.0.0/24"), &range));
    NET_OK(cni_network_set_ranges(n, &range, 1, &err));
    cr_expect_eq(cni_network_ready(n, &err), 0);
    NET_OK(netns_create("/mnt/ns", &err));
    cni_network_add(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_expect_eq(got.code, 0, "%s", got_text);
    cr_expect_eq(got.n_ips, 1);
    cni_network_delete(n, &pod, on_done, NULL);
    loop_run(loop);
    cr_expect_eq(got.code, 0);
    cni_network_free(n);
    loop_free(loop);
}
