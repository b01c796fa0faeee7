/* What the node, its Pods and their containers use, as one picture at a time. A picture is taken
 * when somebody asks and the last one is older than a second; all who ask meanwhile get the same.
 * It costs a dozen files of the kernel a container, some containers a turn of the loop; trees on
 * disk are counted by disk_usage. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "kubelet/stats/disk_usage.h"
#include "runtime/runtime_types.h"

struct arena;
struct kubelet_view;
struct loop;
struct runtime;
struct stats_collector;

struct stats_fs {
    bool is_known;
    uint64_t capacity_bytes, available_bytes, used_bytes;
    uint64_t inodes, inodes_free, inodes_used;
};

struct stats_use {
    int64_t at_ns;
    struct runtime_usage usage;
    bool has_rate; /* since the picture before */
    uint64_t rate_nano_cores;
};

struct stats_tree { /* files of a container or volume */
    struct str name;
    bool is_known;
    struct disk_usage_count count;
};

struct stats_container {
    struct str name, id, image, cgroup_path;
    int64_t started_at_ns;
    struct stats_use use;
    struct stats_tree rootfs, logs;
};

struct stats_pod {
    struct str name, namespace, uid, sandbox_id, cgroup_path;
    int64_t started_s;
    struct stats_use use;
    bool is_host_network;
    const struct runtime_network_stats *networks;
    size_t n_networks;
    struct stats_container *containers;
    size_t n_containers;
    struct stats_tree *volumes;
    size_t n_volumes;
};

struct stats_picture {
    int64_t at_ns;
    struct str node_name;
    int64_t boot_s; /* when the node began */
    uint64_t memory_bytes, swap_bytes, swap_free_bytes;
    uint64_t n_cpus, max_pids, pids;
    struct stats_use node, pods_group, kubelet;
    const struct runtime_network_stats *networks;
    size_t n_networks;
    struct stats_fs node_fs, image_fs;
    struct stats_tree images;
    struct stats_pod *pods;
    size_t n_pods;
};

struct stats_collector_options {
    struct loop *loop;
    struct runtime *runtime;
    const struct kubelet_view *view; /* the caller's */
    struct str node_name;
    const char *root_directory, *image_directory;
    const char *cgroup_root; /* "", or "/..." above "/kubepods" */
};

/* Embedded in who waits; fn runs once, never from within the call. picture is valid during it. */
struct stats_waiter {
    struct list link;
    void (*fn)(struct stats_waiter *w, const struct stats_picture *picture);
};

struct stats_collector *stats_collector_new(const struct stats_collector_options *o);
void stats_collector_free(struct stats_collector *s); /* nobody waits any more; accepts NULL */
void stats_collector_ask(struct stats_collector *s, struct stats_waiter *w);
void stats_collector_forget(struct stats_waiter *w); /* no call follows; also when it has run */
