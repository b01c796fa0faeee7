/* The builtin runtime with real containers of a busybox, in namespaces and below a cgroup of the
 * test's own. Needs root, crun, conmon and busybox-static. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cni/cni_network.h"
#include "io/loop.h"
#include "net/net_fixture.h"
#include "net/route.h"
#include "runtime/cgroup.h"
#include "runtime/runtime.h"
#include "runtime/runtime_files.h"

#define ROOT  "/mnt/r"
#define LAYER "000000000000000000000001"

static struct loop *loop;
static struct runtime *rt;
static struct cni_network *network;
static char cgroup[64];

/* --- fixture --- */

static void write_text(const char *path, const char *text)
{
    struct err err;

    NET_OK(runtime_files_write(path, str_from_cstr(text), 0644, &err));
}

static void make_image(void)
{
    static const char *const dirs[] = { "bin", "etc", "tmp", "proc", "sys", "dev" };
    const char *const copy[] = { "cp", "/bin/busybox", ROOT "/store/layers/" LAYER "/bin/busybox",
                                 NULL };
    const char *const install[] = {
        "chroot", ROOT "/store/layers/" LAYER, "/bin/busybox", "--install", "-s", "/bin", NULL
    };
    struct err err;
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(path, sizeof(path), ROOT "/store/layers/" LAYER "/%s", dirs[i]);
        NET_OK(runtime_files_make_directory(path, 0755, &err));
    }
    NET_OK(runtime_files_make_directory(ROOT "/store/images", 0755, &err));
    cr_assert_eq(net_fixture_run(copy, "", NULL, 0), 0, "busybox-static is not installed");
    cr_assert_eq(net_fixture_run(install, "", NULL, 0), 0);
    write_text(ROOT "/store/layers/" LAYER "/etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n");
    write_text(ROOT "/store/layers/" LAYER "/etc/group", "root:x:0:\nextra:x:55:web\n");
    write_text(
        ROOT "/store/images/1.json",
        "{\"id\":\"sha256:1111111111111111111111111111111111111111111111111111111111111111\","
        "\"tags\":[\"docker.io/library/busybox:latest\"],\"size\":1000,\"layers\":[\"" LAYER
        "\"],\"config\":{\"Cmd\":[\"sh\"],\"Env\":[\"PATH=/bin\",\"A=image\"]}}");
}

static void new_runtime(void)
{
    struct err err;

    NET_OK(runtime_builtin_new(loop,
                               &(struct runtime_builtin_options){ .root_directory = ROOT,
                                                                  .state_directory = "/mnt/s",
                                                                  .network = network },
                               &rt, &err));
}

static void enter(void)
{
    struct ip_prefix range, node;
    struct netlink *n;
    struct err err;

    net_fixture_enter();
    if (!cgroup_is_v2())
        (void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    (void)snprintf(cgroup, sizeof(cgroup), "/pintle-test-%d", (int)getpid());
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_set_up(n, 1, true, &err));
    cr_assert(ip_prefix_parse(STR("192.0.2.1/32"), &node));
    NET_OK(route_add_address(n, 1, &node, &err));
    netlink_free(n);
    make_image();
    loop = loop_new(&clock_system);
    network = cni_network_new_routed(loop, "/mnt/ipam", 0);
    cr_assert(ip_prefix_parse(STR("10.88.0.0/24"), &range));
    NET_OK(cni_network_set_ranges(network, &range, 1, &err));
    new_runtime();
}

static int count_link(const struct link_info *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

static void leave(void)
{
    char path[128];
    struct netlink *n;
    struct err err;
    int links = 0;

    rt->ops->free(rt);
    cni_network_free(network);
    loop_free(loop);
    NET_OK(netlink_new(-1, NETLINK_OF_ROUTE, &n, &err));
    NET_OK(link_list(n, count_link, &links, &err));
    cr_expect_eq(links, 1, "links are left");
    netlink_free(n);
    for (int i = 0; i < 200 && cgroup_remove(str_from_cstr(cgroup), &err) < 0; i++)
        poll(NULL, 0, 10);
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s", cgroup_is_v2() ? "" : "/memory",
                   cgroup);
    cr_expect_eq(access(path, F_OK), -1, "a cgroup is left");
}

/* --- calls that wait --- */

static struct {
    int code;
    char text[ERR_TEXT_BYTES], id[128], output[4096];
    int exit_code;
    struct runtime_stream *stream;
    struct runtime_container_status container;
    struct runtime_sandbox_status sandbox;
    char reason[64], message[512], ip[64];
    size_t n_containers, n_sandboxes, n_images;
    struct runtime_stats stats;
    bool is_done;
} got;

static void take(char *ret, size_t size, struct str s)
{
    (void)snprintf(ret, size, "%.*s", STR_ARG(s));
}

static void on_done(const struct runtime_result *res, void *arg)
{
    (void)arg;
    memset(&got, 0, sizeof(got));
    got.code = res->code;
    if (res->code < 0)
        take(got.text, sizeof(got.text), str_from_cstr(res->err->text));
    take(got.id, sizeof(got.id), res->id);
    take(got.output, sizeof(got.output), res->output);
    got.exit_code = res->exit_code;
    got.stream = res->stream;
    got.n_containers = res->n_containers;
    got.n_sandboxes = res->n_sandboxes;
    got.n_images = res->n_images;
    if (res->n_containers) {
        got.container = res->containers[0];
        take(got.reason, sizeof(got.reason), res->containers[0].reason);
        take(got.message, sizeof(got.message), res->containers[0].message);
    }
    if (res->n_sandboxes) {
        got.sandbox = res->sandboxes[0];
        if (res->sandboxes[0].ips.len)
            take(got.ip, sizeof(got.ip), res->sandboxes[0].ips.items[0]);
    }
    if (res->n_stats)
        got.stats = res->stats[0];
    got.is_done = true;
    loop_stop(loop);
}

static void on_too_long(struct loop_timer *t)
{
    (void)t;
    cr_assert(false, "a call took too long");
}

static void wait_for(struct runtime_call *call)
{
    struct loop_timer timer;

    cr_assert(call);
    got.is_done = false;
    loop_timer_init(&timer, loop, on_too_long);
    loop_timer_start(&timer, 20000);
    while (!got.is_done)
        loop_run(loop);
    loop_timer_stop(&timer);
}

#define CALL(op, ...) wait_for(rt->ops->op(rt, __VA_ARGS__, on_done, NULL))
#define CALL_OK(op, ...)                                                                           \
    do {                                                                                           \
        CALL(op, __VA_ARGS__);                                                                     \
        cr_assert_eq(got.code, 0, #op ": %s", got.text);                                           \
    } while (0)

static struct str sandbox_id, container_id;
static char sandbox_text[128], container_text[128];

static void run_sandbox(struct runtime_sandbox_config config)
{
    config.name = STR("web");
    config.uid = STR("uid-1");
    config.pod_namespace = STR("default");
    config.log_directory = STR("/mnt/log");
    config.cgroup_parent = str_from_cstr(cgroup);
    config.hostname = STR("web-0");
    CALL_OK(run_pod_sandbox, &config);
    take(sandbox_text, sizeof(sandbox_text), str_from_cstr(got.id));
    sandbox_id = str_from_cstr(sandbox_text);
}

static void create(const char *script, struct runtime_container_config config)
{
    struct str command[] = { STR("/bin/sh"), STR("-c"), str_from_cstr(script) };

    if (!config.command.len)
        config.command = (struct runtime_strs){ command, 3 };
    config.name = STR("c");
    config.image = STR("busybox");
    config.log_path = STR("c/0.log");
    CALL_OK(create_container, sandbox_id, &config);
    take(container_text, sizeof(container_text), str_from_cstr(got.id));
    container_id = str_from_cstr(container_text);
}

static void await_exit(void)
{
    for (int i = 0; i < 1000; i++) {
        CALL_OK(container_status, container_id);
        if (got.container.state == RUNTIME_CONTAINER_IS_EXITED)
            return;
        poll(NULL, 0, 10);
        loop_turn(loop);
    }
    cr_assert(false, "the container did not end");
}

static const char *log_text(void)
{
    static char text[8192];
    int fd = open("/mnt/log/c/0.log", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void remove_all(void)
{
    CALL_OK(remove_pod_sandbox, sandbox_id);
    wait_for(rt->ops->list_pod_sandboxes(rt, on_done, NULL));
    cr_expect_eq(got.n_sandboxes, 0);
    CALL_OK(list_containers, STR_NULL);
    cr_expect_eq(got.n_containers, 0);
}

/* --- tests --- */

Test(builtin, runs_to_its_end)
{
    const struct runtime_key_value env[] = { { STR_INIT("B"), STR_INIT("mine") } };

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    CALL_OK(pod_sandbox_status, sandbox_id);
    cr_expect(got.sandbox.ready);
    cr_expect_str_eq(got.ip, "10.88.0.2");
    create("echo $A $B $HOSTNAME $(id -u) $(hostname); echo problem >&2; exit 7",
           (struct runtime_container_config){ .env = { env, 1 } });
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, RUNTIME_CONTAINER_IS_CREATED);
    CALL_OK(start_container, container_id);
    await_exit();
    cr_expect_eq(got.container.exit_code, 7);
    cr_expect_str_eq(got.reason, "Error");
    cr_expect(got.container.finished_at_ns >= got.container.started_at_ns);
    cr_expect(strstr(log_text(), " stdout F image mine web-0 0 web-0\n"), "%s", log_text());
    cr_expect(strstr(log_text(), " stderr F problem\n"), "%s", log_text());
    remove_all();
    leave();
}

Test(builtin, stops_by_signal_and_by_force)
{
    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("trap 'exit 3' TERM; while :; do sleep 0.05; done",
           (struct runtime_container_config){ 0 });
    CALL_OK(start_container, container_id);
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, RUNTIME_CONTAINER_IS_RUNNING);
    cr_expect_eq(kill(got.container.pid, 0), 0);
    CALL_OK(exec_sync, container_id,
            &(struct runtime_exec_options){ .command = { (struct str[]){ STR("true") }, 1 } });
    poll(NULL, 0, 200); /* the trap stands */
    CALL_OK(stop_container, container_id, 10000);
    await_exit();
    cr_expect_eq(got.container.exit_code, 3);
    CALL_OK(stop_container, container_id, 10000);
    CALL_OK(remove_container, container_id);
    create("sleep 1000", (struct runtime_container_config){ 0 }); /* PID 1 ignores TERM */
    CALL_OK(start_container, container_id);
    CALL_OK(stop_container, container_id, 100);
    await_exit();
    cr_expect_eq(got.container.exit_code, 137);
    CALL(container_status, STR("nobody"));
    cr_expect_eq(got.code, ERR_NOT_FOUND);
    remove_all();
    leave();
}

Test(builtin, names_what_cannot_start)
{
    struct str command[] = { STR("/no/such/program") };

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("", (struct runtime_container_config){ .command = { command, 1 } });
    CALL(start_container, container_id);
    cr_expect_lt(got.code, 0);
    cr_expect(strstr(got.text, "/no/such/program"), "%s", got.text);
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, RUNTIME_CONTAINER_IS_EXITED);
    cr_expect_eq(got.container.exit_code, 128);
    cr_expect_str_eq(got.reason, "StartError");
    CALL(create_container, sandbox_id,
         &(struct runtime_container_config){ .image = STR("absent") });
    cr_expect_eq(got.code, ERR_NOT_FOUND);
    CALL(create_container, sandbox_id,
         &(struct runtime_container_config){ .image = STR("busybox"),
                                             .security = { .run_as_username = STR("ghost") } });
    cr_expect_eq(got.code, ERR_INVALID);
    cr_expect(strstr(got.text, "ghost"), "%s", got.text);
    remove_all();
    leave();
}

Test(builtin, executes_inside)
{
    struct str script[] = { STR("sh"), STR("-c"), STR("echo out; echo err >&2; exit 4") };
    struct str slow[] = { STR("sleep"), STR("100") };

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("sleep 1000",
           (struct runtime_container_config){ .security = { .run_as_username = STR("web") } });
    CALL_OK(start_container, container_id);
    CALL_OK(exec_sync, container_id, &(struct runtime_exec_options){ .command = { script, 3 } });
    cr_expect_eq(got.exit_code, 4);
    cr_expect_str_eq(got.output, "out\nerr\n");
    script[2] = STR("id -u; id -g; id -G");
    CALL_OK(exec_sync, container_id, &(struct runtime_exec_options){ .command = { script, 3 } });
    cr_expect_str_eq(got.output, "33\n44\n44 55\n");
    CALL(exec_sync, container_id,
         &(struct runtime_exec_options){ .command = { slow, 2 }, .timeout_ms = 100 });
    cr_expect_eq(got.code, ERR_TIMEOUT);
    script[2] = STR("ps | grep -c '[s]leep 100$'");
    CALL_OK(exec_sync, container_id, &(struct runtime_exec_options){ .command = { script, 3 } });
    cr_expect_str_eq(got.output, "0\n", "a timed out process stayed: %s", got.output);
    remove_all();
    leave();
}

Test(builtin, a_new_runtime_finds_what_runs)
{
    int pid;

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("sleep 0.5; exit 9", (struct runtime_container_config){ 0 });
    CALL_OK(start_container, container_id);
    CALL_OK(container_status, container_id);
    pid = got.container.pid;
    rt->ops->free(rt);
    new_runtime();
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, RUNTIME_CONTAINER_IS_RUNNING);
    cr_expect_eq(got.container.pid, pid);
    CALL_OK(pod_sandbox_status, sandbox_id);
    cr_expect(got.sandbox.ready);
    cr_expect_str_eq(got.ip, "10.88.0.2");
    rt->ops->free(rt);
    poll(NULL, 0, 1000); /* it ends while nobody looks */
    new_runtime();
    await_exit();
    cr_expect_eq(got.container.exit_code, 9);
    remove_all();
    leave();
}

/* --- the end of a container, and of the conmon that tells of it --- */

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = "";
    const char *end;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    cr_assert(f && fgets(text, sizeof(text), f));
    (void)fclose(f);
    end = strrchr(text, ')');
    cr_assert(end && end[1] && end[2] && end[3]);
    return (pid_t)strtol(end + 4, NULL, 10); /* ") S 123" */
}

static void on_time_over(struct loop_timer *t)
{
    (void)t;
    got.is_done = true;
    loop_stop(loop);
}

/* Turns the loop for ms: what comes in this time is seen. */
static void turn_for(int ms)
{
    struct loop_timer timer;

    got.is_done = false;
    loop_timer_init(&timer, loop, on_time_over);
    loop_timer_start(&timer, (uint64_t)ms);
    while (!got.is_done)
        loop_run(loop);
}

static void expect_state(enum runtime_container_state state)
{
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, state, "state is %d", (int)got.container.state);
}

Test(builtin, waits_for_a_slow_conmon)
{
    pid_t conmon;

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("sleep 1000", (struct runtime_container_config){ 0 });
    CALL_OK(start_container, container_id);
    CALL_OK(container_status, container_id);
    conmon = parent_of(got.container.pid);
    cr_assert_eq(kill(conmon, SIGSTOP), 0);
    cr_assert_eq(kill(got.container.pid, SIGKILL), 0);
    turn_for(2500);
    expect_state(RUNTIME_CONTAINER_IS_RUNNING);
    rt->ops->free(rt);
    new_runtime();
    turn_for(100);
    expect_state(RUNTIME_CONTAINER_IS_RUNNING);
    cr_assert_eq(kill(conmon, SIGCONT), 0);
    await_exit();
    cr_expect_eq(got.container.exit_code, 137);
    remove_all();
    leave();
}

Test(builtin, nobody_knows_an_end_without_conmon)
{
    pid_t pid;

    enter();
    for (int is_restarted = 0; is_restarted < 2; is_restarted++) {
        run_sandbox((struct runtime_sandbox_config){ 0 });
        create("sleep 1000", (struct runtime_container_config){ 0 });
        CALL_OK(start_container, container_id);
        CALL_OK(container_status, container_id);
        pid = got.container.pid;
        cr_assert_eq(kill(parent_of(pid), SIGKILL), 0);
        turn_for(100);
        expect_state(RUNTIME_CONTAINER_IS_RUNNING); /* it runs on, and nobody will reap it */
        if (is_restarted)
            rt->ops->free(rt);
        cr_assert_eq(kill(pid, SIGKILL), 0);
        if (is_restarted)
            new_runtime();
        await_exit();
        cr_expect_eq(got.container.exit_code, 255);
        cr_expect_str_eq(got.reason, "Unknown");
        remove_all();
    }
    leave();
}

/* Another boot's process numbers are other processes, whatever runs under them now. */
static void pretend_another_boot(const char *kind, struct str id, const char *file)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = arena_printf(&a, ROOT "/%s/%.*s/%s", kind, STR_ARG(id), file).p;
    struct str text, boot;
    struct err err;
    ptrdiff_t at;

    NET_OK(runtime_files_read(&a, AT_FDCWD, path, 1 << 20, &text, &err));
    at = str_find_str(text, STR("\"boot\":\""));
    cr_assert(at >= 0);
    boot = str_tail(text, (size_t)at + 8);
    ((char *)(uintptr_t)boot.p)[0] = boot.p[0] == '0' ? '1' : '0';
    NET_OK(runtime_files_write(path, text, 0600, &err));
}

Test(builtin, after_another_boot_nothing_runs)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str sandbox, container;

    enter();
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create("sleep 1000", (struct runtime_container_config){ 0 });
    CALL_OK(start_container, container_id);
    sandbox = str_dup(&a, sandbox_id);
    container = str_dup(&a, container_id);
    rt->ops->free(rt);
    pretend_another_boot("sandboxes", sandbox, "sandbox.json");
    pretend_another_boot("containers", container, "container.json");
    new_runtime();
    CALL_OK(container_status, container_id);
    cr_expect_eq(got.container.state, RUNTIME_CONTAINER_IS_EXITED);
    cr_expect_eq(got.container.exit_code, 255);
    CALL_OK(pod_sandbox_status, sandbox_id);
    cr_expect(!got.sandbox.ready);
    remove_all();
    leave();
}

static bool is_anything_mounted(const char *part)
{
    char line[8192];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    bool found = false;

    cr_assert(f);
    while (fgets(line, sizeof(line), f))
        found |= strstr(line, part) != NULL;
    (void)fclose(f);
    return found;
}

Test(builtin, an_image_is_a_volume)
{
    struct runtime_mount mounts[] = {
        { .container_path = STR_INIT("/v"), .image = STR_INIT("data") },
        { .container_path = STR_INIT("/p"),
          .image = STR_INIT("data"),
          .image_sub_path = STR_INIT("etc/passwd") },
    };
    struct runtime_container_config config = { .mounts = mounts, .n_mounts = 2 };

    enter();
    write_text(
        ROOT "/store/images/2.json",
        "{\"id\":\"sha256:2222222222222222222222222222222222222222222222222222222222222222\","
        "\"tags\":[\"docker.io/library/data:latest\"],\"size\":1000,\"layers\":[\"" LAYER
        "\"],\"config\":{}}");
    run_sandbox((struct runtime_sandbox_config){ 0 });
    create(
        "head -n 1 /v/etc/passwd; wc -l </p; touch /v/x || echo no; /v/bin/busybox true || echo no",
        config);
    CALL(remove_image, STR("data"));
    cr_expect_eq(got.code, ERR_CONFLICT);
    rt->ops->free(rt);
    new_runtime();
    CALL(remove_image, STR("data"));
    cr_expect_eq(got.code, ERR_CONFLICT, "the record tells");
    CALL_OK(start_container, container_id);
    await_exit();
    cr_expect(strstr(log_text(), " stdout F root:x:0:0:root:/root:/bin/sh\n"), "%s", log_text());
    cr_expect(strstr(log_text(), " stdout F 2\n"), "%s", log_text());
    cr_expect(strstr(strstr(log_text(), " stdout F no\n") + 1, " stdout F no\n"), "%s", log_text());
    cr_expect(is_anything_mounted("/images/0 "));
    CALL_OK(remove_container, container_id);
    cr_expect_not(is_anything_mounted("/images/"));

    mounts[1].image_sub_path = STR("etc/nothing");
    config.name = STR("d");
    config.image = STR("busybox");
    CALL(create_container, sandbox_id, &config);
    cr_expect_eq(got.code, ERR_NOT_FOUND);
    cr_expect_str_eq(got.text, "the image has no 'etc/nothing' to mount");
    cr_expect_not(is_anything_mounted("/images/"));
    mounts[1].image_sub_path = STR("../../../../../../etc/hostname"); /* the node has it */
    CALL(create_container, sandbox_id, &config);
    cr_expect_eq(got.code, ERR_NOT_FOUND);
    remove_all();
    leave();
}
