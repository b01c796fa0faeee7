/* The OCI runtime specification of a container, printed from what CRI asks for, what the image says
 * and what this machine allows. Pure: looks at nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct buf;
struct err;

enum { OCI_SPEC_CAPABILITIES = 64 };

struct oci_user {
    uint32_t uid, gid;
    const uint32_t *groups; /* supplemental */
    size_t n_groups;
    struct str home;
};

struct oci_host {      /* what this process may give away */
    uint64_t bounding; /* capabilities, bit by number */
    uint64_t max_nofile;
    int min_oom_score_adj;
    bool has_cgroup_v2; /* pure v2 */
};

struct oci_spec {
    const struct runtime_container_config *config;
    struct str container_id, hostname /* unset: shared */, cgroups_path;
    struct str rootfs; /* absolute */
    struct oci_user user;
    struct oci_host host;
    /* The image's. */
    struct runtime_strs image_entrypoint, image_cmd, image_env; /* "A=b" */
    struct str image_working_dir;
    /* The sandbox's: paths of namespaces and files; unset: the node's, or none. */
    struct str netns_path, ipc_path, uts_path, pid_path;
    bool own_pid;
    bool host_network;
    struct str shm_path, resolv_conf_path, hostname_path;
    struct str seccomp_profile; /* LOCALHOST: its text, an object as of the OCI specification */
};

/* ERR_INVALID: an unknown capability, no command. */
int oci_spec_print(struct buf *b, const struct oci_spec *s, struct err *err);
/* The "process" object alone, of an exec: `process` is the container's own, as it was printed. */
int oci_spec_print_exec(struct buf *b, struct str config_json, const struct runtime_strs *command,
                        bool tty, struct err *err);

/* --- pieces --- */

/* "CAP_X" or "X", any case: its number, or -1. */
int oci_capability_number(struct str name);
const char *oci_capability_name(int number); /* "CAP_CHOWN"; NULL beyond the known */
/* What the security context comes to, within `bounding`. */
int oci_capabilities(const struct runtime_security *security, uint64_t bounding, uint64_t *ret,
                     struct err *err);
/* Our default profile for a container with these capabilities, as "seccomp"'s object. */
void oci_seccomp_print_default(struct buf *b, uint64_t capabilities);
