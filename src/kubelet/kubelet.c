/* The process: opens what it needs, learns what ran before it, then follows the API and the
 * runtime. */
#include "kubelet/kubelet.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "cni/cni_network.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/node/node_address.h"
#include "kubelet/node/node_pressure.h"
#include "kubelet/object_cache.h"
#include "kubelet/stats/kubelet_metrics.h"
#include "kubelet/stats/stats_collector.h"
#include "kubelet/volume/volume_manager.h"
#include "runtime/runtime_files.h"

/* --- the runtime's word --- */

static void on_runtime_event(const struct runtime_event *event, void *arg)
{
    struct kubelet *k = arg;
    struct pod_worker *w = map_get(&k->workers, event->pod_uid);

    if (k->server &&
        (event->type == RUNTIME_CONTAINER_STOPPED || event->type == RUNTIME_CONTAINER_REMOVED))
        kubelet_server_container_ended(k->server, event->container_id);
    if (!w)
        return;
    if (event->container_id.len)
        pod_worker_refresh(w);
    else
        pod_sandbox_ask(w);
}

/* --- the caches' word --- */

/* A ConfigMap or Secret: whoever uses it is few enough to be asked. */
static void on_object(struct str key, void *arg)
{
    struct kubelet *k = arg;
    struct str namespace, name;

    (void)str_cut(key, '/', &namespace, &name);
    MAP_FOREACH(it, &k->workers) {
        struct pod_worker *w = it->value;

        if (str_eq(w->pod->meta->namespace, namespace)) {
            MAP_FOREACH(s, &w->slots) {
                struct pod_slot *slot = s->value;

                if (slot->is_healed_by_objects)
                    slot->restart_at_ms = 0;
                slot->is_healed_by_objects = false;
            }
            pod_worker_wake(w);
        }
    }
}

static void on_volume(struct str pod_uid, void *arg)
{
    struct kubelet *k = arg;
    struct pod_worker *w = map_get(&k->workers, pod_uid);

    if (w)
        pod_worker_wake(w);
}

/* --- probes --- */

static void on_probe(struct str pod_uid, struct str container_id, enum probe_kind kind, bool is_ok,
                     void *arg)
{
    (void)container_id;
    (void)kind;
    (void)is_ok;
    on_volume(pod_uid, arg);
}

static void on_probe_event(struct str pod_uid, struct str container_id, const char *reason,
                           struct str message, void *arg)
{
    struct kubelet *k = arg;
    struct pod_worker *w = map_get(&k->workers, pod_uid);

    for (size_t i = 0; w && i < w->n_statuses; i++)
        if (str_eq(w->statuses[i].id, container_id))
            pod_worker_event(w, w->statuses[i].name, "Warning", reason, "%.*s", STR_ARG(message));
}

/* --- opening --- */

static int open_network(struct kubelet *k, struct err *err)
{
    const struct kubelet_options *o = k->o;
    const char *ipam = arena_printf(&k->arena, "%s/network", o->root_directory).p;
    int r = runtime_files_make_directory(ipam, 0700, err);

    if (r < 0)
        return r;
    if (o->cni_conf_directory)
        k->network = cni_network_new_plugins(
            k->loop, o->cni_conf_directory,
            o->cni_bin_directory ? o->cni_bin_directory : "/opt/cni/bin:/usr/lib/cni", ipam);
    else
        k->network = cni_network_new_routed(k->loop, ipam, 0);
    return 0;
}

int kubelet_open_runtime(struct kubelet *k, struct err *err)
{
    const struct kubelet_options *o = k->o;
    int r = open_network(k, err);

    if (r < 0)
        return r;
    return runtime_builtin_new(
        k->loop,
        &(struct runtime_builtin_options){
            .root_directory = arena_printf(&k->arena, "%s/runtime", o->root_directory).p,
            .state_directory = o->state_directory,
            .image_directory = o->image_directory,
            .registries_file = o->registries_file,
            .network = k->network },
        &k->runtime, err);
}

static int64_t memory_bytes(void)
{
    struct sysinfo info;

    return sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : (int64_t)1 << 30;
}

/* "nameserver" and "search" lines of the node's resolv.conf. */
static void read_resolv_conf(struct kubelet *k)
{
    struct str *servers = ARENA_NEW_ARRAY(&k->arena, struct str, 3);
    struct str *searches = ARENA_NEW_ARRAY(&k->arena, struct str, 32);
    struct str text = STR_NULL, line, word;
    size_t n = 0, m = 0;
    struct err err;

    if (runtime_files_read(&k->arena, AT_FDCWD, "/etc/resolv.conf", 65536, &text, &err) < 0)
        return;
    while (str_next(&text, '\n', &line)) {
        line = str_trim(line);
        if (str_has_prefix(line, STR("nameserver ")) && n < 3)
            servers[n++] = str_trim(str_tail(line, 11));
        if (!str_has_prefix(line, STR("search ")))
            continue;
        line = str_tail(line, 7);
        m = 0;
        while (str_next(&line, ' ', &word))
            if (word.len && m < 32)
                searches[m++] = word;
    }
    k->config.host_dns = (struct runtime_strs){ servers, n };
    k->config.host_searches = (struct runtime_strs){ searches, m };
}

static void fill_config(struct kubelet *k)
{
    const struct kubelet_options *o = k->o;

    k->config = (struct pod_config_node){
        .log_directory = o->log_directory,
        .cgroup_root = o->cgroup_root && strcmp(o->cgroup_root, "/") != 0 ? o->cgroup_root : "",
        .seccomp_directory = arena_printf(&k->arena, "%s/seccomp", o->root_directory).p,
        .cluster_dns = str_from_cstr(o->cluster_dns),
        .cluster_domain = str_from_cstr(o->cluster_domain),
        .memory_bytes = memory_bytes(),
    };
    read_resolv_conf(k);
}

static int fill_node(struct kubelet *k, const struct kube_config *config, struct err *err)
{
    struct str *ips = ARENA_NEW_ARRAY(&k->arena, struct str, 1);
    int r = 0;

    if (k->o->node_ip)
        ips[0] = str_from_cstr(k->o->node_ip);
    else
        r = node_address_find(&k->arena, config->host, config->port, &ips[0], err);
    k->node = (struct pod_node){ .name = str_from_cstr(k->o->node_name),
                                 .host_ip = ips[0],
                                 .host_ips = { ips, 1 },
                                 .allocatable_cpu_milli = get_nprocs() * 1000LL,
                                 .allocatable_memory_bytes = k->config.memory_bytes,
                                 .allocatable_ephemeral_bytes = (int64_t)1 << 33 };
    return r;
}

static int open_client(struct kubelet *k, struct err *err)
{
    struct kube_config config;
    int r = kube_config_load(&k->arena, k->o->kubeconfig, &config, err);

    if (r < 0)
        return r;
    r = fill_node(k, &config, err);
    if (r >= 0)
        r = rest_client_new(k->loop, &config, STR("kubelet"), &k->rest, err);
    if (r >= 0)
        k->events =
            event_recorder_new(&(struct event_recorder_options){ .loop = k->loop,
                                                                 .client = k->rest,
                                                                 .component = STR("kubelet"),
                                                                 .host = k->node.name });
    return r;
}

static struct object_cache *open_cache(struct kubelet *k, struct str resource)
{
    return object_cache_new(
        &(struct object_cache_options){ .loop = k->loop,
                                        .client = k->rest,
                                        .resource = resource_find(STR(""), STR("v1"), resource),
                                        .on_change = on_object,
                                        .arg = k });
}

static void open_services(struct kubelet *k)
{
    k->services = informer_new(&(struct informer_options){
        .loop = k->loop,
        .client = k->rest,
        .resource = resource_find(STR(""), STR("v1"), STR("services")) });
    k->env_sources = (struct pod_env_sources){ .config_maps = k->config_maps,
                                               .secrets = k->secrets,
                                               .services = k->services,
                                               .node = &k->node };
    informer_start(k->services);
}

int kubelet_open_volumes(struct kubelet *k, struct err *err)
{
    k->config_maps = open_cache(k, STR("configmaps"));
    k->secrets = open_cache(k, STR("secrets"));
    return volume_manager_new(
        &(struct volume_manager_options){
            .loop = k->loop,
            .client = k->rest,
            .pods_directory = arena_printf(&k->arena, "%s/pods", k->o->root_directory).p,
            .cluster_domain = k->config.cluster_domain,
            .config_maps = k->config_maps,
            .secrets = k->secrets,
            .node = &k->node,
            .on_change = on_volume,
            .arg = k },
        &k->volumes, err);
}

static void on_signal(int signum, void *arg)
{
    (void)signum;
    loop_stop(((struct kubelet *)arg)->loop);
}

static int open_server(struct kubelet *k, struct err *err)
{
    const struct kubelet_options *o = k->o;
    const char *all = str_find(k->node.host_ip, ':') >= 0 ? "::" : "0.0.0.0";
    uint16_t port;

    if (!o->cert_file || !o->key_file || !o->client_ca_file)
        return 0;
    k->view = kubelet_view_of(k);
    k->stats = stats_collector_new(
        &(struct stats_collector_options){ .loop = k->loop,
                                           .runtime = k->runtime,
                                           .view = &k->view,
                                           .node_name = k->node.name,
                                           .root_directory = o->root_directory,
                                           .image_directory = k->image_directory,
                                           .cgroup_root = k->config.cgroup_root });
    return kubelet_server_new(
        &(struct kubelet_server_options){ .loop = k->loop,
                                          .runtime = k->runtime,
                                          .node_name = k->node.name,
                                          .address = o->address ? o->address : all,
                                          .port = o->port,
                                          .cert_file = o->cert_file,
                                          .key_file = o->key_file,
                                          .client_ca_file = o->client_ca_file,
                                          .view = &k->view,
                                          .stats = k->stats,
                                          .metrics = k->metrics },
        &k->server, &port, err);
}

static int open_all(struct kubelet *k, struct err *err)
{
    const struct kubelet_options *o = k->o;
    struct node_pressure pressure;
    int r = loop_on_signal(k->loop, SIGTERM, on_signal, k, err);

    k->metrics = kubelet_metrics_new();
    k->image_directory = o->image_directory
                             ? o->image_directory
                             : arena_printf(&k->arena, "%s/runtime/store", o->root_directory).p;
    k->began_ns = loop_clock(k->loop)->wall_ns(loop_clock(k->loop));
    if (r >= 0)
        r = loop_on_signal(k->loop, SIGINT, on_signal, k, err);
    fill_config(k);
    if (r >= 0)
        r = kubelet_open_runtime(k, err);
    if (r >= 0)
        r = open_client(k, err);
    if (r < 0)
        return r;
    r = kubelet_open_volumes(k, err);
    if (r < 0)
        return r;
    k->prober = prober_new(&(struct prober_options){ .loop = k->loop,
                                                     .runtime = k->runtime,
                                                     .on_result = on_probe,
                                                     .on_event = on_probe_event,
                                                     .arg = k });
    k->runtime->ops->set_listener(k->runtime, on_runtime_event, k);
    k->runtime->observer = kubelet_figures_observe;
    k->runtime->observer_arg = k;
    r = open_server(k, err);
    if (r >= 0)
        r = node_pressure_init(&pressure, str_from_cstr(o->eviction_hard), err);
    if (r < 0)
        return r;
    k->node_agent = node_agent_new(k, &pressure);
    open_services(k);
    log_keeper_start(k);
    return kubelet_pods_open(k, err);
}

static void close_all(struct kubelet *k)
{
    kubelet_server_free(k->server);
    stats_collector_free(k->stats);
    kubelet_pods_close(k);
    if (k->log_timer.loop)
        loop_timer_stop(&k->log_timer);
    VEC_DONE(&k->viewed);
    informer_free(k->services);
    node_agent_free(k->node_agent);
    prober_free(k->prober);
    volume_manager_free(k->volumes);
    object_cache_free(k->config_maps);
    object_cache_free(k->secrets);
    event_recorder_free(k->events);
    rest_client_free(k->rest);
    if (k->runtime)
        k->runtime->ops->free(k->runtime);
    cni_network_free(k->network);
    kubelet_metrics_free(k->metrics);
    loop_free(k->loop);
    arena_done(&k->arena);
}

int kubelet_run(const struct kubelet_options *o)
{
    struct kubelet k = { .o = o };
    struct err err;
    int r;

    k.loop = loop_new(&clock_system);
    r = o->cleanup ? kubelet_clean(&k, &err) : open_all(&k, &err);
    if (r >= 0)
        loop_run(k.loop);
    else
        (void)fprintf(stderr, "pintle kubelet: %s\n", err.text);
    close_all(&k);
    return r < 0 ? 1 : k.exit_code;
}
