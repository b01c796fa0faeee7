/* The supervisor of `pintle up`: starts the components of a cluster as processes, in order, watches
 * them, starts them again when they end (with a back-off), and stops them in reverse order. A
 * component ends when its supervisor does, however that ended (supervisor_join). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

struct supervisor_options {
    const char *program; /* ours: what is run for each component */
    const char *root;    /* state: certificates, kubeconfigs, store */
    uint16_t secure_port;
    const char *bind_address; /* NULL: the API server's default */
    const char *advertise_address;
    const char *service_cidr;
    bool ephemeral;
    uint32_t verbosity;
};

/* Until SIGTERM or SIGINT; the process's exit code. Prints how to use the cluster when it stands. 1
 * after the line of a component that could not start the first time. */
int supervisor_run(const struct supervisor_options *o);

/* For every component, first of all: when it was started by a supervisor, it gets SIGTERM when that
 * ends. False: it has ended already. */
bool supervisor_join(void);
