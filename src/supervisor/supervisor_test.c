/* The order of a start, with components of our own. */
#include "supervisor/supervisor.c"

#include <criterion/criterion.h>

static struct supervisor s;
static bool was_watched;

/* Called where a component's command line is made: it is being started. */
static void look(struct component_words *w, const struct cluster *c,
                 const struct cluster_node *node)
{
    (void)w, (void)c, (void)node;
    was_watched = s.readiness;
}

static void write_config(const char *dir)
{
    static const char text[] = "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
                               "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n"
                               "users: [{name: a, user: {token: t}}]\n"
                               "contexts: [{name: a, context: {cluster: a, user: a}}]\n";
    CLEANUP(arena_done) struct arena a = { 0 };
    FILE *f = fopen(arena_printf(&a, "%s/admin.conf", dir).p, "we");

    cr_assert(f);
    cr_assert(fputs(text, f) >= 0);
    cr_assert_eq(fclose(f), 0);
}

/* What a node says in the second before the watch began does not count: a watch that begins after
 * the nodes may wait in vain. */
Test(supervisor, the_nodes_are_watched_before_they_start)
{
    static const struct component_row first = { "first", .is_first = true };
    static const struct component_row node = { "node", .words = look };
    static const struct cluster_options o = { .program = "/does/not/exist" };
    char dir[] = "/tmp/pintle-supervisor-XXXXXX", path[64];
    struct cluster cluster = { .o = &o };
    struct component components[] = {
        { .supervisor = &s, .row = &first, .name = "first", .state = READY, .out = -1 },
        { .supervisor = &s, .row = &node, .name = "node", .out = -1 },
    };

    cr_assert(mkdtemp(dir));
    cluster.root = dir;
    write_config(dir);
    s = (struct supervisor){ .cluster = &cluster, .loop = loop_new(&clock_system) };
    s.components = components;
    s.n = ARRAY_LEN(components);
    loop_task_init(&s.write_task, write_state);
    loop_timer_init(&components[1].again, s.loop, on_again);
    start_others(&s);
    cr_expect_eq(components[1].state, WAITING, "the first is not ready yet");
    cr_expect_null(s.readiness);
    components[0].was_ready = true;
    start_others(&s);
    cr_expect_eq(components[1].state, BACKOFF, "it was tried");
    cr_expect(was_watched);
    readiness_free(s.readiness);
    loop_timer_stop(&components[1].again);
    loop_task_cancel(&s.write_task);
    loop_free(s.loop);
    (void)snprintf(path, sizeof(path), "%s/admin.conf", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}
