/* What goes into and comes out of a runtime: CRI's messages as plain structs. Strings and arrays
 * are borrowed; zeroed is the default everywhere. Ids are 64 hex digits. Times are wall time in
 * nanoseconds since the epoch, 0: never. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct runtime_key_value {
    struct str key;
    struct str value;
};
struct runtime_map { /* labels, annotations, env, sysctls: kept in order */
    const struct runtime_key_value *items;
    size_t len;
};
struct runtime_strs {
    const struct str *items;
    size_t len;
};

enum runtime_namespace_mode {                     /* zero is a Pod's default for each namespace */
                              RUNTIME_NS_DEFAULT, /* network, ipc: the Pod's; pid: the container's
                                                     own */
                              RUNTIME_NS_POD,
                              RUNTIME_NS_CONTAINER,
                              RUNTIME_NS_NODE,
                              RUNTIME_NS_TARGET, /* pid alone: that of container target_id */
};
struct runtime_namespaces {
    enum runtime_namespace_mode network;
    enum runtime_namespace_mode pid;
    enum runtime_namespace_mode ipc;
    struct str target_id;
};

struct runtime_port_mapping {
    enum { RUNTIME_TCP, RUNTIME_UDP, RUNTIME_SCTP } protocol;
    uint16_t container_port;
    uint16_t host_port; /* 0: none */
    struct str host_ip;
};

struct runtime_sandbox_config {
    struct str name, uid, pod_namespace; /* the Pod's */
    uint32_t attempt;
    struct str hostname;      /* ignored on the node's network */
    struct str log_directory; /* /var/log/pods/...; made when absent */
    struct runtime_strs dns_servers, dns_searches, dns_options;
    bool has_dns; /* false: containers see the node's resolv.conf unless it is mounted */
    const struct runtime_port_mapping *ports;
    size_t n_ports;
    struct runtime_map labels, annotations, sysctls;
    struct str cgroup_parent; /* "/kubepods/burstable/podUID"; made when absent, limits untouched */
    struct runtime_namespaces namespaces;
    uint64_t shm_bytes; /* of the shared /dev/shm; 0: 64 MiB */
    bool privileged;
};

struct runtime_sandbox_status {
    struct str id;
    struct str name, uid, pod_namespace;
    uint32_t attempt;
    bool ready;
    int64_t created_at_ns;
    struct runtime_strs ips; /* of its own network; none on the node's */
    struct runtime_map labels, annotations;
    struct str netns_path; /* unset on the node's network */
};

enum runtime_propagation { RUNTIME_PRIVATE, RUNTIME_HOST_TO_CONTAINER, RUNTIME_BIDIRECTIONAL };
struct runtime_mount {
    struct str container_path;
    struct str host_path; /* must exist */
    struct str image;     /* set: instead, the files of this image (by name or id), read-only */
    struct str image_sub_path; /* of these; must exist */
    bool readonly;
    bool recursive_readonly;
    enum runtime_propagation propagation;
};
struct runtime_device {
    struct str container_path;
    struct str host_path;
    struct str permissions; /* of "rwm" */
};

struct runtime_resources { /* 0: not set, unless said */
    int64_t cpu_period_us;
    int64_t cpu_quota_us;
    uint64_t cpu_shares;
    struct str cpuset_cpus, cpuset_mems;
    int64_t memory_limit_bytes;
    int64_t memory_swap_limit_bytes; /* memory and swap, as CRI */
    int64_t pids_limit;
    int oom_score_adj; /* clamped to what this process may give */
    bool has_oom_score_adj;
};

struct runtime_seccomp {
    enum { RUNTIME_SECCOMP_UNCONFINED, RUNTIME_SECCOMP_DEFAULT, RUNTIME_SECCOMP_LOCALHOST } type;
    struct str localhost_path; /* of a profile file */
};

struct runtime_security {
    bool privileged;
    bool readonly_rootfs;
    bool no_new_privileges;
    struct runtime_strs add_capabilities, drop_capabilities; /* "NET_ADMIN", "ALL" */
    bool has_run_as_user, has_run_as_group;
    int64_t run_as_user, run_as_group;
    struct str
        run_as_username; /* looked up in the image's /etc/passwd; the image's own by default */
    const int64_t *supplemental_groups;
    size_t n_supplemental_groups;
    bool strict_groups; /* supplementalGroupsPolicy: Strict: none of the image's /etc/group */
    struct runtime_seccomp seccomp;
    /* unset (items NULL): the default lists; set and empty: none (procMount Unmasked) */
    struct runtime_strs masked_paths, readonly_paths;
    bool has_masked_paths, has_readonly_paths;
};

struct runtime_container_config {
    struct str name; /* within the Pod */
    uint32_t attempt;
    struct str image;            /* id or name of one that is there */
    struct runtime_strs command; /* empty: the image's ENTRYPOINT (and its CMD if args are, too) */
    struct runtime_strs args;
    struct str working_dir; /* unset: the image's */
    struct runtime_map env; /* over the image's */
    const struct runtime_mount *mounts;
    size_t n_mounts;
    const struct runtime_device *devices;
    size_t n_devices;
    struct runtime_map labels, annotations;
    struct str log_path; /* below the sandbox's log_directory */
    bool has_stdin, stdin_once, tty;
    struct str stop_signal; /* "SIGUSR1"; unset: the image's, else SIGTERM */
    struct runtime_resources resources;
    struct runtime_security security;
    struct runtime_namespaces namespaces;
};

enum runtime_container_state {
    RUNTIME_CONTAINER_IS_CREATED,
    RUNTIME_CONTAINER_IS_RUNNING,
    RUNTIME_CONTAINER_IS_EXITED,
    RUNTIME_CONTAINER_IS_UNKNOWN,
};
struct runtime_container_status {
    struct str id, sandbox_id, pod_uid;
    struct str name;
    uint32_t attempt;
    enum runtime_container_state state;
    int64_t created_at_ns, started_at_ns, finished_at_ns;
    int exit_code;
    struct str reason; /* EXITED: "Completed", "Error", "OOMKilled", "StartError",
                          "Unknown" (nobody saw its end) */
    struct str message;
    struct str image;     /* as asked for */
    struct str image_ref; /* a repository digest, or the id */
    struct str image_id;
    struct runtime_map labels, annotations;
    struct str log_path; /* absolute */
    int pid;             /* RUNNING: on the node */
    int64_t user;        /* that it was started as; for runAsNonRoot see runtime_image */
    struct str groups;   /* "3000,4000": its own first, then supplemental ones; unset: not known */
};

struct runtime_exec_options {
    struct runtime_strs command;
    bool tty;
    bool has_stdin, has_stdout, has_stderr; /* exec alone; with tty stderr is none */
    int64_t timeout_ms;                     /* exec_sync */
    size_t output_limit_bytes;              /* exec_sync; 0: 16 MiB; beyond it the end is cut */
};

struct runtime_image {
    struct str id;               /* "sha256:..." of its configuration */
    struct runtime_strs tags;    /* "docker.io/library/busybox:1.36" */
    struct runtime_strs digests; /* "docker.io/library/busybox@sha256:..." */
    uint64_t size_bytes;
    bool has_uid; /* its USER is a number, or none (0) */
    int64_t uid;
    struct str username; /* else */
    int64_t last_used_ns;
    bool pinned;
};

struct runtime_auth {
    struct str username, password;
    struct str identity_token, registry_token;
};

/* What a control group and those below it use. What cannot be read is 0. */
struct runtime_usage {
    uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns; /* since its start */
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
    uint64_t cpu_shares, cpu_quota_us, cpu_period_us; /* quota 0: none */
    uint64_t memory_usage_bytes, memory_working_set_bytes, memory_rss_bytes;
    uint64_t memory_cache_bytes, memory_mapped_bytes, memory_swap_bytes;
    uint64_t memory_max_usage_bytes, memory_failures;
    uint64_t memory_limit_bytes; /* 0: none */
    uint64_t page_faults, major_page_faults;
    uint64_t pids, oom_kills;
};

struct runtime_network_stats { /* one interface */
    struct str name;
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
    uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct runtime_stats { /* of a container that runs */
    struct str container_id, sandbox_id, pod_uid, name, image;
    struct str cgroup_path;
    int64_t at_ns, started_at_ns;
    struct runtime_usage usage;
    struct str writable_layer_path; /* its files are for the caller to count */
};

struct runtime_sandbox_stats {
    struct str id, name, uid, pod_namespace;
    struct str cgroup_path;
    int64_t at_ns, created_at_ns;
    struct runtime_usage usage; /* of the Pod's control group */
    bool is_host_network;       /* then no interfaces */
    const struct runtime_network_stats *networks;
    size_t n_networks;
};
