#include "supervisor/cluster.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

static struct cluster_options options(void)
{
    return (struct cluster_options){ .root = "/srv/one",
                                     .service_cidr = "10.96.0.0/12",
                                     .cluster_cidr = "10.244.0.0/16",
                                     .node_cidr = "10.243.0.0/24",
                                     .node_ip = "192.0.2.7",
                                     .secure_port = 6443,
                                     .n_nodes = 1 };
}

static struct cluster plan(struct arena *a, const struct cluster_options *o)
{
    struct cluster c;
    struct err err;

    cr_assert_eq(cluster_plan(a, o, &c, &err), 0, "%s", err.text);
    return c;
}

Test(cluster, the_default_one_has_the_names_that_people_expect)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster_options o = options();
    struct cluster c;

    o.root = CLUSTER_ROOT "/";
    o.node_name = "me";
    c = plan(&a, &o);
    cr_expect_str_eq(c.root, CLUSTER_ROOT);
    cr_expect_str_eq(c.run_dir, CLUSTER_RUN);
    cr_expect_str_eq(c.nft_table, "pintle");
    cr_expect_str_eq(c.log_dir, "/var/log/pods");
    cr_expect_str_eq(c.nodes[0].cgroup_root, "/");
    cr_expect_str_eq(c.nodes[0].name, "me");
    cr_expect_str_eq(c.nodes[0].ip, "192.0.2.7");
    cr_expect_str_eq(c.server, "192.0.2.7");
    cr_expect_str_eq(c.cluster_dns, "10.96.0.10");
    cr_expect_null(c.nodes[0].netns);
    cr_expect_null(c.gateway);
}

Test(cluster, another_root_shares_no_name_with_it)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster_options o = options(), p = options();
    struct cluster one = plan(&a, &o), two;

    p.root = "/srv/two";
    two = plan(&a, &p);
    cr_expect_str_neq(one.id, two.id);
    cr_expect_str_neq(one.run_dir, two.run_dir);
    cr_expect_str_neq(one.nft_table, two.nft_table);
    cr_expect_str_neq(one.nft_table, "pintle");
    cr_expect_str_neq(one.nodes[0].cgroup_root, two.nodes[0].cgroup_root);
    cr_expect_str_eq(one.id, plan(&a, &o).id); /* and always the same */
}

Test(cluster, many_nodes_have_namespaces_and_a_gateway)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster_options o = options();
    struct cluster c;

    o.n_nodes = 3;
    c = plan(&a, &o);
    cr_assert_eq(c.n_nodes, 3);
    cr_expect_str_eq(c.gateway, "10.243.0.1");
    cr_expect_str_eq(c.server, "10.243.0.1");
    cr_expect_str_eq(c.nodes[0].name, "node-1");
    cr_expect_str_eq(c.nodes[2].ip, "10.243.0.4");
    cr_expect_leq(strlen(c.nodes[2].link), 15);
    cr_expect_str_neq(c.nodes[0].netns, c.nodes[1].netns);
    cr_expect_str_neq(c.nodes[0].root_dir, c.nodes[1].root_dir);
    cr_expect_str_neq(c.nodes[0].cgroup_root, c.nodes[1].cgroup_root);
}

Test(cluster, relative_roots_are_of_the_working_directory)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster_options o = options();

    cr_assert_eq(chdir("/tmp"), 0);
    o.root = "here/and/there//";
    cr_expect_str_eq(plan(&a, &o).root, "/tmp/here/and/there");
}

Test(cluster, wrong_flags_are_named)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct {
        size_t at;
        const char *value, *text;
    } cases[] = {
        { offsetof(struct cluster_options, service_cidr), "nonsense",
          "--service-cluster-ip-range" },
        { offsetof(struct cluster_options, service_cidr), "10.0.0.0/30", "--service-cluster" },
        { offsetof(struct cluster_options, cluster_cidr), "10.0.0.0", "--cluster-cidr" },
        { offsetof(struct cluster_options, node_cidr), "10.0.0.0/31", "--node-cidr" },
        { offsetof(struct cluster_options, root), "", "empty" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cluster_options o = options();
        struct cluster c;
        struct err err;

        o.n_nodes = 2;
        *(const char **)((char *)&o + cases[i].at) = cases[i].value;
        cr_expect_eq(cluster_plan(&a, &o, &c, &err), ERR_INVALID, "%s", cases[i].text);
        cr_expect_not_null(strstr(err.text, cases[i].text), "%s", err.text);
    }
}
