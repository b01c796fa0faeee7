/* What the kubelet's port tells of the kubelet itself: figures, settings, and of its Pods what
 * their control groups do not know. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/process_metrics.h"
#include "client/api_object.h"
#include "codec/json_writer.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/log/container_log.h"
#include "kubelet/stats/kubelet_metrics.h"
#include "kubelet/stats/metrics_text.h"
#include "kubelet/volume/volume_manager.h"
#include "runtime/cgroup.h"

/* --- gauges --- */

struct counts {
    double pods[2], active[2]; /* not static, static */
    double sandboxes, mirrors, ephemeral;
    double containers[RUNTIME_CONTAINER_IS_UNKNOWN + 1];
};

static void count(const struct kubelet *k, struct counts *c)
{
    MAP_FOREACH(it, &k->workers) {
        const struct pod_worker *w = it->value;

        c->pods[w->is_static]++;
        c->active[w->is_static] += w->phase == POD_RUNS && !w->is_final;
        c->sandboxes += w->sandbox_id && w->is_sandbox_ready;
        c->mirrors += w->is_static && pod_worker_shown(w);
        c->ephemeral += pod_worker_spec(w)->spec.ephemeral_containers.len;
        for (size_t i = 0; i < w->n_statuses; i++)
            c->containers[w->statuses[i].state]++;
    }
}

static void print_static(struct buf *b, const char *name, const char *help, const double *values)
{
    metrics_text_family(b, name, "gauge", help);
    for (size_t i = 0; i < 2; i++)
        metrics_text_sample(b, name, &(struct metrics_label){ "static", i ? STR("true") : STR("") },
                            1, values[i], 0);
}

static void print_gauges(const struct kubelet *k, struct buf *b)
{
    static const struct str states[] = { STR_INIT("created"), STR_INIT("running"),
                                         STR_INIT("exited"), STR_INIT("unknown") };
    struct counts c = { 0 };

    count(k, &c);
    metrics_text_family(b, "kubelet_node_name", "gauge", "The node's name, as a label");
    metrics_text_sample(b, "kubelet_node_name", &(struct metrics_label){ "node", k->node.name }, 1,
                        1, 0);
    metrics_text_gauge(b, "kubelet_running_pods", "Pods that have a sandbox", c.sandboxes);
    metrics_text_family(b, "kubelet_running_containers", "gauge", "Containers by state");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        metrics_text_sample(b, "kubelet_running_containers",
                            &(struct metrics_label){ "container_state", states[i] }, 1,
                            c.containers[i], 0);
    print_static(b, "kubelet_desired_pods", "Pods that are to be on this node", c.pods);
    print_static(b, "kubelet_active_pods", "Pods that have not ended", c.active);
    metrics_text_gauge(b, "kubelet_mirror_pods", "Static Pods that the API shows", c.mirrors);
    metrics_text_gauge(b, "kubelet_managed_ephemeral_containers",
                       "Ephemeral containers of the node's Pods", c.ephemeral);
    metrics_text_gauge(b, "kubelet_cgroup_version", "Version of control groups",
                       cgroup_is_v2() ? 2 : 1);
}

static void print_metrics(void *arg, struct buf *b)
{
    struct kubelet *k = arg;

    print_gauges(k, b);
    kubelet_metrics_print(k->metrics, b);
    kubelet_metrics_print_build(b);
    process_metrics_print(b, k->began_ns);
}

static void print_probe_metrics(void *arg, struct buf *b)
{
    prober_print_metrics(((struct kubelet *)arg)->prober, b);
}

/* --- settings --- */

static void put(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, ",\"%s\":", name);
    json_write_string(b, str_from_cstr(value));
}

static void print_configuration(void *arg, struct buf *b)
{
    const struct kubelet_options *o = ((struct kubelet *)arg)->o;

    buf_append_lit(b, "{\"kind\":\"KubeletConfiguration\","
                      "\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\"");
    put(b, "address", o->address ? o->address : "0.0.0.0");
    buf_printf(b, ",\"port\":%u,\"maxPods\":%u", o->port, o->max_pods);
    if (o->manifest_directory)
        put(b, "staticPodPath", o->manifest_directory);
    if (o->cluster_dns) {
        buf_append_lit(b, ",\"clusterDNS\":[");
        json_write_string(b, str_from_cstr(o->cluster_dns));
        buf_append_char(b, ']');
    }
    put(b, "clusterDomain", o->cluster_domain);
    put(b, "cgroupRoot", o->cgroup_root ? o->cgroup_root : "/");
    put(b, "podLogsDir", o->log_directory);
    if (o->cert_file)
        put(b, "tlsCertFile", o->cert_file);
    if (o->key_file)
        put(b, "tlsPrivateKeyFile", o->key_file);
    if (o->client_ca_file) {
        buf_append_lit(b, ",\"authentication\":{\"x509\":{\"clientCAFile\":");
        json_write_string(b, str_from_cstr(o->client_ca_file));
        buf_append_lit(b, "},\"webhook\":{\"enabled\":false},\"anonymous\":{\"enabled\":false}}");
    }
    buf_printf(b,
               ",\"cgroupDriver\":\"cgroupfs\",\"cgroupsPerQOS\":true,"
               "\"containerLogMaxSize\":\"%dMi\",\"containerLogMaxFiles\":%d,"
               "\"nodeStatusUpdateFrequency\":\"10s\",\"nodeStatusReportFrequency\":\"5m0s\","
               "\"nodeLeaseDurationSeconds\":40,\"failSwapOn\":false,"
               "\"evictionPressureTransitionPeriod\":\"5m0s\","
               "\"resolvConf\":\"/etc/resolv.conf\",\"enableServer\":true}",
               CONTAINER_LOG_MAX_BYTES >> 20, CONTAINER_LOG_MAX_FILES);
}

/* --- Pods --- */

static bool pod_details(void *arg, struct arena *a, struct str uid, struct kubelet_view_pod *ret)
{
    const struct kubelet *k = arg;
    const struct pod_worker *w = map_get(&k->workers, uid);
    const struct core_v1_pod *pod;

    if (!w)
        return false;
    pod = pod_worker_spec(w);
    *ret = (struct kubelet_view_pod){
        .started_s = w->started_s,
        .log_directory = str_cstr(a, pod_config_log_directory(a, &k->config, pod)),
        .volumes = ARENA_NEW_ARRAY(a, struct kubelet_view_volume, pod->spec.volumes.len),
    };
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++) {
        const struct core_v1_volume *v = &pod->spec.volumes.items[i];
        const char *path = volume_manager_counted_path(a, k->volumes, pod, v);

        if (path)
            ret->volumes[ret->n_volumes++] =
                (struct kubelet_view_volume){ str_dup(a, v->name), path };
    }
    return true;
}

void kubelet_figures_of(struct kubelet_view *v)
{
    v->pod_details = pod_details;
    v->print_metrics = print_metrics;
    v->print_probe_metrics = print_probe_metrics;
    v->print_configuration = print_configuration;
}

void kubelet_figures_observe(const char *operation, int code, int64_t took_ns, void *arg)
{
    struct kubelet_metrics *m = ((struct kubelet *)arg)->metrics;
    const struct str name = str_from_cstr(operation), handler = STR("");

    kubelet_metrics_count(m, KUBELET_METRIC_RUNTIME_OPERATIONS, &name);
    kubelet_metrics_observe(m, KUBELET_METRIC_RUNTIME_DURATION, &name, took_ns);
    if (code < 0)
        kubelet_metrics_count(m, KUBELET_METRIC_RUNTIME_ERRORS, &name);
    if (!str_eq(name, STR("run_podsandbox")))
        return;
    kubelet_metrics_observe(m, KUBELET_METRIC_RUN_SANDBOX, &handler, took_ns);
    kubelet_metrics_count(
        m, code < 0 ? KUBELET_METRIC_STARTED_PODS_ERRORS : KUBELET_METRIC_STARTED_PODS, NULL);
    if (code < 0)
        kubelet_metrics_count(m, KUBELET_METRIC_RUN_SANDBOX_ERRORS, &handler);
}

void kubelet_figures_count_start(struct kubelet *k, enum pod_container_kind kind,
                                 struct str error /* unset: none */)
{
    static const struct str types[] = { [POD_CONTAINER_INIT] = STR_INIT("init_container"),
                                        [POD_CONTAINER_SIDECAR] = STR_INIT("init_container"),
                                        [POD_CONTAINER_MAIN] = STR_INIT("container"),
                                        [POD_CONTAINER_EPHEMERAL] =
                                            STR_INIT("ephemeral_container") };
    const struct str values[] = { error, types[kind] };

    if (error.len)
        kubelet_metrics_count(k->metrics, KUBELET_METRIC_STARTED_CONTAINERS_ERRORS, values);
    else
        kubelet_metrics_count(k->metrics, KUBELET_METRIC_STARTED_CONTAINERS, values + 1);
}

void kubelet_figures_pod_told(struct pod_worker *w)
{
    struct kubelet_metrics *m = w->k->metrics;
    const struct clock *clock = loop_clock(w->k->loop);
    int64_t now_ms = loop_now_ms(w->k->loop), age_ms;

    kubelet_metrics_observe(m, KUBELET_METRIC_POD_STATUS_SYNC, NULL,
                            (now_ms - w->status_began_ms) * 1000000);
    if (w->is_start_told ||
        !str_contains(str_from_cstr(w->status_sent), STR("\"phase\":\"Running\"")))
        return;
    w->is_start_told = true;
    age_ms = MAX(clock->wall_ns(clock) / 1000000 - w->pod->meta->creation_timestamp.sec * 1000,
                 (int64_t)0);
    kubelet_metrics_observe(m, KUBELET_METRIC_POD_START, NULL, (now_ms - w->seen_at_ms) * 1000000);
    kubelet_metrics_observe(m, KUBELET_METRIC_POD_START_TOTAL, NULL, age_ms * 1000000);
    kubelet_metrics_observe(m, KUBELET_METRIC_POD_START_SLI, NULL,
                            MAX(age_ms - w->pulled_ms, (int64_t)0) * 1000000);
}
