/* pintle status: the components of a cluster that is up, as its supervisor wrote them down, and
 * what its nodes say of themselves. */
#include <stdio.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "cmd/cluster_flags.h"
#include "cmd/cmd.h"
#include "cmd/status_timers.h"
#include "io/loop.h"
#include "supervisor/run_state.h"

enum { API_TIMEOUT_MS = 3000 };

static int fail(const char *text, int code)
{
    (void)fprintf(stderr, "pintle status: %s\n", text);
    return code;
}

/* --- components --- */

/* Whether all of them run. */
static bool print_components(struct arena *a, const struct cluster *c)
{
    struct str text = STR_NULL, line, name, pid, state, restarts;
    bool all = true;

    (void)run_state_read(a, c->run_dir, "components", &text);
    printf("%-28s %-8s %-12s %s\n", "COMPONENT", "PID", "STATE", "RESTARTS");
    while (str_next(&text, '\n', &line)) {
        if (!str_cut(line, ' ', &name, &line) || !str_cut(line, ' ', &pid, &line) ||
            !str_cut(line, ' ', &state, &restarts))
            continue;
        all = all && str_eq(state, STR("ready"));
        printf("%-28.*s %-8.*s %-12.*s %.*s\n", STR_ARG(name), STR_ARG(pid), STR_ARG(state),
               STR_ARG(restarts));
    }
    return all;
}

/* --- nodes --- */

struct nodes_view {
    struct loop *loop;
    struct informer *nodes;
    struct loop_timer timer;
    struct loop_task task;
    bool is_answered, all_ready;
};

static const struct core_v1_node_condition *find(const struct core_v1_node *n, struct str type)
{
    for (uint32_t i = 0; i < n->status.conditions.len; i++)
        if (str_eq(n->status.conditions.items[i].type, type))
            return &n->status.conditions.items[i];
    return NULL;
}

/* Besides Ready only what is wrong. */
static void print_node(struct nodes_view *v, const struct api_object *o)
{
    const struct core_v1_node *n = API_OBJECT(o, struct core_v1_node);
    const struct core_v1_node_condition *ready = find(n, STR("Ready"));
    bool is_ready = ready && str_eq(ready->status, STR("True"));
    struct str address = STR("-");

    for (uint32_t i = 0; i < n->status.addresses.len; i++)
        if (str_eq(n->status.addresses.items[i].type, STR("InternalIP")))
            address = n->status.addresses.items[i].address;
    v->all_ready = v->all_ready && is_ready;
    printf("%-28.*s %-16.*s %-9s %.*s\n", STR_ARG(o->meta->name), STR_ARG(address),
           is_ready ? "Ready" : "NotReady",
           STR_ARG(ready ? ready->message : STR("it has said nothing")));
    for (uint32_t i = 0; i < n->status.conditions.len; i++) {
        const struct core_v1_node_condition *c = &n->status.conditions.items[i];

        if (c != ready && str_eq(c->status, STR("True")))
            printf("%-28s %-16s %.*s: %.*s\n", "", "", STR_ARG(c->type), STR_ARG(c->message));
    }
}

static void print_nodes(struct loop_task *t)
{
    struct nodes_view *v = CONTAINER_OF(t, struct nodes_view, task);
    const struct api_object *o;
    size_t at = 0;

    v->is_answered = v->all_ready = true;
    printf("\n%-28s %-16s %-9s %s\n", "NODE", "ADDRESS", "STATUS", "MESSAGE");
    while ((o = informer_next(v->nodes, &at)))
        print_node(v, o);
    loop_stop(v->loop);
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    (void)old;
    (void)new;
    (void)arg; /* all of them are looked at once */
}

static void on_synced(void *arg)
{
    struct nodes_view *v = arg;

    loop_task_post(v->loop, &v->task);
}

static void on_timeout(struct loop_timer *t)
{
    loop_stop(CONTAINER_OF(t, struct nodes_view, timer)->loop);
}

static void ask_for_nodes(struct nodes_view *v, struct rest_client *rest)
{
    loop_task_init(&v->task, print_nodes);
    loop_timer_init(&v->timer, v->loop, on_timeout);
    v->nodes = informer_new(
        &(struct informer_options){ .loop = v->loop,
                                    .client = rest,
                                    .resource = resource_find(STR(""), STR("v1"), STR("nodes")) });
    informer_add_handler(v->nodes, &(struct informer_handler){
                                       .on_change = on_node, .on_synced = on_synced, .arg = v });
    informer_start(v->nodes);
    loop_timer_start(&v->timer, API_TIMEOUT_MS);
    loop_run(v->loop);
    loop_timer_stop(&v->timer);
    loop_task_cancel(&v->task);
    informer_free(v->nodes);
}

/* Whether all of them are Ready. */
static bool show_nodes(struct arena *a, const struct cluster *c)
{
    struct nodes_view v = { .loop = loop_new(&clock_system) };
    struct rest_client *rest = NULL;
    struct kube_config config;
    struct err err;
    int r = kube_config_load(a, cluster_path(a, c, "admin.conf"), &config, &err);

    if (r >= 0)
        r = rest_client_new(v.loop, &config, STR("pintle-status"), &rest, &err);
    if (r >= 0)
        ask_for_nodes(&v, rest);
    if (r < 0)
        printf("\nnodes: %s\n", err.text);
    else if (!v.is_answered)
        printf("\nnodes: the API server does not answer\n");
    rest_client_free(rest);
    loop_free(v.loop);
    return v.all_ready;
}

/* --- the command --- */

static int show(struct cluster_flags *f)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c;
    struct err err;
    int r = cluster_flags_find(&a, f, &c, &err);
    pid_t supervisor;
    bool all;

    if (r < 0)
        return fail(err.text, 2);
    supervisor = run_state_supervisor(c.run_dir);
    if (r == 0 && !supervisor) {
        printf("no cluster is up at %s\n", c.root);
        return 3;
    }
    if (!supervisor) {
        printf("the cluster at %s has lost its supervisor: 'pintle up' takes it over, 'pintle "
               "down' cleans up\n",
               c.root);
        return 1;
    }
    printf("cluster at %s, supervisor %d\nexport KUBECONFIG=%s/admin.conf\n\n", c.root,
           (int)supervisor, c.root);
    all = print_components(&a, &c);
    all = show_nodes(&a, &c) && all;
    return all ? 0 : 1;
}

int cmd_status(int argc, char **argv)
{
    bool timers = false;
    struct cluster_flags f;
    struct err err;
    int r;
    const struct flag rows[] = {
        { "root", FLAG_STRING, &f.o.root, "where the cluster's state lives" },
        { "run-dir", FLAG_STRING, &f.o.run_dir,
          "its sockets and pids, else as 'pintle up' has it" },
        { "timers", FLAG_BOOL, &timers, "list the periodic work of the components instead" },
        { 0 },
    };

    cluster_flags_init(&f, NULL);
    r = flags_parse_only(rows, argc, argv, "pintle status [FLAGS]", &err);
    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text, 2);
    if (timers) {
        status_timers_print();
        return 0;
    }
    if (geteuid() != 0)
        return fail("must run as root: the cluster's files are root's", 1);
    return show(&f);
}
