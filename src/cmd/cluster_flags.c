#include "cmd/cluster_flags.h"

#include <limits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "supervisor/run_state.h"

static const char *own_program(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    return n > 0 ? path : "pintle";
}

void cluster_flags_init(struct cluster_flags *f, const struct flag *more)
{
    struct cluster_options *o = &f->o;
    const struct flag rows[] = {
        { "root", FLAG_STRING, &o->root, "where the cluster's state lives" },
        { "run-dir", FLAG_STRING, &o->run_dir,
          "sockets and pids (default " CLUSTER_RUN ", of another root " CLUSTER_RUN "-ID)" },
        { "nodes", FLAG_UINT, &o->n_nodes,
          "how many; more than one: each in a network namespace of its own" },
        { "node-name", FLAG_STRING, &o->node_name,
          "name of the node (default the host's), or what names of many begin with" },
        { "node-ip", FLAG_STRING, &o->node_ip, "address of the only node, else found" },
        { "node-cidr", FLAG_STRING, &o->node_cidr, "range of nodes in namespaces" },
        { "cluster-cidr", FLAG_STRING, &o->cluster_cidr, "range of Pods" },
        { "service-cluster-ip-range", FLAG_STRING, &o->service_cidr, "range of Services" },
        { "service-node-port-range", FLAG_STRING, &o->node_ports,
          "node ports of Services (default 30000-32767)" },
        { "secure-port", FLAG_PORT, &o->secure_port, "port of the API server" },
        { "kubelet-port", FLAG_PORT, &o->kubelet_port, "port of every node's kubelet" },
        { "dns-port", FLAG_PORT, &o->dns_port, "port of the cluster's DNS behind its Service" },
        { "bind-address", FLAG_STRING, &o->bind_address,
          "address that the API server listens on (default all)" },
        { "advertise-address", FLAG_STRING, &o->advertise_address,
          "address that nodes and Pods reach it by, else found" },
        { "registries-file", FLAG_STRING, &o->registries_file, "how registries are reached" },
        { "dns-upstream", FLAG_STRING, &o->dns_upstream,
          "IP:PORT that is asked for other names (default the host's)" },
        { "ephemeral", FLAG_BOOL, &o->ephemeral, "keep all state in memory" },
        { "v", FLAG_UINT, &o->verbosity, "log verbosity of all; 4 and above shows debug lines" },
        { 0 },
    };
    size_t n = 0;

    *o = (struct cluster_options){ .program = own_program(),
                                   .root = CLUSTER_ROOT,
                                   .service_cidr = "10.96.0.0/12",
                                   .cluster_cidr = "10.244.0.0/16",
                                   .node_cidr = "10.243.0.0/24",
                                   .secure_port = 6443,
                                   .kubelet_port = 10250,
                                   .dns_port = 10053,
                                   .n_nodes = 1 };
    for (; rows[n].name; n++)
        f->rows[n] = rows[n];
    for (; more && more->name; more++)
        f->rows[n++] = *more;
    f->rows[n] = (struct flag){ 0 };
}

static bool is_ours(const struct cluster_flags *f, const struct flag *row)
{
    const char *at = row->value, *from = (const char *)&f->o;

    return at >= from && at < from + sizeof(f->o);
}

struct str cluster_flags_record(struct arena *a, const struct cluster_flags *f)
{
    struct buf b;

    buf_init_arena(&b, a, 1024);
    for (const struct flag *row = f->rows; row->name; row++) {
        if (!is_ours(f, row))
            continue;
        switch (row->type) {
        case FLAG_STRING:
            if (*(const char **)row->value)
                buf_printf(&b, "--%s=%s\n", row->name, *(const char **)row->value);
            break;
        case FLAG_BOOL:
            buf_printf(&b, "--%s=%s\n", row->name, *(bool *)row->value ? "true" : "false");
            break;
        case FLAG_UINT:
            buf_printf(&b, "--%s=%u\n", row->name, *(uint32_t *)row->value);
            break;
        case FLAG_PORT:
            buf_printf(&b, "--%s=%u\n", row->name, *(uint16_t *)row->value);
            break;
        }
    }
    (void)buf_cstr(&b);
    return buf_str(&b);
}

static int read_record(struct arena *a, struct cluster_flags *f, struct str text, struct err *err)
{
    char *argv[CLUSTER_FLAGS_MAX + 1] = { NULL }; /* [0] is not looked at */
    const char *rest[CLUSTER_FLAGS_MAX + 1];
    struct str line;
    int argc = 1;
    size_t n = 0;

    while (str_next(&text, '\n', &line) && argc < CLUSTER_FLAGS_MAX)
        if (line.len) {
            argv[argc] = arena_dup(a, str_cstr(a, line), line.len + 1);
            argc++;
        }
    return flags_parse(f->rows, argc, argv, rest, &n, "", err);
}

/* A plan of the address that is not needed any more must not fail for want of one. */
static int plan(struct arena *a, struct cluster_flags *f, struct cluster *ret, struct err *err)
{
    if (!f->o.node_ip)
        f->o.node_ip = "127.0.0.1";
    return cluster_plan(a, &f->o, ret, err);
}

int cluster_flags_find(struct arena *a, struct cluster_flags *f, struct cluster *ret,
                       struct err *err)
{
    const char *run_dir = f->o.run_dir;
    struct str text = STR_NULL;
    int r = plan(a, f, ret, err);

    if (r < 0 || !run_state_read(a, ret->run_dir, "cluster", &text))
        return r < 0 ? r : 0;
    run_dir = run_dir ? run_dir : ret->run_dir;
    r = read_record(a, f, text, err);
    f->o.run_dir = run_dir; /* where we found it, whatever it was called then */
    if (r >= 0)
        r = plan(a, f, ret, err);
    return r < 0 ? r : 1;
}
