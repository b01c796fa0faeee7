/* pintle pki init DIR; pintle pki node DIR --node-name NAME --node-addresses ADDRESSES */
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "supervisor/pki.h"

static int init(const struct pki_options *o)
{
    struct pki_result result;
    struct err err;

    if (pki_init(o, &result, &err) < 0) {
        (void)fprintf(stderr, "pintle pki: %s\n", err.text);
        return 1;
    }
    printf("%s: %u files made, %u kept\nexport KUBECONFIG=%s/admin.conf\n", o->dir, result.made,
           result.kept, o->dir);
    return 0;
}

static int init_node(const struct pki_options *o, const struct pki_node *node)
{
    struct pki_result result;
    struct err err;

    if (pki_init_node(o, node, &result, &err) < 0) {
        (void)fprintf(stderr, "pintle pki: %s\n", err.text);
        return 1;
    }
    printf("%s: %u files made, %u kept\n%s/kubelet-%s.conf\n", o->dir, result.made, result.kept,
           o->dir, node->name);
    return 0;
}

#define USAGE "pintle pki init|node DIR [FLAGS]"

int cmd_pki(int argc, char **argv)
{
    struct pki_options o = { .secure_port = 6443, .service_cidr = "10.96.0.0/12" };
    struct pki_node node = { 0 };
    const struct flag flags[] = {
        { "node-name", FLAG_STRING, &node.name, "node: whose certificates" },
        { "node-addresses", FLAG_STRING, &node.addresses, "node: where its kubelet is, by commas" },
        { "server", FLAG_STRING, &node.server,
          "node: address of the API server as the node sees it (default 127.0.0.1)" },
        { "secure-port", FLAG_PORT, &o.secure_port, "port of the API server in admin.conf" },
        { "advertise-address", FLAG_STRING, &o.advertise_address,
          "one more address for the server's certificate" },
        { "service-cidr", FLAG_STRING, &o.service_cidr,
          "range of Service addresses; its first goes into the server's certificate" },
        { 0 },
    };
    CLEANUP(mem_free) void *memory = mem_alloc((size_t)argc * sizeof(const char *));
    const char **words = memory;
    struct err err;
    size_t n;
    int r = flags_parse(flags, argc, argv, words, &n, USAGE, &err);

    if (r == 1)
        return 0;
    if (r == 0 && (n != 2 || (!str_eq(str_from_cstr(words[0]), STR("init")) &&
                              !str_eq(str_from_cstr(words[0]), STR("node")))))
        r = err_set(&err, ERR_INVALID, "usage: " USAGE);
    if (r == 0 && !o.secure_port)
        r = err_set(&err, ERR_INVALID, "--secure-port must not be 0: admin.conf names it");
    if (r < 0) {
        (void)fprintf(stderr, "pintle pki: %s\n", err.text);
        return 2;
    }
    o.dir = words[1];
    if (str_eq(str_from_cstr(words[0]), STR("init")))
        return init(&o);
    if (!node.name || !node.addresses) {
        (void)fprintf(stderr, "pintle pki: --node-name and --node-addresses are needed\n");
        return 2;
    }
    return init_node(&o, &node);
}
