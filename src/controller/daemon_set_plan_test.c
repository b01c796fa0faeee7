/* What a DaemonSet does next, without anybody to talk to. A case is a text: nodes, each
 * "name[:flags] [Pods]", where a Pod is its revision (n: new, o: old) and state. */
#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "controller/daemon_set_internal.h"
#include "controller/pod_backoff.h"

enum { MAX_PODS = 32, MAX_NODES = 16, NOW_S = 100000 };

struct fixture {
    struct arena arena;
    struct apps_v1_daemon_set set;
    struct apps_v1_rolling_update_daemon_set rolling;
    struct api_object object;
    struct api_object nodes[MAX_NODES], pods[MAX_PODS];
    const struct api_object *node_list[MAX_NODES], *pod_list[MAX_PODS];
    size_t n_nodes, n_pods;
    struct pod_backoff backoff;
    struct daemon_run run;
};

static struct api_object wrap(struct object o, struct meta_v1_object_meta *m)
{
    return (struct api_object){ .o = o, .meta = m, .key = m->name };
}

static struct object new_object(struct arena *a, const char *resource)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), str_from_cstr(resource));
    struct object o = object_new(a, &schema_builtin, row->type);

    object_set_gvk(o, STR("v1"), row->kind);
    return o;
}

/* Flags: t: a taint that is not tolerated, e: one with NoExecute, x: another label. */
static void add_node(struct fixture *f, struct str name, struct str flags)
{
    struct object o = new_object(&f->arena, "nodes");
    struct core_v1_node *n = o.data;
    struct core_v1_taint *taint = ARENA_NEW(&f->arena, struct core_v1_taint);

    n->metadata.name = name;
    text_map_put(&f->arena, &n->metadata.labels, STR("kind"),
                 str_find(flags, 'x') >= 0 ? STR("other") : STR("worker"));
    *taint = (struct core_v1_taint){ .key = STR("mine"),
                                     .effect = str_find(flags, 'e') >= 0 ? STR("NoExecute")
                                                                         : STR("NoSchedule") };
    if (str_find(flags, 't') >= 0 || str_find(flags, 'e') >= 0) {
        n->spec.taints.items = taint;
        n->spec.taints.len = 1;
    }
    f->nodes[f->n_nodes] = wrap(o, &n->metadata);
    f->node_list[f->n_nodes] = &f->nodes[f->n_nodes];
    f->n_nodes++;
}

/* n new, o old; then r ready, y ready but just now, p not ready, f failed, s succeeded; d leaving,
 * u not put on its node yet. Pods are numbered from 0, each younger than the one before. */
static void add_pod(struct fixture *f, struct str node, struct str text)
{
    struct object o;
    struct core_v1_pod *pod;

    f->run.hash = STR("new");
    f->run.set = &f->set;
    f->run.object = &f->object;
    f->run.arena = &f->arena;
    o = daemon_pod(&f->run, node);
    pod = o.data;
    pod->metadata.name = arena_printf(&f->arena, "%zu", f->n_pods);
    pod->metadata.creation_timestamp = (struct ktime){ .sec = (int64_t)f->n_pods, .set = true };
    if (text.p[0] == 'o')
        text_map_put(&f->arena, &pod->metadata.labels, STR(DAEMON_HASH_LABEL), STR("old"));
    if (str_find(text, 'u') < 0)
        pod->spec.node_name = node;
    pod->status.phase = STR("Running");
    if (str_find(text, 'f') >= 0)
        pod->status.phase = STR("Failed");
    if (str_find(text, 's') >= 0)
        pod->status.phase = STR("Succeeded");
    if (str_find(text, 'd') >= 0)
        pod->metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    pod->status.conditions.items = ARENA_NEW(&f->arena, struct core_v1_pod_condition);
    pod->status.conditions.len = 1;
    pod->status.conditions.items[0] = (struct core_v1_pod_condition){
        .type = STR("Ready"),
        .status = str_find(text, 'r') >= 0 || str_find(text, 'y') >= 0 ? STR("True") : STR("False"),
        .last_transition_time = { .sec = str_find(text, 'y') >= 0 ? NOW_S - 3 : 0, .set = true },
    };
    f->pods[f->n_pods] = wrap(o, &pod->metadata);
    f->pod_list[f->n_pods] = &f->pods[f->n_pods];
    f->n_pods++;
}

static struct int_or_string amount(const char *text)
{
    struct str s = str_from_cstr(text);
    int64_t n;

    if (str_to_i64(s, &n))
        return (struct int_or_string){ .type = INT_OR_STRING_INT, .i = (int32_t)n };
    return (struct int_or_string){ .type = INT_OR_STRING_STRING, .s = s };
}

static void begin(struct fixture *f, const char *surge, const char *unavailable)
{
    *f = (struct fixture){ 0 };
    f->set.metadata.name = STR("d");
    f->set.metadata.namespace = STR("ns");
    f->set.metadata.uid = STR("uid");
    f->set.spec.min_ready_seconds = 10;
    text_map_put(&f->arena, &f->set.spec.template.spec.node_selector, STR("kind"), STR("worker"));
    f->set.spec.update_strategy.type = unavailable ? STR("RollingUpdate") : STR("OnDelete");
    f->set.spec.update_strategy.rolling_update = unavailable ? &f->rolling : NULL;
    f->rolling.max_surge = amount(surge);
    f->rolling.max_unavailable = amount(unavailable ? unavailable : "");
    f->object = (struct api_object){
        .o = { .schema = &schema_builtin,
               .type = resource_find(STR("apps"), STR("v1"), STR("daemonsets"))->type,
               .data = &f->set },
        .meta = &f->set.metadata,
        .key = STR("ns/d"),
    };
}

/* "a or, b:t nr pd": nodes are parted by ','; a name in () is of a node that is not there. */
static void gather(struct fixture *f, const char *world)
{
    struct str rest = str_from_cstr(world), part;

    while (str_next(&rest, ',', &part)) {
        struct str words = str_trim(part), word, name, flags = STR("");
        bool is_first = true;

        name = STR("");
        while (str_next(&words, ' ', &word)) {
            if (!is_first) {
                add_pod(f, name, word);
                continue;
            }
            is_first = false;
            (void)str_cut(word, ':', &name, &flags);
            if (name.len && name.p[0] == '(')
                name = str_sub(name, 1, name.len - 1);
            else if (name.len)
                add_node(f, name, flags);
        }
    }
    f->run = (struct daemon_run){ .arena = &f->arena,
                                  .object = &f->object,
                                  .set = &f->set,
                                  .hash = STR("new"),
                                  .now_s = NOW_S,
                                  .now_ms = (int64_t)NOW_S * 1000,
                                  .backoff = &f->backoff };
    daemon_gather(&f->run, f->node_list, f->n_nodes, f->pod_list, f->n_pods);
}

static struct str decided(struct fixture *f)
{
    struct buf b = { 0 };

    buf_init_arena(&b, &f->arena, 64);
    for (size_t i = 0; i < f->run.n_create; i++)
        buf_printf(&b, "%s+%.*s", b.len ? " " : "", STR_ARG(f->run.create[i]->name));
    for (size_t i = 0; i < f->run.n_remove; i++)
        buf_printf(&b, "%s-%.*s", b.len ? " " : "", STR_ARG(f->run.remove[i].pod->meta->name));
    return buf_str(&b);
}

static void end(struct fixture *f)
{
    pod_backoff_done(&f->backoff);
    arena_done(&f->arena);
}

static const struct {
    const char *surge, *unavailable, *world, *want;
} cases[] = {
    /* Where one should be. */
    { "0", "1", "", "" },
    { "0", "1", "a, b, c", "+a +b +c" },
    { "0", "1", "a nr, b, c:x, d:t, e:e", "+b" },
    { "0", "1", "a:t nr, b:e nr, c:x nr", "-1 -2" },
    { "0", "1", "a nr np nu", "-1 -2" },
    { "0", "1", "a nu nr", "-0" }, /* what is placed stays, the older one or not */
    { "0", "1", "a nd", "" },      /* not beside what is on its way out */
    { "0", "1", "a nf, b ns, c nfd", "+c -0 -1" },
    { "0", "1", "a nr, (gone) nr, (lost) nu, (left) nud", "-2" },
    /* Rolling: one after the other, what is no use at once. */
    { "0", "1", "a or, b or, c or", "-0" },
    { "0", "2", "a or, b or, c or", "-0 -1" },
    { "0", "50%", "a or, b or, c or", "-0 -1" },
    { "0", "1", "a or, b np, c or", "" },
    { "0", "2", "a or, b np, c or", "-0" },
    { "0", "1", "a or, b ny, c or", "" },
    { "0", "1", "a op, b or, c op", "-0 -2" },
    { "0", "1", "a or, b nd, c or", "" },
    { "0", "0", "a or, b or", "-0" },    /* something must move */
    { "0", "1", "a or, b, c or", "+b" }, /* first things first */
    { "0", "1", "a nr, b nr", "" },
    { "", NULL, "a or, b or", "" },
    { "", NULL, "a, b or", "+a" },
    /* Surging. */
    { "1", "0", "a or, b or", "+a" },
    { "2", "0", "a or, b or, c or", "+a +b" },
    { "50%", "0", "a or, b or, c or", "+a +b" },
    { "1", "0", "a or np, b or", "" },
    { "1", "0", "a or ny, b or", "" },
    { "1", "0", "a or nr, b or", "-0" },
    { "1", "0", "a op np, b or", "-0" },
    { "1", "0", "a op, b or", "+a +b" },
    { "1", "0", "a op, b op, c or", "+a +b +c" },
    { "1", "0", "a ord, b or", "+a" },
    { "1", "0", "a or or nr nr, b or", "-1 -3 -0" },
    /* Nodes that are left keep theirs until the others serve. */
    { "1", "0", "a:t or, b np", "" },
    { "1", "0", "a:t or, b nr", "-0" },
    { "1", "0", "a:t op, b np", "-0" },
    { "1", "0", "a:t or, b:t or, c nr, d np", "-0" },
};

Test(daemon_set_plan, steps)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct str got;

        begin(&f, cases[i].surge, cases[i].unavailable);
        gather(&f, cases[i].world);
        daemon_plan(&f.run);
        got = decided(&f);
        cr_expect(str_eq(got, str_from_cstr(cases[i].want)), "%zu: %s: '%.*s', not '%s'", i,
                  cases[i].world, STR_ARG(got), cases[i].want);
        end(&f);
    }
}

Test(daemon_set_plan, failed_pods_are_left_longer_each_time)
{
    struct fixture f;

    begin(&f, "0", "1");
    gather(&f, "a nf");
    daemon_plan(&f.run);
    cr_assert_eq(f.run.n_remove, 1);
    cr_assert_eq(f.run.remove[0].why, DAEMON_FAILED);
    f.run.n_remove = 0;
    f.run.now_ms += 400;
    daemon_plan(&f.run);
    cr_assert_eq(f.run.n_remove, 0);
    cr_assert_eq(f.run.again_after_ms, 600);
    f.set.status.observed_generation = 2; /* another template may do better */
    daemon_plan(&f.run);
    cr_assert_eq(f.run.n_remove, 1);
    end(&f);
}

Test(daemon_set_plan, status_counts_nodes)
{
    struct apps_v1_daemon_set_status s = { 0 };
    struct fixture f;
    int64_t wait;

    begin(&f, "0", "1");
    gather(&f, "a nr, b or, c np, d ny, e, f:x or, g:t nr np, (gone) nr, h nd");
    daemon_status(&f.run, &s, &wait);
    cr_assert_eq(s.desired_number_scheduled, 6);
    cr_assert_eq(s.current_number_scheduled, 5);
    cr_assert_eq(s.number_misscheduled, 2);
    cr_assert_eq(s.number_ready, 3);
    cr_assert_eq(s.number_available, 2);
    cr_assert_eq(s.number_unavailable, 4);
    cr_assert_eq(s.updated_number_scheduled, 4);
    cr_assert_eq(wait, 7);
    end(&f);
}

Test(daemon_set_plan, a_pod_of_its_own_for_a_node)
{
    struct core_v1_toleration own[] = {
        { .key = STR("node.kubernetes.io/not-ready"),
          .operator= STR("Exists"),
          .effect = STR("NoExecute"),
          .toleration_seconds = &(int64_t){ 5 } },
        { .key = STR("k"), .operator= STR("Exists") },
    };
    struct core_v1_preferred_scheduling_term preferred = { .weight = 3 };
    struct core_v1_node_affinity of_node = { 0 };
    struct core_v1_affinity affinity = { .node_affinity = &of_node };
    const struct core_v1_pod *pod;
    struct fixture f;

    begin(&f, "0", "1");
    of_node.preferred_during_scheduling_ignored_during_execution.items = &preferred;
    of_node.preferred_during_scheduling_ignored_during_execution.len = 1;
    f.set.spec.template.spec.affinity = &affinity;
    f.set.spec.template.spec.tolerations.items = own;
    f.set.spec.template.spec.tolerations.len = 2;
    f.set.spec.template.spec.host_network = true;
    gather(&f, "a");
    f.run.generation = STR("4");
    pod = daemon_pod(&f.run, STR("a")).data;
    cr_assert(str_eq(daemon_target(pod), STR("a")));
    cr_assert_null(of_node.required_during_scheduling_ignored_during_execution, "ours alone");
    cr_assert_eq(
        pod->spec.affinity->node_affinity->preferred_during_scheduling_ignored_during_execution.len,
        1);
    cr_assert_eq(pod->spec.tolerations.len, 8, "six of seven are added");
    cr_assert_null(pod->spec.tolerations.items[0].toleration_seconds, "for ever");
    cr_assert(
        str_eq(pod->spec.tolerations.items[7].key, STR("node.kubernetes.io/network-unavailable")));
    cr_assert(str_eq(text_map_find(&pod->metadata.labels, STR(DAEMON_GENERATION_LABEL))->value,
                     STR("4")));
    cr_assert_null(text_map_find(&f.set.spec.template.metadata.labels, STR(DAEMON_HASH_LABEL)));
    end(&f);
}
