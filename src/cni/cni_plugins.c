/* Networks by other plugins: each plugin of the list is a process; ADD goes through them in order,
 * each given the result of the one before, DEL in reverse with the result that ADD came to, which
 * is kept in a file until then. An ADD that fails halfway is undone by a DEL of all. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "cni/cni_conflist.h"
#include "cni/cni_network_internal.h"
#include "cni/cni_result.h"
#include "codec/json_writer.h"
#include "io/command.h"

enum {
    PLUGIN_TIMEOUT_MS = 60000,
    RESULT_MAX_BYTES = 1024 * 1024,
    CALL_ARENA_BYTES = 16 * 1024 * 1024,
    PLUGIN_PATHS_MAX = 16,
};

struct plugins {
    struct cni_network network;
    char *config_directory;
    char *plugin_path;
    char *cache_directory;
};

struct plugins_call {
    struct cni_call call;
    struct plugins *plugins;
    struct arena arena;
    struct cni_conflist list;
    struct str id, netns_path, args, ports;
    struct str previous; /* result so far, JSON */
    size_t at;           /* the plugin that runs */
    struct command *command;
    bool is_delete;
    bool undoes; /* the delete after an ADD that failed: call.err has why */
    int failure;
};

static int start_plugin(struct plugins_call *p, struct err *err);

static void end_call(struct cni_call *c)
{
    struct plugins_call *p = CONTAINER_OF(c, struct plugins_call, call);

    command_cancel(p->command);
    p->command = NULL;
    arena_done(&p->arena);
}

static void finish(struct plugins_call *p, int code)
{
    arena_done(&p->arena);
    cni_call_finish_(&p->call, code);
}

static const char *cache_path(struct plugins_call *p)
{
    return arena_printf(&p->arena, "%s/%.*s", p->plugins->cache_directory, STR_ARG(p->id)).p;
}

static int save_result(struct plugins_call *p, struct err *err)
{
    const char *path = cache_path(p), *temporary = arena_printf(&p->arena, "%s.new", path).p;
    int fd, r = 0;

    if (mkdir(p->plugins->cache_directory, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", p->plugins->cache_directory);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "write '%s'", temporary);
    if (write(fd, p->previous.p, p->previous.len) != (ssize_t)p->previous.len)
        r = err_errno(err, ENOSPC, "write '%s'", temporary);
    (void)close(fd);
    if (r == 0 && rename(temporary, path) < 0)
        r = err_errno(err, errno, "write '%s'", path);
    return r;
}

static void load_result(struct plugins_call *p)
{
    int fd = open(cache_path(p), O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;
    ssize_t n;

    if (fd < 0)
        return; /* plugins must cope with a DEL without one */
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= RESULT_MAX_BYTES) {
        text = arena_alloc(&p->arena, (size_t)st.st_size, 1);
        n = read(fd, text, (size_t)st.st_size);
        if (n == st.st_size)
            p->previous = str_n(text, (size_t)n);
    }
    (void)close(fd);
}

/* The addresses of the whole ADD, into the answer. */
static int take_result(struct plugins_call *p, struct err *err)
{
    struct cni_result result = { .n_ips = 0 };
    struct value v;
    int r = value_parse(&p->arena, p->previous, &v, NULL, err);

    if (r == 0)
        r = cni_result_read(&v, &result, err);
    if (r == 0)
        r = save_result(p, err);
    for (size_t i = 0; r == 0 && i < result.n_ips; i++)
        p->call.result.ips[p->call.result.n_ips++] = result.ips[i].address.ip;
    return r;
}

/* An ADD that failed at plugin p->at: that one and all before it are told to DEL. */
static void undo(struct plugins_call *p, int code)
{
    struct err ignored;

    p->failure = code;
    p->undoes = p->is_delete = true;
    p->previous = STR_NULL;
    if (start_plugin(p, &ignored) < 0)
        finish(p, code);
}

static void step_done(struct plugins_call *p)
{
    int r = 0;

    if (p->is_delete && p->at == 0) {
        if (!p->undoes)
            (void)unlink(cache_path(p)); /* may be absent */
        finish(p, p->undoes ? p->failure : 0);
        return;
    }
    if (!p->is_delete && p->at + 1 == p->list.n_plugins) {
        r = take_result(p, &p->call.err);
        if (r == 0)
            finish(p, 0);
        else
            undo(p, r);
        return;
    }
    p->at += p->is_delete ? -(size_t)1 : 1;
    if (p->undoes) {
        struct err ignored;

        if (start_plugin(p, &ignored) < 0)
            finish(p, p->failure);
        return;
    }
    r = start_plugin(p, &p->call.err);
    if (r < 0 && p->is_delete)
        finish(p, r);
    else if (r < 0)
        undo(p, r);
}

/* A plugin's words: {"code": 7, "msg": "...", "details": "..."} on its output, else what it said.
 */
static int failure_of(struct plugins_call *p, const struct command_result *res, struct err *err)
{
    struct str type = p->list.plugins[p->at].type, msg = STR_NULL;
    struct err ignored;
    struct value v;

    if (res->code == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "plugin '%.*s' took more than %d s", STR_ARG(type),
                       PLUGIN_TIMEOUT_MS / 1000);
    if (value_parse(&p->arena, res->out, &v, NULL, &ignored) == 0)
        msg = value_get_str(&v, STR("msg"));
    if (!msg.len)
        msg = str_trim(str_sub(res->err, 0, 512));
    return err_set(err, ERR_INVALID, "plugin '%.*s' failed: %.*s", STR_ARG(type), STR_ARG(msg));
}

static void on_plugin_done(struct command *c, const struct command_result *res, void *arg)
{
    struct plugins_call *p = arg;
    bool ok = res->code == 0 && res->status == 0;
    struct err ignored;
    int r;

    (void)c;
    p->command = NULL;
    if (p->undoes) {
        step_done(p);
        return;
    }
    if (!ok) {
        r = failure_of(p, res, &p->call.err);
        if (p->is_delete)
            finish(p, r);
        else
            undo(p, r);
        return;
    }
    if (!p->is_delete) {
        struct value v;

        if (value_parse(&p->arena, res->out, &v, NULL, &ignored) < 0) {
            undo(p, err_set(&p->call.err, ERR_SYNTAX, "plugin '%.*s' answered no JSON",
                            STR_ARG(p->list.plugins[p->at].type)));
            return;
        }
        p->previous = str_dup(&p->arena, res->out);
    }
    step_done(p);
}

static const char *find_program(struct plugins_call *p, struct str type)
{
    struct str rest = str_from_cstr(p->plugins->plugin_path), directory;

    for (int i = 0; i < PLUGIN_PATHS_MAX && str_next(&rest, ':', &directory); i++) {
        const char *path =
            arena_printf(&p->arena, "%.*s/%.*s", STR_ARG(directory), STR_ARG(type)).p;

        if (access(path, X_OK) == 0)
            return path;
    }
    return NULL;
}

static int start_plugin(struct plugins_call *p, struct err *err)
{
    struct arena *a = &p->arena;
    struct str type = p->list.plugins[p->at].type;
    const char *program = find_program(p, type);
    const char *const argv[] = { program, NULL };
    const char *const env[] = {
        p->is_delete ? "CNI_COMMAND=DEL" : "CNI_COMMAND=ADD",
        arena_printf(a, "CNI_CONTAINERID=%.*s", STR_ARG(p->id)).p,
        arena_printf(a, "CNI_NETNS=%.*s", STR_ARG(p->netns_path)).p,
        "CNI_IFNAME=eth0",
        arena_printf(a, "CNI_ARGS=%.*s", STR_ARG(p->args)).p,
        arena_printf(a, "CNI_PATH=%s", p->plugins->plugin_path).p,
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        NULL,
    };
    CLEANUP(buf_done) struct buf input = { 0 };

    if (!program)
        return err_set(err, ERR_NOT_FOUND, "plugin '%.*s' is not in '%s'", STR_ARG(type),
                       p->plugins->plugin_path);
    cni_conflist_print(a, &p->list, p->at, p->previous, p->ports, &input);
    return command_start(p->plugins->network.loop,
                         &(struct command_options){ .argv = argv,
                                                    .env = env,
                                                    .input = buf_str(&input),
                                                    .limit_bytes = RESULT_MAX_BYTES,
                                                    .timeout_ms = PLUGIN_TIMEOUT_MS,
                                                    .done = on_plugin_done,
                                                    .arg = p },
                         &p->command, err);
}

static struct str ports_json(struct arena *a, const struct cni_attachment *at)
{
    struct buf b;

    if (!at->n_ports)
        return STR_NULL;
    buf_init_arena(&b, a, 256);
    for (size_t i = 0; i < at->n_ports; i++) {
        const struct cni_port_mapping *m = &at->ports[i];

        buf_printf(&b, "%c{\"hostPort\":%u,\"containerPort\":%u,\"protocol\":\"%s\",\"hostIP\":",
                   i ? ',' : '[', m->host_port, m->container_port, m->protocol);
        json_write_string(&b, m->host_ip);
        buf_append_char(&b, '}');
    }
    buf_append_char(&b, ']');
    return buf_str(&b);
}

static struct plugins_call *new_call(struct cni_network *n, const struct cni_attachment *a)
{
    struct plugins_call *p = NEW(struct plugins_call);

    cni_call_init_(&p->call, n);
    p->call.cancel = end_call;
    p->plugins = CONTAINER_OF(n, struct plugins, network);
    arena_init(&p->arena, CALL_ARENA_BYTES);
    p->id = str_dup(&p->arena, a->container_id);
    p->netns_path = str_dup(&p->arena, a->netns_path);
    p->args = arena_printf(&p->arena,
                           "IgnoreUnknown=1;K8S_POD_NAMESPACE=%.*s;K8S_POD_NAME=%.*s;"
                           "K8S_POD_INFRA_CONTAINER_ID=%.*s;K8S_POD_UID=%.*s",
                           STR_ARG(a->pod_namespace), STR_ARG(a->pod_name),
                           STR_ARG(a->container_id), STR_ARG(a->pod_uid));
    p->ports = ports_json(&p->arena, a);
    return p;
}

static struct cni_call *plugins_add(struct cni_network *n, const struct cni_attachment *a)
{
    struct plugins_call *p = new_call(n, a);
    struct err *err = &p->call.err;
    int r = cni_conflist_load(&p->arena, p->plugins->config_directory, &p->list, err);

    if (r == 0)
        r = start_plugin(p, err);
    if (r < 0)
        finish(p, r);
    return &p->call;
}

static struct cni_call *plugins_remove(struct cni_network *n, const struct cni_attachment *a)
{
    struct plugins_call *p = new_call(n, a);
    struct err *err = &p->call.err;
    int r = cni_conflist_load(&p->arena, p->plugins->config_directory, &p->list, err);

    p->is_delete = true;
    if (r == 0) {
        load_result(p);
        p->at = p->list.n_plugins - 1;
        r = start_plugin(p, err);
    }
    if (r < 0)
        finish(p, r);
    return &p->call;
}

static int plugins_ready(struct cni_network *n, struct err *err)
{
    const struct plugins *p = CONTAINER_OF(n, struct plugins, network);
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cni_conflist list;

    return cni_conflist_load(&a, p->config_directory, &list, err);
}

static void plugins_free(struct cni_network *n)
{
    struct plugins *p = CONTAINER_OF(n, struct plugins, network);

    mem_free(p->config_directory);
    mem_free(p->plugin_path);
    mem_free(p->cache_directory);
    mem_free(p);
}

static const struct cni_network_ops plugins_ops = {
    .ready = plugins_ready,
    .add = plugins_add,
    .remove = plugins_remove,
    .free = plugins_free,
};

struct cni_network *cni_network_new_plugins(struct loop *l, const char *config_directory,
                                            const char *plugin_path, const char *cache_directory)
{
    struct plugins *p = NEW(struct plugins);

    p->network = (struct cni_network){ .ops = &plugins_ops, .loop = l };
    p->config_directory = str_heap_cstr(str_from_cstr(config_directory));
    p->plugin_path = str_heap_cstr(str_from_cstr(plugin_path));
    p->cache_directory = str_heap_cstr(str_from_cstr(cache_directory));
    return &p->network;
}
