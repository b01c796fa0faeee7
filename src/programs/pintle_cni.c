/* pintle-cni: our routed CNI plugin as a program, for other runtimes and chains. Speaks CNI 0.3.0
 * to 1.0.0: the command in the environment, the configuration on standard input:
 *   {"cniVersion": "1.0.0", "name": "pods", "type": "pintle-cni",
 *    "podCIDRs": ["10.244.0.0/24"], "directory": "/run/cni/pods", "mtu": 1450} */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "cni/cni_result.h"
#include "cni/cni_routed.h"
#include "codec/value.h"

enum {
    INPUT_MAX_BYTES = 1024 * 1024,
    /* CNI's well-known codes */
    CODE_VERSION = 1,
    CODE_ENVIRONMENT = 4,
    CODE_DECODE = 6,
    CODE_CONFIG = 7,
    CODE_FAILED = 100,
};

struct request {
    struct arena arena;
    struct value config;
    struct str version;
    struct cni_routed_config routed;
    struct cni_routed_pod pod;
};

static int write_all(struct str s)
{
    while (s.len) {
        ssize_t n = write(STDOUT_FILENO, s.p, s.len);

        if (n < 0 && errno != EINTR)
            return 1;
        s = str_tail(s, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static int fail(const struct request *q, unsigned code, const char *message)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    cni_error_print(&b, q->version.len ? q->version : STR("1.0.0"), code, message);
    (void)write_all(buf_str(&b)); /* the exit code says the same */
    return 1;
}

static int read_input(struct request *q, struct err *err)
{
    char *p = arena_alloc(&q->arena, INPUT_MAX_BYTES, 1);
    size_t len = 0;

    for (;;) {
        ssize_t n = read(STDIN_FILENO, p + len, INPUT_MAX_BYTES - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read the configuration");
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == INPUT_MAX_BYTES)
            return err_set(err, ERR_TOO_LARGE, "the configuration is too large");
    }
    return value_parse(&q->arena, str_n(p, len), &q->config, NULL, err);
}

static int read_ranges(struct request *q, struct err *err)
{
    const struct value *ranges = value_get(&q->config, STR("podCIDRs"));

    if (!ranges || ranges->type != VALUE_ARRAY || ranges->len == 0 ||
        ranges->len > CNI_ROUTED_MAX_RANGES)
        return err_set(err, ERR_INVALID, "'podCIDRs' is a list of one or two ranges");
    for (uint32_t i = 0; i < ranges->len; i++) {
        const struct value *v = &ranges->items[i];

        if (v->type != VALUE_STRING || !ip_prefix_parse(v->s, &q->routed.ranges[i]))
            return err_set(err, ERR_INVALID, "podCIDRs[%u] is no address range", i);
    }
    q->routed.n_ranges = ranges->len;
    if (ranges->len == 2 && q->routed.ranges[0].ip.family == q->routed.ranges[1].ip.family)
        return err_set(err, ERR_INVALID, "two ranges of one family");
    return 0;
}

static int read_config(struct request *q, struct err *err)
{
    struct str directory = value_get_str(&q->config, STR("directory"));
    const struct value *mtu = value_get(&q->config, STR("mtu"));

    if (directory.len == 0 || directory.p[0] != '/')
        return err_set(err, ERR_INVALID, "'directory' is an absolute path");
    q->routed.directory = str_cstr(&q->arena, directory);
    if (mtu && (mtu->type != VALUE_INT || mtu->i < 0 || mtu->i > 65535))
        return err_set(err, ERR_INVALID, "'mtu' is a number from 0 to 65535");
    q->routed.mtu = mtu ? (uint32_t)mtu->i : 0;
    return read_ranges(q, err);
}

static int print_result(const struct request *q, const struct cni_result *result)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    cni_result_print(&b, result, q->version);
    return write_all(buf_str(&b));
}

static int run_check(struct request *q, struct err *err)
{
    const struct value *previous = value_get(&q->config, STR("prevResult"));
    struct cni_result result;
    int r;

    if (!previous)
        return err_set(err, ERR_INVALID, "CHECK needs a 'prevResult'");
    r = cni_result_read(previous, &result, err);
    return r < 0 ? r : cni_routed_check(&q->routed, &q->pod, &result, err);
}

static int run_command(struct request *q, const char *command)
{
    struct cni_result result;
    struct err err;
    int r;

    if (strcmp(command, "ADD") == 0) {
        r = cni_routed_add(&q->routed, &q->pod, &result, &err);
        return r < 0 ? fail(q, CODE_FAILED, err.text) : print_result(q, &result);
    }
    if (strcmp(command, "DEL") == 0)
        r = cni_routed_delete(&q->routed, &q->pod, &err);
    else if (strcmp(command, "CHECK") == 0)
        r = run_check(q, &err);
    else
        return fail(q, CODE_ENVIRONMENT, "CNI_COMMAND is none of ADD, DEL, CHECK, VERSION");
    return r < 0 ? fail(q, CODE_FAILED, err.text) : 0;
}

static int run(struct request *q)
{
    const char *command = getenv("CNI_COMMAND"), *id = getenv("CNI_CONTAINERID");
    struct err err;

    if (!command)
        return fail(q, CODE_ENVIRONMENT, "CNI_COMMAND is not set");
    if (strcmp(command, "VERSION") == 0)
        return write_all(STR("{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\","
                             "\"0.4.0\",\"1.0.0\"]}"));
    if (read_input(q, &err) < 0)
        return fail(q, CODE_DECODE, err.text);
    q->version = value_get_str(&q->config, STR("cniVersion"));
    if (!cni_version_is_supported(q->version)) {
        q->version = STR_NULL;
        return fail(q, CODE_VERSION, "cniVersion is none of 0.3.0, 0.3.1, 0.4.0, 1.0.0");
    }
    q->pod = (struct cni_routed_pod){ .container_id = str_from_cstr(id),
                                      .interface = getenv("CNI_IFNAME"),
                                      .netns_path = getenv("CNI_NETNS") };
    if (q->pod.container_id.len == 0 || !q->pod.interface)
        return fail(q, CODE_ENVIRONMENT, "CNI_CONTAINERID or CNI_IFNAME is not set");
    if (strcmp(command, "DEL") != 0 && (!q->pod.netns_path || !q->pod.netns_path[0]))
        return fail(q, CODE_ENVIRONMENT, "CNI_NETNS is not set");
    if (read_config(q, &err) < 0)
        return fail(q, CODE_CONFIG, err.text);
    return run_command(q, command);
}

int main(void)
{
    struct request q = { 0 };
    int r;

    arena_init(&q.arena, 0);
    r = run(&q);
    arena_done(&q.arena);
    return r;
}
