/* pintle: one program, many components. The first word, or the name by which it was called
 * (kube-apiserver), picks the command. */
#include <stdio.h>

#include "base/macros.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "supervisor/supervisor.h"

static const struct {
    struct str name;
    struct str alias; /* upstream's name, for links */
    cmd_fn *run;
    const char *help;
} commands[] = {
    { STR_INIT("apiserver"), STR_INIT("kube-apiserver"), cmd_apiserver,
      "serve the Kubernetes API" },
    { STR_INIT("controller-manager"), STR_INIT("kube-controller-manager"), cmd_controller_manager,
      "run the control loops" },
    { STR_INIT("dns"), STR_INIT(""), cmd_dns, "answer for the cluster's names" },
    { STR_INIT("kubelet"), STR_INIT("kubelet"), cmd_kubelet, "run a node's Pods" },
    { STR_INIT("pki"), STR_INIT(""), cmd_pki, "make a cluster's certificates and kubeconfig" },
    { STR_INIT("proxy"), STR_INIT("kube-proxy"), cmd_proxy, "put Services into a node's kernel" },
    { STR_INIT("scheduler"), STR_INIT("kube-scheduler"), cmd_scheduler, "give Pods their nodes" },
    { STR_INIT("up"), STR_INIT(""), cmd_up, "run a cluster's components under one supervisor" },
    { STR_INIT("down"), STR_INIT(""), cmd_down, "stop a cluster and remove what it made" },
    { STR_INIT("status"), STR_INIT(""), cmd_status, "show a cluster's components and nodes" },
    { STR_INIT("image"), STR_INIT(""), cmd_image, "load, pull, list and remove images" },
    { STR_INIT("version"), STR_INIT(""), cmd_version, "print the version" },
};

static void print_help(FILE *to)
{
    (void)fprintf(to,
                  "Pintle: Kubernetes in one small program.\n\nusage: pintle COMMAND [FLAGS]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        (void)fprintf(to, "  %-20.*s %s\n", STR_ARG(commands[i].name), commands[i].help);
    (void)fprintf(to, "\npintle COMMAND --help lists a command's flags.\n");
}

static cmd_fn *find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_eq(commands[i].name, name) || (name.len && str_eq(commands[i].alias, name)))
            return commands[i].run;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct str self = str_from_cstr(argc ? argv[0] : ""), word;
    cmd_fn *run = find(str_tail(self, (size_t)(str_rfind(self, '/') + 1)));

    if (!supervisor_join())
        return 1;
    if (run)
        return run(argc, argv);
    word = str_from_cstr(argc > 1 ? argv[1] : NULL);
    if (!word.p || str_eq(word, STR("help")) || str_eq(word, STR("--help")) ||
        str_eq(word, STR("-h"))) {
        print_help(word.p ? stdout : stderr);
        return word.p ? 0 : 2;
    }
    run = find(word);
    if (!run) {
        (void)fprintf(stderr, "pintle: unknown command '%s'; pintle help lists them\n", argv[1]);
        return 2;
    }
    return run(argc - 1, argv + 1);
}
